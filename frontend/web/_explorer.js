// The graph explorer's drawing beside its list, and small graphs on other pages. What is drawn is what the list says:
// the list, its links and its form work without this script.
import { choose, colours, draw, fit, redraw } from "./_graph_draw.js";
import { inBands } from "./_graph_layout.js";
import { smallGraphs } from "./_graph_small.js";
import { toSvg } from "./_graph_svg.js";

const stage = document.getElementById("stage");
let drawn = null;
let openMenus = [];
let chosen = location.hash.slice(1);

const shown = () => document.getElementById("drawing");
const entryOf = (id) => (id ? document.getElementById(id)?.closest(".explorer-entry") : null);

function show() {
  const data = shown();
  const graph = data ? JSON.parse(data.dataset.graph) : { nodes: [] };
  stage.hidden = graph.nodes.length === 0;
  stage.classList.toggle("has-impact", graph.nodes.some((node) => node.distance > 0));
  if (stage.hidden) return;
  if (drawn) redraw(drawn, graph, inBands(graph));
  else {
    drawn = draw(document.getElementById("stage-canvas"), graph, inBands(graph));
    drawn.on("tap", ".entity, .more", (event) => open(event.target.data("of") ?? event.target.id()));
    drawn.on("tap", (event) => event.target === drawn && mark(null));
    new ResizeObserver(() => drawn.resize()).observe(stage);
  }
  mark(chosen);
}

// Marks an entity in the drawing and in the list, and keeps it in the address.
function mark(id) {
  const entry = entryOf(id);
  for (const other of document.querySelectorAll(".explorer-entry.is-chosen")) if (other !== entry) other.classList.remove("is-chosen");
  entry?.classList.add("is-chosen");
  chosen = entry?.id;
  choose(drawn, chosen);
  const address = location.pathname + location.search + (entry ? `#${entry.id}` : "");
  if (address !== location.pathname + location.search + location.hash) history.replaceState(history.state, "", address);
  return entry;
}

// Follows what a click on an entity of the drawing means: what is behind it is shown; of the whole catalog, its part.
function open(id) {
  const entry = mark(id);
  if (!entry) return;
  scrollTo(entry);
  const further = entry.querySelector("a.expand");
  const isHidden = drawn.getElementById(`more ${id}`).nonempty();
  if (further && isHidden) further.click();
  else if (!entry.querySelector(".explorer-acts")) entry.querySelector(".explorer-name a")?.click();
}

// Brings an entry into view in a list that scrolls by itself; the page stays where it is.
function scrollTo(entry) {
  const list = entry.closest(".explorer-list");
  if (list.scrollHeight > list.clientHeight) list.scrollTop += entry.getBoundingClientRect().top - list.getBoundingClientRect().top - 40;
}

function save(content, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

const tools = {
  nearer: () => drawn.zoom({ level: drawn.zoom() * 1.25, renderedPosition: { x: drawn.width() / 2, y: drawn.height() / 2 } }),
  farther: () => drawn.zoom({ level: drawn.zoom() / 1.25, renderedPosition: { x: drawn.width() / 2, y: drawn.height() / 2 } }),
  fit: () => fit(drawn),
  svg: () => save(new Blob([toSvg(drawn, colours().ground)], { type: "image/svg+xml" }), "graph.svg"),
  png: async () => save(await drawn.png({ output: "blob-promise", full: true, scale: 2, maxWidth: 8_000, maxHeight: 8_000, bg: colours().ground }), "graph.png"),
};

if (stage) {
  stage.addEventListener("click", (event) => tools[event.target.closest("[data-tool]")?.dataset.tool]?.());
  document.addEventListener("focusin", (event) => {
    const entry = event.target.closest?.(".explorer-entry");
    if (entry && drawn) mark(entry.id);
  });
  addEventListener("hashchange", () => drawn && mark(location.hash.slice(1)));
  document.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && event.target.closest?.("details[open]");
    if (!menu) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll(".explorer-menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  // What is as it is anyway is not said in the address.
  document.addEventListener("htmx:configRequest", (event) => {
    const { formData } = event.detail;
    const usual = { depth: "1", direction: "both" };
    for (const [name, value] of [...formData.entries()]) if (value === (usual[name] ?? "")) formData.delete(name);
  });
  // A choice is followed at once, what is typed when it is sent; the menu that a choice was made in stays open.
  document.addEventListener("change", (event) => {
    if (event.target.matches("#graph-form select, #graph-form [type=checkbox]")) event.target.form.requestSubmit();
  });
  document.addEventListener("htmx:beforeSwap", () => {
    openMenus = [...document.querySelectorAll(".explorer-menu")].map((menu) => menu.open);
  });
  document.addEventListener("htmx:afterSettle", () => {
    document.querySelectorAll(".explorer-menu").forEach((menu, place) => { menu.open = openMenus[place] ?? false; });
    show();
    // Where what had the focus is gone, the keyboard goes on from the top.
    if (document.activeElement === document.body) document.querySelector("#explorer h1").focus({ preventScroll: true });
  });
  show();
}
smallGraphs();
