// The language of filters, as `mlreg run ls --where` takes it. Text that is none is looked for as it is.

const TOKEN = /\s*(?:(<=|>=|<>|!=|==|[=<>(),])|('(?:[^']|'')*'|"(?:[^"]|"")*")|(-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?![\w.])|([A-Za-z_][\w-]*(?:\.(?:[\w-]+|`(?:[^`]|``)+`|"(?:[^"]|"")+"))*))/y;

function tokens(text) {
  const found = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const start = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (!match) throw new SyntaxError(`"${text.slice(start).trim().slice(0, 20)}" is not understood`);
    const [, mark, quoted, number, word] = match;
    if (mark) found.push({ kind: "mark", text: mark });
    else if (quoted) found.push({ kind: "value", value: unquoted(quoted) });
    else if (number) found.push({ kind: "value", value: Number(number) });
    else found.push({ kind: "word", text: word });
  }
  return found;
}

const unquoted = (text) => text.slice(1, -1).replaceAll(text[0] + text[0], text[0]);

const fieldOf = (word) => word.replace(/\.(?:`((?:[^`]|``)+)`|"((?:[^"]|"")+)")/g, (_, a, b) => "." + (a ?? b).replaceAll("``", "`").replaceAll('""', '"'));

/** Return a test of a run for an expression; throws a SyntaxError that says what is wrong. */
function parseFilter(text) {
  const all = tokens(text);
  let place = 0;
  const peek = (word) => all[place] && (all[place].text ?? "").toLowerCase() === word && all[place].kind !== "value";
  const take = (word) => (peek(word) ? Boolean(++place) : false);
  const need = (word) => { if (!take(word)) throw new SyntaxError(`${word} is missing`); };

  const group = (word, next, every) => () => {
    const tests = [next()];
    while (take(word)) tests.push(next());
    return (run) => (every ? tests.every((test) => test(run)) : tests.some((test) => test(run)));
  };
  const test = () => {
    if (take("not")) { const inner = test(); return (run) => !inner(run); }
    if (take("(")) { const inner = either(); need(")"); return inner; }
    return condition();
  };
  const both = group("and", () => test(), true);
  const either = group("or", both, false);

  const value = () => {
    const token = all[place++];
    if (token?.kind === "value") return token.value;
    if (token?.kind === "word" && /^(true|false)$/i.test(token.text)) return token.text.toLowerCase() === "true";
    throw new SyntaxError("a value is missing: a number, or text in quotes");
  };
  const condition = () => {
    const token = all[place++];
    if (token?.kind !== "word") throw new SyntaxError("a field is missing, like metrics.auc");
    const field = fieldOf(token.text);
    const of = (run) => factOf(run, field);
    if (take("is")) { const not = take("not"); need("null"); return (run) => (of(run) == null) !== not; }
    const not = take("not");
    if (take("in")) {
      const values = [];
      need("(");
      do values.push(value()); while (take(","));
      need(")");
      return (run) => of(run) != null && values.some((one) => isEqual(of(run), one)) !== not;
    }
    for (const [word, flags] of [["like", "s"], ["ilike", "si"]]) {
      if (take(word)) {
        const pattern = likePattern(String(value()), flags);
        return (run) => typeof of(run) === "string" && pattern.test(of(run)) !== not;
      }
    }
    const mark = all[place++]?.text;
    const compare = COMPARISONS[mark];
    if (not || !compare) throw new SyntaxError(`a comparison is missing behind ${token.text}`);
    const other = value();
    return (run) => compare(of(run), other);
  };

  const whole = either();
  if (place < all.length) throw new SyntaxError("and or or is missing");
  return whole;
}

function likePattern(text, flags) {
  const body = [...text].map((mark) => (mark === "%" ? ".*" : mark === "_" ? "." : mark.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")));
  return new RegExp(`^${body.join("")}$`, flags);
}

const isEqual = (a, b) => (typeof b === "number" ? asNumber(a) === b : a === b);

/** Numbers are compared with numbers and texts with texts; what is missing fits nothing. */
const ordered = (fits) => (a, b) => {
  const left = typeof b === "number" ? asNumber(a) : a;
  return left != null && typeof left === typeof b && fits(left, b);
};
const COMPARISONS = {
  "=": (a, b) => a != null && isEqual(a, b),
  "==": (a, b) => a != null && isEqual(a, b),
  "!=": (a, b) => a != null && !isEqual(a, b),
  "<>": (a, b) => a != null && !isEqual(a, b),
  "<": ordered((a, b) => a < b),
  "<=": ordered((a, b) => a <= b),
  ">": ordered((a, b) => a > b),
  ">=": ordered((a, b) => a >= b),
};
