// Draws a graph with Cytoscape, in the colours of the page.
import cytoscape from "cytoscape";
import { HEIGHT, WIDTH } from "./_graph_layout.js";

const TONES = 6;
const FONT = "system-ui, sans-serif";
const FEW_EDGES = 16;
// A graph that could not be read when it is all in view is looked at from where it begins.
const READABLE = 0.4;
const MARGIN = 16;
// An edge that would run behind the nodes between its ends bends so far to the side.
const LONG = 150;
const BEND = 2 * (WIDTH / 2 + 18);
const dark = matchMedia("(prefers-color-scheme: dark)");
const still = matchMedia("(prefers-reduced-motion: reduce)");

// Cytoscape would add a style element, which the page's policy refuses, unless it finds one of this id.
const stylesheet = document.createElement("meta");
stylesheet.id = "__________cytoscape_stylesheet";
document.head.append(stylesheet);

// Returns the page's colours as they are now; the canvas knows no variables.
export function colours() {
  const probe = document.createElement("span");
  document.body.append(probe);
  const of = (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const found = Object.fromEntries(["ink", "soft", "card", "sunk", "ground", "line", "link", "bad", "warn"].map((name) => [name, of(`--${name}`)]));
  found.strong = of("--portal-strong-line");
  found.tones = Array.from({ length: TONES + 1 }, (_, tone) => (tone ? of(`--tone-${tone}`) : found.soft));
  probe.remove();
  return found;
}

// Returns a colour with a share of another in it.
function mixed(ground, other, share) {
  const [one, two] = [ground, other].map((colour) => colour.match(/[\d.]+/g).map(Number));
  return `rgb(${[0, 1, 2].map((part) => Math.round(one[part] * (1 - share) + two[part] * share)).join(", ")})`;
}

const pen = document.createElement("canvas").getContext("2d");

// Returns a text with its end cut off where it is wider than a node.
function fitting(text) {
  pen.font = `13px ${FONT}`;
  const letters = Array.from(text.replace(/\s+/g, " ").slice(0, 80));
  if (pen.measureText(letters.join("")).width <= WIDTH - 20) return letters.join("");
  while (letters.length && pen.measureText(`${letters.join("")}…`).width > WIDTH - 20) letters.pop();
  return `${letters.join("")}…`;
}

function elementsOf(graph, layout) {
  const tones = new Map(graph.layers.map((layer) => [layer.ref, layer.tone]));
  const way = new Map((graph.way ?? []).map((id, place) => [id, place]));
  const isStep = (one, other) => Math.abs(way.get(one) - way.get(other)) === 1;
  const at = (x, y) => ({ x, y });
  const bands = layout.bands.flatMap(({ layer, x, y, width, height }) => {
    const title = layer ? graph.layers.find((one) => one.ref === layer).title : graph.outside;
    const tone = tones.get(layer) ?? 0;
    const box = { data: { id: `band ${layer}`, width, height, tone }, position: at(x + width / 2, y + height / 2), classes: "band" };
    return title ? [box, { data: { id: `name ${layer}`, label: title, tone }, position: at(x + 14, y + 16), classes: "band-name" }] : [box];
  });
  const nodes = graph.nodes.flatMap((node) => {
    const { x, y } = layout.positions.get(node.id);
    const classes = ["entity", node.missing && "is-missing", node.id === graph.root && "is-root", way.has(node.id) && "is-way", node.distance > 0 && "is-reached"];
    const made = {
      data: { id: node.id, label: `${fitting(node.title)}\n${fitting(node.note ?? node.kind)}`, tone: tones.get(node.layer) ?? 0, distance: node.distance ?? 0 },
      position: at(x, y),
      classes: classes.filter(Boolean).join(" "),
    };
    if (!node.hidden) return [made];
    const badge = { data: { id: `more ${node.id}`, of: node.id, label: `+${node.hidden}` }, position: at(x + WIDTH / 2 - 10, y - HEIGHT / 2), classes: "more" };
    return [made, badge];
  });
  const shown = new Map();
  const bend = ({ source, target }) => {
    const [from, to] = [layout.positions.get(source), layout.positions.get(target)];
    if (Math.abs(from.y - to.y) < LONG || Math.abs(from.x - to.x) > WIDTH * 0.75) return 0;
    return shown.size % 2 ? BEND : -BEND;
  };
  for (const edge of graph.edges) {
    const key = `${edge.source} ${edge.target}`;
    if (shown.has(key)) shown.get(key).data.label += `, ${edge.label}`;
    else shown.set(key, { data: { id: key, source: edge.source, target: edge.target, label: edge.label, bend: bend(edge), width: 1.2 + Math.log2(edge.count ?? 1) / 2 }, classes: isStep(edge.source, edge.target) ? "is-way" : "" });
  }
  if (shown.size <= FEW_EDGES) for (const edge of shown.values()) edge.classes += " is-told";
  return [...bands, ...nodes, ...shown.values()];
}

function styleOf(colour) {
  const tone = (element) => colour.tones[element.data("tone")];
  return [
    { selector: "node", style: { "font-family": FONT, color: colour.ink, "z-index-compare": "manual", "overlay-opacity": 0 } },
    { selector: ".band", style: { shape: "round-rectangle", "corner-radius": 10, width: "data(width)", height: "data(height)", "background-color": (node) => mixed(colour.ground, tone(node), 0.07), "border-width": 1, "border-color": (node) => mixed(colour.ground, tone(node), 0.3), "z-index": 0, events: "no" } },
    { selector: ".band-name", style: { width: 1, height: 1, "background-opacity": 0, label: "data(label)", "text-halign": "right", "text-valign": "center", "font-size": 13, "font-weight": 600, color: tone, "z-index": 1, events: "no" } },
    { selector: ".entity", style: { shape: "round-rectangle", "corner-radius": 8, width: WIDTH, height: HEIGHT, "background-color": (node) => (node.data("distance") ? mixed(colour.card, colour.warn, Math.max(0.12, 0.5 - 0.1 * node.data("distance"))) : colour.card), "border-width": 1.5, "border-color": tone, label: "data(label)", "text-wrap": "wrap", "text-valign": "center", "text-halign": "center", "font-size": 13, "line-height": 1.3, "z-index": 3 } },
    { selector: ".is-root", style: { "border-width": 4, "font-weight": 600 } },
    { selector: ".is-way", style: { "border-width": 3 } },
    { selector: ".is-missing", style: { "border-style": "dashed", "border-color": colour.bad, color: colour.bad } },
    { selector: ".more", style: { shape: "round-rectangle", "corner-radius": 9, width: (node) => 16 + 7 * node.data("label").length, height: 18, "background-color": colour.ink, label: "data(label)", color: colour.card, "font-size": 11, "text-valign": "center", "z-index": 4 } },
    { selector: "edge", style: { width: "data(width)", "line-color": colour.strong, "target-arrow-color": colour.strong, "target-arrow-shape": "triangle", "arrow-scale": 0.9, "curve-style": "bezier", "font-family": FONT, "font-size": 10, color: colour.soft, "text-background-color": colour.card, "text-background-opacity": 0.9, "text-background-padding": 2, "z-index-compare": "manual", "z-index": 2, "overlay-opacity": 0 } },
    { selector: "edge[bend != 0]", style: { "curve-style": "unbundled-bezier", "control-point-distances": "data(bend)", "control-point-weights": 0.5 } },
    { selector: "edge.is-told, edge.is-near", style: { label: "data(label)" } },
    { selector: "edge.is-way, edge.is-near", style: { "line-color": colour.link, "target-arrow-color": colour.link, width: 2.5 } },
    { selector: ".is-far", style: { opacity: 0.25 } },
    { selector: ".is-chosen", style: { "outline-width": 3, "outline-color": colour.link, "outline-offset": 2 } },
  ];
}

// Draws a graph into an element; `options` are Cytoscape's. Colours follow the page's scheme.
export function draw(container, graph, layout, options = {}) {
  const drawn = cytoscape({
    container,
    elements: elementsOf(graph, layout),
    style: styleOf(colours()),
    layout: { name: "preset", fit: false },
    minZoom: 0.08,
    maxZoom: 2,
    autoungrabify: true,
    boxSelectionEnabled: false,
    selectionType: "single",
    ...options,
  });
  const recolour = () => drawn.style(styleOf(colours()));
  dark.addEventListener("change", recolour);
  drawn.one("destroy", () => dark.removeEventListener("change", recolour));
  drawn.on("mouseover", ".entity, .more", (event) => {
    near(drawn, event.target.data("of") ?? event.target.id());
    container.classList.add("is-over");
  });
  drawn.on("mouseout", ".entity, .more", () => {
    near(drawn, drawn.scratch("chosen"));
    container.classList.remove("is-over");
  });
  look(drawn);
  return drawn;
}

function look(drawn) {
  fit(drawn);
  if (drawn.zoom() >= READABLE || drawn.$(".is-root").empty()) return;
  drawn.zoom(READABLE * 1.5);
  drawn.center(drawn.$(".is-root"));
  const { x1, y1, x2, y2 } = drawn.elements().renderedBoundingBox();
  drawn.panBy({ x: covering(x1, x2, drawn.width()), y: covering(y1, y2, drawn.height()) });
}

// Returns how far something must be moved that no room is left beside it, or as much on either side.
function covering(from, to, room) {
  if (to - from <= room - 2 * MARGIN) return (room - from - to) / 2;
  if (from > MARGIN) return MARGIN - from;
  return Math.max(0, room - MARGIN - to);
}

// Brings all of a drawing into view, not larger than it reads well.
export function fit(drawn) {
  drawn.fit(undefined, MARGIN);
  if (drawn.zoom() > 1) {
    drawn.zoom(1);
    drawn.center();
  }
}

// Puts another graph in the place of the one that is drawn; what stays moves to its new place.
export function redraw(drawn, graph, layout) {
  const before = new Map(drawn.nodes(".entity").map((node) => [node.id(), { ...node.position() }]));
  drawn.elements().remove();
  drawn.add(elementsOf(graph, layout));
  look(drawn);
  if (still.matches) return;
  for (const node of drawn.nodes(".entity")) {
    const now = { ...node.position() };
    const from = before.get(node.id());
    if (!from) continue;
    node.position(from);
    node.animate({ position: now }, { duration: 250 });
  }
}

// Shows an entity with what is beside it; without one, everything alike.
export function near(drawn, id) {
  drawn.elements().removeClass("is-near is-far");
  const node = id ? drawn.getElementById(id) : drawn.collection();
  if (node.empty()) return;
  const beside = node.closedNeighborhood();
  beside.edges().addClass("is-near");
  drawn.elements(".entity, edge").difference(beside).addClass("is-far");
}

// Marks an entity, and brings it into view.
export function choose(drawn, id) {
  drawn.elements().removeClass("is-chosen");
  drawn.scratch("chosen", id);
  near(drawn, id);
  const node = id ? drawn.getElementById(id) : drawn.collection();
  if (node.empty()) return;
  node.addClass("is-chosen");
  const box = node.renderedBoundingBox();
  const isSeen = box.x1 >= 0 && box.y1 >= 0 && box.x2 <= drawn.width() && box.y2 <= drawn.height();
  if (isSeen) return;
  if (still.matches) drawn.center(node);
  else drawn.animate({ center: { eles: node } }, { duration: 200 });
}
