// Two facts of the chosen runs beside each other.

function addScatter() {
  const known = drawable();
  if (report.runs.length < 2 || known.length < 2) return;
  const params = known.filter((key) => key.startsWith("params."));
  const [metric] = known.filter((key) => key.startsWith("metrics."));
  const isNumeric = (key) => report.runs.every((run) => run.facts.get(key) == null || asNumber(run.facts.get(key)) != null);
  const picker = (id, value) => {
    const select = make("select", { id, onchange: () => redraw() }, ...known.map((key) => make("option", { value: key }, plain(key))));
    select.value = value;
    return select;
  };
  // A param with many values tells more than a switch.
  const spread = (key) => (isNumeric(key) ? new Set(report.runs.map((run) => run.facts.get(key))).size : 0);
  const [widest] = [...params].sort((a, b) => spread(b) - spread(a));
  const x = picker("scatter-x", widest ?? "seconds");
  const y = picker("scatter-y", metric ?? known[1]);
  const note = make("p", { class: "soft", role: "status" });

  function draw(width, height) {
    const { runs } = choice;
    const [left, right, top, bottom] = [76, width - 24, 16, height - 44];
    const across = axisOf(runs.map((run) => run.facts.get(x.value)), left + 12, right - 12, 64);
    const up = axisOf(runs.map((run) => run.facts.get(y.value)), bottom - 12, top + 12, 36);
    const dots = runs.map((run) => [run, across.at(run.facts.get(x.value)), up.at(run.facts.get(y.value))]).filter(([, cx, cy]) => cx != null && cy != null);
    note.textContent = dots.length < runs.length ? `${runs.length - dots.length} of the chosen runs have no such values` : "";
    const said = (axis, key) => `${plain(key)}${axis.isLog ? " (logarithmic)" : ""}`;
    return [
      ...across.ticks.flatMap(({ place, text }) => [makeSvg("line", { x1: place, x2: place, y1: top, y2: bottom, class: "grid" }), makeSvg("text", { x: place, y: bottom + 16, "text-anchor": "middle" }, text)]),
      ...up.ticks.flatMap(({ place, text }) => [makeSvg("line", { x1: left, x2: right, y1: place, y2: place, class: "grid" }), makeSvg("text", { x: left - 8, y: place + 4, "text-anchor": "end" }, text)]),
      makeSvg("text", { x: (left + right) / 2, y: height - 8, "text-anchor": "middle", class: "name" }, said(across, x.value)),
      makeSvg("text", { x: 14, y: (top + bottom) / 2, "text-anchor": "middle", class: "name", transform: `rotate(-90 14 ${(top + bottom) / 2})` }, said(up, y.value)),
      // The best one lies above the others.
      ...dots.reverse().map(([run, cx, cy]) => {
        const dot = makeSvg("circle", { cx, cy, r: run.place === 0 ? 7 : 5, class: "mark", "data-run": run.number });
        dot.style.fill = colourOf(run);
        return tells(dot, run, () => [x.value, y.value].map((key) => `${plain(key)}: ${shown(run.facts.get(key))}`));
      }),
    ];
  }
  const { svg, redraw } = picture("scatter of the chosen runs", 360, draw);
  addSection("scatter", "Scatter", make("div", { class: "bar" }, make("label", {}, "across", x), make("label", {}, "up", y)), svg, note);
}
