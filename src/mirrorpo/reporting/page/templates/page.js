/* The page's tables, theme, animations and the charts of runs. Data come from the JSON block "data";
   the explorer's part is in explorer.js. */
"use strict";

const page = JSON.parse(document.getElementById("data").textContent);
const palette = page.algorithms.length <= 10
  ? d3.schemeObservable10
  // Hues a golden ratio of the circle apart: neighbours differ, however many there are.
  : page.algorithms.map((_, i) => d3.interpolateSinebow((0.618034 * i) % 1));
const colours = { domain: page.algorithms, range: palette.slice(0, page.algorithms.length) };

const short = (name) => page.labels[name];

function number(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "not finite";
  return Number(value.toPrecision(digits)).toString();
}

/* ---- theme ---- */
(() => {
  const choice = document.getElementById("theme");
  const apply = (theme) => {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
  };
  try {
    choice.value = localStorage.getItem("mirrorpo-theme") || "";
  } catch { /* a browser may give files no storage */ }
  apply(choice.value);
  choice.addEventListener("change", () => {
    apply(choice.value);
    try { localStorage.setItem("mirrorpo-theme", choice.value); } catch { /* as above */ }
  });
})();

/* ---- sortable tables ---- */
for (const button of document.querySelectorAll("th button[data-sort]")) {
  button.addEventListener("click", () => {
    const head = button.closest("th");
    const rows = head.closest("table").tBodies[0];
    const column = [...head.parentNode.children].indexOf(head);
    const numeric = button.dataset.sort === "number";
    const first = numeric && !/rank/.test(button.textContent) ? "descending" : "ascending";
    const other = first === "descending" ? "ascending" : "descending";
    const order = head.getAttribute("aria-sort") === first ? other : first;
    for (const cell of head.parentNode.children) cell.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", order);
    const key = (row) => {
      const cell = row.children[column];
      if (!numeric) return cell.textContent;
      const text = cell.dataset.value;
      return text === "" ? NaN : Number(text);
    };
    const sign = order === "ascending" ? 1 : -1;
    const compare = (a, b) => {
      if (!numeric) return sign * a.localeCompare(b, "en", { numeric: true });
      // What is not known comes last in either order.
      if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
      return sign * (a - b);
    };
    [...rows.rows].map((row) => [key(row), row]).sort((a, b) => compare(a[0], b[0]))
      .forEach(([, row]) => rows.append(row));
  });
}

/* ---- filters of the leaderboard ---- */
(() => {
  const table = document.getElementById("places");
  if (!table) return;
  const filters = [...document.querySelectorAll("[data-filter]")];
  const update = () => {
    let shown = 0;
    for (const row of table.tBodies[0].rows) {
      row.hidden = filters.some((f) => f.value && row.dataset[f.dataset.filter] !== f.value);
      shown += !row.hidden;
    }
    document.getElementById("shown").value = `${shown} rows`;
  };
  filters.forEach((filter) => filter.addEventListener("change", update));
})();

/* ---- what scrolls can be reached and moved by keyboard ---- */
const scrolls = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const more = target.scrollWidth > target.clientWidth || target.scrollHeight > target.clientHeight;
    if (more) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
for (const place of document.querySelectorAll(".scroll, .formula")) {
  if (!place.hasAttribute("role")) {
    const title = place.querySelector("caption") || place.closest("section").querySelector("h2");
    place.setAttribute("role", "group");
    place.setAttribute("aria-label", title.textContent);
  }
  scrolls.observe(place);
}

/* ---- animations ---- */
for (const button of document.querySelectorAll("button.play")) {
  button.addEventListener("click", () => {
    const picture = button.parentNode.querySelector("img");
    const action = button.querySelector("[data-action]");
    const playing = action.textContent === "Play";
    picture.src = playing ? picture.dataset.moving : picture.dataset.still;
    action.textContent = playing ? "Stop" : "Play";
  });
}

/* ---- charts: drawn when they come into view, and again when their width changes ---- */
const drawers = {};
const drawn = new Map();

function draw(place) {
  const width = Math.floor(place.clientWidth);
  if (!width) return;
  const make = drawers[place.dataset.chart];
  try {
    place.replaceChildren(make(place.dataset, width));
  } catch (error) {
    // Numbers that no chart can show must not keep the other charts from being drawn.
    place.textContent = `This chart cannot be drawn: ${error.message}`;
  }
  drawn.set(place, width);
}

const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (entry.isIntersecting && !drawn.has(entry.target)) draw(entry.target);
  }
}, { rootMargin: "400px" });
const resized = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (drawn.has(target) && Math.floor(target.clientWidth) !== drawn.get(target)) draw(target);
  }
});

const base = (width) => ({
  width,
  style: { background: "transparent", fontSize: "12px", fontFamily: "inherit", overflow: "visible" },
});

// For those who hear a chart: where each curve begins and ends.
function described(points, name, value) {
  return [...d3.group(points, name)].map(([of, curve]) =>
    `${of}: from ${number(value(curve[0]))} to ${number(value(curve.at(-1)))}`).join("; ");
}

// Places of ticks between the ends of an axis that counts.
const wholeTicks = (points, key) => d3.ticks(...d3.extent(points, (p) => p[key]), 6).filter(Number.isInteger);

drawers.seeds = ({ run, variant }, width) => {
  const bench = page.benches[run];
  const cells = bench.cells.filter((cell) => cell.variant === variant);
  const agents = cells.flatMap((cell) =>
    cell.scores.map(([seed, value]) => ({ algorithm: cell.algorithm, seed, value })));
  const known = agents.filter((agent) => agent.value !== null);
  const from = bench.shown_from[variant];
  const lost = cells.filter((cell) => cell.diverged || cell.lost);
  const whole = cells.filter((cell) => cell.mean !== null);
  const inside = whole.filter((cell) => !cell.lost);
  // What lies left of the chart is a point at its edge.
  const place = (value) => (from === null ? value : Math.max(value, from));
  const ends = d3.extent([...known, ...bench.sources.map((source) => ({ value: source.mean }))], (d) => place(d.value));
  const text = (value) => value.toFixed(bench.decimals);
  // Letters of a row's name: not more than two fifths of the chart.
  const longest = Math.max(16, Math.floor((0.4 * width) / 7.3));
  const label = (d) => `${short(d.algorithm)}, seed ${d.seed}: ${text(d.value)}`;
  return Plot.plot({
    ...base(width),
    height: 34 * cells.length + 62,
    marginLeft: 12 + 7.3 * d3.max(cells, (cell) => Math.min(short(cell.algorithm).length, longest)),
    marginRight: 16,
    marginTop: 26,
    marginBottom: 40,
    x: { label: `${bench.score} →`, labelOffset: 36, grid: true, nice: from === null, ticks: Math.max(3, width / 90),
      ...(from === null ? {} : { domain: ends }) },
    y: { axis: null, domain: [-1, 1] },
    fy: { label: null, domain: cells.map((cell) => cell.algorithm), padding: 0.12,
      tickFormat: (name) => (short(name).length > longest ? short(name).slice(0, longest - 1) + "…" : short(name)) },
    color: colours,
    ariaLabel: `${bench.score} of every agent on ${variant}`,
    ariaDescription: whole.map((cell) =>
      `${short(cell.algorithm)}: mean ${text(cell.mean)}, standard error ${number(cell.error, 3)}`).join("; "),
    marks: [
      Plot.ruleX(bench.sources, { x: "mean", stroke: "currentColor", strokeDasharray: "3,3", strokeOpacity: 0.7 }),
      Plot.text(bench.sources, { x: "mean", text: (d) => d.label.split(":")[0], frameAnchor: "top",
        dy: -9, fill: "currentColor", facetAnchor: "top" }),
      Plot.dot(known, { x: (d) => place(d.value), y: (d) => 0.75 * (((d.seed * 0.618034) % 1) * 2 - 1), fy: "algorithm",
        fill: "algorithm", fillOpacity: 0.7, r: 3 }),
      Plot.link(inside.filter((cell) => cell.error !== null), { x1: (d) => d.mean - d.error,
        x2: (d) => d.mean + d.error, y: 0, fy: "algorithm", stroke: "currentColor", strokeWidth: 5, strokeOpacity: 0.35 }),
      Plot.link(inside, { x: "mean", y1: -0.9, y2: 0.9, fy: "algorithm", stroke: "currentColor", strokeWidth: 2 }),
      Plot.text(lost, { fy: "algorithm", frameAnchor: "left", dx: 4, fill: "var(--warn)",
        text: (d) => d.diverged ? `${d.diverged} of ${d.agents} diverged`
          : `◂ ${text(d.mean)}${d.error === null ? "" : ` ± ${text(d.error)}`}`, textAnchor: "start" }),
      known.length ? Plot.tip(known, Plot.pointer({ x: (d) => place(d.value), y: 0, fy: "algorithm", title: label })) : null,
    ],
  });
};

const chosenVariant = {};
for (const choice of document.querySelectorAll("[data-curves]")) {
  chosenVariant[choice.dataset.curves] = choice.value;
  choice.addEventListener("change", () => {
    chosenVariant[choice.dataset.curves] = choice.value;
    for (const place of document.querySelectorAll(`[data-chart="curves"][data-run="${choice.dataset.curves}"]`)) draw(place);
  });
}

drawers.curves = ({ run, quantity }, width) => {
  const variant = chosenVariant[run];
  const { argument, step, cells: all } = page.benches[run];
  const cells = all.filter((cell) => cell.variant === variant);
  const points = cells.flatMap((cell) => (cell.curves[quantity] || []).map((value, i) => ({
    algorithm: cell.algorithm, at: step * (i + 1), value, stage: cell.stages[i] ? ` (${cell.stages[i]})` : "" })))
    .filter((point) => point.value !== null);
  // Curves of agents that are lost may leave the chart.
  const lost = new Set(cells.filter((cell) => cell.lost).map((cell) => cell.algorithm));
  const near = points.filter((point) => !lost.has(point.algorithm));
  const cut = near.length > 0 && near.length < points.length;
  return Plot.plot({
    ...base(width),
    height: 230,
    marginLeft: 56, marginBottom: 38,
    x: { label: `${argument} →`, labelOffset: 34, ticks: wholeTicks(points, "at"), tickFormat: "d" },
    y: { grid: true, label: null, nice: true, ...(cut ? { domain: d3.extent(near, (point) => point.value) } : {}) },
    color: colours,
    ariaLabel: `${quantity.replaceAll("_", " ")} by ${argument} on ${variant}`,
    ariaDescription: cells.filter((cell) => cell.curves[quantity]?.length).map((cell) =>
      `${short(cell.algorithm)}: from ${number(cell.curves[quantity][0])} to ${number(cell.curves[quantity].at(-1))}`).join("; "),
    marks: [
      Plot.lineY(points, { x: "at", y: "value", stroke: "algorithm", strokeWidth: 1.8, clip: cut }),
      Plot.tip(cut ? near : points, Plot.pointer({ x: "at", y: "value",
        title: (d) => `${short(d.algorithm)}, ${argument} ${d.at}${d.stage}: ${number(d.value)}` })),
    ],
  });
};

drawers.legend = ({ run }) => {
  const names = new Set(page.benches[run].cells.map((cell) => cell.algorithm));
  const domain = page.algorithms.filter((name) => names.has(name));
  const scale = Plot.scale({ color: { type: "categorical", ...colours } });
  return Plot.legend({ color: { type: "categorical", domain, range: domain.map(scale.apply) }, tickFormat: short, style: { background: "transparent" } });
};

const series = { fitness_best: "best agent", fitness_mean: "population", fitness_of_mean: "the centre", fitness_start: "the start" };
drawers.fitness = ({ search }, width) => {
  const lines = page.searches[search].generations;
  const points = Object.entries(series).flatMap(([key, name]) =>
    lines.map((line) => ({ name, generation: line.generation + 1, value: line[key] })))
    .filter((point) => point.value !== null);
  return Plot.plot({
    ...base(width), height: 280, marginLeft: 48, marginBottom: 38,
    x: { label: "generation →", labelOffset: 34, tickFormat: "d", interval: 1, type: "linear" },
    y: { grid: true, label: null, nice: true },
    color: { domain: Object.values(series), range: d3.schemeObservable10, legend: true },
    ariaLabel: "Fitness by generation",
    ariaDescription: described(points, (d) => d.name, (d) => d.value),
    marks: [
      Plot.lineY(points, { x: "generation", y: "value", stroke: "name", strokeWidth: 1.8, marker: lines.length < 20 }),
      Plot.tip(points, Plot.pointer({ x: "generation", y: "value", title: (d) => `${d.name}, generation ${d.generation}: ${number(d.value)}` })),
    ],
  });
};

drawers.validation = ({ search }, width) => {
  const lines = page.searches[search].validations;
  return Plot.plot({
    ...base(width), height: 280, marginLeft: 48, marginBottom: 38,
    x: { label: "generation →", labelOffset: 34, type: "linear", tickFormat: "d", domain: [0, Math.max(1, d3.max(lines, (line) => line.generation) || 1)], ticks: Math.min(8, Math.max(1, d3.max(lines, (line) => line.generation) || 1)) },
    y: { grid: true, label: null, nice: true },
    color: { domain: ["start", "mean", "best"], range: d3.schemeObservable10, legend: true },
    ariaLabel: "Validation score by generation",
    ariaDescription: lines.map((d) => `${d.candidate}, generation ${d.generation}: ${number(d.score)}`).join("; "),
    marks: [
      Plot.ruleX(lines.filter((d) => d.standard_error !== null), { x: "generation", y1: (d) => d.score - d.standard_error,
        y2: (d) => d.score + d.standard_error, stroke: "candidate" }),
      Plot.lineY(lines.filter((d) => d.candidate === "mean"), { x: "generation", y: "score", stroke: "candidate" }),
      Plot.dot(lines, { x: "generation", y: "score", fill: "candidate", r: 4 }),
      Plot.tip(lines, Plot.pointer({ x: "generation", y: "score",
        title: (d) => `${d.candidate}, generation ${d.generation}: ${number(d.score)} ± ${number(d.standard_error, 2)}` })),
    ],
  });
};

drawers.training = ({ training, part }, width) => {
  const { points, argument } = page.trainings[training][part];
  const names = [...new Set(points.map((p) => p.name))];
  // A line of one point is not seen; on test pairs there may be no more.
  const few = new Set(names.filter((name) => points.filter((p) => p.name === name).length < 20));
  return Plot.plot({
    ...base(width), height: 240, marginLeft: 56, marginBottom: 38,
    x: { label: `${argument} →`, labelOffset: 34, ticks: wholeTicks(points, "x"), tickFormat: "~s" },
    y: { grid: true, label: null, nice: true },
    color: { domain: names, range: d3.schemeObservable10, legend: names.length > 1 },
    ariaLabel: `Training curves: ${names.join(", ")}`,
    ariaDescription: described(points, (d) => d.name, (d) => d.y),
    marks: [
      Plot.lineY(points, { x: "x", y: "y", stroke: "name", strokeWidth: 1.8 }),
      Plot.dot(points.filter((p) => few.has(p.name)), { x: "x", y: "y", fill: "name", r: 3 }),
      Plot.tip(points, Plot.pointer({ x: "x", y: "y", title: (d) => `${d.name}, ${d.x}: ${number(d.y)}` })),
    ],
  });
};
