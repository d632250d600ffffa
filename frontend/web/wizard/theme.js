// How the form looks: Bootstrap's classes, labels and descriptions that are tied to their inputs.
import {
  ADDITIONAL_PROPERTY_FLAG, buttonId, canExpand, descriptionId, enumOptionSelectedValue, enumOptionsDeselectValue,
  enumOptionsIsSelected, enumOptionsSelectValue, enumOptionValueDecoder, enumOptionValueEncoder, errorId, examplesId,
  getInputProps, getTemplate, getUiOptions, helpId, optionId, titleId,
} from "@rjsf/utils";
import { Markdown } from "markdown-to-jsx/react";

import { GROUPS, OWN_FIELDS } from "./own_fields.js";
import { word } from "./words.js";

export const labelId = (id) => `${id}__label`;

// What describes an input, as far as it is there.
export function describedBy(id, { schema = {}, options = {}, rawErrors } = {}, ...more) {
  const there = [
    rawErrors?.length && errorId(id),
    (options.description ?? schema.description) && descriptionId(id),
    (options.help || options.unknownField) && helpId(id),
    ...more,
  ].filter(Boolean);
  return there.length ? there.join(" ") : undefined;
}

const invalid = (rawErrors) => (rawErrors?.length ? true : undefined);
const state = (rawErrors) => (rawErrors?.length ? " is-invalid" : "");

function safeLink({ href, children }) {
  return /^(https?:|mailto:|\/(?!\/))/i.test(href ?? "") ? <a href={href}>{children}</a> : <>{children}</>;
}

// A text of the template's author: a little Markdown, no HTML, no pictures, links that lead to pages alone.
export function Text({ children }) {
  if (typeof children !== "string") return children ?? null;
  const overrides = { a: { component: safeLink }, img: { component: ({ alt }) => <>{alt}</> } };
  return <Markdown options={{ disableParsingRawHTML: true, forceInline: !children.includes("\n"), overrides }}>{children}</Markdown>;
}

const isItem = (fieldPathId) => typeof fieldPathId.path.at(-1) === "number";

function Needed({ required }) {
  return required ? <span className="needed" title={word("needed")} aria-hidden="true"> *</span> : null;
}

function FieldTemplate(props) {
  const { id, label, children, errors, help, description, hidden, required, displayLabel, registry, schema, uiSchema, rawErrors } = props;
  const options = getUiOptions(uiSchema);
  if (hidden) return <div hidden>{children}</div>;
  const own = OWN_FIELDS.has(options.field);
  const shows = options.label !== false && (displayLabel || own) && schema.type !== "boolean";
  const isGroup = GROUPS.has(options.field) || ["radio", "checkboxes"].includes(options.widget);
  const Wrap = getTemplate("WrapIfAdditionalTemplate", registry, options);
  const name = <>{label}<Needed required={required} /></>;
  const labelClass = isItem(props.fieldPathId) && !schema.title ? "hidden" : "form-label";
  return (
    <Wrap {...props} displayLabel={shows}>
      {shows && label && (isGroup
        ? <div className={labelClass} id={labelId(id)}>{name}</div>
        : <label className={labelClass} htmlFor={id} id={labelId(id)}>{name}</label>)}
      {shows && props.rawDescription ? description : null}
      {children}
      {schema.type === "boolean" && props.rawDescription ? description : null}
      {options.unknownField && (
        <p className="form-text" id={helpId(id)}>{word("The template asks for the field %(name)s, which is not known here; a plain one stands in.", { name: options.unknownField })}</p>
      )}
      {errors}
      {rawErrors?.length && !errors ? <Errors id={id} errors={rawErrors} /> : null}
      {help}
    </Wrap>
  );
}

function Errors({ id, errors }) {
  return (
    <ul className="field-errors" id={errorId(id)}>
      {[...new Set(errors)].filter(Boolean).map((error) => <li key={error}>{error}</li>)}
    </ul>
  );
}

function FieldErrorTemplate({ errors = [], fieldPathId }) {
  return errors.length ? <Errors id={fieldPathId.$id} errors={errors} /> : null;
}

function FieldHelpTemplate({ fieldPathId, help, uiSchema }) {
  if (!help || getUiOptions(uiSchema).unknownField) return null;
  return <div className="form-text" id={helpId(fieldPathId)}><Text>{help}</Text></div>;
}

function DescriptionFieldTemplate({ id, description }) {
  return description ? <div className="form-text" id={id}><Text>{description}</Text></div> : null;
}

function WrapIfAdditionalTemplate(props) {
  const { id, classNames, label, onKeyRenameBlur, onRemoveProperty, disabled, readonly, schema, children, registry, uiSchema } = props;
  if (!(ADDITIONAL_PROPERTY_FLAG in schema)) return <div className={`field ${classNames ?? ""}`}>{children}</div>;
  const { RemoveButton } = registry.templates.ButtonTemplates;
  return (
    <div className={`field pair ${classNames ?? ""}`}>
      <div>
        <label className="form-label" htmlFor={`${id}-key`}>{word("Name")}</label>
        <input className="form-control" type="text" id={`${id}-key`} key={label} defaultValue={label} onBlur={onKeyRenameBlur} disabled={disabled || readonly} />
      </div>
      <div>{children}</div>
      <RemoveButton id={buttonId(id, "remove")} onClick={onRemoveProperty} disabled={disabled || readonly} registry={registry} uiSchema={uiSchema} />
    </div>
  );
}

function ObjectFieldTemplate(props) {
  const { description, disabled, formData, fieldPathId, onAddProperty, properties, readonly, registry, required, schema, title, uiSchema } = props;
  const isPage = fieldPathId.path.length === 0;
  // An item of a list is named by its place, which the list tells.
  const legend = isItem(fieldPathId) ? schema.title : title;
  if ((schema.oneOf || schema.anyOf) && !schema.properties && properties.length === 0) return null;
  const { AddButton } = registry.templates.ButtonTemplates;
  const content = (
    <>
      {properties.map((property) => property.content)}
      {canExpand(schema, uiSchema, formData) && (
        <AddButton id={buttonId(fieldPathId, "add")} onClick={onAddProperty} disabled={disabled || readonly} uiSchema={uiSchema} registry={registry} />
      )}
    </>
  );
  if (isPage) return <div id={fieldPathId.$id}>{content}</div>;
  return (
    <fieldset className="group" id={fieldPathId.$id} aria-describedby={description ? descriptionId(fieldPathId) : undefined}>
      {legend && <legend id={titleId(fieldPathId)}>{legend}<Needed required={required && !isItem(fieldPathId)} /></legend>}
      {description && <DescriptionFieldTemplate id={descriptionId(fieldPathId)} description={description} />}
      {content}
    </fieldset>
  );
}

function ArrayFieldTemplate(props) {
  const { canAdd, disabled, fieldPathId, items, onAddClick, readonly, registry, required, schema, title, uiSchema, rawErrors } = props;
  const options = getUiOptions(uiSchema);
  const { AddButton } = registry.templates.ButtonTemplates;
  const description = options.description ?? schema.description;
  return (
    <fieldset className={`group list${rawErrors?.length ? " has-errors" : ""}`} id={fieldPathId.$id} tabIndex={-1} aria-describedby={describedBy(fieldPathId.$id, { schema, options, rawErrors })}>
      <legend id={titleId(fieldPathId)}>{options.title || title}<Needed required={required} /></legend>
      {description && <DescriptionFieldTemplate id={descriptionId(fieldPathId)} description={description} />}
      {items.length ? <div>{items}</div> : <p className="empty">{word("Nothing yet.")}</p>}
      {canAdd && <AddButton id={buttonId(fieldPathId, "add")} onClick={onAddClick} disabled={disabled || readonly} uiSchema={uiSchema} registry={registry} label={options.title || title} />}
    </fieldset>
  );
}

function ArrayFieldItemTemplate({ children, buttonsProps, hasToolbar, registry, uiSchema, index }) {
  const Buttons = getTemplate("ArrayFieldItemButtonsTemplate", registry, getUiOptions(uiSchema));
  return (
    <div className="item" role="group" aria-label={word("Number %(number)s", { number: index + 1 })}>
      <div className="item-content">{children}</div>
      {hasToolbar && <div className="item-tools"><Buttons {...buttonsProps} /></div>}
    </div>
  );
}

function MultiSchemaFieldTemplate({ selector, optionSchemaField }) {
  return <div className="choice">{selector}{optionSchemaField}</div>;
}

function UnsupportedFieldTemplate({ reason }) {
  return <p className="form-text">{word("This field cannot be shown: %(reason)s", { reason: reason ?? "" })}</p>;
}

function iconButton(symbol, text) {
  return function IconButton({ id, onClick, disabled, label }) {
    const name = label ? `${word(text)}: ${label}` : word(text);
    return <button type="button" className="btn btn-sm btn-outline-secondary" id={id} onClick={onClick} disabled={disabled} aria-label={name} title={name}>{symbol}</button>;
  };
}

function AddButton({ id, onClick, disabled, label }) {
  return (
    <button type="button" className="btn btn-sm btn-outline-primary add" id={id} onClick={onClick} disabled={disabled} aria-label={label ? `${word("Add")}: ${label}` : undefined}>+ {word("Add")}</button>
  );
}

export const templates = {
  ArrayFieldItemTemplate, ArrayFieldTemplate, BaseInputTemplate, DescriptionFieldTemplate, FieldErrorTemplate, FieldHelpTemplate,
  FieldTemplate, MultiSchemaFieldTemplate, ObjectFieldTemplate, UnsupportedFieldTemplate, WrapIfAdditionalTemplate,
  ButtonTemplates: {
    AddButton,
    CopyButton: iconButton("⧉", "Copy"),
    MoveUpButton: iconButton("↑", "Move up"),
    MoveDownButton: iconButton("↓", "Move down"),
    RemoveButton: iconButton("×", "Remove"),
    ClearButton: iconButton("×", "Clear"),
    SubmitButton: () => null,
  },
};

function BaseInputTemplate(props) {
  const { id, htmlName, value, readonly, disabled, autofocus, onBlur, onFocus, onChange, onChangeOverride, options, schema, type, placeholder, required, rawErrors, accept } = props;
  const input = getInputProps(schema, type, options);
  const examples = Array.isArray(schema.examples) ? schema.examples : null;
  const shown = value === null || value === undefined || (input.type === "number" && Number.isNaN(value)) ? "" : value;
  return (
    <>
      <input
        id={id} name={htmlName || id} className={`form-control${state(rawErrors)}`} {...input} accept={input.accept ?? accept}
        value={typeof shown === "object" ? JSON.stringify(shown) : shown} readOnly={readonly} disabled={disabled} autoFocus={autofocus} placeholder={placeholder}
        aria-required={required || undefined} aria-invalid={invalid(rawErrors)} aria-describedby={describedBy(id, props)}
        list={examples ? examplesId(id) : undefined} autoComplete={input.autoComplete ?? "off"}
        onChange={onChangeOverride ?? (({ target }) => onChange(target.value === "" ? options.emptyValue : target.value))}
        onBlur={({ target }) => onBlur(id, target.value)} onFocus={({ target }) => onFocus(id, target.value)}
      />
      {examples && <datalist id={examplesId(id)}>{examples.map((example) => <option key={String(example)} value={String(example)} />)}</datalist>}
    </>
  );
}

function CheckboxWidget(props) {
  const { id, htmlName, value, disabled, readonly, label, hideLabel, autofocus, onChange, onBlur, onFocus, rawErrors, required } = props;
  return (
    <div className="form-check">
      <input
        type="checkbox" className={`form-check-input${state(rawErrors)}`} id={id} name={htmlName || id} checked={value === true} disabled={disabled || readonly} autoFocus={autofocus}
        aria-invalid={invalid(rawErrors)} aria-describedby={describedBy(id, props)} onChange={({ target }) => onChange(target.checked)}
        onBlur={({ target }) => onBlur(id, target.checked)} onFocus={({ target }) => onFocus(id, target.checked)}
      />
      <label className="form-check-label" htmlFor={id}>{hideLabel ? "" : label}<Needed required={required} /></label>
    </div>
  );
}

function choiceWidget(type) {
  return function ChoiceWidget(props) {
    const { id, htmlName, value, options, disabled, readonly, autofocus, onChange, rawErrors, schema } = props;
    const { enumOptions, enumDisabled, inline } = options;
    const chosen = type === "radio" ? value : Array.isArray(value) ? value : [];
    const titled = schema.type === "boolean" && type === "radio";
    return (
      <div id={id} role={type === "radio" ? "radiogroup" : "group"} tabIndex={-1} aria-labelledby={titled ? undefined : labelId(id)} aria-label={titled ? props.label : undefined} aria-describedby={describedBy(id, props)} className={rawErrors?.length ? "has-errors" : undefined}>
        {titled && <div className="form-label" aria-hidden="true">{props.label}</div>}
        {(enumOptions ?? []).map((option, index) => {
          const isChosen = enumOptionsIsSelected(option.value, chosen);
          const change = ({ target }) => {
            if (type === "radio") onChange(option.value);
            else onChange(target.checked ? enumOptionsSelectValue(index, chosen, enumOptions) : enumOptionsDeselectValue(index, chosen, enumOptions));
          };
          return (
            <div className={`form-check${inline ? " form-check-inline" : ""}`} key={index}>
              <input
                type={type} className="form-check-input" id={optionId(id, index)} name={htmlName || id} checked={isChosen} autoFocus={autofocus && index === 0}
                disabled={disabled || readonly || (Array.isArray(enumDisabled) && enumDisabled.includes(option.value))} onChange={change}
              />
              <label className="form-check-label" htmlFor={optionId(id, index)}>{option.label}</label>
            </div>
          );
        })}
      </div>
    );
  };
}

function SelectWidget(props) {
  const { id, htmlName, schema, value, options, multiple, required, disabled, readonly, autofocus, onChange, onBlur, onFocus, placeholder, rawErrors } = props;
  const { enumOptions = [], enumDisabled, emptyValue } = options;
  const decoded = (raw) => enumOptionValueDecoder(raw, enumOptions, "indexed", emptyValue);
  const given = ({ target }) => (multiple ? [...target.selectedOptions].map((option) => option.value) : target.value);
  const hasEmpty = !multiple && (schema.default === undefined || value === undefined);
  return (
    <select
      id={id} name={htmlName || id} className={`form-select${state(rawErrors)}`} multiple={multiple} disabled={disabled || readonly} autoFocus={autofocus}
      value={enumOptionSelectedValue(value, enumOptions, multiple, "indexed", multiple ? [] : "")} aria-required={required || undefined} aria-invalid={invalid(rawErrors)}
      aria-describedby={describedBy(id, props)} onChange={(event) => onChange(decoded(given(event)))}
      onBlur={(event) => onBlur(id, decoded(given(event)))} onFocus={(event) => onFocus(id, decoded(given(event)))}
    >
      {hasEmpty && <option value="">{placeholder}</option>}
      {enumOptions.map((option, index) => (
        <option key={index} value={enumOptionValueEncoder(option.value, index, "indexed")} disabled={Array.isArray(enumDisabled) && enumDisabled.includes(option.value)}>{option.label}</option>
      ))}
    </select>
  );
}

function TextareaWidget(props) {
  const { id, htmlName, value, options, placeholder, required, disabled, readonly, autofocus, onChange, onBlur, onFocus, rawErrors } = props;
  return (
    <textarea
      id={id} name={htmlName || id} className={`form-control${state(rawErrors)}`} rows={Number(options.rows) || 4} value={value ?? ""} placeholder={placeholder} disabled={disabled}
      readOnly={readonly} autoFocus={autofocus} aria-required={required || undefined} aria-invalid={invalid(rawErrors)} aria-describedby={describedBy(id, props)}
      onChange={({ target }) => onChange(target.value === "" ? options.emptyValue : target.value)} onBlur={({ target }) => onBlur(id, target.value)} onFocus={({ target }) => onFocus(id, target.value)}
    />
  );
}

export const widgets = { CheckboxWidget, CheckboxesWidget: choiceWidget("checkbox"), RadioWidget: choiceWidget("radio"), SelectWidget, TextareaWidget };
