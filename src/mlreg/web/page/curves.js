// Curves of the chosen runs, a chart for each metric. Points are unpacked when a chart comes into view.

const CHART_HEIGHT = 240;
const MOST_DRAWN_AHEAD = 24;
/** Charts that are drawn before they are looked at, so that they can be printed. */
const MOST_IN_LEGEND = 40;
const MANY_METRICS = 8;
const NEAR = 40;

/** All charts, in the order of the page. */
const charts = [];

function addCurves() {
  const metrics = Object.keys(report.curves);
  if (!metrics.length) {
    addSection("curves", "Curves", make("p", { class: "soft" }, "No run here has a metric with more than one point."));
    return;
  }
  const smoothing = make("input", { type: "range", id: "smoothing", min: 0, max: 0.99, step: 0.01, value: 0, oninput: () => redraw() });
  const amount = make("output", { for: "smoothing" }, "0");
  const log = make("input", { type: "checkbox", id: "log", onchange: () => redraw() });
  const goalFirst = [...metrics].sort((a, b) => (b === report.goal) - (a === report.goal));
  charts.push(...goalFirst.map((metric) => new Chart(metric, () => ({ weight: Number(smoothing.value), isLog: log.checked }))));
  const redraw = atNextFrame(() => {
    amount.textContent = smoothing.value;
    for (const chart of charts) chart.refresh();
  });
  const none = make("p", { class: "soft" }, "No run is chosen.");
  const legend = make("div", { class: "legend", role: "group", "aria-label": "chosen runs" });
  addSection("curves", "Curves",
    make("div", { class: "bar" },
      make("label", {}, "smoothing", smoothing, amount), make("label", {}, log, "logarithmic"), metrics.length > MANY_METRICS ? finder() : null,
      make("span", { class: "soft hint" }, "drag to zoom, double click to see all")),
    legend, none, ...panels());
  const chosen = () => {
    fillLegend(legend);
    none.hidden = choice.numbers.size > 0;
    redraw();
  };
  choice.onChange.push(chosen);
  choice.onLift.push(() => showLifted(legend), atNextFrame(() => charts.forEach((chart) => chart.showLifted())));
  chosen();
  keepDrawn(redraw);
}

/** Return the charts, those of the machine folded away if there are others. */
function panels() {
  const parts = [charts.filter((chart) => !isOfSystem(chart.metric)), charts.filter((chart) => isOfSystem(chart.metric))];
  const [ours, ofSystem] = parts.map((some) => make("div", { class: "charts" }, ...some.map((chart) => chart.element)));
  if (!parts[1].length) return [ours];
  const folded = make("details", { open: !parts[0].length }, make("summary", {}, `The machine (${counted(parts[1].length, "metric")})`), ofSystem);
  return parts[0].length ? [ours, folded] : [folded];
}

function finder() {
  const find = make("input", { type: "search", id: "metric", placeholder: "metric", "aria-label": "Find a metric", oninput: () => {
    for (const chart of charts) chart.element.hidden = !chart.metric.toLowerCase().includes(find.value.trim().toLowerCase());
  } });
  return find;
}

function fillLegend(legend) {
  const { runs } = choice;
  const entry = (run) => lifts(make("button", { type: "button", "data-run": run.number, title: "leave out", onclick: () => { choice.lift(null); choice.toggle(run); } }, swatch(run), run.name), run);
  const rest = runs.length - MOST_IN_LEGEND;
  legend.replaceChildren(...runs.slice(0, MOST_IN_LEGEND).map(entry), rest > 0 ? make("span", { class: "soft" }, `and ${rest} more`) : "");
}

/** Draw charts when they come into view, when the page changes its width or its colours, and before it is printed. */
function keepDrawn(redraw) {
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) charts.find((chart) => chart.element === entry.target).isVisible = entry.isIntersecting;
  }, { rootMargin: "200px" });
  for (const chart of charts) watcher.observe(chart.element);
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth !== width) redraw();
    width = innerWidth;
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  addEventListener("beforeprint", () => charts.slice(0, MOST_DRAWN_AHEAD).forEach((chart) => chart.draw()));
  const whenIdle = window.requestIdleCallback ?? ((act) => setTimeout(act, 200));
  const ahead = charts.filter((chart) => !isOfSystem(chart.metric)).slice(0, MOST_DRAWN_AHEAD);
  const next = () => {
    const chart = ahead.shift();
    if (chart) chart.draw().then(() => whenIdle(next));
  };
  whenIdle(next);
}

/** Return a range that a scale can have: neither empty, nor so large or so fine that its ticks have no distance. */
function roomy(low, high, share) {
  if (low == null || high == null) return [0, 1];
  const most = Math.max(Math.abs(low), Math.abs(high));
  const least = most * 1e-9 || 1;
  if (high - low > least) return [low - (high - low) * share, high + (high - low) * share];
  return low === high ? [low - (most * 0.1 || 1), high + (most * 0.1 || 1)] : [low - least, high + least];
}

/** Return a power of ten in which values of a size are drawn, as there are no ticks for very large and very small ones. */
function unitOf(largest) {
  const power = largest > 0 ? Math.floor(Math.log10(largest)) : 0;
  return Math.abs(power) > 12 ? 10 ** Math.max(-323, power) : 1;
}

const largestOf = (values) => values.reduce((most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most), 0);

/** Steps are whole numbers, and so are the distances of their ticks. */
const STEPS = Array.from({ length: 57 }, (_, at) => [1, 2, 5][at % 3] * 10 ** Math.floor(at / 3));

class Chart {
  #visible = false;
  #stale = true;
  #loading = null;
  #curves = null;
  #range = null;
  #drawn = [];
  plot = null;

  constructor(metric, settings) {
    this.metric = metric;
    this.settings = settings;
    this.place = make("div", { class: "plot" });
    this.note = make("div", { class: "note" });
    this.reset = make("button", { type: "button", hidden: true, onclick: () => this.zoom(null) }, "show all");
    this.element = make("div", { class: "chart", "data-metric": metric, role: "group", "aria-label": `curves of ${plain(metric)}` },
      make("div", { class: "head" }, make("h3", {}, plain(metric), metric === report.goal ? make("span", { class: "soft" }, ` the goal: ${report.directions[`metrics.${metric}`]}`) : null), this.reset),
      this.place, this.note);
  }

  set isVisible(value) {
    this.#visible = value;
    if (value && this.#stale) this.draw();
  }

  /** Draw again: now, or when it comes into view. */
  refresh() {
    this.#stale = true;
    if (this.#visible) this.draw();
  }

  /** Show a stretch of the steps; null for all. */
  zoom(range) {
    this.#range = range;
    this.refresh();
  }

  async draw() {
    this.#loading ??= curvesOf(this.metric);
    this.#curves ??= await this.#loading;
    if (!this.#stale) return;
    this.#stale = false;
    this.plot?.destroy();
    this.plot = null;
    // The best one is drawn last, and lies above the others.
    const curves = choice.runs.filter((run) => this.#curves.has(run.number)).reverse().map((run) => this.#curves.get(run.number));
    this.#drawn = curves;
    this.reset.hidden = !this.#range;
    this.note.textContent = curves.length ? this.#told(curves) : choice.numbers.size ? "none of the chosen runs has it" : "";
    if (curves.length) this.plot = this.#pictured(curves);
    this.element.dataset.drawn = curves.length;
  }

  #told(curves) {
    const odd = curves.reduce((sum, one) => sum + one.odd, 0);
    const left = curves.reduce((sum, one) => sum + one.left, 0);
    const low = this.settings().isLog ? curves.reduce((sum, one) => sum + one.y.filter((value) => Number.isFinite(value) && value <= 0).length, 0) : 0;
    return [
      odd ? `${counted(odd, "value")} NaN or infinite, marked below` : "",
      low ? `${counted(low, "value")} not above zero, left out` : "",
      left ? `${counted(left, "point")} between the smallest and the largest left out` : "",
    ].filter(Boolean).join("; ");
  }

  #pictured(curves) {
    const { weight, isLog } = this.settings();
    const [first, last] = [Math.min(...curves.map(({ x }) => x[0])), Math.max(...curves.map(({ x }) => x[x.length - 1]))];
    const [low, high] = this.#range ?? (first < last ? [first, last] : roomy(first, last, 0));
    const width = Math.max(200, this.place.clientWidth);
    const stretches = Math.ceil((width - 60) * Math.min(2, devicePixelRatio));
    const unit = unitOf(Math.max(...curves.map(({ y }) => largestOf(y))));
    // The scale itself is always linear: uPlot's logarithmic one has no end where there are hundreds of powers.
    this.scaled = isLog ? Math.log10 : (value) => value / unit;
    const column = (x, y) => gathered(x, y.map(this.scaled), low, high, stretches);
    for (const curve of curves) curve.line = weight > 0 ? smoothed(curve.y, weight) : curve.y;
    const raw = curves.map(({ x, y }) => column(x, y));
    const lines = weight > 0 ? curves.map(({ x, line }) => column(x, line)) : [];
    const series = (curve, columnOf, isFaint) => ({
      stroke: isFaint ? faint(inkOf(curve.run)) : inkOf(curve.run), width: curve.run.place === 0 && !isFaint ? 2.25 : 1.25,
      points: { show: columnOf.reduce((sum, value) => sum + (value != null), 0) < width / 12, size: 5 },
    });
    const line = themeColour("--line");
    const axis = { stroke: themeColour("--soft"), grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: "11px system-ui, sans-serif" };
    const options = {
      width, height: CHART_HEIGHT, legend: { show: false }, focus: { alpha: 0.15 },
      cursor: { sync: { key: "curves", filters: { pub: (type) => /^mouse(move|leave)$/.test(type) } }, points: { show: false }, drag: { x: true, y: false, setScale: false }, bind: { dblclick: () => () => this.zoom(null) } },
      scales: { x: { time: false, range: [low, high] }, y: { range: (_, least, most) => roomy(least, most, 0.06) } },
      axes: [{ ...axis, size: 30, incrs: STEPS, values: (_, ticks, __, ___, step) => ticks.map((tick) => tickText(tick, step)) },
        { ...axis, ...this.#ticks(isLog, unit), size: (_, texts) => 16 + 7 * Math.max(4, ...(texts ?? []).map((text) => text?.length ?? 0)) }],
      series: [{}, ...curves.map((curve, at) => series(curve, raw[at], weight > 0)), ...lines.map((one, at) => series(curves[at], one, false))],
      hooks: { setSelect: [(plot) => this.#selected(plot)], draw: [(plot) => this.#markOdd(plot, curves)] },
    };
    const plot = new uPlot(options, [placesOf(low, high, stretches), ...raw, ...lines], this.place);
    plot.over.addEventListener("mousemove", (event) => this.#point(plot, event));
    plot.over.addEventListener("mouseleave", () => { tip.hide(); choice.lift(null); });
    return plot;
  }

  /** Return what an axis of values needs for ticks at round numbers, of any size. */
  #ticks(isLog, unit) {
    let texts = new Map();
    const ticks = (least, most) => (isLog ? powersOfTen(least, most, 7).map(({ power, text }) => [power, text]) : roundTicks(least, most, 8).map(({ value, step }) => [value, tickText(value * unit, step * unit)]));
    return {
      splits: (_, __, least, most) => { texts = new Map(ticks(least, most)); return [...texts.keys()]; },
      filter: (_, some) => some, values: (_, some) => some.map((tick) => texts.get(tick)),
    };
  }

  #selected(plot) {
    const { left, width } = plot.select;
    const range = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")];
    // Not before uPlot is through with the mouse: a plot that is gone would go on to listen to it.
    if (width > 3) queueMicrotask(() => this.zoom(range));
  }

  /** Mark at the lower edge where values are not finite. */
  #markOdd(plot, curves) {
    const { ctx, bbox } = plot;
    ctx.save();
    for (const { run, x, y, odd } of curves) {
      if (!odd) continue;
      ctx.fillStyle = inkOf(run);
      y.forEach((value, at) => {
        const place = Number.isFinite(value) ? -1 : plot.valToPos(x[at], "x", true);
        if (place >= bbox.left && place <= bbox.left + bbox.width) ctx.fillRect(place - 1.5, bbox.top + bbox.height - 7, 3, 7);
      });
    }
    ctx.restore();
  }

  /** Say which curve is nearest to the pointer, and lift its run. */
  #point(plot, event) {
    const [left, top] = [event.offsetX, event.offsetY];
    const step = plot.posToVal(left, "x");
    let best = { distance: NEAR };
    for (const curve of this.#drawn) {
      const next = firstFrom(curve.x, step);
      for (const at of [next - 1, next]) {
        if (!Number.isFinite(curve.line[at])) continue;
        const distance = Math.hypot(plot.valToPos(curve.x[at], "x") - left, plot.valToPos(this.scaled(curve.line[at]), "y") - top);
        if (distance < best.distance) best = { distance, curve, at };
      }
    }
    const { curve, at } = best;
    choice.lift(curve?.run ?? null);
    if (!curve) { tip.hide(); return; }
    const smooth = curve.line === curve.y ? [] : [`smoothed: ${shown(curve.line[at])}`];
    tip.show(event.clientX, event.clientY, curve.run, [`${plain(this.metric)}: ${shown(curve.y[at])}`, ...smooth, `step ${curve.x[at]}`]);
  }

  showLifted() {
    if (!this.plot) return;
    const at = this.#drawn.findIndex((curve) => curve.run === choice.lifted);
    // Of smoothed curves the points come first.
    this.plot.setSeries(at < 0 ? null : this.plot.series.length - this.#drawn.length + at, { focus: true });
  }
}

/** Return a colour of a quarter of its strength. */
const faint = (colour) => (colour.startsWith("#") ? `${colour}40` : colour.replace(")", " / 25%)"));
