// Markdown as far as cards and notes use it: each piece is made as an element, and its text put in as text.

// No piece can begin inside another one of its kind, so that the work grows with the length of a text only.
const INLINE = /`([^`\n]+)`|\*\*([^*\n]+)\*\*|\*([^*\s](?:[^*\n]*[^*\s])?)\*|\[([^[\]\n]+)\]\((https?:\/\/[^\s()[\]]+)\)/g;

/** Return the nodes of a line of text: code, strong and emphasised words, and links, which open nothing by themselves. */
function inline(text) {
  const nodes = [];
  const whole = plain(text);
  let end = 0;
  for (const match of whole.matchAll(INLINE)) {
    const [piece, code, strong, emphasis, label, target] = match;
    nodes.push(whole.slice(end, match.index));
    if (code) nodes.push(make("code", {}, code));
    else if (strong) nodes.push(make("strong", {}, strong));
    else if (emphasis) nodes.push(make("em", {}, emphasis));
    else nodes.push(make("a", { href: target, rel: "noopener noreferrer nofollow", target: "_blank", title: target }, label));
    end = match.index + piece.length;
  }
  return [...nodes, whole.slice(end)].filter((node) => node !== "");
}

const cellsOf = (line) => line.trim().replace(/^\||\|$/g, "").split("|").map((text) => text.trim());

/** How blocks begin, and what is made of the lines that belong to them. */
const BLOCKS = [
  {
    begins: /^\s*(```|~~~)/,
    goesOn: (line, lines) => lines.length === 1 || !/^\s*(```|~~~)\s*$/.test(lines.at(-1)),
    made: (lines) => make("pre", {}, make("code", {}, plain(lines.slice(1).filter((line, at, all) => at < all.length - 1 || !/^\s*(```|~~~)\s*$/.test(line)).join("\n")))),
  },
  {
    begins: /^#{1,6}\s+\S/,
    goesOn: () => false,
    made: ([line]) => make(line.startsWith("##") ? "h5" : "h4", {}, ...inline(line.replace(/^#+\s+/, "").replace(/\s#+\s*$/, ""))),
  },
  {
    begins: /^\s*\|.*\|\s*$/,
    goesOn: (line) => /^\s*\|.*\|\s*$/.test(line),
    made: (lines) => {
      const [head, ...rows] = lines.filter((line) => !/^[\s|:-]+$/.test(line));
      return make("div", { class: "scroll" }, make("table", {}, make("thead", {}, make("tr", {}, ...cellsOf(head ?? "").map((text) => make("th", { scope: "col" }, ...inline(text))))),
        make("tbody", {}, ...rows.map((row) => make("tr", {}, ...cellsOf(row).map((text) => make("td", {}, ...inline(text))))))));
    },
  },
  {
    begins: /^\s*([-*+]|\d+[.)])\s+\S/,
    goesOn: (line) => /^\s*([-*+]|\d+[.)])\s+\S/.test(line) || /^\s+\S/.test(line),
    made: (lines) => {
      const items = [];
      for (const line of lines) {
        if (/^\s*([-*+]|\d+[.)])\s+\S/.test(line)) items.push(line.replace(/^\s*([-*+]|\d+[.)])\s+/, ""));
        else items[items.length - 1] += ` ${line.trim()}`;
      }
      return make(/^\s*\d/.test(lines[0]) ? "ol" : "ul", {}, ...items.map((item) => make("li", {}, ...inline(item))));
    },
  },
  {
    begins: /\S/,
    goesOn: (line) => /\S/.test(line) && !BLOCKS.slice(0, 4).some(({ begins }) => begins.test(line)),
    made: (lines) => make("p", {}, ...inline(lines.join("\n"))),
  },
];

/** Return elements for a text; what is no Markdown stays as it was written. */
function prose(text) {
  const found = [];
  const lines = text.split(/\r\n?|\n/);
  for (let at = 0; at < lines.length;) {
    const block = BLOCKS.find(({ begins }) => begins.test(lines[at]));
    const taken = [lines[at++]];
    if (!block) continue;
    while (at < lines.length && block.goesOn(lines[at], taken)) taken.push(lines[at++]);
    found.push(block.made(taken));
  }
  return found;
}
