// Checks what the fields ask for beyond their schemas. Rule: scaffolder 1.39, the `validation` of its field extensions.
import { isObject } from "./schema.js";
import { missingParts } from "./repositories.js";
import { word } from "./words.js";

const NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
const TAG = /^[a-z0-9:+#]+(-[a-z0-9:+#]+)*$/;
const REF = /^[^:/\s]+:([^:/\s]+\/)?[^:/\s]+$/;
const MOST_LETTERS = 63;

const CHECKS = {
  EntityNamePicker: (value) => (typeof value === "string" && (value.length > MOST_LETTERS || !NAME.test(value)) ? word("Use letters, digits, and - _ . between them; at most %(limit)s characters", { limit: MOST_LETTERS }) : null),
  EntityTagsPicker: (value) => (Array.isArray(value) && value.some((tag) => tag.length > MOST_LETTERS || !TAG.test(tag)) ? word("Tags are lower-case letters, digits and : + # with - between them") : null),
  MultiEntityPicker: (value) => (Array.isArray(value) && value.some((ref) => !REF.test(ref)) ? word("Give references such as component:default/name") : null),
  RepoUrlPicker: (value, { hosts }) => (typeof value === "string" && value && missingParts(hosts, value).length ? word("The place of the repository is not complete") : null),
};

// Returns the check that the form runs after the schema's own, for what it shows.
export function checksOf(context) {
  return (values, handler, uiSchema) => {
    walk(values, handler, uiSchema, context);
    return handler;
  };
}

function walk(values, handler, ui, context) {
  if (!isObject(values) || !isObject(ui)) return;
  for (const [name, inner] of Object.entries(ui)) {
    if (name.startsWith("ui:") || !isObject(inner) || values[name] === undefined || !handler[name]) continue;
    const found = CHECKS[inner["ui:field"]]?.(values[name], context);
    if (found) handler[name].addError(found);
    if (Array.isArray(values[name])) values[name].forEach((item, index) => handler[name][index] && walk(item, handler[name][index], inner.items, context));
    else walk(values[name], handler[name], inner, context);
  }
}
