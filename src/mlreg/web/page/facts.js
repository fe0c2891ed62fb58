// Facts of the chosen runs beside each other: a scatter, and parallel coordinates.

const WIDTH = 900;
const HEIGHT = 340;

/** Return fields that tell runs apart: params, metrics, seconds. */
function fields() {
  const runs = report.runs;
  const metrics = [...new Set(runs.flatMap((run) => Object.keys(run.metrics)))].filter((name) => !name.startsWith("system/")).sort();
  return [...differing(runs, "params").map((name) => `params.${name}`), ...metrics.map((name) => `metrics.${name}`), "seconds"];
}

/** Return an axis for the values of a field: numbers by size, anything else by name. */
function axisOf(values, start, end) {
  const numbers = values.map(asNumber);
  if (numbers.every((number, at) => values[at] == null || number != null)) {
    const finite = numbers.filter(Number.isFinite);
    const [low, high] = [Math.min(...finite), Math.max(...finite)];
    const isLog = low > 0 && high / low >= 100;
    const scale = isLog ? Math.log10 : (value) => value;
    const span = scale(high) - scale(low);
    const at = (value) => {
      const number = asNumber(value);
      if (!Number.isFinite(number)) return null;
      return start + (end - start) * (span ? (scale(number) - scale(low)) / span : 0.5);
    };
    const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => (isLog ? 10 ** (scale(low) + share * span) : low + share * span));
    return { at, ticks: finite.length ? [...new Set(ticks)] : [], isLog };
  }
  const names = [...new Set(values.filter((value) => value != null).map(shown))].sort();
  const step = (end - start) / Math.max(1, names.length - 1);
  const at = (value) => (value == null ? null : names.length === 1 ? (start + end) / 2 : start + step * names.indexOf(shown(value)));
  return { at, ticks: names.slice(0, 12), isLog: false };
}

function addFacts() {
  const known = fields();
  if (report.runs.length < 2 || known.length < 2) return;
  addScatter(known);
  addParallel(known);
}

function picker(id, known, value, draw) {
  const select = make("select", { id, onchange: () => draw() }, ...known.map((field) => make("option", { value: field }, field)));
  select.value = value;
  return select;
}

function addScatter(known) {
  const metrics = known.filter((field) => field.startsWith("metrics."));
  const params = known.filter((field) => field.startsWith("params."));
  const x = picker("scatter-x", known, params[0] ?? "seconds", () => draw());
  const y = picker("scatter-y", known, report.goal ? `metrics.${report.goal}` : metrics[0] ?? known[1], () => draw());
  const svg = makeSvg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, role: "img", "aria-label": "scatter of runs" });
  const note = make("p", { class: "soft" });
  function draw() {
    const numbers = [...choice.runs].sort((a, b) => a - b);
    const values = (field) => numbers.map((number) => factOf(report.runs[number], field));
    const [across, up] = [axisOf(values(x.value), 70, WIDTH - 20), axisOf(values(y.value), HEIGHT - 40, 15)];
    svg.replaceChildren(
      makeSvg("line", { x1: 70, x2: WIDTH - 20, y1: HEIGHT - 40, y2: HEIGHT - 40, class: "axis" }),
      makeSvg("line", { x1: 70, x2: 70, y1: 15, y2: HEIGHT - 40, class: "axis" }),
      ...across.ticks.map((tick) => makeSvg("text", { x: across.at(tick), y: HEIGHT - 24, "text-anchor": "middle" }, shown(tick))),
      ...up.ticks.map((tick) => makeSvg("text", { x: 64, y: up.at(tick) + 4, "text-anchor": "end" }, shown(tick))),
      makeSvg("text", { x: WIDTH / 2, y: HEIGHT - 6, "text-anchor": "middle", class: "name" }, x.value + (across.isLog ? " (logarithmic)" : "")));
    let left = 0;
    numbers.forEach((number) => {
      const run = report.runs[number];
      const [cx, cy] = [across.at(factOf(run, x.value)), up.at(factOf(run, y.value))];
      if (cx == null || cy == null) { left++; return; }
      const told = `${nameOf(run)}\n${x.value}: ${shown(factOf(run, x.value))}\n${y.value}: ${shown(factOf(run, y.value))}`;
      svg.append(makeSvg("circle", { cx, cy, r: 5, fill: colourOf(number), "fill-opacity": 0.8, class: "mark" }, makeSvg("title", {}, told)));
    });
    note.textContent = left ? `${left} of the chosen runs have no such value` : "";
  }
  addSection("scatter", "Scatter", make("div", { class: "bar" }, make("label", {}, "across", x), make("label", {}, "up", y)), svg, note);
  choice.onChange(draw);
  draw();
}

const MOST_AXES = 8;

function addParallel(known) {
  const params = known.filter((field) => field.startsWith("params.")).slice(0, MOST_AXES - 1);
  const goal = report.goal ? `metrics.${report.goal}` : known.find((field) => field.startsWith("metrics."));
  const chosenAxes = [...params, goal].filter(Boolean);
  if (chosenAxes.length < 2) return;
  const boxes = known.slice(0, 24).map((field) => {
    const box = make("input", { type: "checkbox", value: field, onchange: () => draw() });
    box.checked = chosenAxes.includes(field);
    return box;
  });
  const svg = makeSvg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, role: "img", "aria-label": "parallel coordinates" });
  const note = make("p", { class: "soft" });
  function draw() {
    const axes = boxes.filter((box) => box.checked).map((box) => box.value).slice(0, MOST_AXES);
    const numbers = [...choice.runs].sort((a, b) => a - b);
    const placeOf = (at) => 60 + (at * (WIDTH - 120)) / Math.max(1, axes.length - 1);
    const scales = axes.map((field) => axisOf(numbers.map((number) => factOf(report.runs[number], field)), HEIGHT - 30, 34));
    svg.replaceChildren(...axes.flatMap((field, at) => [
      makeSvg("line", { x1: placeOf(at), x2: placeOf(at), y1: 34, y2: HEIGHT - 30, class: "axis" }),
      makeSvg("text", { x: placeOf(at), y: 18, "text-anchor": "middle", class: "name" }, field.replace(/^\w+\./, "")),
      ...scales[at].ticks.map((tick) => makeSvg("text", { x: placeOf(at) + 5, y: scales[at].at(tick) + 4 }, shown(tick))),
    ]));
    const lines = numbers.map((number) => {
      const run = report.runs[number];
      const points = axes.map((field, at) => [placeOf(at), scales[at].at(factOf(run, field))]).filter(([, y]) => y != null);
      return makeSvg("polyline", {
        points: points.map((point) => point.join(",")).join(" "), fill: "none", stroke: colourOf(number), "stroke-width": 1.5, "stroke-opacity": 0.75, class: "mark",
      }, makeSvg("title", {}, `${nameOf(run)}\n${axes.map((field) => `${field}: ${shown(factOf(run, field))}`).join("\n")}`));
    });
    for (const line of lines) {
      line.addEventListener("mouseenter", () => lines.forEach((other) => other.classList.add(other === line ? "lifted" : "dim")));
      line.addEventListener("mouseleave", () => lines.forEach((other) => other.classList.remove("lifted", "dim")));
    }
    svg.append(...lines);
    note.textContent = boxes.filter((box) => box.checked).length > MOST_AXES ? `the first ${MOST_AXES} are drawn` : "";
  }
  addSection("parallel", "Parallel coordinates",
    make("div", { class: "bar" }, ...boxes.map((box) => make("label", {}, box, box.value))), svg, note);
  choice.onChange(draw);
  draw();
}
