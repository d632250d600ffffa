// The last searches of this browser, kept where nobody else reads them.
const KEY = "portal-recent";
const MOST = 8;

export function recent() {
  try {
    const found = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(found) ? found.filter((term) => typeof term === "string").slice(0, MOST) : [];
  } catch {
    return [];
  }
}

export function remember(term) {
  keep([term, ...recent().filter((known) => known !== term)].slice(0, MOST));
}

export function forget() {
  keep([]);
}

function keep(terms) {
  try {
    localStorage.setItem(KEY, JSON.stringify(terms));
  } catch {
    // A browser that keeps nothing is as good.
  }
}
