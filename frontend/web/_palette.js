// Ctrl-K opens pages, entities, actions; "/" goes to the search field, which suggests entities.
import { finder, option, options } from "./_options.js";
import { recent } from "./_recent.js";

const go = (url) => location.assign(url);
const searchUrl = (term) => `${document.body.dataset.search}?q=${encodeURIComponent(term)}`;
const isField = (element) => element?.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");

function palette(dialog) {
  const input = dialog.querySelector("input");
  const list = dialog.querySelector('[role="listbox"]');
  const found = list.querySelector("[data-found]");
  const fixed = [...list.querySelectorAll('[role="option"]')];
  const find = finder();
  const changed = options(input, list, { choose: (chosen) => go(chosen.dataset.url), isOpen: () => dialog.open });

  function narrow() {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const each of fixed) each.hidden = !words.every((word) => each.textContent.toLowerCase().includes(word));
    for (const group of list.children) if (group !== found) group.hidden = !group.querySelector("[role=option]:not([hidden])");
    changed(true);
    find(input.value.trim(), (entities) => {
      found.replaceChildren(...entities);
      found.hidden = !entities.length;
      // What somebody has moved to meanwhile stays.
      changed(true, { keeps: true });
    });
  }

  input.addEventListener("input", narrow);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.isComposing && !event.defaultPrevented && input.value.trim()) go(searchUrl(input.value.trim()));
  });
  // What is beside the panel belongs to the dialog itself.
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  return () => {
    if (dialog.open) return dialog.close();
    input.value = "";
    narrow();
    dialog.showModal();
  };
}

function topSearch(form) {
  const input = form.querySelector("input");
  const list = form.querySelector('[role="listbox"]');
  const find = finder();
  const changed = options(input, list, { choose: (chosen) => go(chosen.dataset.url), isOpen: () => !list.hidden });

  function show(found) {
    list.replaceChildren(...found);
    list.hidden = !found.length || document.activeElement !== input;
    input.setAttribute("aria-expanded", String(!list.hidden));
    changed(false);
  }
  function look() {
    const term = input.value.trim();
    const known = recent().filter((each) => each.toLowerCase().startsWith(term.toLowerCase())).slice(0, term ? 3 : 8);
    const again = () => known.map((each) => option(searchUrl(each), [each]));
    if (list.hidden) show(again());
    find(term, (found) => show([...again(), ...found]));
  }

  input.addEventListener("input", look);
  input.addEventListener("focus", look);
  input.addEventListener("blur", () => show([]));
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      show([]);
    } else if (event.key === "ArrowDown" && list.hidden) look();
  });
}

const dialog = document.getElementById("palette");
const toggle = dialog && palette(dialog);
document.querySelector(".to-palette")?.addEventListener("click", () => toggle());
const bar = document.querySelector(".top-search");
if (bar) topSearch(bar);

document.addEventListener("keydown", (event) => {
  if (toggle && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    toggle();
  } else if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !isField(event.target) && !document.querySelector("dialog:modal")) {
    const field = document.getElementById("search-q") ?? document.getElementById("top-q");
    if (field) {
      event.preventDefault();
      field.focus();
      field.select();
    }
  }
});
