// Curves of the chosen runs, a chart for each metric. Points are unpacked when a chart comes into view.

/** Return the bytes of a packed column: deflated, as base64. */
async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (mark) => mark.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Put planes of bytes back into numbers: all first bytes, all second ones, and so on. */
function fromPlanes(bytes, start, count) {
  const found = new Uint8Array(count * 4);
  for (let plane = 0; plane < 4; plane++) {
    const from = start + plane * count;
    for (let at = 0; at < count; at++) found[at * 4 + plane] = bytes[from + at];
  }
  return found.buffer;
}

/** Return run -> {x, y} of a metric. */
async function curvesOf(metric) {
  const { packed, runs } = report.curves[metric];
  const bytes = await unpacked(packed);
  const count = runs.reduce((sum, one) => sum + one.count, 0);
  const values = new Float32Array(fromPlanes(bytes, 0, count));
  const odd = runs.filter((one) => one.stride == null).reduce((sum, one) => sum + one.count, 0);
  const moves = new Int32Array(fromPlanes(bytes, count * 4, odd));
  const found = new Map();
  let place = 0;
  let placeOfMoves = 0;
  for (const { run, count: size, first, stride } of runs) {
    const y = Array.from(values.subarray(place, place + size), (value) => (Number.isFinite(value) ? value : null));
    place += size;
    let x;
    if (stride != null) x = Array.from({ length: size }, (_, at) => first + at * stride);
    else {
      let step = first;
      x = Array.from(moves.subarray(placeOfMoves, placeOfMoves + size), (move) => (step += move));
      placeOfMoves += size;
    }
    found.set(run, inOrder(x, y));
  }
  return found;
}

/** Return a curve by rising steps; of several values at one step the last one counts. */
function inOrder(x, y) {
  let rises = true;
  for (let at = 1; at < x.length && rises; at++) rises = x[at] > x[at - 1];
  if (rises) return { x, y };
  const last = new Map(x.map((step, at) => [step, y[at]]));
  const steps = [...last.keys()].sort((a, b) => a - b);
  return { x: steps, y: steps.map((step) => last.get(step)) };
}

/** Return curves on one axis, as uPlot wants them: `undefined` where a run has no point. */
function aligned(curves) {
  const [first] = curves;
  const isAlike = (other) => other.x.length === first.x.length && other.x.every((step, at) => step === first.x[at]);
  if (curves.every(isAlike)) return [first.x, ...curves.map((curve) => curve.y)];
  const steps = [...new Set(curves.flatMap((curve) => curve.x))].sort((a, b) => a - b);
  const placeOf = new Map(steps.map((step, at) => [step, at]));
  return [steps, ...curves.map((curve) => {
    const column = new Array(steps.length);
    curve.x.forEach((step, at) => { column[placeOf.get(step)] = curve.y[at]; });
    return column;
  })];
}

/** Exponential moving average without the pull to zero at its beginning, as `mlreg plot --smooth`. */
function smoothed(values, weight) {
  let average = 0;
  let scale = 0;
  return values.map((value) => {
    if (value == null) return value;
    average = weight * average + (1 - weight) * value;
    scale = weight * scale + (1 - weight);
    return average / scale;
  });
}

function addCurves() {
  const metrics = Object.keys(report.curves);
  if (!metrics.length) return;
  const smoothing = make("input", { type: "range", id: "smoothing", min: 0, max: 0.99, step: 0.01, value: 0 });
  const amount = make("output", {}, "0");
  const log = make("input", { type: "checkbox", id: "log" });
  const charts = metrics.map((metric) => new Chart(metric, () => ({ weight: Number(smoothing.value), isLog: log.checked })));
  const redraw = () => {
    amount.textContent = smoothing.value;
    for (const chart of charts) chart.refresh();
  };
  smoothing.addEventListener("input", redraw);
  log.addEventListener("change", redraw);
  addSection("curves", "Curves",
    make("div", { class: "bar" },
      make("label", {}, "smoothing", smoothing, amount), make("label", {}, log, "logarithmic"),
      make("span", { class: "soft" }, "drag to zoom, double click to see all")),
    make("div", { class: "charts" }, ...charts.map((chart) => chart.element)));
  choice.onChange(redraw);
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) charts.find((chart) => chart.element === entry.target).isVisible = entry.isIntersecting;
  }, { rootMargin: "200px" });
  for (const chart of charts) watcher.observe(chart.element);
  let wait = 0;
  addEventListener("resize", () => {
    clearTimeout(wait);
    wait = setTimeout(redraw, 100);
  });
}

class Chart {
  #visible = false;
  #stale = true;
  #curves = null;
  #plot = null;

  constructor(metric, settings) {
    this.metric = metric;
    this.settings = settings;
    this.place = make("div");
    this.note = make("div", { class: "note" });
    this.element = make("div", { class: "chart", "data-metric": metric }, make("h3", {}, metric), this.place, this.note);
  }

  set isVisible(value) {
    this.#visible = value;
    if (value && this.#stale) this.#draw();
  }

  refresh() {
    this.#stale = true;
    if (this.#visible) this.#draw();
  }

  async #draw() {
    this.#stale = false;
    this.#curves ??= curvesOf(this.metric);
    const curves = await this.#curves;
    const numbers = [...choice.runs].filter((number) => curves.has(number)).sort((a, b) => a - b);
    this.#plot?.destroy();
    this.#plot = null;
    this.note.textContent = numbers.length ? this.#told(numbers) : "none of the chosen runs has it";
    if (numbers.length) this.#plot = this.#drawn(numbers, numbers.map((number) => curves.get(number)));
    this.element.dataset.drawn = numbers.length;
  }

  #told(numbers) {
    const of = report.curves[this.metric].runs.filter((one) => numbers.includes(one.run));
    const odd = of.reduce((sum, one) => sum + one.odd, 0);
    const left = of.reduce((sum, one) => sum + one.points - one.count, 0);
    return [odd ? `${odd} points are not finite` : "", left ? `${left} points between extremes are left out` : ""].filter(Boolean).join("; ");
  }

  #drawn(numbers, curves) {
    const { weight, isLog } = this.settings();
    const [x, ...raw] = aligned(curves);
    const positive = (column) => (isLog ? column.map((value) => (value > 0 ? value : null)) : column);
    const faint = weight > 0 ? raw.map((column) => positive(smoothed(column, weight))) : [];
    const line = (number, width, alpha) => ({ stroke: colourOf(number), width, alpha, spanGaps: true, points: { show: x.length < 2 } });
    const axis = { stroke: themeColour("--soft"), grid: { stroke: themeColour("--line"), width: 1 }, ticks: { stroke: themeColour("--line") }, font: "11px system-ui" };
    const options = {
      width: Math.max(240, this.place.clientWidth || this.element.clientWidth - 26), height: 250, legend: { show: false },
      cursor: { sync: { key: "curves" }, focus: { prox: 24 }, drag: { x: true, y: false } }, focus: { alpha: 0.25 },
      scales: { x: { time: false }, y: isLog ? { distr: 3 } : {} },
      axes: [{ ...axis }, { ...axis, size: 56, values: (_, ticks) => ticks.map((tick) => (tick == null ? "" : String(Number(tick.toPrecision(4))))) }],
      series: [{}, ...numbers.map((number) => line(number, 1.5, weight > 0 ? 0.25 : 1)), ...(faint.length ? numbers.map((number) => line(number, 2, 1)) : [])],
      hooks: { setSeries: [(plot, at) => this.#tell(plot, at, numbers)], setCursor: [(plot) => this.#tell(plot, this.focused, numbers)] },
    };
    return new uPlot(options, [x, ...raw.map(positive), ...faint], this.place);
  }

  /** Say which curve is under the cursor, and where. */
  #tell(plot, at, numbers) {
    this.focused = at;
    const place = plot.cursor.idx;
    if (at == null || place == null) return;
    const value = plot.data[at][place];
    if (value != null) this.note.textContent = `${nameOf(report.runs[numbers[(at - 1) % numbers.length]])}: ${shown(value)} at step ${plot.data[0][place]}`;
  }
}
