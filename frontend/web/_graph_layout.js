// Where the nodes of a graph stand. Layers are bands upon each other; in each, what needs stands above what is needed.
// Dagre, given nodes that hold bands apart, took 6 s for 240 nodes; rows that are ordered by where their neighbours
// stand take milliseconds.
export const WIDTH = 172;
export const HEIGHT = 46;
const STEP = WIDTH + 26;
const GAP = { row: 44, broken: 20, edge: 24, label: 30, band: 18 };
const SWEEPS = 14;

// Returns the positions of nodes by id, and the bands: each with its layer (null for what stands in none), its left
// upper corner and size.
export function inBands(graph) {
  const known = new Set(graph.layers.map((layer) => layer.ref));
  const layerOf = (node) => (known.has(node.layer) ? node.layer : null);
  const layers = [null, ...graph.layers.map((layer) => layer.ref).reverse()].filter((layer) => graph.nodes.some((node) => layerOf(node) === layer));
  const home = new Map(graph.nodes.map((node) => [node.id, layerOf(node)]));
  const ranks = ranked(graph, (edge) => home.get(edge.source) === home.get(edge.target));
  const bands = layers.map((layer) => grouped(graph.nodes.filter((node) => layerOf(node) === layer).map((node) => node.id), ranks));
  const x = aligned(bands.flat(), graph.edges);
  const positions = new Map();
  const edges = [];
  let y = 0;
  for (const band of bands) {
    const bottom = y;
    y -= GAP.edge;
    band.forEach((row, number) => {
      if (number) y -= row.isContinued ? GAP.broken : GAP.row;
      for (const id of row) positions.set(id, { x: x.get(id), y: y - HEIGHT / 2 });
      y -= HEIGHT;
    });
    y -= GAP.label;
    edges.push({ y, height: bottom - y });
    y -= GAP.band;
  }
  const left = Math.min(...x.values()) - WIDTH / 2 - GAP.edge;
  const right = Math.max(...x.values()) + WIDTH / 2 + GAP.edge;
  return { positions, bands: edges.map((edge, number) => ({ layer: layers[number], x: left, width: right - left, ...edge })) };
}

// Returns positions along a flow, from left to right.
export function alongFlow(graph) {
  const ranks = ranked({ nodes: graph.nodes, edges: graph.edges.map(({ source, target }) => ({ source: target, target: source })) }, () => true);
  const columns = grouped(graph.nodes.map((node) => node.id), ranks, Infinity);
  const along = aligned(columns, graph.edges);
  const positions = new Map();
  columns.forEach((column, number) => {
    for (const id of column) positions.set(id, { x: number * (WIDTH + 64), y: (along.get(id) / STEP) * (HEIGHT + 16) });
  });
  return { positions, bands: [] };
}

// Returns how many nodes stand below each, on the longest way along the edges that count; cycles end.
function ranked(graph, counts) {
  const below = new Map(graph.nodes.map((node) => [node.id, []]));
  for (const edge of graph.edges) if (edge.source !== edge.target && counts(edge)) below.get(edge.source).push(edge.target);
  const found = new Map();
  const entered = new Set();
  const rank = (id) => {
    if (!found.has(id)) {
      entered.add(id);
      const lower = below.get(id).filter((other) => !entered.has(other)).map(rank);
      entered.delete(id);
      found.set(id, lower.length ? 1 + Math.max(...lower) : 0);
    }
    return found.get(id);
  };
  for (const { id } of graph.nodes) rank(id);
  return found;
}

// Returns rows of ids, the lowest rank first; one that is too long is broken, so that the whole is about as high as wide.
function grouped(ids, ranks, most = Math.max(6, Math.ceil(Math.sqrt(ids.length * 2)))) {
  const rows = new Map();
  for (const id of ids) {
    if (!rows.has(ranks.get(id))) rows.set(ranks.get(id), []);
    rows.get(ranks.get(id)).push(id);
  }
  return [...rows.keys()].sort((one, other) => one - other).flatMap((key) => {
    const row = rows.get(key);
    const parts = Math.max(1, Math.ceil(row.length / most));
    return Array.from({ length: parts }, (_, part) => Object.assign(row.filter((_id, place) => place % parts === part), { isContinued: part > 0 }));
  });
}

// Returns how far to the right each node of some rows stands, near its neighbours. Orders the rows accordingly.
function aligned(rows, edges) {
  const beside = new Map(rows.flat().map((id) => [id, []]));
  for (const { source, target } of edges) {
    if (source === target) continue;
    beside.get(source).push(target);
    beside.get(target).push(source);
  }
  const x = new Map();
  for (const row of rows) row.forEach((id, place) => x.set(id, (place - (row.length - 1) / 2) * STEP));
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    for (const row of sweep % 2 ? [...rows].reverse() : rows) {
      const own = new Set(row);
      const wanted = new Map(row.map((id) => {
        const others = beside.get(id).filter((other) => !own.has(other));
        return [id, others.length ? others.reduce((sum, other) => sum + x.get(other), 0) / others.length : x.get(id)];
      }));
      row.sort((one, other) => wanted.get(one) - wanted.get(other));
      spread(row.map((id) => wanted.get(id))).forEach((place, number) => x.set(row[number], place));
    }
  }
  return x;
}

// Returns places that are at least a step apart, as near as can be to those wanted, which are sorted.
function spread(wanted) {
  const groups = [];
  wanted.forEach((place, number) => {
    groups.push({ sum: place - number * STEP, size: 1 });
    const mean = (group) => group.sum / group.size;
    while (groups.length > 1 && mean(groups.at(-2)) > mean(groups.at(-1))) {
      const last = groups.pop();
      groups.at(-1).sum += last.sum;
      groups.at(-1).size += last.size;
    }
  });
  return groups.flatMap((group) => Array(group.size).fill(group.sum / group.size)).map((place, number) => place + number * STEP);
}
