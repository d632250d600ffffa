// The fields that ask for entities of the catalog, names, tags.
import { useEffect, useState } from "react";

import { Chips, Combobox } from "./combobox.js";
import { completed, filterOf, tagsOf, useEntities } from "./entities.js";
import { describedBy } from "./theme.js";
import { word } from "./words.js";

const optionsOf = (props) => props.uiSchema?.["ui:options"] ?? {};
const looks = (props) => ({ ...props.uiSchema?.["ui:options"], help: props.uiSchema?.["ui:help"], description: props.uiSchema?.["ui:description"] });

// Returns what every field of this kind tells its input.
export function common(props, ...more) {
  const { fieldPathId, schema, rawErrors, required, disabled, readonly, autofocus, uiSchema } = props;
  return {
    id: fieldPathId.$id,
    describedBy: describedBy(fieldPathId.$id, { schema, options: looks(props), rawErrors }, ...more),
    isInvalid: Boolean(rawErrors?.length),
    required,
    disabled: disabled || readonly,
    autoFocus: autofocus,
    placeholder: uiSchema?.["ui:placeholder"],
    onBlur: () => props.onBlur?.(fieldPathId.$id, props.formData),
  };
}

function Empty({ id, found }) {
  const note = found.fault ?? (found.total === 0 ? word("Nothing in the catalog can be chosen here.") : "");
  return note ? <p className="form-text" id={id}>{note}</p> : null;
}

function SingleEntity({ field, filter, defaultKind }) {
  const options = optionsOf(field);
  const [text, setText] = useState("");
  const found = useEntities(filter, text);
  const noteId = `${field.fieldPathId.$id}__note`;
  const give = (value) => field.onChange(value, field.fieldPathId.path);
  const only = found.total === 1 && field.required && field.formData === undefined && !text ? found.options[0]?.value : undefined;
  useEffect(() => {
    if (only !== undefined && options.autoSelect !== false) give(only);
  }, [only]);
  const takesText = options.allowArbitraryValues !== false;
  const complete = (typed) => completed(typed, { defaultKind, defaultNamespace: options.defaultNamespace });
  return (
    <>
      <Combobox
        {...common(field, found.total === 0 && noteId)} options={found.options} value={field.formData === undefined ? undefined : complete(String(field.formData))} isBusy={found.isBusy}
        onChoose={give} takesText={takesText} onText={(typed) => give(complete(typed))} onSearch={setText}
      />
      <Empty id={noteId} found={text ? { total: null } : found} />
    </>
  );
}

function EntityPicker(field) {
  const options = optionsOf(field);
  return <SingleEntity field={field} filter={filterOf(options)} defaultKind={options.defaultKind} />;
}

function OwnerPicker(field) {
  return <SingleEntity field={field} filter={filterOf(optionsOf(field), { isOwner: true })} defaultKind="Group" />;
}

function OwnedEntityPicker(field) {
  const options = optionsOf(field);
  const { claims } = field.registry.formContext;
  const asked = filterOf(options) ?? {};
  const owned = (Array.isArray(asked) ? asked : [asked]).map((item) => ({ ...item, "relations.ownedBy": claims.length ? claims : ["-"] }));
  return <SingleEntity field={field} filter={owned} defaultKind={options.defaultKind} />;
}

function MyGroupsPicker(field) {
  const { user } = field.registry.formContext;
  return <SingleEntity field={field} filter={{ kind: "Group", "relations.hasMember": user || "-" }} defaultKind="Group" />;
}

function MultiEntityPicker(field) {
  const options = optionsOf(field);
  const [text, setText] = useState("");
  const found = useEntities(filterOf(options), text);
  const [labels, setLabels] = useState({});
  const values = Array.isArray(field.formData) ? field.formData : [];
  const most = field.schema.maxItems ?? Infinity;
  const noteId = `${field.fieldPathId.$id}__note`;
  const give = (next) => field.onChange(next, field.fieldPathId.path);
  const add = (value) => {
    if (value === undefined || values.includes(value)) return;
    setLabels({ ...labels, [value]: found.options.find((option) => option.value === value)?.label ?? value });
    give([...values, value]);
  };
  const labelOf = (value) => labels[value] ?? found.options.find((option) => option.value === value)?.label ?? value;
  return (
    <>
      <Chips values={values} labelOf={labelOf} onRemove={(value) => give(values.filter((item) => item !== value))} disabled={field.disabled} />
      {values.length < most && (
        <Combobox
          {...common(field, found.total === 0 && noteId)} clears options={found.options.filter((option) => !values.includes(option.value))} isBusy={found.isBusy} onChoose={add}
          takesText={options.allowArbitraryValues !== false} onSearch={setText}
          onText={(typed) => add(completed(typed, { defaultKind: options.defaultKind, defaultNamespace: options.defaultNamespace }))}
        />
      )}
      <Empty id={noteId} found={text ? { total: null } : found} />
    </>
  );
}

function EntityNamePicker(field) {
  const { BaseInputTemplate } = field.registry.templates;
  return (
    <BaseInputTemplate
      {...field} id={field.fieldPathId.$id} value={field.formData} schema={{ ...field.schema, type: "string" }} options={looks(field)} onBlur={field.onBlur} onFocus={field.onFocus}
      placeholder={field.uiSchema?.["ui:placeholder"]} onChange={(value) => field.onChange(value, field.fieldPathId.path)}
    />
  );
}

function EntityTagsPicker(field) {
  const options = optionsOf(field);
  const [known, setKnown] = useState(null);
  const kinds = JSON.stringify(options.kinds ?? []);
  const values = Array.isArray(field.formData) ? field.formData : [];
  const give = (next) => field.onChange(next, field.fieldPathId.path);
  useEffect(() => {
    const stop = new AbortController();
    // Without what others have used, tags can still be typed.
    tagsOf(JSON.parse(kinds), stop.signal).then(setKnown, () => setKnown([]));
    return () => stop.abort();
  }, [kinds]);
  useEffect(() => {
    if (field.formData === undefined) give([]);
  }, [field.formData]);
  const offered = (known ?? []).filter((tag) => !values.includes(tag.value)).map((tag) => ({ value: tag.value, label: tag.value, note: options.showCounts ? String(tag.count) : undefined }));
  const add = (text) => {
    const fresh = String(text ?? "").split(",").map((part) => part.trim().toLowerCase()).filter((part) => part && !values.includes(part));
    if (fresh.length) give([...values, ...new Set(fresh)]);
  };
  return (
    <>
      <Chips values={values} labelOf={(value) => value} onRemove={(value) => give(values.filter((item) => item !== value))} disabled={field.disabled} />
      <Combobox {...common(field)} clears takesText options={offered} isBusy={known === null} onChoose={add} onText={add} />
    </>
  );
}

// A text whose real letters go to the secrets of the task; the value tells how many there are.
function Secret(field) {
  const { secrets, giveSecret } = field.registry.formContext;
  const name = String(field.fieldPathId.path.at(-1));
  const { id, describedBy: described, isInvalid, disabled, autoFocus, placeholder } = common(field);
  const change = ({ target }) => {
    giveSecret(name, target.value || undefined);
    field.onChange(target.value ? "*".repeat(target.value.length) : undefined, field.fieldPathId.path);
  };
  return (
    <input
      type="password" id={id} className={`form-control${isInvalid ? " is-invalid" : ""}`} autoComplete="new-password" aria-describedby={described} aria-invalid={isInvalid || undefined}
      aria-required={field.required || undefined} disabled={disabled} autoFocus={autoFocus} placeholder={placeholder} value={secrets[name] ?? ""} onChange={change}
    />
  );
}

// What no schema describes: a text.
function AnyText(field) {
  const value = field.formData === undefined || typeof field.formData === "string" ? field.formData : JSON.stringify(field.formData);
  return <EntityNamePicker {...field} formData={value} />;
}

// An object of which the schema does not tell the members: JSON.
function AnyJson(field) {
  const [text, setText] = useState(field.formData === undefined ? "" : JSON.stringify(field.formData, null, 2));
  const { id, describedBy: described, isInvalid, disabled, autoFocus } = common(field, `${field.fieldPathId.$id}__note`);
  const [isWrong, setWrong] = useState(false);
  const change = ({ target }) => {
    setText(target.value);
    let value = target.value.trim() === "" ? undefined : target.value;
    try {
      if (value !== undefined) value = JSON.parse(value);
      setWrong(false);
    } catch {
      setWrong(true);  // it stays a text, which the schema refuses
    }
    field.onChange(value, field.fieldPathId.path);
  };
  return (
    <>
      <textarea id={id} className={`form-control code${isInvalid || isWrong ? " is-invalid" : ""}`} rows="5" spellCheck="false" aria-describedby={described} aria-invalid={isInvalid || isWrong || undefined} disabled={disabled} autoFocus={autoFocus} value={text} onChange={change} />
      <p className="form-text" id={`${id}__note`}>{isWrong ? word("This is no JSON yet.") : word('Written as JSON, such as {"key": "value"}.')}</p>
    </>
  );
}

export const pickers = { AnyJson, AnyText, EntityNamePicker, EntityPicker, EntityTagsPicker, MultiEntityPicker, MyGroupsPicker, OwnedEntityPicker, OwnerPicker, Secret };
