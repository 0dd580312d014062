"use strict";

// Tables: a click on a head sorts by the values behind the cells; cells without one come last.

function cellValue(row, column) {
  const value = row.cells[column].dataset.value;
  if (value === undefined) return null;
  return value === "" || isNaN(value) ? value.toLowerCase() : Number(value);
}

function compareValues(a, b) {
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
}

function sortTable(table, column) {
  const heads = [...table.tHead.rows[0].cells];
  const numeric = heads[column].classList.contains("number");
  const before = heads[column].getAttribute("aria-sort");
  const descending = before ? before === "ascending" : numeric;
  for (const head of heads) head.removeAttribute("aria-sort");
  heads[column].setAttribute("aria-sort", descending ? "descending" : "ascending");
  const rows = [...table.tBodies[0].rows].map((row) => [cellValue(row, column), row]);
  const filled = rows.filter(([value]) => value !== null).sort(([a], [b]) => (descending ? -1 : 1) * compareValues(a, b));
  const empty = rows.filter(([value]) => value === null);
  for (const [, row] of [...filled, ...empty]) table.tBodies[0].append(row);
}

for (const table of document.querySelectorAll("table.sortable")) {
  table.tHead.querySelectorAll("button").forEach((button, column) => {
    button.addEventListener("click", () => sortTable(table, column));
  });
}

// The table as text, with the rows in the order shown.

function cellText(cell) {
  const parts = [...cell.childNodes].filter((node) => node.nodeName !== "SMALL").map((node) => node.textContent);
  return parts.join("").replace(/\s+/g, " ").trim();
}

const writers = {
  markdown(rows) {
    const lines = rows.map((row) => `| ${row.map((text) => text.replaceAll("|", "\\|")).join(" | ")} |`);
    return [lines[0], `|${"---|".repeat(rows[0].length)}`, ...lines.slice(1)].join("\n");
  },
  csv(rows) {
    return rows.map((row) => row.map((text) => `"${text.replaceAll('"', '""')}"`).join(",")).join("\n");
  },
};

async function copyTable(button) {
  const table = document.getElementById(button.dataset.table);
  const text = writers[button.dataset.copy]([...table.rows].map((row) => [...row.cells].map(cellText)));
  const status = button.parentElement.querySelector("[role=status]");
  const area = button.parentElement.nextElementSibling;
  area.value = text;
  try {
    await navigator.clipboard.writeText(text);
    area.hidden = true;
    status.textContent = `${table.rows.length - 1} rows copied.`;
  } catch {
    area.hidden = false;
    area.select();
    status.textContent = "The browser does not let the page copy: copy the text below.";
  }
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", () => copyTable(button));
}

// Two experiments beside each other, from the numbers that are in the page.

const percent = (value) => (value === undefined ? "–" : (100 * value).toFixed(1));
const points = (value) => (value < 0 ? "−" : "+") + Math.abs(100 * value).toFixed(1);

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function makeTable(caption, heads, rows) {
  const table = element("table");
  table.append(element("caption", caption));
  const head = table.createTHead().insertRow();
  heads.forEach((text, column) => head.append(element("th", text, { scope: "col", class: column ? "number" : "" })));
  const body = table.createTBody();
  for (const [first, ...others] of rows) {
    const row = body.insertRow();
    row.append(element("th", first, { scope: "row" }));
    for (const text of others) row.append(element("td", text, { class: "number" }));
  }
  const around = element("div", undefined, { class: "scroll", tabindex: "0", role: "region", "aria-label": caption });
  around.append(table);
  return around;
}

const withInterval = (run) =>
  `${percent(run.test_accuracy_mean)} [${percent(run.test_accuracy_low)}, ${percent(run.test_accuracy_high)}]`;

function runRows(a, b) {
  const shared = Object.keys(a.runs).filter((runs) => runs in b.runs);
  return shared.map((runs) => {
    const [one, other] = [a.runs[runs], b.runs[runs]];
    return [runs, withInterval(one), withInterval(other), points(other.test_accuracy_mean - one.test_accuracy_mean)];
  });
}

function pairedText(a, b) {
  const [row, sign] = b.baseline === a.name ? [b, 1] : a.baseline === b.name ? [a, -1] : [null, 0];
  const found = row && Object.entries(row.runs).filter(([, run]) => "difference" in run);
  if (!found || !found.length || a === b) {
    return "The tables have no paired interval for these two, so their difference is no finding.";
  }
  const parts = found.map(([runs, run]) => {
    const ends = [sign * run.difference_low, sign * run.difference_high].sort((x, y) => x - y);
    const one = run.difference_runs === 1 ? "; one run, so no verdict" : "";
    return `${points(sign * run.difference)} [${points(ends[0])}, ${points(ends[1])}] (${runs}${one})`;
  });
  return `B less A, paired by test image and run, in points: ${parts.join("; ")}.`;
}

function showComparison(form) {
  const { experiments } = compared[form.dataset.study];
  const [a, b] = [experiments[form.elements.a.value], experiments[form.elements.b.value]];
  const heads = [`A: ${a.short}`, `B: ${b.short}`, "B − A"];
  const runs = runRows(a, b);
  const names = Object.keys(a.classes).filter((name) => name in b.classes);
  const classes = names.map((name) => [name, percent(a.classes[name]), percent(b.classes[name]), points(b.classes[name] - a.classes[name])]);
  const parts = [element("p", pairedText(a, b))];
  parts.push(
    runs.length
      ? makeTable("Test accuracy (%) with intervals", ["Runs", ...heads], runs)
      : element("p", "They have no runs with the same number of labels."),
  );
  if (classes.length) parts.push(makeTable("Test accuracy of each class (%), without intervals", ["Class", ...heads], classes));
  form.querySelector(".result").replaceChildren(...parts);
}

const compared = JSON.parse(document.getElementById("compared").textContent);
for (const form of document.querySelectorAll("form.compare")) {
  form.addEventListener("change", () => showComparison(form));
  form.addEventListener("submit", (event) => event.preventDefault());
  showComparison(form);
}

// Cards: open the one that a link leads to, and all of a study at once.

function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const card = target && target.closest("details.card");
  if (card) {
    card.open = true;
    target.scrollIntoView();
  }
}

window.addEventListener("hashchange", openTarget);
openTarget();

for (const [name, open] of [["open", true], ["close", false]]) {
  for (const button of document.querySelectorAll(`[data-${name}]`)) {
    const section = document.getElementById(button.dataset[name]);
    button.addEventListener("click", () => section.querySelectorAll("details.card").forEach((card) => (card.open = open)));
  }
}
