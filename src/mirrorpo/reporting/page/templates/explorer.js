/* The gradient explorer. It looks numbers up and computes none of an objective's: they are in the
   JSON block "explorer-data", see mirrorpo.reporting.page.explorer for the layout. */
"use strict";

const zoo = JSON.parse(document.getElementById("explorer-data").textContent);
const halves = (() => {
  const text = atob(zoo.values);
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  delete zoo.values;
  return new DataView(bytes.buffer);
})();

/* IEEE 754 half precision. */
function half(index) {
  const bits = halves.getUint16(2 * index, true);
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function array({ at, length, scale }) {
  return Float64Array.from({ length }, (_, i) => half(at + i) * scale);
}

const { low, high, points: side } = zoo.grid;
const step = (high - low) / (side - 1);
const logProb = (i) => low + i * step;
const nearest = (x) => Math.max(0, Math.min(side - 1, Math.round((x - low) / step)));

/* Loss and derivatives of one objective at one point of its grid and one moment, (chosen, rejected)
   at index chosen * side + rejected. */
const cache = new Map();
function maps(objective, point, moment) {
  const key = `${objective},${point},${moment}`;
  if (!cache.has(key)) {
    const [loss, chosen, rejected] = zoo.objectives[objective].points[point].maps[moment].map(array);
    const size = chosen.map((value, i) => Math.hypot(value, rejected[i]));
    cache.set(key, { loss, chosen, rejected, size });
  }
  return cache.get(key);
}

const sequential = (values) => {
  const finite = [...values].filter(Number.isFinite);
  const most = Math.max(d3.max(finite) ?? 1, 1e-12);
  const least = d3.min(finite) ?? 0;
  if (most > 20 * least) return { type: "log", domain: [Math.max(least, most * 1e-4), most], clamp: true, scheme: "viridis" };
  if (most - least < 1e-3 * most) return { type: "linear", domain: [0, 1.05 * most], scheme: "viridis" };
  return { type: "linear", domain: [least, most], scheme: "viridis" };
};

const signed = (values) => {
  const most = d3.max(values, (value) => Math.abs(value)) || 1;
  return { type: "diverging-symlog", constant: most / 100, domain: [-most, most], scheme: "RdBu", reverse: true };
};

const plain = (values) => {
  const [least, most] = d3.extent(values);
  const wide = most - least > 1e-9 ? [least, most] : [least - 1, least + 1];
  return { type: "symlog", constant: Math.max(Math.abs(least), Math.abs(most)) / 50 || 1, domain: wide, scheme: "viridis" };
};

const quantities = {
  size: { label: "size of the gradient", scale: sequential },
  loss: { label: "loss", scale: plain },
  chosen: { label: "derivative, chosen", scale: signed },
  rejected: { label: "derivative, rejected", scale: signed },
};

function heatmap(found, quantity, width, { scale, probe, label } = {}) {
  const values = found[quantity];
  // A raster's rows go up the vertical axis, which is the rejected log-prob.
  const rows = Float64Array.from(values, (_, k) => values[(k % side) * side + Math.floor(k / side)]);
  const arrows = [];
  for (let i = 4; i < side; i += 8) {
    for (let j = 4; j < side; j += 8) {
      const at = i * side + j;
      if (found.size[at] > 0) {
        arrows.push({ x: logProb(i), y: logProb(j),
          turn: (Math.atan2(-found.chosen[at], -found.rejected[at]) * 180) / Math.PI });
      }
    }
  }
  const plot = Plot.plot({
    ...base(width),
    height: width * 0.9 + 20,
    marginLeft: 46, marginBottom: 38, marginTop: 14, marginRight: 14,
    x: { domain: [low, high], label: "chosen log-prob →", labelOffset: 34, nice: false, ticks: 5, inset: 0 },
    y: { domain: [low, high], label: "↑ rejected log-prob", ticks: 5 },
    color: { ...(scale || quantities[quantity].scale(values)), legend: true, label: quantities[quantity].label, width: Math.min(width, 260), ticks: 4, tickFormat: "~g" },
    ariaLabel: label,
    marks: [
      Plot.raster(rows, { width: side, height: side, x1: low - step / 2, x2: high + step / 2, y1: low - step / 2, y2: high + step / 2, imageRendering: "pixelated", clip: true }),
      Plot.line([[low, low], [high, high]], { stroke: "white", strokeDasharray: "4,3", clip: true }),
      Plot.vector(arrows, { x: "x", y: "y", rotate: "turn", length: 13, anchor: "middle", stroke: "black", strokeWidth: 2.6, strokeOpacity: 0.7 }),
      Plot.vector(arrows, { x: "x", y: "y", rotate: "turn", length: 13, anchor: "middle", stroke: "white", strokeWidth: 1.2 }),
      probe ? Plot.dot([probe], { x: "x", y: "y", r: 6, stroke: "black", strokeWidth: 4 }) : null,
      probe ? Plot.dot([probe], { x: "x", y: "y", r: 6, stroke: "#ffb000", strokeWidth: 2 }) : null,
    ],
  });
  return plot;
}

drawers.map = ({ objective, point }, width) => {
  const label = zoo.objectives[objective].label;
  return heatmap(maps(objective, point, 0), "size", Math.min(width, 420), { label: `Gradient map of ${label}` });
};

/* ---- the two panels ---- */
const state = { a: {}, b: {}, chosen: nearest(-3), rejected: nearest(-6) };
const panels = Object.fromEntries(["a", "b"].map((name) => [name, document.querySelector(`[data-side="${name}"]`)]));

function pointOf(entry, values) {
  // Points are the product of the values, the last hyper-parameter fastest.
  return entry.grid.reduce((index, { name, values: offered }) => index * offered.length + offered.indexOf(values[name]), 0);
}

function valuesOf(entry, point) {
  const values = {};
  for (const { name, values: offered } of [...entry.grid].reverse()) {
    values[name] = offered[point % offered.length];
    point = Math.floor(point / offered.length);
  }
  return values;
}

function choose(name, index) {
  const entry = zoo.objectives[index];
  state[name] = { index, values: valuesOf(entry, entry.start), moment: 0 };
  const panel = panels[name];
  panel.querySelector(".objective").value = index;
  const controls = entry.grid.map(({ name: parameter, values }) => {
    const label = document.createElement("label");
    const select = document.createElement("select");
    select.dataset.parameter = parameter;
    select.append(...values.map((value) => new Option(value, value)));
    select.value = state[name].values[parameter];
    select.addEventListener("change", () => {
      state[name].values[parameter] = Number(select.value);
      update();
    });
    label.append(parameter, select);
    return label;
  });
  if (entry.moments.length > 1) {
    const label = document.createElement("label");
    const select = document.createElement("select");
    select.dataset.parameter = "progress";
    select.append(...entry.moments.map((moment, i) => new Option(moment, i)));
    select.addEventListener("change", () => {
      state[name].moment = Number(select.value);
      update();
    });
    label.append("training's progress t", select);
    controls.push(label);
  }
  panel.querySelector(".parameters").replaceChildren(...controls);
  const text = panel.querySelector(".formula-text");
  text.textContent = entry.formula.replaceAll("``", "");
  text.title = entry.paper;
  if (entry.fixed) {
    const fixed = document.createElement("span");
    fixed.className = "quiet";
    fixed.textContent = ` (${entry.fixed})`;
    text.append(fixed);
  }
  update();
}

function update() {
  if (state.a.index === undefined || state.b.index === undefined) return;
  const quantity = document.getElementById("quantity").value;
  const found = {};
  for (const name of ["a", "b"]) {
    const entry = zoo.objectives[state[name].index];
    found[name] = maps(state[name].index, pointOf(entry, state[name].values), state[name].moment);
  }
  const both = document.getElementById("same-scale").checked
    ? quantities[quantity].scale([...found.a[quantity], ...found.b[quantity]]) : undefined;
  const at = state.chosen * side + state.rejected;
  const probe = { x: logProb(state.chosen), y: logProb(state.rejected) };
  for (const which of ["chosen", "rejected"]) {
    document.getElementById(`probe-${which}-value`).value = logProb(state[which]).toFixed(2);
    document.getElementById(`probe-${which}`).value = logProb(state[which]);
  }
  for (const name of ["a", "b"]) {
    const place = panels[name].querySelector("[data-explorer]");
    const width = Math.floor(place.clientWidth);
    if (width) {
      const label = `${quantities[quantity].label} of ${zoo.objectives[state[name].index].label}`;
      const chart = heatmap(found[name], quantity, Math.min(width, 460), { scale: both, probe, label });
      chart.addEventListener("click", (event) => {
        const svg = chart.tagName === "svg" ? chart : chart.querySelector("svg[viewBox]:not([class*=ramp])") || chart.querySelector("svg:last-of-type");
        const box = svg.getBoundingClientRect();
        const units = svg.viewBox.baseVal.width / box.width;
        state.chosen = nearest(chart.scale("x").invert((event.clientX - box.left) * units));
        state.rejected = nearest(chart.scale("y").invert((event.clientY - box.top) * units));
        update();
      });
      place.replaceChildren(chart);
    }
    for (const value of panels[name].querySelectorAll("[data-value]")) {
      value.textContent = number(found[name][value.dataset.value][at]);
    }
  }
  for (const place of document.querySelectorAll("[data-function]")) drawFunction(place);
}

function drawFunction(place) {
  const width = Math.floor(place.clientWidth);
  if (!width) return;
  const curves = ["a", "b"].map((name) => {
    const entry = zoo.objectives[state[name].index];
    const found = entry.points[pointOf(entry, state[name].values)].functions
      .find((curve) => curve.name === place.dataset.function);
    return found && { ...found, name: name.toUpperCase(), moment: found.values.length > 1 ? state[name].moment : 0 };
  });
  if (!curves.some(Boolean)) {
    const none = document.createElement("p");
    none.className = "quiet small";
    none.textContent = "Neither objective has this function.";
    place.replaceChildren(none);
    return;
  }
  // A tenth beyond what the grid gives: where log-odds run to infinity, nothing else would show.
  const near = ({ seen: [from, to] }, x) => x >= from - 0.1 * (to - from) && x <= to + 0.02 * (to - from);
  const line = (curve, values) => [...array(values)].map((y, i, all) => ({
    x: curve.ends[0] + (i * (curve.ends[1] - curve.ends[0])) / (all.length - 1), y, name: curve.name }))
    .filter((point) => near(curve, point.x));
  const shown = curves.filter(Boolean);
  place.replaceChildren(Plot.plot({
    ...base(width), height: 220, marginLeft: 50, marginBottom: 38,
    x: { labelOffset: 34, label: place.dataset.function === "link" ? "scaled margin →" : "log-prob →" },
    y: { grid: true, label: null, tickFormat: "~s" },
    color: { domain: ["A", "B"], range: ["#4269d0", "#ff725c"], legend: true },
    ariaLabel: `${place.dataset.function} of both objectives`,
    marks: [
      Plot.rectX(shown.slice(0, 1), { x1: (d) => d.seen[0], x2: (d) => d.seen[1], fill: "currentColor", fillOpacity: 0.08 }),
      Plot.lineY(line(shown[0], shown[0].usual), { x: "x", y: "y", stroke: "currentColor", strokeDasharray: "1,4", strokeOpacity: 0.8 }),
      ...shown.map((curve) => Plot.lineY(line(curve, curve.values[curve.moment]), { x: "x", y: "y", stroke: "name", strokeWidth: 2 })),
    ],
  }));
}

(() => {
  for (const [name, panel] of Object.entries(panels)) {
    const select = panel.querySelector(".objective");
    select.append(...zoo.objectives.map((entry, i) => new Option(entry.label, i)));
    select.addEventListener("change", () => choose(name, Number(select.value)));
  }
  for (const which of ["chosen", "rejected"]) {
    const slider = document.getElementById(`probe-${which}`);
    Object.assign(slider, { min: low, max: high, step });
    slider.addEventListener("input", () => {
      state[which] = nearest(Number(slider.value));
      update();
    });
  }
  document.getElementById("quantity").addEventListener("change", update);
  document.getElementById("same-scale").addEventListener("change", update);
  const [first, second] = page.first;
  choose("a", first);
  choose("b", second);
  let width = document.getElementById("explorer").clientWidth;
  new ResizeObserver(() => {
    const now = document.getElementById("explorer").clientWidth;
    if (now !== width) { width = now; update(); }
  }).observe(document.getElementById("explorer"));
  for (const place of document.querySelectorAll("[data-chart]")) { seen.observe(place); resized.observe(place); }
})();
