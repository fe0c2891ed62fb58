// What was made from what, from left to right. Runs with the same neighbours are one box.

const KIND_COLOURS = { data: "#009e73", model: "#0072b2", exp: "#e69f00" };
const MOST_BOXES = 150;
const ALIKE = 3;
/** From so many runs with the same neighbours on they share a box. */

function addLineage() {
  const { nodes, edges, untraced } = report.lineage;
  const linked = new Set(edges.flatMap(({ source, target }) => [source, target]));
  const alone = nodes.filter((node) => !linked.has(node.id)).length;
  const boxes = boxesOf(nodes.filter((node) => linked.has(node.id)), edges);
  if (!boxes.length) return;
  const drawn = boxes.slice(0, MOST_BOXES);
  const said = [
    alone ? `${counted(alone, "version")} came from nothing that was recorded, and nothing came of ${alone === 1 ? "it" : "them"}.` : "",
    drawn.length < boxes.length ? `The first ${drawn.length} of ${boxes.length} boxes are drawn.` : "",
    untraced ? `${counted(untraced, "run")} more ${untraced === 1 ? "is" : "are"} not traced.` : "",
  ].filter(Boolean).join(" ");
  const svg = drawnLineage(drawn, edges);
  const key = Object.entries({ data: "dataset", exp: "run", model: "model" }).map(([kind, word]) => make("span", {}, kindSwatch(kind), word));
  addSection("lineage", "Lineage", make("div", { class: "legend" }, ...key),
    make("div", { class: "graph scroll", tabindex: 0, role: "region", "aria-label": "lineage" }, svg), said ? make("p", { class: "soft" }, said) : null);
}

function kindSwatch(kind) {
  const element = make("span", { class: "swatch" });
  element.style.background = KIND_COLOURS[kind];
  return element;
}

/** Return boxes for versions; several runs that were made from the same, and of which the same came, share one. */
function boxesOf(nodes, edges) {
  const neighbours = new Map(nodes.map((node) => [node.id, []]));
  for (const { source, target, role } of edges) {
    neighbours.get(source)?.push(`> ${target} ${role}`);
    neighbours.get(target)?.push(`< ${source} ${role}`);
  }
  const alike = new Map();
  for (const node of nodes) {
    const key = node.kind === "exp" ? `${node.ref.split("@")[0]} ${neighbours.get(node.id).sort().join(" ")}` : node.id;
    alike.set(key, [...(alike.get(key) ?? []), node]);
  }
  return [...alike.values()].flatMap((some) => (some.length > ALIKE ? [boxOf(some)] : some.map((node) => boxOf([node]))));
}

function boxOf(nodes) {
  const [node] = nodes;
  const [entry, version] = (node.ref || node.id.slice(0, 12)).split("@");
  const run = report.runs.find((one) => one.ref === node.ref);
  const name = nodes.length > 1 ? counted(nodes.length, "run") : run ? run.name : version ? cut(version, 24) : "not here";
  const notes = [node.tags.join(", "), node.state === "removed" ? "removed" : ""].filter(Boolean).map(plain);
  const names = nodes.map((one) => report.runs.find((other) => other.ref === one.ref)?.name ?? one.ref);
  return {
    id: node.id, ids: nodes.map((one) => one.id), kind: node.kind, run: nodes.length > 1 ? null : run, isAsked: nodes.some((one) => one.asked),
    lines: [plain(entry), plain(name), ...notes].map((line) => cut(line, 40)),
    title: nodes.length > 1 ? names.slice(0, 30).map(plain).join("\n") : [node.ref, node.id, node.message].filter(Boolean).map(plain).join("\n"),
  };
}

function drawnLineage(boxes, edges) {
  const graph = new dagre.graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: "LR", nodesep: 14, ranksep: 80, marginx: 10, marginy: 10 });
  const boxOfId = new Map(boxes.flatMap((box) => box.ids.map((id) => [id, box.id])));
  for (const box of boxes) graph.setNode(box.id, { width: 30 + 6.4 * Math.max(...box.lines.map((line) => line.length)), height: 14 + 16 * box.lines.length });
  for (const { source, target, role } of edges) {
    const [from, to] = [boxOfId.get(source), boxOfId.get(target)];
    if (from && to && from !== to) graph.setEdge(from, to, { role: cut(plain(role), 24), width: 6 * Math.min(24, role.length) + 8, height: 14, labelpos: "c" }, role);
  }
  dagre.layout(graph);
  const { width, height } = graph.graph();
  const tip = makeSvg("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 8, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, makeSvg("path", { d: "M0 0L8 4L0 8z", class: "arrow" }));
  const svg = makeSvg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": `lineage: ${counted(graph.edges().length, "link")}` }, makeSvg("defs", {}, tip));
  for (const edge of graph.edges()) {
    const { points, x, y, role } = graph.edge(edge);
    svg.append(makeSvg("path", { d: `M${points.map((point) => `${point.x.toFixed(1)} ${point.y.toFixed(1)}`).join("L")}`, class: "edge", "marker-end": "url(#arrow)" }),
      makeSvg("text", { x, y: y + 4, "text-anchor": "middle", class: "tick" }, role));
  }
  svg.append(...boxes.map((box) => drawnBox(box, graph.node(box.id))));
  choice.onLift.push(() => showLifted(svg));
  return svg;
}

function drawnBox(box, { x, y, width, height }) {
  const [left, top] = [x - width / 2, y - height / 2];
  const kind = makeSvg("rect", { x: left, y: top, width: 5, height, rx: 2, class: "kind" });
  kind.style.fill = KIND_COLOURS[box.kind] ?? "#7f7f7f";
  const texts = box.lines.map((line, at) => makeSvg("text", { x: left + 16, y: top + 19 + 16 * at, class: at === 1 ? "name" : "" }, line));
  return makeSvg("g", { class: box.isAsked ? "node asked" : "node", "data-run": box.run?.number },
    makeSvg("rect", { x: left, y: top, width, height, rx: 6 }), kind, ...texts, makeSvg("title", {}, box.title));
}
