// A field with options below it, by the ARIA combobox pattern: the field keeps the focus, keys move among the options.

// `choose` is called with the option that somebody takes. Returns what to call when the options have changed.
export function options(input, list, { choose, isOpen }) {
  let active = null;

  const shown = () => [...list.querySelectorAll('[role="option"]')].filter((option) => !option.hidden && !option.parentElement.hidden);

  function mark(option) {
    active?.setAttribute("aria-selected", "false");
    active = option ?? null;
    active?.setAttribute("aria-selected", "true");
    active?.scrollIntoView({ block: "nearest" });
    if (active) input.setAttribute("aria-activedescendant", active.id);
    else input.removeAttribute("aria-activedescendant");
  }

  input.addEventListener("keydown", (event) => {
    if (event.isComposing || !isOpen()) return;
    const every = shown();
    const at = every.indexOf(active);
    const to = { ArrowDown: at + 1, ArrowUp: at < 0 ? every.length - 1 : at - 1 }[event.key];
    if (to !== undefined && every.length) {
      event.preventDefault();
      mark(every[(to + every.length) % every.length]);
    } else if (event.key === "Enter" && active) {
      event.preventDefault();
      choose(active);
    }
  });
  // The field keeps the focus while somebody clicks.
  list.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const option = event.target.closest('[role="option"]');
    if (option) choose(option);
  });

  return (first, { keeps = false } = {}) => {
    list.querySelectorAll('[role="option"]').forEach((option, number) => {
      option.id = `${list.id}-${number}`;
    });
    const every = shown();
    mark(keeps && every.includes(active) ? active : first ? every[0] : null);
  };
}

export function option(url, parts, note) {
  const made = document.createElement("div");
  made.setAttribute("role", "option");
  made.setAttribute("aria-selected", "false");
  made.dataset.url = url;
  const title = document.createElement("span");
  parts.forEach((text, number) => {
    // Every second part is what was asked for.
    const node = number % 2 ? document.createElement("mark") : document.createTextNode("");
    node.textContent = text;
    title.append(node);
  });
  made.append(title);
  if (note) {
    const small = document.createElement("span");
    small.className = "note";
    small.textContent = note;
    made.append(small);
  }
  return made;
}

// Returns a function of a term and of what takes the options for the entities that it finds, a moment later; of terms
// that follow each other soon only the last one is asked for.
export function finder() {
  const { suggest } = document.body.dataset;
  let waiting = null;
  let asking = null;
  return (term, take) => {
    clearTimeout(waiting);
    asking?.abort();
    if (!term || !suggest) return take([]);
    waiting = setTimeout(async () => {
      asking = new AbortController();
      try {
        const response = await fetch(`${suggest}&term=${encodeURIComponent(term)}`, { signal: asking.signal });
        const { results } = response.ok ? await response.json() : { results: [] };
        take(results.map(({ document: found, highlight }) => {
          const title = highlight?.fields?.title ?? found.title;
          return option(found.location, title.split(highlight?.preTag).flatMap((part) => part.split(highlight?.postTag)), found.kind);
        }));
      } catch (error) {
        // Whoever has no answer can still press Enter.
        if (error.name !== "AbortError") take([]);
      }
    }, 120);
  };
}
