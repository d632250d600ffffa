// The page of search: remembers what was looked for, shows it again where nothing is.
import { forget, recent, remember } from "./_recent.js";

function show() {
  const section = document.getElementById("recent");
  if (!section) return;
  const terms = recent();
  section.hidden = !terms.length;
  section.querySelector("ul").replaceChildren(...terms.map((term) => {
    const link = document.createElement("a");
    link.href = `${document.body.dataset.search}?q=${encodeURIComponent(term)}`;
    link.textContent = term;
    const item = document.createElement("li");
    item.append(link);
    return item;
  }));
  section.querySelector("button").onclick = () => {
    forget();
    show();
  };
}

// What stands there when somebody goes on is a search that is worth keeping, not each letter on the way.
function keep() {
  const term = document.getElementById("search-q").value.trim();
  if (term && document.querySelector(".hits")) remember(term);
}

if (new URLSearchParams(location.search).get("q")) keep();
addEventListener("pagehide", keep);
document.body.addEventListener("htmx:afterSettle", show);
show();
