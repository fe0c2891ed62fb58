// Axes of scatters and parallel coordinates, with ticks at round numbers.

/** Return a tick as text, with as many digits as its distance to the next one needs. */
function tickText(value, step = 0) {
  if (!Number.isFinite(value)) return "";
  const number = step ? Number((Math.round(value / step) * step).toPrecision(12)) : Number(value.toPrecision(4));
  if (number !== 0 && (Math.abs(number) >= 1e7 || Math.abs(number) < 1e-4)) return number.toExponential().replace("e+", "e");
  return Math.abs(number) >= 1e4 && Number.isInteger(number) ? number.toLocaleString("en") : String(number);
}

/** Return a round distance of which at most so many lie between two values. */
function roundStep(low, high, most) {
  const power = 10 ** Math.floor(Math.log10((high - low) / most));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => (high - low) / step <= most);
}

function roundTicks(low, high, most) {
  const step = roundStep(low, high, most);
  const ticks = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9 && ticks.length <= most + 1; at++) ticks.push({ value: at * step, step, text: tickText(at * step, step) });
  return ticks;
}

/** Return ticks at powers of ten between two powers; if these are few, at two and five times them, too. */
function powersOfTen(low, high, most) {
  const [first, last] = [Math.ceil(low - 1e-9), Math.floor(high + 1e-9)];
  const stride = Math.max(1, Math.ceil((last - first + 1) / most));
  const ticks = [];
  for (let power = first; power <= last; power += stride) ticks.push({ power, value: 10 ** power });
  if (ticks.length < 3) {
    for (let power = first - 1; power <= last; power++) {
      for (const factor of [2, 5]) ticks.push({ power: power + Math.log10(factor), value: factor * 10 ** power });
    }
  }
  const fitting = ticks.filter(({ power, value }) => power >= low - 1e-9 && power <= high + 1e-9 && Number.isFinite(value));
  return fitting.sort((a, b) => a.power - b.power).map((tick) => ({ ...tick, text: tickText(tick.value) }));
}

/**
 * Return an axis for the values of a fact: numbers by size, anything else by name.
 *
 * @param values of runs; missing ones are null.
 * @param start where the smallest value lies.
 * @param end where the largest lies.
 * @param gap the least distance of two ticks.
 */
function axisOf(values, start, end, gap) {
  const there = values.filter((value) => value != null);
  const numbers = there.map(asNumber);
  return numbers.every((number) => number != null) ? axisOfNumbers(numbers.filter(Number.isFinite), start, end, gap) : axisOfNames(there, start, end, gap);
}

function axisOfNumbers(numbers, start, end, gap) {
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  const isLog = low > 0 && high / low >= 100;
  const scale = isLog ? Math.log10 : (value) => value;
  // Half of everything, as a difference of the largest numbers has no value.
  const span = scale(high) / 2 - scale(low) / 2;
  const at = (value) => {
    const number = asNumber(value);
    if (number == null || !Number.isFinite(number)) return null;
    return span > 0 ? start + (end - start) * ((scale(number) / 2 - scale(low) / 2) / span) : (start + end) / 2;
  };
  const most = Math.max(2, Math.floor(Math.abs(end - start) / gap));
  const few = [...new Set(numbers)].sort((a, b) => a - b);
  const isRound = few.every((number) => tickText(number).length <= 7);
  let ticks = few.map((value) => ({ value, text: tickText(value) }));
  if (few.length > 6 || !isRound) {
    const round = isLog ? powersOfTen(Math.log10(low), Math.log10(high), most) : span > 0 && Number.isFinite(high - low) ? roundTicks(low, high, most) : [];
    if (round.length > 1) ticks = round;
    else ticks = few.length ? [few[0], few.at(-1)].map((value) => ({ value, text: tickText(value) })) : [];
  }
  return { at, ticks: apart(ticks.map((tick) => ({ ...tick, place: at(tick.value) })), gap), isLog };
}

function axisOfNames(values, start, end, gap) {
  const names = [...new Set(values.map((value) => shown(value)))].sort(inOrderOfNames);
  const step = (end - start) / Math.max(1, names.length - 1);
  const placeOf = new Map(names.map((name, at) => [name, names.length === 1 ? (start + end) / 2 : start + step * at]));
  const at = (value) => (value == null ? null : placeOf.get(shown(value)) ?? null);
  return { at, ticks: apart(names.map((name) => ({ text: cut(name, 18), place: placeOf.get(name) })), gap), isLog: false };
}

/** Leave out ticks that would stand on those before them. */
function apart(ticks, gap) {
  const kept = [];
  for (const tick of ticks) if (!kept.length || Math.abs(tick.place - kept.at(-1).place) >= gap) kept.push(tick);
  return kept;
}

/** Return facts that can be drawn: params that differ, metrics, seconds. */
function drawable() {
  const params = namesOf("params.", report.runs).filter((key) => differs(report.runs, key));
  return [...params, ...metricsOf(report.runs), "seconds"];
}

/** Return a picture that is as wide as its place, and is drawn again when that changes. */
function picture(label, height, draw) {
  const svg = makeSvg("svg", { role: "img", "aria-label": label, height, width: "100%" });
  const redraw = atNextFrame(() => {
    const width = Math.max(280, svg.clientWidth || 900);
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.replaceChildren(...draw(width, height));
    showLifted(svg);
  });
  new ResizeObserver(redraw).observe(svg);
  choice.onChange.push(redraw);
  choice.onLift.push(() => showLifted(svg));
  return { svg, redraw };
}
