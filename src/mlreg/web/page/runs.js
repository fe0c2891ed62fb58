// The table of runs: filter, sort, choose.

const MOST_ROWS = 300;
const MOST_COLUMNS = 60;
/** Of params, of metrics and of labels, each. */
const MOST_CHOSEN_AT_FIRST = 50;

function columnsOf(runs) {
  const groups = { metric: metricsOf(runs), param: namesOf("params.", runs).filter((key) => differs(runs, key)), label: namesOf("labels.", runs).filter((key) => differs(runs, key)) };
  const facts = Object.entries(groups).flatMap(([group, keys]) => keys.slice(0, MOST_COLUMNS).map((key) => ({ key, title: titleOf(key), group })));
  const told = ["experiment", "status", "group"].filter((key) => differs(runs, key) || key === "status").map((key) => ({ key, title: key }));
  const columns = [{ key: "name", title: "run" }, ...told, ...facts, { key: "started", title: "started (UTC)" }, { key: "seconds", title: "took" }];
  for (const column of columns) {
    const values = runs.map((run) => run.facts.get(column.key)).filter((value) => value != null);
    column.isNumber = values.length > 0 && values.every((value) => asNumber(value) != null);
    column.direction = report.directions[column.key];
    column.best = bestOf(column.direction, values);
    column.isGoal = column.key === `metrics.${report.goal}`;
  }
  return columns;
}

/** Return what stands in a cell. */
function cellText(column, run) {
  const value = run.facts.get(column.key);
  if (column.key === "name") return run.name;
  if (column.key === "started") return shown(value).slice(0, 16).replace("T", " ");
  return column.key === "seconds" ? lasting(value) : cut(shown(value), 120);
}

function cell(column, run) {
  const value = run.facts.get(column.key);
  const isBest = column.best != null && asNumber(value) === column.best;
  const classes = [column.isNumber ? "number" : "", isBest ? "best" : "", column.key === "status" && run.failed ? "bad" : "", column.isGoal ? "goal" : ""];
  const exact = column.key === "name" ? plain(run.ref) : column.key === "seconds" ? `${value} s` : shown(value, 0);
  const text = cellText(column, run);
  return make("td", { class: classes.filter(Boolean).join(" ") || null, title: exact === text ? null : exact }, isBest ? make("span", { class: "star", "aria-label": "best" }, "★ ") : null, text);
}

/** Compare values: false, true, numbers, texts; what is missing or NaN is last, whichever way it goes. */
function compared(a, b, sign) {
  const [left, right] = [asNumber(a) ?? a, asNumber(b) ?? b];
  const rank = (value) => (value == null || Number.isNaN(value) ? 4 : { boolean: 0, number: 1, string: 2 }[typeof value] ?? 3);
  if (rank(left) === 4 || rank(right) === 4) return rank(left) === rank(right) ? 0 : rank(left) - rank(right);
  if (rank(left) !== rank(right)) return sign * (rank(left) - rank(right));
  return sign * (typeof left === "string" ? inOrderOfNames(left, right) : Number(left) - Number(right) || 0);
}

function addRuns() {
  const { order: runs } = report;
  const columns = columnsOf(runs);
  const sorting = { column: columns.find((column) => column.isGoal) ?? null, sign: 1 };
  sorting.sign = sorting.column?.direction === "max" ? -1 : 1;
  let [most, visible] = [MOST_ROWS, runs];

  const problem = make("span", { class: "problem", role: "alert" });
  const count = make("span", { class: "soft", role: "status" });
  const filter = make("input", {
    type: "search", id: "filter", "aria-label": "Filter runs: an expression, or any text", placeholder: "metrics.auc > .9 and params.lr < 1e-3, or any text",
    spellcheck: "false", autocomplete: "off", oninput: () => draw(), onkeydown: (event) => { if (event.key === "Enter") choice.set(visible); },
  });
  const all = make("input", { type: "checkbox", "aria-label": "choose all that are shown", onchange: () => choice.set(all.checked ? visible : []) });
  const heads = columns.map((column) => {
    column.mark = make("span", { class: "arrow", "aria-hidden": "true" });
    const title = `${plain(column.key)}${column.isGoal ? ", the goal" : ""}${column.direction ? `: ${column.direction} is best` : ""}`;
    column.head = make("th", { scope: "col", class: column.isNumber ? "number" : null },
      make("button", { type: "button", title, onclick: () => sortBy(column) },
        column.group && column.group !== "metric" ? make("span", { class: "group" }, `${column.group} `) : null, column.title, column.mark));
    return column.head;
  });
  const body = make("tbody");
  const more = make("button", { type: "button", onclick: () => { most *= 4; draw(); } }, "show more");

  function sortBy(column) {
    const first = column.direction === "min" || !column.isNumber ? 1 : -1;
    Object.assign(sorting, { sign: sorting.column === column ? -sorting.sign : first, column });
    draw();
  }

  function fitting() {
    const text = filter.value.trim();
    problem.textContent = "";
    if (!text) return [...runs];
    try {
      const test = parseFilter(filter.value);
      return runs.filter((run) => test(run.facts));
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      if (/[=<>]|\s(is|in|i?like)\s/i.test(text)) problem.textContent = `no expression, looked for as text: ${error.message}`;
      const word = text.toLowerCase();
      return runs.filter((run) => run.ref.toLowerCase().includes(word) || columns.some((column) => cellText(column, run).toLowerCase().includes(word)));
    }
  }

  const row = (run) => {
    const box = make("input", { type: "checkbox", "aria-label": `choose ${run.name}`, onchange: () => choice.toggle(run) });
    const [name, ...others] = columns;
    const head = make("th", { scope: "row", title: plain(run.ref) }, make("label", {}, box, swatch(run), cellText(name, run)));
    return lifts(make("tr", { "data-run": run.number }, head, ...others.map((column) => cell(column, run))), run);
  };

  function draw() {
    visible = fitting();
    const { column, sign } = sorting;
    if (column) visible.sort((a, b) => compared(a.facts.get(column.key), b.facts.get(column.key), sign) || a.place - b.place);
    for (const { head, mark, key } of columns) {
      const isIt = column?.key === key;
      mark.textContent = isIt ? (sign < 0 ? " ↓" : " ↑") : "";
      if (isIt) head.setAttribute("aria-sort", sign < 0 ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
    body.replaceChildren(...visible.slice(0, most).map(row));
    if (!visible.length) body.append(make("tr", { class: "none" }, make("td", { colspan: columns.length }, "no run fits")));
    more.hidden = visible.length <= most;
    mark();
  }

  function mark() {
    for (const line of body.querySelectorAll("[data-run]")) {
      const isChosen = choice.numbers.has(Number(line.dataset.run));
      line.classList.toggle("chosen", isChosen);
      line.querySelector("input").checked = isChosen;
    }
    all.checked = visible.length > 0 && visible.every((run) => choice.numbers.has(run.number));
    all.indeterminate = !all.checked && visible.some((run) => choice.numbers.has(run.number));
    count.textContent = `${visible.length} of ${counted(runs.length, "run")}, ${choice.numbers.size} chosen`;
  }

  const [first, ...others] = heads;
  first.prepend(all);
  addSection("runs", "Runs",
    make("div", { class: "bar" }, filter,
      make("button", { type: "button", id: "choose", title: "or the Enter key", onclick: () => choice.set(visible) }, "draw these"),
      make("button", { type: "button", onclick: () => choice.set([]) }, "none"), count, problem),
    make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "runs" }, make("table", {}, make("thead", {}, make("tr", {}, first, ...others)), body)), more);
  choice.onChange.push(mark);
  choice.onLift.push(() => showLifted(body));
  choice.set(runs.slice(0, MOST_CHOSEN_AT_FIRST));
  draw();
}
