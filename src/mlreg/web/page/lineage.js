// What was made from what, from left to right.

const KIND_COLOURS = { data: "#009e73", model: "#0072b2", exp: "#e69f00" };

function addLineage() {
  const { nodes, edges } = report.lineage;
  if (!edges.length) return;
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 14, ranksep: 70, marginx: 10, marginy: 10 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const node of nodes) {
    const text = node.ref || node.id.slice(0, 12);
    node.lines = [text.replace(/@([0-9a-f]{8}-[0-9a-f]{4})-[0-9a-f-]+/, "@$1…"), node.tags.join(", ")].filter(Boolean);
    graph.setNode(node.id, { width: 26 + 6.6 * Math.max(...node.lines.map((line) => line.length)), height: 16 + 16 * node.lines.length });
  }
  for (const edge of edges) graph.setEdge(edge.source, edge.target, { label: edge.role });
  dagre.layout(graph);
  const { width, height } = graph.graph();
  const svg = makeSvg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": "lineage" },
    makeSvg("defs", {}, makeSvg("marker", { id: "tip", viewBox: "0 0 8 8", refX: 8, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" },
      makeSvg("path", { d: "M0 0L8 4L0 8z", class: "arrow" }))));
  for (const edge of edges) {
    const { points } = graph.edge(edge.source, edge.target);
    svg.append(makeSvg("path", { d: `M${points.map(({ x, y }) => `${x} ${y}`).join("L")}`, "marker-end": "url(#tip)" }, makeSvg("title", {}, edge.role)));
  }
  for (const node of nodes) {
    const { x, y, width: wide, height: high } = graph.node(node.id);
    const texts = node.lines.map((line, at) => makeSvg("text", { x: x - wide / 2 + 14, y: y - high / 2 + 20 + 15 * at, class: at ? "" : "name" }, line));
    svg.append(makeSvg("g", { class: node.asked ? "node asked" : "node" },
      makeSvg("rect", { x: x - wide / 2, y: y - high / 2, width: wide, height: high, rx: 6 }),
      makeSvg("rect", { x: x - wide / 2, y: y - high / 2, width: 5, height: high, rx: 2, fill: KIND_COLOURS[node.kind] ?? "#7f7f7f", class: "kind" }),
      ...texts, makeSvg("title", {}, [node.ref, node.id, node.message, node.state === "live" ? "" : node.state].filter(Boolean).join("\n"))));
  }
  for (const strip of svg.querySelectorAll(".kind")) strip.style.fill = strip.getAttribute("fill");
  addSection("lineage", "Lineage", make("div", { class: "graph scroll" }, svg));
}
