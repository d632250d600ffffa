// Checks values against a page without compiling anything: the content policy forbids what ajv does.
import { dereference, validate } from "@cfworker/json-schema";
import { createErrorHandler, ErrorSchemaBuilder, toErrorList, validationDataMerge } from "@rjsf/utils";

import { isObject } from "./schema.js";
import { word } from "./words.js";

const DRAFT = "7";
// These only say that something below them is wrong, which is told there.
const WRAPPERS = new Set([
  "properties", "items", "prefixItems", "additionalItems", "patternProperties", "allOf", "if", "$ref", "dependencies", "contains",
]);
const CHOICES = new Set(["anyOf", "oneOf"]);

const withReferences = new WeakMap();
function hasReference(schema) {
  if (typeof schema !== "object" || schema === null) return false;
  if (!withReferences.has(schema)) {
    withReferences.set(schema, Object.entries(schema).some(([key, value]) => key === "$ref" || hasReference(value)));
  }
  return withReferences.get(schema);
}

// JSON knows no undefined, and neither does the validator.
function cleaned(value) {
  if (Array.isArray(value)) return value.map((item) => (item === undefined ? null : cleaned(item)));
  if (!isObject(value)) return value;
  const made = {};
  for (const [name, item] of Object.entries(value)) if (item !== undefined) made[name] = cleaned(item);
  return made;
}

function checked(schema, value, root = schema) {
  let lookup = {};
  let asked = schema;
  if (hasReference(schema)) {
    lookup = dereference(structuredClone(root));
    if (schema !== root) {
      asked = structuredClone(schema);
      dereference(asked);  // tells its references where they lead
    } else {
      asked = Object.values(lookup)[0];
    }
  }
  const data = value === undefined ? (schema.type === "object" || schema.properties ? {} : null) : cleaned(value);
  return validate(data, asked, DRAFT, lookup, false);
}

// Returns the steps of a JSON pointer behind `#`.
function steps(location) {
  return location.split("/").slice(1).map((step) => decodeURI(step).replace(/~1/g, "/").replace(/~0/g, "~"));
}

// Returns what stands at a place of a schema, the way through references included.
function at(schema, location) {
  let here = schema;
  for (const step of steps(location)) {
    here = step === "$ref" && typeof here?.$ref === "string" ? at(schema, here.$ref) : here?.[step];
  }
  return here;
}

// Returns what is wrong with a value that a keyword of its schema refuses; `otherwise` for one without words.
export function wrong(keyword, limit, otherwise) {
  const texts = {
    required: () => word("Fill in this field"),
    dependencies: () => word("Fill in this field"),
    minLength: () => (limit === 1 ? word("Fill in this field") : word("Use at least %(limit)s characters", { limit })),
    maxLength: () => word("Use at most %(limit)s characters", { limit }),
    minItems: () => word("Give at least %(limit)s", { limit }),
    maxItems: () => word("Give at most %(limit)s", { limit }),
    minimum: () => word("Give a number of at least %(limit)s", { limit }),
    maximum: () => word("Give a number of at most %(limit)s", { limit }),
    exclusiveMinimum: () => word("Give a number above %(limit)s", { limit }),
    exclusiveMaximum: () => word("Give a number below %(limit)s", { limit }),
    multipleOf: () => word("Give a multiple of %(limit)s", { limit }),
    uniqueItems: () => word("Give each only once"),
    format: () => word("Write it in the format %(limit)s", { limit }),
    pattern: () => word("Write it as the pattern %(limit)s asks", { limit }),
    enum: () => word("Choose one of those that are offered"),
    const: () => word("Only %(limit)s is possible here", { limit: JSON.stringify(limit) }),
    type: () => word("This is no %(limit)s", { limit: Array.isArray(limit) ? limit.join(", ") : limit }),
    oneOf: () => word("This fits none of the choices, or more than one"),
    anyOf: () => word("This fits none of the choices"),
    additionalProperties: () => word("There is a field here that may not be"),
    false: () => word("There is a field here that may not be"),
  };
  return texts[keyword]?.() ?? otherwise;
}

// Of a choice that nothing fits, only what is wrong with the nearest branch helps.
function nearest(faults) {
  let kept = faults;
  for (const fault of faults.filter((item) => CHOICES.has(item.keyword))) {
    const below = (item) => item.keywordLocation.startsWith(`${fault.keywordLocation}/`);
    const branch = (item) => item.keywordLocation.slice(fault.keywordLocation.length + 1).split("/")[0];
    const counts = new Map();
    for (const item of faults.filter(below)) {
      const weight = ["const", "enum", "type"].includes(item.keyword) ? 100 : 1;
      counts.set(branch(item), (counts.get(branch(item)) ?? 0) + weight);
    }
    const best = [...counts].sort((a, b) => a[1] - b[1])[0];
    const helps = best !== undefined && best[1] < 100;
    kept = kept.filter((item) => (item === fault ? !helps : !below(item) || (helps && branch(item) === best[0])));
  }
  return kept;
}

function faultsOf(schema, value) {
  const { errors } = checked(schema, value);
  const leaves = nearest(errors.filter((fault) => !WRAPPERS.has(fault.keyword) || (fault.keyword === "dependencies" && fault.error.includes("does not have"))));
  return leaves.filter((fault) => fault.keyword !== "additionalProperties" || !leaves.some((other) => other !== fault && other.instanceLocation.startsWith(`${fault.instanceLocation}/`)));
}

function pathOf(fault) {
  const missing = { required: /property "(.*)"\.$/s, dependencies: /does not have "(.*)"\.$/s }[fault.keyword]?.exec(fault.error);
  return missing ? [...steps(fault.instanceLocation), missing[1]] : steps(fault.instanceLocation);
}

export const validator = {
  isValid(schema, value, root) {
    try {
      return checked(schema, value, root ?? schema).valid;
    } catch {
      return false;  // as the form asks for a schema that is none
    }
  },

  rawValidation(schema, value) {
    try {
      return { errors: faultsOf(schema, value) };
    } catch (error) {
      return { validationError: error };
    }
  },

  validateFormData(value, schema, customValidate, transformErrors, uiSchema) {
    const { errors: faults = [], validationError } = this.rawValidation(schema, value);
    const builder = new ErrorSchemaBuilder();
    for (const fault of faults) builder.addErrors(wrong(fault.keyword, at(schema, fault.keywordLocation), fault.error), pathOf(fault));
    // A page that is no schema is refused by the server, which says what is wrong with it.
    if (validationError) builder.addErrors(validationError.message, []);
    const errorSchema = builder.ErrorSchema;
    const found = { errors: toErrorList(errorSchema), errorSchema };
    if (typeof customValidate !== "function") return found;
    const handler = customValidate(value, createErrorHandler(value), uiSchema, errorSchema);
    return validationDataMerge(found, unwrapped(handler));
  },
};

function unwrapped(handler) {
  const made = {};
  for (const [name, value] of Object.entries(handler)) {
    if (name === "addError") continue;
    made[name] = isObject(value) ? unwrapped(value) : value;
  }
  return made;
}
