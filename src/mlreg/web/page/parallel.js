// Many facts of the chosen runs: a line for each run, from axis to axis.

const MOST_AXES = 8;
const MOST_OFFERED = 60;

function addParallel() {
  const known = drawable();
  const [goal] = known.filter((key) => key.startsWith("metrics."));
  // Those first that most runs have.
  const having = (key) => report.runs.filter((run) => run.facts.get(key) != null).length;
  const params = known.filter((key) => key.startsWith("params.")).sort((a, b) => having(b) - having(a)).slice(0, MOST_AXES - 2);
  const drawnAtFirst = [...params, goal].filter(Boolean);
  if (report.runs.length < 2 || drawnAtFirst.length < 2) return;
  // What counts is the last axis, by which lines have their colours.
  const offered = [...known.filter((key) => key !== goal), goal].filter(Boolean).slice(-MOST_OFFERED);
  const boxes = offered.map((key) => {
    const box = make("input", { type: "checkbox", value: key, onchange: () => redraw() });
    box.checked = drawnAtFirst.includes(key);
    return box;
  });
  const note = make("p", { class: "soft", role: "status" });

  function draw(width, height) {
    const checked = boxes.filter((box) => box.checked).map((box) => box.value);
    const keys = checked.slice(-MOST_AXES);
    const { runs } = choice;
    const [top, bottom] = [44, height - 20];
    const placeOf = (at) => 70 + (at * (width - 140)) / Math.max(1, keys.length - 1);
    const scales = keys.map((key) => axisOf(runs.map((run) => run.facts.get(key)), bottom, top, 26));
    const shares = sharesOf(keys.at(-1), runs);
    note.textContent = [checked.length > keys.length ? `${MOST_AXES} axes are drawn, of ${checked.length}.` : "", shares ? `The stronger the colour, the better ${plain(keys.at(-1))}.` : ""].join(" ");
    drawn = runs.map((run) => ({ run, keys, points: keys.map((key, at) => [placeOf(at), scales[at].at(run.facts.get(key))]) }));
    const lines = drawn.map(({ run, points }) => {
      const path = makeSvg("path", { d: pathOf(points), class: "line mark", "data-run": run.number });
      path.style.stroke = shares ? `color-mix(in oklab, var(--strong) ${Math.round(100 * (shares.get(run) ?? 0))}%, var(--weak))` : colourOf(run);
      return path;
    });
    return [
      ...keys.map((_, at) => makeSvg("line", { x1: placeOf(at), x2: placeOf(at), y1: top, y2: bottom, class: "axis" })),
      ...lines.reverse(),
      // Above the lines, with a rim of the ground: what is written can be read.
      ...keys.flatMap((key, at) => [
        makeSvg("text", { x: placeOf(at), y: at % 2 && keys.length > width / 130 ? 32 : 16, "text-anchor": "middle", class: "name" }, cut(titleOf(key), 24) + (scales[at].isLog ? " (log)" : "")),
        ...scales[at].ticks.map(({ place, text }) => makeSvg("text", { x: placeOf(at) + 6, y: place + 4, class: "tick" }, text)),
      ]),
    ];
  }
  let drawn = [];
  const { svg, redraw } = picture("parallel coordinates of the chosen runs", 380, draw);
  svg.addEventListener("mousemove", (event) => {
    const { left, top } = svg.getBoundingClientRect();
    const { run, keys } = nearestLine(drawn, event.clientX - left, event.clientY - top) ?? {};
    choice.lift(run ?? null);
    if (run) tip.show(event.clientX, event.clientY, run, keys.map((key) => `${plain(key)}: ${shown(run.facts.get(key))}`));
    else tip.hide();
  });
  svg.addEventListener("mouseleave", () => { choice.lift(null); tip.hide(); });
  addSection("parallel", "Parallel coordinates",
    make("details", { class: "axes" }, make("summary", {}, "Axes"), make("div", { class: "bar" }, ...boxes.map((box) => make("label", {}, box, plain(box.value))))), svg, note);
}

/** Return the line that passes a place most closely; null if none is near. */
function nearestLine(lines, x, y) {
  let best = { distance: 14, line: null };
  for (const line of lines) {
    for (let at = 1; at < line.points.length; at++) {
      const [[left, from], [right, to]] = [line.points[at - 1], line.points[at]];
      if (from == null || to == null || x < left || x > right) continue;
      const distance = Math.abs(from + ((to - from) * (x - left)) / (right - left) - y);
      if (distance < best.distance) best = { distance, line };
    }
  }
  return best.line;
}

/** Return a line through points, broken where one is missing. */
function pathOf(points) {
  let isDown = false;
  return points.map(([x, y]) => {
    const step = y == null ? "" : `${isDown ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
    isDown = y != null;
    return step;
  }).join("");
}

/** Return how good the value of each run is, 0 to 1; null if no direction is known. */
function sharesOf(key, runs) {
  const direction = report.directions[key];
  const values = runs.map((run) => asNumber(run.facts.get(key)));
  const finite = values.filter(Number.isFinite);
  if (!direction || finite.length < 2) return null;
  const axis = axisOfNumbers(finite, direction === "max" ? 0 : 1, direction === "max" ? 1 : 0, 1);
  return new Map(runs.map((run, at) => [run, Number.isFinite(values[at]) ? axis.at(values[at]) : 0]));
}
