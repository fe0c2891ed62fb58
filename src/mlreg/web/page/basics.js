// What all parts of the page share: the data, elements, numbers, colours, and which runs are chosen.

const report = JSON.parse(document.getElementById("data").textContent);

/** Return a new element. Text goes in as text: nothing in the data is ever read as HTML. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

function makeSvg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Put a part of the page in its place, with an entry in the navigation. */
function addSection(id, title, ...children) {
  document.querySelector("main").append(make("section", { id }, make("h2", {}, title), ...children));
  document.querySelector("nav").append(make("a", { href: `#${id}` }, title));
}

const NOT_FINITE = { NaN: NaN, Infinity: Infinity, "-Infinity": -Infinity };

/** Return a fact as a number, or null if it is none. What is not finite comes as a word. */
function asNumber(value) {
  if (typeof value === "number") return value;
  return value in NOT_FINITE ? NOT_FINITE[value] : null;
}

function shown(value) {
  if (value == null) return "";
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Return a fact of a run by its dotted name: `metrics.auc`, `params.lr`, `status`. */
function factOf(run, field) {
  const dot = field.indexOf(".");
  const first = dot < 0 ? field : field.slice(0, dot);
  const table = { metrics: run.metrics, params: run.params, labels: run.labels, tags: run.labels, min: run.min, max: run.max }[first];
  if (dot < 0 || table == null) return first === "attributes" ? run[field.slice(dot + 1)] : run[field];
  return table[field.slice(dot + 1)];
}

/** Return the facts that not all runs have with one value. */
function differing(runs, table) {
  const names = [...new Set(runs.flatMap((run) => Object.keys(run[table])))].sort();
  return names.filter((name) => new Set(runs.map((run) => JSON.stringify(run[table][name]))).size > 1);
}

const nameOf = (run) => run.name || run.id.slice(0, 13);

const PALETTE = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#7f7f7f"];

/** Return the colour of a run: of Okabe and Ito as far as they reach, then one around the wheel. */
function colourOf(number) {
  return number < PALETTE.length ? PALETTE[number] : `hsl(${(number * 137.508) % 360} 65% 52%)`;
}

const themeColour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Which runs are chosen, and who wants to know. */
const choice = {
  runs: new Set(),
  lifted: null,
  listeners: [],
  onChange(listener) { this.listeners.push(listener); },
  set(numbers) { this.runs = new Set(numbers); this.tell(); },
  toggle(number) {
    if (!this.runs.delete(number)) this.runs.add(number);
    this.tell();
  },
  tell() { for (const listener of this.listeners) listener(); },
};
