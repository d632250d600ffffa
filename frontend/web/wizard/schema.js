// Makes of a template's page what the form understands: plain draft 7 beside what it says of its looks.
//
// The dialect is the server's (portal/scaffolder/parameters.py): leftovers of draft 3 move or go, keywords of later
// drafts are not known. Backstage's authors write `ui:*` into the schema, at any depth; the form wants them apart.

import getDefaultRegistry from "@rjsf/core/lib/getDefaultRegistry.js";
import { hasWidget } from "@rjsf/utils";

import { OWN_FIELDS } from "./own_fields.js";

const TYPES = new Set(["null", "boolean", "object", "array", "number", "string", "integer"]);
const BY_NAME = new Set(["properties", "patternProperties", "definitions", "$defs", "dependencies"]);
const SCHEMAS = new Set([
  "items", "additionalItems", "additionalProperties", "propertyNames", "contains",
  "not", "if", "then", "else", "allOf", "anyOf", "oneOf",
]);
const LISTS = new Set(["allOf", "anyOf", "oneOf"]);
const DROPPED = new Set(["$schema", "$id", "id", "dependentRequired", "dependentSchemas", "unevaluatedItems", "unevaluatedProperties"]);
const FLAG = "backstage:featureFlag";
const PLAIN_FIELDS = new Set(["StringField", "NumberField", "BooleanField", "ArrayField", "ObjectField", "NullField"]);
const SECRET_WIDGETS = new Set(["password"]);

export const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
// What a feature flag guards is hidden: none is ever switched on here.
const isFlagged = (schema) => Boolean(schema?.[FLAG] ?? schema?.["ui:backstage"]?.featureFlag);
const own = (object, name) => Object.prototype.hasOwnProperty.call(object, name);

// Returns the pages of an answer of parameter-schema: title, description, schema, uiSchema, with the names of all
// parameters that each may ask for. A page that nobody sees, as its feature is not switched on, is left out.
export function pagesOf(answer) {
  const pages = [];
  for (const step of answer.steps ?? []) {
    if (!isObject(step.schema) || isFlagged(step.schema)) continue;
    const schema = plain(step.schema);
    const uiSchema = {};
    extract(schema, uiSchema);
    for (const keyword of ["definitions", "$defs"]) {
      for (const [name, member] of Object.entries(schema[keyword] ?? {})) {
        const inner = {};
        extract(member, inner);
        (uiSchema["ui:definitions"] ??= {})[`#/${keyword}/${name}`] = inner;
      }
    }
    delete schema.title;
    delete schema.description;
    if (!schema.type && !schema.$ref) schema.type = "object";
    pages.push({ title: String(step.title ?? ""), description: step.description ? String(step.description) : "", schema, uiSchema, names: namesOf(schema) });
  }
  return pages;
}

// Returns a schema in plain draft 7, a copy of its own.
function plain(schema) {
  if (!isObject(schema)) return schema === true || schema === false ? schema : {};
  const made = {};
  for (const [keyword, value] of Object.entries(schema)) {
    if (DROPPED.has(keyword)) continue;
    if (keyword === "type") {
      const types = Array.isArray(value) ? value : [value];
      if (types.length && types.every((name) => TYPES.has(name))) made.type = value;
    } else if (keyword === "required") {
      if (Array.isArray(value)) made.required = [...new Set(value.filter((name) => typeof name === "string"))];
    } else if (keyword === "enum") {
      if (Array.isArray(value) && value.length) made.enum = value;
    } else if (keyword === "pattern") {
      const pattern = usable(value);
      if (pattern !== null) made.pattern = pattern;
    } else if (BY_NAME.has(keyword)) {
      if (isObject(value)) made[keyword] = members(keyword, value);
    } else if (LISTS.has(keyword)) {
      if (Array.isArray(value) && value.length) made[keyword] = value.map(plain);
    } else if (SCHEMAS.has(keyword)) {
      made[keyword] = Array.isArray(value) ? value.map(plain) : plain(value);
    } else {
      made[keyword] = value;
    }
  }
  if (isObject(schema.properties)) {
    const hidden = Object.keys(schema.properties).filter((name) => isFlagged(schema.properties[name]));
    const inside = Object.keys(schema.properties).filter((name) => schema.properties[name]?.required === true);
    if (inside.length) made.required = [...new Set([...(made.required ?? []), ...inside])];
    if (hidden.length && made.required) made.required = made.required.filter((name) => !hidden.includes(name));
  }
  return made;
}

function members(keyword, value) {
  const made = {};
  for (const [name, member] of Object.entries(value)) {
    if (keyword === "dependencies" && Array.isArray(member)) made[name] = member.filter((item) => typeof item === "string");
    else if (isObject(member) && !isFlagged(member)) made[name] = plain(member);
    else if (keyword === "patternProperties" && usable(name) === null) continue;
    else if (typeof member === "boolean" && keyword !== "properties") made[name] = member;
  }
  return made;
}

// Returns a pattern as the validator takes it, which reads it with the `u` flag; null for what is none at all.
function usable(pattern) {
  if (typeof pattern !== "string") return null;
  const ways = [pattern, pattern.replace(/\\([^\w\s^$\\.*+?()[\]{}|/])/g, (_, letter) => `\\u{${letter.codePointAt(0).toString(16)}}`)];
  for (const way of ways) {
    try {
      new RegExp(way, "u");
      return way;
    } catch {
      // The next one, or none: the server reads it again.
    }
  }
  return null;
}

// Moves what a schema says of its looks into `ui`, at every depth. Rule: scaffolder-react 1.20
// `extractSchemaFromStep`, but that a branch that says nothing of a field leaves what others said of it.
function extract(schema, ui) {
  if (!isObject(schema)) return;
  for (const [keyword, value] of Object.entries(schema)) {
    if (!keyword.startsWith("ui:") && !keyword.startsWith("backstage:")) continue;
    // Layouts are components of Backstage's own applications: the usual ones stand in.
    if (keyword.startsWith("ui:") && !keyword.endsWith("Template")) ui[keyword] = value;
    delete schema[keyword];
  }
  if (schema.enumNames) {
    ui["ui:enumNames"] ??= schema.enumNames;
    delete schema.enumNames;
  }
  if (ui["ui:options"] !== undefined && !isObject(ui["ui:options"])) delete ui["ui:options"];
  for (const [name, member] of Object.entries(schema.properties ?? {})) {
    const inner = isObject(ui[name]) ? ui[name] : {};
    ui[name] = inner;
    extract(member, inner);
    complete(member, inner);
  }
  if (schema.additionalProperties) extract(schema.additionalProperties, (ui.additionalProperties ??= {}));
  if (isObject(schema.items)) {
    const inner = isObject(ui.items) ? ui.items : {};
    extract(schema.items, inner);
    complete(schema.items, inner);
    if (Object.keys(inner).length) ui.items = inner;
  } else if (Array.isArray(schema.items)) {
    ui.items = schema.items.map((item) => {
      const inner = {};
      extract(item, inner);
      return inner;
    });
  }
  for (const keyword of LISTS) for (const part of schema[keyword] ?? []) extract(part, ui);
  for (const keyword of ["if", "then", "else"]) extract(schema[keyword], keyword === "if" ? {} : ui);
  for (const part of Object.values(schema.dependencies ?? {})) extract(part, ui);
  if (ui["ui:order"]) ui["ui:order"] = order(ui["ui:order"]);
}

// The form refuses an order that leaves out a field.
function order(names) {
  const found = Array.isArray(names) ? names.filter((name) => typeof name === "string") : [];
  return found.includes("*") ? found : [...found, "*"];
}

const TELLING = ["type", "$ref", "enum", "const", "properties", "items", "oneOf", "anyOf", "allOf", "if", "additionalProperties", "patternProperties"];

// Gives a field that the form would not know how to show one of Portal's own.
function complete(schema, ui) {
  if (schema.type === "array" && !own(schema, "items")) schema.items = { type: "string" };
  const field = ui["ui:field"] ?? ui["ui:options"]?.field;
  if (field !== undefined && !OWN_FIELDS.has(field)) {
    if (!PLAIN_FIELDS.has(field)) ui["ui:unknownField"] = String(field);
    delete ui["ui:field"];
    if (ui["ui:options"]) delete ui["ui:options"].field;
  }
  for (const [place, keyword] of [[ui, "ui:widget"], [ui["ui:options"], "widget"]]) {
    if (place?.[keyword] !== undefined && !isWidget(schema, place[keyword])) delete place[keyword];
  }
  if (ui["ui:field"]) return;
  if (!TELLING.some((keyword) => own(schema, keyword))) ui["ui:field"] = "AnyText";
  else if (schema.type === "object" && !TELLING.slice(1).some((keyword) => own(schema, keyword))) ui["ui:field"] = "AnyJson";
}

const { widgets } = getDefaultRegistry();

// Returns whether the form has a widget for a type; of one that it has not, the usual one stands in.
function isWidget(schema, name) {
  if (name === "hidden" || (schema.type === undefined && !schema.enum)) return name === "hidden" || typeof name === "string";
  if (typeof name !== "string") return false;
  try {
    return hasWidget(schema, name, widgets);
  } catch {
    return false;
  }
}

// Returns the names of all parameters that a page may ask for, in any of its branches.
function namesOf(schema, found = new Set()) {
  if (!isObject(schema)) return found;
  for (const name of Object.keys(schema.properties ?? {})) found.add(name);
  for (const keyword of LISTS) for (const part of schema[keyword] ?? []) namesOf(part, found);
  for (const keyword of ["then", "else"]) namesOf(schema[keyword], found);
  for (const part of Object.values(schema.dependencies ?? {})) namesOf(part, found);
  return found;
}

// Returns the names of all fields, at any depth, whose text is nobody else's business.
export function secretNames(uiSchema, found = new Set()) {
  for (const [name, inner] of Object.entries(uiSchema ?? {})) {
    if (!isObject(inner) || name.startsWith("ui:")) continue;
    if (inner["ui:field"] === "Secret" || SECRET_WIDGETS.has(inner["ui:widget"]) || SECRET_WIDGETS.has(inner["ui:options"]?.widget)) found.add(name);
    secretNames(inner, found);
  }
  return found;
}

// Returns values without what stands under some names, at any depth.
export function without(values, names) {
  if (Array.isArray(values)) return values.map((item) => without(item, names));
  if (!isObject(values)) return values;
  return Object.fromEntries(Object.entries(values).filter(([name]) => !names.has(name)).map(([name, value]) => [name, without(value, names)]));
}
