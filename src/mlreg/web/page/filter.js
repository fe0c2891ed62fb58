// The language of filters, as `mlreg run ls --where` takes it: the same words, limits and meaning (docs/expressions.md).

const FIELDS = new Set([
  ..."author ended experiment facts group id inputs labels max metrics min name params parent sealed".split(" "),
  ..."seconds started status tags attributes".split(" "),
]);
const KEYWORDS = new Set("and or not in is like ilike null true false".split(" "));
const MOST_CHARACTERS = 10000;
const MOST_NODES = 1000;
const DEEPEST = 50;
const PART = String.raw`[A-Za-z0-9_][A-Za-z0-9_-]*`;
const QUOTED = "`(?:[^`]|``)*`" + String.raw`|"(?:[^"]|"")*"`;
const TOKEN = new RegExp([
  String.raw`([ \t\r\n]+)`,
  String.raw`([A-Za-z_][A-Za-z0-9_-]*(?:\.(?:${PART}|${QUOTED}))*)(?!\.)`,
  String.raw`(-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)(?![A-Za-z0-9_.])`,
  String.raw`('(?:[^']|'')*'|"(?:[^"]|"")*")`,
  String.raw`(<>|!=|==|<=|>=|[=<>(),-])`,
].join("|"), "y");
const PARTS = new RegExp(String.raw`\.(${PART}|${QUOTED})`, "g");
const SORTS = [null, "space", "field", "number", "text", "mark"];

const unquoted = (text) => text.slice(1, -1).replaceAll(text[0] + text[0], text[0]);

function tokensOf(text) {
  if ([...text].length > MOST_CHARACTERS) throw new SyntaxError(`it is longer than ${MOST_CHARACTERS} characters`);
  if (/\p{Surrogate}/u.test(text)) throw new SyntaxError("it has half of a surrogate pair");
  const found = [];
  for (let at = 0; at < text.length; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (!match) throw new SyntaxError(`“${cut(plain(text.slice(at)), 20)}” is not understood`);
    const sort = SORTS.findIndex((name, group) => name && match[group] !== undefined);
    const word = match[0];
    if (SORTS[sort] === "field" && KEYWORDS.has(word.toLowerCase())) found.push({ sort: "keyword", text: word.toLowerCase() });
    else if (SORTS[sort] === "text") found.push({ sort: "text", text: unquoted(word) });
    else if (SORTS[sort] !== "space") found.push({ sort: SORTS[sort], text: word });
  }
  return [...found, { sort: "end", text: "" }];
}

/** Return a test of facts for an expression; throws a SyntaxError that says what is wrong. */
function parseFilter(text) {
  const tokens = tokensOf(text);
  let [place, nodes, depth] = [0, 0, 0];
  const fault = (reason) => {
    const { sort, text: word } = tokens[place];
    return new SyntaxError(sort === "end" ? `at the end: ${reason}` : `at “${cut(plain(word), 20)}”: ${reason}`);
  };
  const count = () => { if (++nodes > MOST_NODES) throw fault(`there are more than ${MOST_NODES} tests and values`); };
  const takes = (word) => {
    const { sort, text: found } = tokens[place];
    const isThere = (sort === "keyword" || sort === "mark") && found === word;
    if (isThere) place++;
    return isThere;
  };
  const needs = (word, reason) => { if (!takes(word)) throw fault(reason); };
  const chain = (word, read) => {
    const found = [read()];
    while (takes(word)) found.push(read());
    return found;
  };

  const either = () => {
    const tests = chain("or", both);
    return (facts) => tests.some((one) => one(facts));
  };
  const both = () => {
    const tests = chain("and", test);
    return (facts) => tests.every((one) => one(facts));
  };
  const test = () => {
    count();
    if (++depth > DEEPEST + 1) throw fault(`'not' and parentheses are deeper than ${DEEPEST}`);
    let inner = null;
    if (takes("not")) {
      const operand = test();
      inner = (facts) => !operand(facts);
    } else if (takes("(")) {
      inner = either();
      needs(")", "a parenthesis is not closed");
    }
    depth--;
    if (inner) return inner;
    const key = field();
    return condition((facts) => facts.get(key), takes("not"));
  };
  const field = () => {
    const { sort, text: word } = tokens[place];
    if (sort !== "field") throw fault("here stands a field, like metrics.auc");
    const [root] = word.split(".", 1);
    const parts = [...word.slice(root.length).matchAll(PARTS)].map(([, part]) => (/["`]/.test(part[0]) ? unquoted(part) : part));
    if (!FIELDS.has(root)) throw fault(`there is no such field; there are ${[...FIELDS].sort().join(", ")}`);
    place++;
    if (root === "attributes") return parts.length ? parts.join(".") : root;
    return [root === "tags" ? "labels" : root, ...parts].join(".");
  };
  const condition = (of, isNegated) => {
    if (takes("in")) {
      needs("(", "behind 'in' stands a list: ('a', 'b')");
      const values = chain(",", value);
      needs(")", "a list ends in ')', and has ',' between its values");
      if (isNegated) return (facts) => values.every((one) => relates(of(facts), "!=", one));
      return (facts) => values.some((one) => relates(of(facts), "=", one));
    }
    for (const [word, folded] of [["like", (found) => found], ["ilike", (found) => found.toLowerCase()]]) {
      if (takes(word)) {
        count();
        if (tokens[place].sort !== "text") throw fault(`behind '${word}' stands text in quotes: 'tmp%'`);
        const pattern = folded(tokens[place++].text);
        return (facts) => typeof of(facts) === "string" && fits(folded(of(facts)), pattern) !== isNegated;
      }
    }
    if (isNegated) throw fault("behind 'not' stands 'in', 'like' or 'ilike'");
    if (takes("is")) {
      const isThere = takes("not");
      needs("null", "behind 'is' stands 'null' or 'not null'");
      return (facts) => (of(facts) == null) !== isThere;
    }
    const sign = tokens[place].sort === "mark" ? SIGNS[tokens[place].text] : undefined;
    if (!sign) throw fault("a comparison is missing");
    place++;
    const other = value();
    return (facts) => relates(of(facts), sign, other);
  };
  const value = () => {
    const { sort, text: word } = tokens[place];
    count();
    let found;
    if (sort === "text") found = word;
    else if (sort === "number") found = number(word);
    else if (sort === "keyword" && (word === "true" || word === "false")) found = word === "true";
    else throw fault("here stands a value: a number, true, false, or text in quotes");
    place++;
    return found;
  };
  const number = (word) => {
    const found = Number(word);
    if (!Number.isFinite(found)) throw fault("this number is too large");
    if (!/^-?[0-9]+$/.test(word) || Number.isSafeInteger(found)) return found;
    if (BigInt.asIntN(64, BigInt(word)) !== BigInt(word)) throw fault("an integer of more than 64 bits");
    return BigInt(word);
  };

  const whole = either();
  if (tokens[place].sort !== "end") throw fault("here 'and' or 'or' is missing, or this is too much");
  return whole;
}

const SIGNS = { "=": "=", "==": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">=" };

/** Tell whether a fact relates to a value; a list equals a value that it contains. */
function relates(found, sign, value) {
  if (!Array.isArray(found)) return relatesAlone(found, sign, value);
  return (sign === "=" || sign === "!=") && found.some((item) => relatesAlone(item, "=", value)) === (sign === "=");
}

const sortOf = (value) => (typeof value === "bigint" ? "number" : typeof value);

/** Values of different sorts are neither equal nor unequal; true and false have no order. */
function relatesAlone(found, sign, value) {
  const sort = sortOf(value);
  if (found === null || sortOf(found) !== sort) return false;
  if (sort === "boolean" && sign !== "=" && sign !== "!=") return false;
  const order = sort === "string" ? byCodePoints(found, value) : found < value ? -1 : found > value ? 1 : 0;
  return { "=": order === 0, "!=": order !== 0, "<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0 }[sign];
}

/** Compare texts by their code points, which is not the order of their halves of surrogate pairs. */
function byCodePoints(one, other) {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at++;
  const isSurrogate = (text) => text.charCodeAt(at) >= 0xd800 && text.charCodeAt(at) < 0xe000;
  if (at < one.length && at < other.length && isSurrogate(one) !== isSurrogate(other)) return isSurrogate(one) ? 1 : -1;
  return one < other ? -1 : one > other ? 1 : 0;
}

/** Tell whether the whole text fits a pattern of SQL: `%` is any text, `_` any character. */
function fits(text, pattern) {
  const [marks, signs] = [[...text], [...pattern]];
  let [at, sign, star, from] = [0, 0, -1, 0];
  while (at < marks.length) {
    if (signs[sign] === "%") [star, from] = [sign++, at];
    else if (sign < signs.length && (signs[sign] === "_" || signs[sign] === marks[at])) { at++; sign++; }
    else if (star >= 0) [at, sign] = [++from, star + 1];
    else return false;
  }
  while (signs[sign] === "%") sign++;
  return sign === signs.length;
}
