// Shows what was filled in, page by page, before it is sent.
import { createSchemaUtils, orderProperties } from "@rjsf/utils";

import { isObject } from "./schema.js";
import { validator } from "./validator.js";
import { word } from "./words.js";

const HIDDEN = "••••••";

// Returns the values without those of branches that others have closed.
export function submitted(pages, values) {
  const known = new Set(pages.flatMap((page) => [...page.names]));
  const open = new Set(pages.flatMap((page) => Object.keys(shownSchema(page, values).properties ?? {})));
  return Object.fromEntries(Object.entries(values).filter(([name, value]) => value !== undefined && (open.has(name) || !known.has(name))));
}

function shownSchema(page, values) {
  return createSchemaUtils(validator, page.schema, undefined, undefined).retrieveSchema(page.schema, values);
}

function names(schema, ui) {
  const all = Object.keys(schema.properties ?? {});
  try {
    return orderProperties(all, ui["ui:order"]);
  } catch {
    return all;  // an order that does not fit
  }
}

function isSecret(ui) {
  return ui?.["ui:field"] === "Secret" || [ui?.["ui:widget"], ui?.["ui:options"]?.widget].includes("password");
}

// Yields [title, text] of each value, those of objects that are asked for apart one by one.
function rows(schema, ui, values, prefix = "") {
  return names(schema, ui ?? {}).flatMap((name) => {
    const field = schema.properties[name] ?? {};
    const inner = ui?.[name] ?? {};
    const said = inner["ui:backstage"]?.review ?? {};
    const value = values?.[name];
    if (said.show === false || value === undefined || inner["ui:widget"] === "hidden") return [];
    const title = prefix + String(said.name ?? inner["ui:title"] ?? field.title ?? name);
    if (said.mask) return [[title, String(said.mask)]];
    if (isSecret(inner)) return [[title, HIDDEN]];
    if (isObject(value) && isObject(field.properties) && said.explode !== false) return rows(field, inner, value, `${title}: `);
    return [[title, textOf(value, field, inner)]];
  });
}

function textOf(value, field, ui) {
  if (Array.isArray(value)) {
    if (value.length === 0) return "–";
    const fields = isObject(field.items) ? field.items : {};
    return value.map((item) => textOf(item, fields, { ...ui?.items, "ui:enumNames": ui?.items?.["ui:enumNames"] ?? ui?.["ui:enumNames"] })).join("\n");
  }
  if (isObject(value)) {
    return isObject(field.properties) ? rows(field, ui, value).map(([title, text]) => `${title}: ${text}`).join(", ") : JSON.stringify(value);
  }
  const index = (field.enum ?? []).indexOf(value);
  const enumNames = ui?.["ui:enumNames"] ?? ui?.["ui:options"]?.enumNames;
  if (index >= 0 && enumNames) return String((Array.isArray(enumNames) ? enumNames[index] : enumNames[value]) ?? value);
  const choice = [...(field.oneOf ?? []), ...(field.anyOf ?? [])].find((option) => option?.const === value && option.title);
  if (choice) return String(choice.title);
  if (typeof value === "boolean") return value ? word("Yes") : word("No");
  const file = typeof value === "string" && /^data:[^,]*;name=([^;,]+)/.exec(value);
  return file ? decodeURIComponent(file[1]) : value === "" ? "–" : String(value);
}

export function Review({ pages, values, onPage }) {
  return pages.map((page, index) => {
    const found = rows(shownSchema(page, values), page.uiSchema, values);
    return (
      <section key={index} aria-labelledby={`review-${index}`} className="review">
        <div className="headline">
          <h3 id={`review-${index}`}>{page.title}</h3>
          <button type="button" className="btn btn-link btn-sm" onClick={() => onPage(index)} aria-label={`${word("Change")}: ${page.title}`}>{word("Change")}</button>
        </div>
        {found.length ? <dl>{found.map(([title, text], row) => <div key={row}><dt>{title}</dt><dd>{text}</dd></div>)}</dl> : <p className="empty">{word("Nothing was asked for here.")}</p>}
      </section>
    );
  });
}
