// What the report comes to, in a few words and numbers; and the order in which runs stand everywhere.

/** Put runs in order: the best by the goal first, what has no such value last, else as they came. */
function inOrder(runs) {
  const key = `metrics.${report.goal}`;
  const sign = report.directions[key] === "max" ? -1 : 1;
  const values = new Map(runs.map((run) => [run, report.goal ? asNumber(run.facts.get(key)) : null]));
  const isMissing = (run) => values.get(run) == null || Number.isNaN(values.get(run));
  return [...runs].sort((a, b) => isMissing(a) - isMissing(b) || (isMissing(a) ? 0 : sign * (values.get(a) - values.get(b))) || a.number - b.number);
}

function addGlance() {
  const boxes = [...bestBox(), ...runBoxes(), ...versionBoxes()].map(([title, value, more]) =>
    make("div", { class: "box" }, make("dt", {}, title), make("dd", {}, make("strong", { class: value.length > 12 ? "long" : null }, value), ...more.filter(Boolean).map((line) => make("span", {}, line)))));
  document.querySelector("main").append(make("dl", { id: "glance" }, ...boxes));
}

function bestBox() {
  const [best] = report.order;
  const value = best?.facts.get(`metrics.${report.goal}`);
  if (!report.goal || !Number.isFinite(asNumber(value))) return [];
  const params = namesOf("params.", report.runs).filter((key) => differs(report.runs, key) && best.facts.get(key) != null);
  const told = params.slice(0, 4).map((key) => `${titleOf(key)} ${cut(shown(best.facts.get(key), 3), 24)}`).join(" · ");
  return [[`best ${plain(report.goal)} (${report.directions[`metrics.${report.goal}`]})`, shown(value, 4), [best.name, told]]];
}

function runBoxes() {
  const { runs } = report;
  if (!runs.length) return [];
  const statuses = [...new Set(runs.map((run) => run.facts.get("status")))];
  const told = statuses.map((status) => `${runs.filter((run) => run.facts.get("status") === status).length} ${plain(status)}`).join(", ");
  const started = runs.map((run) => run.facts.get("started").slice(0, 10)).filter(Boolean).sort();
  const [first, last] = [started[0] ?? "", started.at(-1) ?? ""];
  const seconds = runs.reduce((sum, run) => sum + run.facts.get("seconds"), 0);
  return [
    ["runs", runs.length.toLocaleString("en"), [told, first === last ? first : `${first} to ${last}`]],
    ["time, of all runs", lasting(seconds), [counted(report.points, "point")]],
  ];
}

function versionBoxes() {
  return report.cards.slice(0, 2).map(({ ref, tags, deprecated }) => {
    const [entry, version] = ref.split("@");
    return [plain(entry), cut(plain(version), 24), [tags.map(plain).join(", "), deprecated ? "deprecated" : ""]];
  });
}
