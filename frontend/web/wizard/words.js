// The words of the wizard in the reader's language: the page carries them, by their English.

let known = {};

export function learn(words) {
  known = words;
}

// Returns a text in the reader's language, `%(name)s` replaced by the values.
export function word(text, values = {}) {
  return (known[text] ?? text).replace(/%\((\w+)\)s/g, (whole, name) => (name in values ? String(values[name]) : whole));
}
