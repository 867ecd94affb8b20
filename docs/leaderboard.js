// Sorts the leaderboard, and shows the chosen robot or text, kind of data and family alone.
"use strict";

function setUpLeaderboard(board) {
  const table = board.querySelector("table");
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const chosen = { robot: "", variant: "", family: "" };
  const missing = new Map();
  const place = (name) => heads.findIndex((head) => head.dataset.of === name);
  let sorted = place("worst");
  let falls = true;

  function value(row, column) {
    const cell = row.cells[column];
    if (heads[column].dataset.sort === "text") return cell.textContent;
    return cell.dataset.value === undefined ? null : Number(cell.dataset.value);
  }

  function isShown({ robot, variant, only }) {
    if (robot === undefined) return true;
    if (only !== undefined && chosen[only] === "") return false;
    return ["", robot].includes(chosen.robot) && ["", variant].includes(chosen.variant);
  }

  function summarise(row) {
    const shown = [...row.cells].filter(
      (cell, at) => heads[at].dataset.robot !== undefined && !cell.hidden
    );
    const [scores, edges] = ["value", "edge"].map((name) =>
      shown.filter((cell) => cell.dataset[name] !== undefined).map((cell) => Number(cell.dataset[name]))
    );
    missing.set(row, shown.length - scores.length);
    const found = {
      worst: [scores, Math.min(...scores)],
      mean: [scores, scores.reduce((sum, one) => sum + one, 0) / scores.length],
      edge: [edges, Math.min(...edges)],
    };
    for (const [name, [of, one]] of Object.entries(found)) {
      const cell = row.cells[place(name)];
      cell.textContent = of.length > 0 ? one.toFixed(2) : "";
      if (of.length > 0) cell.dataset.value = String(one);
      else delete cell.dataset.value;
    }
    return scores.length > 0;
  }

  function draw() {
    for (const row of [table.tHead.rows[0], ...rows]) {
      [...row.cells].forEach((cell, at) => {
        cell.hidden = !isShown(heads[at].dataset);
      });
    }
    for (const row of rows) {
      const measured = summarise(row);
      row.hidden = !measured || (chosen.family !== "" && row.dataset.family !== chosen.family);
    }
    const sign = falls ? -1 : 1;
    // A worst or a mean over fewer columns says less: it stands below those over all of them.
    const overall = ["worst", "mean"].includes(heads[sorted].dataset.of);
    rows.sort((one, other) => {
      const fewer = overall ? missing.get(one) - missing.get(other) : 0;
      if (fewer !== 0) return fewer;
      const [a, b] = [value(one, sorted), value(other, sorted)];
      if (a === null || b === null) return (a === null) - (b === null);
      return sign * (a < b ? -1 : a > b ? 1 : 0);
    });
    body.append(...rows);
    heads.forEach((head, at) => {
      head.ariaSort = at === sorted ? (falls ? "descending" : "ascending") : "none";
    });
  }

  for (const select of board.querySelectorAll("select")) {
    const key = select.dataset.choose;
    const found = [...table.querySelectorAll(`[data-${key}]`)].map((one) => one.dataset[key]);
    select.append(new Option("all", ""));
    select.append(...[...new Set(found)].sort().map((one) => new Option(one, one)));
    select.addEventListener("change", () => {
      chosen[key] = select.value;
      draw();
    });
  }
  heads.forEach((head, at) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      falls = at === sorted ? !falls : head.dataset.sort === "number";
      sorted = at;
      draw();
    });
  });
  draw();
}

document.querySelectorAll(".leaderboard").forEach(setUpLeaderboard);
