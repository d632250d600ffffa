// What draws the explorer's graph takes long to read: the page with its list is shown first.
requestAnimationFrame(() => setTimeout(() => import("./_explorer.js")));
