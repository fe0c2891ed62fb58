// Points of curves: unpacked, smoothed, and gathered for a picture.

/** Return the bytes that a text holds: deflated, as base64. */
async function inflated(text) {
  const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function bytesOf(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const marks = atob(text);
  const bytes = new Uint8Array(marks.length);
  for (let at = 0; at < marks.length; at++) bytes[at] = marks.charCodeAt(at);
  return bytes;
}

const FLOATS = { 4: Float32Array, 8: Float64Array };
const INTEGERS = { 4: Int32Array, 8: BigInt64Array };

/** Put planes of bytes back into numbers: all first bytes, all second ones, and so on. */
function fromPlanes(bytes, start, count, width) {
  const found = new Uint8Array(count * width);
  for (let plane = 0; plane < width; plane++) {
    const from = start + plane * count;
    for (let at = 0; at < count; at++) found[at * width + plane] = bytes[from + at];
  }
  return found.buffer;
}

/** Return the curves of a metric by the numbers of their runs. */
async function curvesOf(metric) {
  const { widths, runs } = report.curves[metric];
  const bytes = await inflated(document.getElementById(`points-${Object.keys(report.curves).indexOf(metric)}`).textContent);
  const count = runs.reduce((sum, one) => sum + one.count, 0);
  const moving = runs.filter((one) => one.stride === null).reduce((sum, one) => sum + one.count, 0);
  const values = new FLOATS[widths[0]](fromPlanes(bytes, 0, count, widths[0]));
  const moves = new INTEGERS[widths[1]](fromPlanes(bytes, count * widths[0], moving, widths[1]));
  const found = new Map();
  let [place, placeOfMoves] = [0, 0];
  for (const one of runs) {
    const y = Float64Array.from(values.subarray(place, place + one.count));
    const x = one.stride === null ? summed(moves.subarray(placeOfMoves, placeOfMoves + one.count)) : Float64Array.from(y, (_, at) => one.first + at * one.stride);
    place += one.count;
    placeOfMoves += one.stride === null ? one.count : 0;
    found.set(one.run, { run: report.runs[one.run], ...alongSteps(x, y), odd: one.odd, left: one.points - one.count });
  }
  return found;
}

/** Return the steps that moves lead to; those of 64 bits go round as they did when they were packed. */
function summed(moves) {
  const found = new Float64Array(moves.length);
  const isWide = moves instanceof BigInt64Array;
  let step = isWide ? 0n : 0;
  moves.forEach((move, at) => {
    step = isWide ? BigInt.asIntN(64, step + move) : step + move;
    found[at] = Number(step);
  });
  return found;
}

/** Return a curve by rising steps, whatever the order in which it was logged; values at one step stay in that order. */
function alongSteps(x, y) {
  if (x.every((step, at) => !at || step >= x[at - 1])) return { x, y };
  const order = Array.from(x, (_, at) => at).sort((a, b) => x[a] - x[b] || a - b);
  return { x: Float64Array.from(order, (at) => x[at]), y: Float64Array.from(order, (at) => y[at]) };
}

/** Exponential moving average without the pull to zero at its beginning, as `mlreg plot --smooth`. */
function smoothed(values, weight) {
  let [average, scale] = [0, 0];
  return values.map((value) => {
    if (!Number.isFinite(value)) return value;
    average = weight * average + (1 - weight) * value;
    scale = weight * scale + (1 - weight);
    return average / scale;
  });
}

/** Return the first place at which a column that rises reaches a value. */
function firstFrom(column, value) {
  let [low, high] = [0, column.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (column[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Return where the values of gathered curves lie: two places for each stretch, and both ends. */
function placesOf(low, high, stretches) {
  const wide = (high - low) / stretches;
  const places = [low];
  for (let stretch = 0; stretch < stretches; stretch++) places.push(low + (stretch + 0.25) * wide, low + (stretch + 0.75) * wide);
  return [...places, high];
}

/**
 * Return a curve for a picture so many stretches wide: of each stretch the smallest and the largest value, in their order.
 *
 * No peak is lost, however many points there are. Where a stretch has no point the line goes on (undefined); where it
 * has nothing to draw but what is not finite, it is broken (null).
 */
function gathered(x, y, low, high, stretches) {
  const column = new Array(2 * stretches + 2);
  const stretchOf = (at) => Math.min(stretches - 1, Math.floor(((x[at] - low) / (high - low)) * stretches));
  let at = firstFrom(x, low);
  if (at > 0 && at < x.length) column[0] = between(x, y, at, low);
  while (at < x.length && x[at] <= high) {
    const stretch = stretchOf(at);
    let [least, most] = [-1, -1];
    for (; at < x.length && x[at] <= high && stretchOf(at) === stretch; at++) {
      if (!Number.isFinite(y[at])) continue;
      if (least < 0 || y[at] < y[least]) least = at;
      if (most < 0 || y[at] > y[most]) most = at;
    }
    const place = 1 + 2 * stretch;
    column[place] = least < 0 ? null : y[Math.min(least, most)];
    if (least !== most) column[place + 1] = y[Math.max(least, most)];
  }
  if (at > 0 && at < x.length) column[2 * stretches + 1] = between(x, y, at, high);
  return column;
}

/** Return the value of the line into a point, at a step before it. */
function between(x, y, at, step) {
  const value = y[at - 1] + ((y[at] - y[at - 1]) * (step - x[at - 1])) / (x[at] - x[at - 1] || 1);
  return Number.isFinite(value) ? value : undefined;
}
