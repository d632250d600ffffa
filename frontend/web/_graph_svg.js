// Writes a drawing as SVG: text stays text, and lines stay sharp.
const NAMESPACE = "http://www.w3.org/2000/svg";
const MARGIN = 20;

function element(name, attributes, ...children) {
  const made = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// Returns the drawing as the text of a file.
export function toSvg(drawn, ground) {
  const box = drawn.elements().boundingBox();
  const [x, y, width, height] = [box.x1 - MARGIN, box.y1 - MARGIN, box.w + 2 * MARGIN, box.h + 2 * MARGIN].map(Math.round);
  const made = element("svg", { xmlns: NAMESPACE, viewBox: `${x} ${y} ${width} ${height}`, width, height, "font-family": "system-ui, sans-serif" });
  made.append(element("rect", { x, y, width, height, fill: ground }));
  const layer = (selector) => drawn.nodes(selector).forEach((node) => made.append(...nodeParts(node)));
  layer(".band");
  layer(".band-name");
  drawn.edges().forEach((edge) => made.append(...edgeParts(edge)));
  layer(".entity");
  layer(".more");
  return `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(made)}\n`;
}

function nodeParts(node) {
  const { x, y } = node.position();
  const isName = node.hasClass("band-name");
  const [width, height] = [node.width(), node.height()];
  const border = node.numericStyle("border-width");
  const shape = element("rect", {
    ...{ x: x - width / 2, y: y - height / 2, width, height, rx: Number(node.numericStyle("corner-radius")) || 0 },
    ...{ fill: node.style("background-color"), stroke: border ? node.style("border-color") : "none", "stroke-width": border },
    ...(node.style("border-style") === "dashed" ? { "stroke-dasharray": "4 3" } : {}),
  });
  const size = node.numericStyle("font-size");
  const lines = (node.style("label") ?? "").split("\n").filter(Boolean);
  const texts = lines.map((line, number) =>
    element("text", {
      ...{ x: isName ? x + 1 : x, y: y + (number - (lines.length - 1) / 2) * size * 1.3 + size * 0.35 },
      ...{ fill: node.style("color"), "font-size": size, "font-weight": node.style("font-weight"), "text-anchor": isName ? "start" : "middle" },
    }, line),
  );
  return isName ? texts : [shape, ...texts];
}

function edgeParts(edge) {
  const points = [edge.sourceEndpoint(), ...(edge.controlPoints() ?? []), edge.targetEndpoint()];
  const [from, ...rest] = points.map((point) => `${round(point.x)} ${round(point.y)}`);
  const colour = edge.style("line-color");
  const path = rest.length === 2 ? `M ${from} Q ${rest.join(" ")}` : `M ${[from, ...rest].join(" L ")}`;
  const line = element("path", { d: path, fill: "none", stroke: colour, "stroke-width": edge.numericStyle("width") });
  const [before, tip] = points.slice(-2);
  const angle = Math.atan2(tip.y - before.y, tip.x - before.x);
  const corner = (turn) => `${round(tip.x - 9 * Math.cos(angle + turn))},${round(tip.y - 9 * Math.sin(angle + turn))}`;
  const head = element("polygon", { points: `${round(tip.x)},${round(tip.y)} ${corner(0.4)} ${corner(-0.4)}`, fill: colour });
  const label = edge.style("label");
  if (!label) return [line, head];
  const { x, y } = edge.midpoint();
  const attributes = { x: round(x), y: round(y), fill: edge.style("color"), "font-size": 10, "text-anchor": "middle" };
  return [line, head, element("text", attributes, label)];
}

const round = (value) => Math.round(value * 10) / 10;
