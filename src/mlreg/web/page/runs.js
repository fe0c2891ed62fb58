// The table of runs: filter, sort, choose; and the params in which the chosen ones differ.

const MOST_ROWS = 300;
const MOST_CHOSEN_AT_FIRST = 50;

function addRuns() {
  const runs = report.runs;
  const params = differing(runs, "params");
  const metrics = [...new Set(runs.flatMap((run) => Object.keys(run.metrics)))].sort().filter((name) => !name.startsWith("system/"));
  const columns = [
    { title: "run", field: "name", value: nameOf },
    { title: "status", field: "status" },
    { title: "started", field: "started", value: (run) => run.started.slice(0, 19).replace("T", " ") },
    { title: "seconds", field: "seconds", isNumber: true },
    ...params.map((name) => ({ title: name, group: "param", field: `params.${name}` })),
    ...metrics.map((name) => ({ title: name, group: "metric", field: `metrics.${name}`, isNumber: true })),
  ];
  for (const column of columns) {
    column.value ??= (run) => factOf(run, column.field);
    column.isNumber ??= runs.every((run) => column.value(run) == null || asNumber(column.value(run)) != null);
    column.best = bestOf(column, runs);
  }

  let order = { column: null, descending: false };
  let most = MOST_ROWS;
  const problem = make("span", { class: "problem", role: "status" });
  const count = make("span", { class: "soft" });
  const filter = make("input", {
    type: "search", id: "filter", "aria-label": "Filter runs",
    placeholder: "metrics.auc > .9 and params.lr < 1e-3, or any text", oninput: () => draw(),
  });
  const heads = make("tr");
  const body = make("tbody");
  const more = make("button", { onclick: () => { most *= 4; draw(); } }, "show more");

  const heading = (column) => make("th", { class: column.isNumber ? "number" : null, "aria-sort": sortOf(column) },
    make("button", { title: column.field, tabindex: 0, onclick: () => sortBy(column), onkeydown: (event) => { if (event.key === "Enter") sortBy(column); } },
      column.group ? make("span", { class: "group" }, `${column.group} `) : null, column.title, order.column === column ? (order.descending ? " ↓" : " ↑") : ""));
  const sortOf = (column) => (order.column !== column ? null : order.descending ? "descending" : "ascending");
  const sortBy = (column) => {
    order = { column, descending: order.column === column ? !order.descending : column.isNumber };
    draw();
  };

  const fitting = () => {
    const text = filter.value.trim();
    problem.textContent = "";
    const numbers = runs.map((_, number) => number);
    if (!text) return numbers;
    try {
      const test = parseFilter(text);
      return numbers.filter((number) => test(runs[number]));
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      if (/[=<>(]|\b(is|in|like)\b/.test(text)) problem.textContent = error.message;
      const word = text.toLowerCase();
      return numbers.filter((number) => columns.some((column) => shown(column.value(runs[number])).toLowerCase().includes(word)) || runs[number].ref.includes(word));
    }
  };

  const row = (number) => {
    const run = runs[number];
    const box = make("input", { type: "checkbox", "aria-label": `choose ${nameOf(run)}`, onchange: () => choice.toggle(number) });
    box.checked = choice.runs.has(number);
    const swatch = make("span", { class: "swatch" });
    swatch.style.background = colourOf(number);
    return make("tr", { class: choice.runs.has(number) ? "chosen" : null, "data-run": number }, make("td", {}, box),
      ...columns.map((column, at) => make("td", { class: cellClass(column, run), title: shown(column.value(run)) },
        at === 0 ? swatch : null, column.field === "seconds" ? run.seconds.toFixed(1) : shown(column.value(run)))));
  };

  const cellClass = (column, run) => {
    if (column.field === "status") return run.status;
    const isBest = column.best != null && asNumber(column.value(run)) === column.best;
    return [column.isNumber ? "number" : "", isBest ? "best" : ""].join(" ").trim() || null;
  };

  let visible = [];
  function draw() {
    visible = fitting();
    const { column, descending } = order;
    if (column) visible.sort((a, b) => compared(column.value(runs[a]), column.value(runs[b])) * (descending ? -1 : 1) || a - b);
    const all = make("input", { type: "checkbox", "aria-label": "choose all that are shown", onchange: () => choice.set(all.checked ? visible : []) });
    all.checked = visible.length > 0 && visible.every((number) => choice.runs.has(number));
    heads.replaceChildren(make("th", {}, all), ...columns.map(heading));
    body.replaceChildren(...visible.slice(0, most).map(row));
    more.hidden = visible.length <= most;
    count.textContent = `${visible.length} of ${runs.length} runs, ${choice.runs.size} chosen`;
  }

  addSection("runs", "Runs",
    make("div", { class: "bar" }, filter, make("button", { id: "choose", onclick: () => choice.set(visible) }, "choose these"), count, problem),
    make("div", { class: "scroll" }, make("table", {}, make("thead", {}, heads), body)), more);
  choice.onChange(draw);
  choice.set(runs.map((_, number) => number).slice(0, MOST_CHOSEN_AT_FIRST));
  addDifferences();
}

/** Numbers before texts, and what is missing or NaN last, whichever way it goes. */
function compared(a, b) {
  const [left, right] = [asNumber(a) ?? a, asNumber(b) ?? b];
  const rank = (value) => (value == null || Number.isNaN(value) ? 2 : typeof value === "number" ? 0 : 1);
  if (rank(left) !== rank(right)) return rank(left) - rank(right);
  if (rank(left) === 2) return 0;
  return typeof left === "number" ? left - right : String(left).localeCompare(String(right));
}

function bestOf(column, runs) {
  const direction = report.directions[column.field];
  const values = runs.map((run) => asNumber(column.value(run))).filter(Number.isFinite);
  if (!direction || values.length < 2) return null;
  return values.reduce((a, b) => (direction === "max" ? Math.max(a, b) : Math.min(a, b)));
}

const MOST_BESIDE = 12;

function addDifferences() {
  if (report.runs.length < 2) return;
  const all = make("input", { type: "checkbox", id: "equal", onchange: () => draw() });
  const table = make("table");
  const note = make("span", { class: "soft" });
  function draw() {
    const chosen = [...choice.runs].sort((a, b) => a - b).slice(0, MOST_BESIDE).map((number) => report.runs[number]);
    const rest = choice.runs.size - chosen.length;
    note.textContent = rest > 0 ? `the first ${MOST_BESIDE} of ${choice.runs.size} chosen runs` : "";
    const rows = ["params", "facts"].flatMap((kind) => {
      const names = all.checked ? [...new Set(chosen.flatMap((run) => Object.keys(run[kind])))].sort() : differing(chosen, kind);
      return names.map((name) => [kind === "params" ? name : `${name} (surroundings)`, ...chosen.map((run) => run[kind][name])]);
    });
    table.replaceChildren(
      make("thead", {}, make("tr", {}, make("th", {}, "param"), ...chosen.map((run) => make("th", { title: run.ref }, nameOf(run))))),
      make("tbody", {}, ...rows.map(([name, ...values]) => make("tr", {}, make("th", {}, name), ...values.map((value) => make("td", { title: shown(value) }, shown(value)))))));
    if (!rows.length) table.append(make("caption", { class: "soft" }, "the chosen runs have equal params"));
  }
  addSection("params", "Params that differ", make("div", { class: "bar" }, make("label", {}, all, "equal ones, too"), note), make("div", { class: "scroll" }, table));
  choice.onChange(draw);
  draw();
}
