// Small graphs on other pages: drawn when they come into view, to look at and to follow, not to move.
import { draw } from "./_graph_draw.js";
import { alongFlow, inBands } from "./_graph_layout.js";

const TONES = 6;
const MOST = 30;

// The API tells relations by names that are English; in another language the arrow alone says enough.
const isEnglish = document.documentElement.lang.startsWith("en");
const words = (name) => (isEnglish ? name.replace(/([a-z0-9])([A-Z])/g, "$1 $2").toLowerCase() : "");

function pageOf(ref) {
  const [, kind, namespace, name] = ref.match(/^([^:]*):([^/]*)\/(.*)$/s);
  return `/catalog/${[namespace, kind, name].map(encodeURIComponent).join("/")}`;
}

// Returns the graph of an answer of the API as it is drawn: at most so much that it can be read.
function ofAnswer(answer, root) {
  const layers = (answer.layers ?? []).map((layer, place, all) => ({ ...layer, tone: ((all.length - 1 - place) % TONES) + 1 }));
  const found = answer.nodes ?? [answer.root, ...answer.upstream, ...answer.downstream];
  const unique = [...new Map(found.map((node) => [node.ref, node])).values()];
  const first = unique.filter((node) => node.ref === root).concat(unique.filter((node) => node.ref !== root)).slice(0, MOST);
  const refs = new Set(first.map((node) => node.ref));
  const edges = answer.edges.filter((edge) => refs.has(edge.source) && refs.has(edge.target));
  return {
    root,
    layers,
    nodes: first.map((node) => ({ ...node, id: node.ref, hidden: node.ref === root ? unique.length - first.length : 0 })),
    edges: edges.map((edge) => ({ ...edge, label: words(edge.type) })),
  };
}

async function show(element) {
  const address = element.dataset.graphUrl ?? element.dataset.lineage;
  const response = await fetch(address, { headers: { Accept: "application/json" } });
  if (!response.ok) return;
  const answer = await response.json();
  const root = answer.root?.ref ?? new URL(address, location.href).searchParams.get("root");
  const graph = ofAnswer(answer, root);
  if (graph.nodes.length < 2) return;
  const canvas = document.createElement("div");
  canvas.className = "small-canvas";
  // The page says the same in words.
  canvas.setAttribute("aria-hidden", "true");
  element.prepend(canvas);
  const layout = answer.nodes ? inBands(graph) : alongFlow(graph);
  const drawn = draw(canvas, graph, layout, { userZoomingEnabled: false, userPanningEnabled: false });
  drawn.on("tap", ".entity", (event) => {
    if (event.target.id() !== root) location.assign(pageOf(event.target.id()));
  });
}

// Looks for places of small graphs, and draws each when it comes into view.
export function smallGraphs() {
  const observer = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      observer.unobserve(entry.target);
      show(entry.target);
    }
  }, { rootMargin: "200px" });
  for (const element of document.querySelectorAll("[data-graph-url], [data-lineage]")) observer.observe(element);
}
