// Copies what a button names; draws the graph of an entity when somebody opens it: it weighs more than the page.

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue; // there on https and localhost alone
  const label = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.querySelector(button.dataset.copy).textContent);
    button.textContent = button.dataset.copied;
    setTimeout(() => (button.textContent = label), 2000);
  });
}

for (const fold of document.querySelectorAll("details[data-graph-script]")) {
  const script = fold.dataset.graphScript;
  if (!script) {
    fold.remove();
    continue;
  }
  fold.addEventListener("toggle", () => {
    const place = fold.querySelector("[data-graph-place]");
    if (!fold.open || !place || place.dataset.graphUrl) return;
    place.className = "small-graph";
    place.setAttribute("role", "figure");
    place.setAttribute("aria-label", place.dataset.graphLabel);
    place.dataset.graphUrl = place.dataset.graphPlace;
    import(script);
  });
}
