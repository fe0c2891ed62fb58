// What all parts of the page share: elements, texts, numbers, colours, and which runs are chosen.

/** What the page shows; `main.js` puts it here before anything else is done. */
let report = null;

/** Return a new element. Text goes in as text: nothing in the data is ever read as HTML. */
function make(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

function makeSvg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

/** Put a part of the page in its place, with an entry in the navigation. */
function addSection(id, title, ...children) {
  const heading = make("h2", { id: `about-${id}` }, title);
  document.querySelector("main").append(make("section", { id, "aria-labelledby": `about-${id}` }, heading, ...children));
  document.querySelector("nav").append(make("a", { href: `#${id}` }, title));
}

// Texts and numbers.

const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\p{Surrogate}]/gu;

/** Return a text of which every character is seen: what steers a terminal, or turns the direction, as `\u202e`. */
const plain = (text) => text.replace(HIDDEN, (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, "0")}`);

const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

/** JSON that no number of this language can hold, or that is looked at as text alone. */
class Exact {
  constructor(text) { this.text = text; }
}

/** Return a value as it was, where JSON could not say it: integers of more than 53 bits, and what has parts. */
function revived(value) {
  if (Array.isArray(value)) return value.map(revived);
  if (value === null || typeof value !== "object") return value;
  return "int" in value ? BigInt(value.int) : new Exact(value.json);
}

const NOT_FINITE = new Map([["NaN", NaN], ["Infinity", Infinity], ["-Infinity", -Infinity]]);

/** Return a fact as a number to draw or to sort by, or null if it is none. */
function asNumber(value) {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  return NOT_FINITE.get(value) ?? null;
}

/** Return a value in one line: of a number as many digits as are given, or all. */
function shown(value, digits = 6) {
  if (value == null) return "";
  if (typeof value === "number") return String(Number.isInteger(value) || !digits ? value : Number(value.toPrecision(digits)));
  if (typeof value === "string") return plain(value);
  if (value instanceof Exact) return plain(value.text);
  if (Array.isArray(value)) return `[${value.map((one) => (typeof one === "string" ? plain(JSON.stringify(one)) : one === null ? "null" : shown(one, 0))).join(", ")}]`;
  return String(value);
}

/** Return a span of time as people say it. */
function lasting(seconds) {
  const whole = Math.round(seconds);
  const parts = [[Math.floor(whole / 86400), "d"], [Math.floor(whole / 3600) % 24, "h"], [Math.floor(whole / 60) % 60, "min"], [whole % 60, "s"]];
  const first = parts.findIndex(([count]) => count);
  if (seconds < 10) return `${Number(seconds.toFixed(1))} s`;
  return parts.slice(first, first + 2).filter(([count]) => count).map((part) => part.join(" ")).join(" ");
}

const counted = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

// Facts of runs.

/** Return a run with its facts by the keys of the filter language: `metrics.auc`, `params.lr`, `status`. */
function withFacts({ ref, facts }, number) {
  const found = new Map();
  for (const [key, value] of Object.entries(facts)) {
    const isNumber = /^(metrics|min|max)\./.test(key) && value !== "NaN";
    found.set(key, (isNumber ? NOT_FINITE.get(value) : undefined) ?? revived(value));
  }
  const label = found.get("name") || found.get("id").slice(0, 13);
  return { number, ref, facts: found, name: plain(label), failed: !/^(finished|running)$/.test(found.get("status")) };
}

/** Return the names of facts of one kind that any of some runs has, sorted: `params.` */
function namesOf(prefix, runs) {
  const names = new Set();
  for (const run of runs) for (const key of run.facts.keys()) if (key.startsWith(prefix)) names.add(key);
  return [...names].sort(inOrderOfNames);
}

const inOrderOfNames = new Intl.Collator("en", { numeric: true }).compare;

/** Tell whether not all runs have one value of a fact. */
const differs = (runs, key) => new Set(runs.map((run) => `${typeof run.facts.get(key)} ${shown(run.facts.get(key), 0)}`)).size > 1;

const isOfSystem = (key) => /^(\w+\.)?system\//.test(key);

/** Return metrics, those of the machine left out; the goal first. */
function metricsOf(runs) {
  const keys = namesOf("metrics.", runs).filter((key) => !isOfSystem(key));
  const goal = `metrics.${report.goal}`;
  return keys.includes(goal) ? [goal, ...keys.filter((key) => key !== goal)] : keys;
}

const titleOf = (key) => plain(key.slice(key.indexOf(".") + 1));

/** Return the best of some values by a direction; null if none is better than another. */
function bestOf(direction, values) {
  const finite = values.map(asNumber).filter(Number.isFinite);
  if (!direction || new Set(finite).size < 2) return null;
  return finite.reduce((a, b) => (direction === "max" ? Math.max(a, b) : Math.min(a, b)));
}

// Colours.

const PALETTE = 8;

/** Return the colour of a run: of the style sheet for the first in the order of the page, then one around the wheel. */
function colourOf(run) {
  return run.place < PALETTE ? `var(--run-${run.place})` : `hsl(${((run.place * 137.508) % 360).toFixed(0)} 60% 50%)`;
}

const themeColour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Return the colour of a run as a canvas takes it. */
const inkOf = (run) => (run.place < PALETTE ? themeColour(`--run-${run.place}`) : colourOf(run));

function swatch(run) {
  const element = make("span", { class: "swatch" });
  element.style.background = colourOf(run);
  return element;
}

// What is chosen, and what is pointed at.

const choice = {
  numbers: new Set(),
  lifted: null,
  onChange: [],
  onLift: [],
  /** The chosen runs, in the order of the page. */
  get runs() { return report.order.filter((run) => this.numbers.has(run.number)); },
  set(runs) { this.numbers = new Set(runs.map((run) => run.number)); this.tell(); },
  toggle(run) {
    if (!this.numbers.delete(run.number)) this.numbers.add(run.number);
    this.tell();
  },
  tell() { for (const listener of this.onChange) listener(); },
  /** Show one run before all others, everywhere; null for none. */
  lift(run) {
    if (run === this.lifted) return;
    this.lifted = run;
    for (const listener of this.onLift) listener();
  },
};

/** Let an element lift a run while it is pointed at, or has the focus. */
function lifts(element, run) {
  for (const event of ["mouseenter", "focus"]) element.addEventListener(event, () => choice.lift(run));
  for (const event of ["mouseleave", "blur"]) element.addEventListener(event, () => choice.lift(null));
  return element;
}

/** Mark the elements of the lifted run below a place, and make those of others faint. */
function showLifted(place) {
  const lifted = choice.lifted && String(choice.lifted.number);
  for (const element of place.querySelectorAll("[data-run]")) {
    element.classList.toggle("lifted", element.dataset.run === lifted);
    element.classList.toggle("dim", lifted != null && element.dataset.run !== lifted);
  }
}

// What is said beside the pointer.

const tip = {
  element: null,
  show(x, y, run, lines) {
    this.element ??= document.body.appendChild(make("div", { id: "tip", role: "status" }));
    this.element.replaceChildren(make("div", { class: "name" }, swatch(run), run.name), ...lines.map((line) => make("div", {}, line)));
    this.element.hidden = false;
    const { width, height } = this.element.getBoundingClientRect();
    this.element.style.left = `${Math.max(4, x + 16 + width > innerWidth ? x - width - 12 : x + 16)}px`;
    this.element.style.top = `${Math.max(4, y + 16 + height > innerHeight ? y - height - 12 : y + 16)}px`;
  },
  hide() { if (this.element) this.element.hidden = true; },
};

/** Say something of a run while an element is pointed at. */
function tells(element, run, lines) {
  element.addEventListener("mousemove", (event) => tip.show(event.clientX, event.clientY, run, lines()));
  element.addEventListener("mouseleave", () => tip.hide());
  return lifts(element, run);
}

/** Call a function once for all that happens before the next picture. */
function atNextFrame(act) {
  let waits = false;
  return () => {
    if (waits) return;
    waits = true;
    requestAnimationFrame(() => { waits = false; act(); });
  };
}
