// Brings the result up to date when the template's files change, or what is typed into the form. Without this script
// the button does it.
"use strict";

const form = () => document.getElementById("form");
let waiting = null;
let latest = 0;

// Puts the parts of a page that has come over those that are shown. What is open stays open; the form is left alone
// while it asks for the same, so that nobody loses what they type.
function show(text) {
  const page = new DOMParser().parseFromString(text, "text/html");
  const open = new Set(Array.from(document.querySelectorAll("details[open]"), (details) => details.id));
  const result = page.getElementById("result");
  for (const details of result.querySelectorAll("details")) details.open = open.has(details.id);
  document.getElementById("result").replaceWith(document.adoptNode(result));
  document.title = page.title;
  const asked = (shown) => JSON.stringify(Array.from(shown.elements, (element) => [element.name, element.type, element.labels?.[0]?.textContent]));
  const fresh = page.getElementById("form");
  if (asked(fresh) !== asked(form())) {
    const focused = document.activeElement?.name;
    form().replaceWith(document.adoptNode(fresh));
    if (focused) form().elements.namedItem(focused)?.focus();
  }
}

async function load(options) {
  latest += 1;
  const mine = latest;
  const response = await fetch("/", options);
  const text = await response.text();
  if (response.ok && mine === latest) show(text);
}

const send = () => load({ method: "POST", body: new URLSearchParams(new FormData(form())) });

document.addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
document.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(send, 300);
});
new EventSource("/changes").addEventListener("changed", () => load());
