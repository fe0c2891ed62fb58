// The params and surroundings in which the chosen runs differ, beside each other; the first of them is compared with.

const MOST_BESIDE = 50;
const SURROUNDINGS = /^(facts\.(code|environment|python|platform|host)\b|inputs\.)/;

function addParams() {
  if (report.runs.length < 2) return;
  let most = MOST_BESIDE;
  const all = make("input", { type: "checkbox", id: "equal", onchange: () => draw() });
  const table = make("table", { class: "beside" });
  const note = make("span", { class: "soft", role: "status" });
  const more = make("button", { type: "button", onclick: () => { most = Infinity; draw(); } }, "show all");

  const rows = (runs) => {
    const keys = [...namesOf("params.", runs), ...namesOf("", runs).filter((key) => SURROUNDINGS.test(key))];
    return all.checked ? keys : keys.filter((key) => differs(runs, key));
  };
  const row = (key, runs) => {
    const values = runs.map((run) => shown(run.facts.get(key), 0));
    const short = runs.map((run) => cut(shown(run.facts.get(key)), 60));
    return make("tr", {}, make("th", { scope: "row", title: plain(key) }, titleOf(key)),
      ...values.map((value, at) => make("td", { "data-run": runs[at].number, class: value === values[0] ? "same" : "other", title: value === short[at] ? null : value }, short[at])));
  };
  function draw() {
    const chosen = choice.runs;
    const runs = chosen.slice(0, most);
    const keys = rows(runs);
    note.textContent = runs.length < chosen.length ? `the first ${runs.length} of ${chosen.length} chosen runs` : "";
    more.hidden = runs.length === chosen.length;
    const heads = runs.map((run, at) => lifts(make("th", { scope: "col", title: plain(run.ref), "data-run": run.number }, swatch(run), run.name, at ? null : make("span", { class: "group" }, " compared with")), run));
    table.replaceChildren(make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "param"), ...heads)), make("tbody", {}, ...keys.map((key) => row(key, runs))));
    if (!keys.length) table.append(make("caption", {}, runs.length < 2 ? "two runs or more have to be chosen" : "the chosen runs have equal params"));
  }
  addSection("params", "Params that differ", make("div", { class: "bar" }, make("label", {}, all, "equal ones, too"), note, more),
    make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "params" }, table));
  choice.onChange.push(draw);
  choice.onLift.push(() => showLifted(table));
  draw();
}
