// A text input with a list to choose from, as the ARIA practices describe a combobox.
import { useEffect, useId, useRef, useState } from "react";

import { word } from "./words.js";

const MOST_SHOWN = 50;

// Returns the options that hold each word of a text.
function matching(options, text) {
  const wanted = text.trim().toLowerCase().split(/\s+/).filter(Boolean);
  return options.filter((option) => {
    const all = `${option.label} ${option.value} ${option.note ?? ""}`.toLowerCase();
    return wanted.every((part) => all.includes(part));
  });
}

// `options` are {value, label, note}; `onChoose` is told the value of one, `onText` a text that is none of them, where
// `takesText` allows that. With `clears` the input is empty again once something is chosen.
export function Combobox({ id, options, value, onChoose, onText, onSearch, takesText, clears, isBusy, disabled, autoFocus, placeholder, required, describedBy, isInvalid, onBlur }) {
  const listId = useId();
  const box = useRef(null);
  const chosen = options.find((option) => option.value === value);
  const shown = clears ? "" : chosen?.label ?? value ?? "";
  const [text, setText] = useState(null);  // null: nothing is being typed
  const [isOpen, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const found = matching(options, text ?? "").slice(0, MOST_SHOWN);

  useEffect(() => {
    if (active >= 0) document.getElementById(`${listId}-${active}`)?.scrollIntoView({ block: "nearest" });
  }, [active, listId]);

  function type(next) {
    setText(next);
    setOpen(true);
    setActive(-1);
    onSearch?.(next);
  }

  function choose(option) {
    onChoose(option.value);
    setText(null);
    setOpen(false);
    setActive(-1);
    onSearch?.("");
  }

  // What was typed counts as it is where texts are taken, as the one option that it names, or as nothing.
  function settle() {
    setOpen(false);
    setActive(-1);
    if (text === null) return;
    const typed = text.trim();
    const same = options.find((option) => [option.label, option.value].some((name) => name.toLowerCase() === typed.toLowerCase()));
    if (same) choose(same);
    else {
      if (typed === "" && !clears) onChoose(undefined);
      else if (typed && takesText) onText(typed);
      setText(null);
    }
  }

  function press(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      setOpen(true);
      if (found.length) setActive(isOpen ? (active + step + found.length + (active < 0 && step < 0 ? 1 : 0)) % found.length : step > 0 ? 0 : found.length - 1);
    } else if (event.key === "Enter") {
      if (isOpen && active >= 0 && found[active]) {
        event.preventDefault();
        choose(found[active]);
      } else if (isOpen || text !== null) {
        event.preventDefault();
        if (text !== null && found.length === 1 && !takesText) choose(found[0]);
        else settle();
      }
    } else if (event.key === "Escape" && isOpen) {
      event.preventDefault();
      event.stopPropagation();
      setOpen(false);
      setText(null);
      setActive(-1);
    }
  }

  const hint = isBusy ? word("Looking …") : found.length === 0 ? word("Nothing of that name.") : "";
  return (
    <div className="combobox" ref={box} onBlur={(event) => { if (!box.current.contains(event.relatedTarget)) { settle(); onBlur?.(); } }}>
      <input
        type="text" id={id} className={`form-select${isInvalid ? " is-invalid" : ""}`} role="combobox" autoComplete="off" spellCheck="false"
        aria-expanded={isOpen} aria-controls={isOpen ? listId : undefined} aria-autocomplete="list" aria-activedescendant={isOpen && active >= 0 ? `${listId}-${active}` : undefined}
        aria-required={required || undefined} aria-invalid={isInvalid || undefined} aria-describedby={describedBy} placeholder={placeholder} disabled={disabled} autoFocus={autoFocus}
        value={text ?? shown} onChange={({ target }) => type(target.value)} onKeyDown={press} onClick={() => setOpen(true)}
      />
      {isOpen && (
        <div className="options">
          <ul role="listbox" id={listId} aria-label={word("Choices")}>
            {found.map((option, index) => (
              <li
                key={option.value} id={`${listId}-${index}`} role="option" aria-selected={option.value === value}
                className={index === active ? "active" : undefined} onPointerDown={(event) => event.preventDefault()} onClick={() => choose(option)}
              >
                <span>{option.label}</span>{option.note && <span className="note">{option.note}</span>}
              </li>
            ))}
          </ul>
          {hint && <p className="note">{hint}</p>}
        </div>
      )}
      <span className="hidden" role="status">{isOpen ? hint || word("%(count)s choices", { count: found.length }) : ""}</span>
    </div>
  );
}

// What was chosen of several, each with a button that takes it away, and a combobox for the next.
export function Chips({ values, labelOf, onRemove, disabled }) {
  if (!values.length) return null;
  return (
    <ul className="chips">
      {values.map((value) => (
        <li key={value}>
          <span title={value}>{labelOf(value)}</span>
          <button type="button" className="btn-close" disabled={disabled} aria-label={word("Remove %(name)s", { name: labelOf(value) })} onClick={() => onRemove(value)} />
        </li>
      ))}
    </ul>
  );
}
