// Keeps what was filled in for as long as the browser's tab is open: never secrets.
import { without } from "./schema.js";

const keyOf = (template) => `portal.create.${template}`;

export function kept(template) {
  try {
    const found = JSON.parse(sessionStorage.getItem(keyOf(template)) ?? "{}");
    return typeof found === "object" && found !== null ? found : {};
  } catch {
    return {};
  }
}

export function keep(template, values, secretNames) {
  try {
    sessionStorage.setItem(keyOf(template), JSON.stringify(without(values, secretNames)));
  } catch {
    // More than fits, or not allowed here: it is there until the page is left.
  }
}

export function forget(template) {
  try {
    sessionStorage.removeItem(keyOf(template));
  } catch {
    // As above: nothing was kept.
  }
}
