// One page of the form.
// Not by its index, which wants ajv.
import Form from "@rjsf/core/lib/components/Form.js";
import { createSchemaUtils } from "@rjsf/utils";
import { Component } from "react";

import { checksOf } from "./checks.js";
import { pickers } from "./pickers.js";
import { repositoryFields } from "./repositories.js";
import { without } from "./schema.js";
import { templates, Text, widgets } from "./theme.js";
import { validator } from "./validator.js";
import { word } from "./words.js";

const FIELDS = { ...pickers, ...repositoryFields };
// As Backstage's form has it.
const DEFAULTS = { allOf: "populateDefaults" };

// The form's library says its words with %1 for the first value.
const wordOf = (text, values = []) => values.reduce((made, value, index) => made.replace(`%${index + 1}`, value), word(text));

// What the form of a page is given: fields that other pages have are none that somebody has added.
function valuesOf(page, pages, values) {
  if (!page.schema.additionalProperties) return values;
  const others = new Set(pages.filter((other) => other !== page).flatMap((other) => [...other.names]));
  return without(values, new Set([...others].filter((name) => !page.names.has(name))));
}

// Returns values with the defaults of what a page asks for.
export function withDefaults(page, values) {
  return createSchemaUtils(validator, page.schema, DEFAULTS).getDefaultFormState(page.schema, values, false);
}

// Returns whether nothing speaks against the values of a page.
export function isComplete(page, values, context) {
  const utils = createSchemaUtils(validator, page.schema, DEFAULTS);
  return validator.validateFormData(values, utils.retrieveSchema(page.schema, values), checksOf(context), undefined, page.uiSchema).errors.length === 0;
}

class Boundary extends Component {
  state = { error: null };

  static getDerivedStateFromError(error) {
    return { error };
  }

  render() {
    return this.state.error ? <p className="alert alert-danger" role="alert">{word("This page of the form cannot be shown: %(reason)s. Tell the template's owner.", { reason: this.state.error.message })}</p> : this.props.children;
  }
}

// What a page has lost since its form was asked last.
function absent(all, formData, page) {
  return Object.fromEntries([...page.names].filter((name) => name in all && !(name in (formData ?? {}))).map((name) => [name, undefined]));
}

// `index` is the page's place; `onChange` is told what of the values has changed.
export function PageForm({ page, pages, index, values, context, extraErrors, onChange, onError, onSubmit, children }) {
  return (
    <Boundary>
      {page.description && <div className="lead"><Text>{page.description}</Text></div>}
      <Form
        schema={page.schema} uiSchema={page.uiSchema} formData={valuesOf(page, pages, values)} formContext={context} validator={validator} customValidate={checksOf(context)}
        fields={FIELDS} templates={templates} widgets={widgets} translateString={wordOf} experimental_defaultFormStateBehavior={DEFAULTS} extraErrors={extraErrors}
        idPrefix={`p${index + 1}`} noHtml5Validate showErrorList={false} autoComplete="off"
        onChange={({ formData }) => onChange((all) => ({ ...all, ...absent(all, formData, page), ...formData }))} onError={onError} onSubmit={onSubmit}
      >
        {children}
      </Form>
    </Boundary>
  );
}
