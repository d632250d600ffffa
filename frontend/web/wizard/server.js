// Asks Portal's own API with the reader's session.
import { word } from "./words.js";

class Refused extends Error {
  constructor(status, body) {
    super(messageOf(status, body));
    this.status = status;
    // Faults of single values, as `path` and `message`.
    this.faults = Array.isArray(body?.errors) ? body.errors.filter((fault) => Array.isArray(fault?.path)) : [];
  }
}

function messageOf(status, body) {
  if (status === 0) return word("Portal does not answer. Try again in a moment.");
  if (status === 401) return word("Your session is over. Sign in again: what you have filled in is kept in this tab.");
  if (Array.isArray(body?.errors)) return word("Some values are not accepted.");
  return body?.error?.message ?? word("Portal answers with %(status)s.", { status });
}

const token = () => document.querySelector('meta[name="csrf-token"]')?.content ?? "";

export async function ask(url, body, { signal } = {}) {
  const options = { headers: { accept: "application/json" }, signal };
  if (body !== undefined) {
    options.method = "POST";
    options.headers["content-type"] = "application/json";
    options.headers["X-CSRFToken"] = token();
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0);
  }
  const text = await response.text();
  let found = null;
  try {
    found = JSON.parse(text);
  } catch {
    // An answer of something between: its status says enough.
  }
  if (!response.ok || found === null) throw new Refused(response.status, found);
  return found;
}
