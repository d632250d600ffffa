// The fields that ask for a repository at a git host, its owner, a branch of it.
import { useEffect, useState } from "react";

import { Combobox } from "./combobox.js";
import { common } from "./pickers.js";
import { ask } from "./server.js";
import { labelId } from "./theme.js";
import { word } from "./words.js";

// What each type of host calls the parts of a repository's place, by the names that the value has for them.
const PARTS = {
  azure: ["organization", "project", "repo"],
  bitbucketCloud: ["workspace", "project", "repo"],
  bitbucketServer: ["project", "repo"],
  gerrit: ["owner", "repo"],
};
const USUAL = ["owner", "repo"];
const WRITTEN = ["owner", "repo", "organization", "workspace", "project"];
const NEEDED = { gerrit: ["repo"], azure: ["project", "repo"] };
const ALLOWED = { owner: "allowedOwners", organization: "allowedOrganizations", project: "allowedProjects", repo: "allowedRepos" };
const optionsOf = (field) => field.uiSchema?.["ui:options"] ?? {};

// Returns the host and the parts of a value such as `github.com?owner=a&repo=b`.
function read(value) {
  if (typeof value !== "string" || !value) return { host: "" };
  const cut = value.indexOf("?");
  const parts = new URLSearchParams(cut < 0 ? "" : value.slice(cut + 1));
  return { host: cut < 0 ? value : value.slice(0, cut), ...Object.fromEntries(parts) };
}

// Returns the value of a host and parts. Rule: scaffolder 1.39 `serializeRepoPickerUrl`.
function written(place) {
  if (!place.host) return undefined;
  const parts = WRITTEN.filter((name) => place[name]).map((name) => `${name}=${encodeURIComponent(place[name])}`);
  return `${place.host}?${parts.join("&")}`;
}

const partsOf = (type) => PARTS[type] ?? USUAL;
const typeOf = (hosts, host) => hosts.find((item) => item.host === host)?.type;

// Returns which parts of a value are still to be given.
export function missingParts(hosts, value) {
  const place = read(value);
  const type = typeOf(hosts, place.host);
  return (NEEDED[type] ?? partsOf(type)).filter((name) => !place[name]);
}

function titleOf(name, options) {
  if (name === "owner" && options.ownerLabel) return options.ownerLabel;
  if (name === "repo" && options.repoLabel) return options.repoLabel;
  return { owner: word("Owner"), repo: word("Repository"), organization: word("Organization"), project: word("Project"), workspace: word("Workspace") }[name];
}

// What a host shows to the holder of a token: [provider's resource, its context] for each part, as far as there is any.
function resourceOf(type, part, place) {
  if (type === "github" && part === "owner") return ["owners", {}];
  if (type === "github" && part === "repo" && place.owner) return ["repositoriesWithOwner", {}];
  if (type === "gitlab" && part === "owner") return ["groups", {}];
  if (type === "bitbucketCloud" && part === "workspace") return ["workspaces", {}];
  if (type === "bitbucketCloud" && part === "project" && place.workspace) return ["projects", { workspace: place.workspace }];
  if (type === "bitbucketCloud" && part === "repo" && place.workspace && place.project) return ["repositories", { workspace: place.workspace, project: place.project }];
  if (type === "github" && part === "branch" && place.owner && place.repo) return ["branches", { owner: place.owner, repository: place.repo }];
  if (type === "bitbucketCloud" && part === "branch" && place.workspace && place.repo) return ["branches", { workspace: place.workspace, repository: place.repo }];
  return null;
}

// Returns what a host has for a part, empty without a token.
function useHostNames(type, part, place, token) {
  const [found, setFound] = useState([]);
  const resource = token ? resourceOf(type, part, place) : null;
  const asked = JSON.stringify(resource && [...resource, place.host, place.owner]);
  useEffect(() => {
    if (resource === null) return setFound([]);
    const stop = new AbortController();
    const wait = setTimeout(async () => {
      try {
        const { results } = await ask(`/api/scaffolder/v2/autocomplete/${encodeURIComponent(type)}/${encodeURIComponent(resource[0])}`, { token, context: { ...resource[1], host: place.host } }, { signal: stop.signal });
        let names = results.map((item) => item.title ?? item.id);
        if (resource[0] === "repositoriesWithOwner") names = names.filter((name) => name.startsWith(`${place.owner}/`)).map((name) => name.slice(place.owner.length + 1));
        setFound(names);
      } catch {
        setFound([]);  // names can be typed all the same
      }
    }, 500);
    return () => {
      clearTimeout(wait);
      stop.abort();
    };
  }, [asked, token]);
  return found;
}

function Part({ field, name, place, type, token, onGive }) {
  const options = optionsOf(field);
  const id = `${field.fieldPathId.$id}_${name}`;
  const allowed = (options[ALLOWED[name]] ?? []).filter((item) => typeof item === "string");
  const offered = useHostNames(options.disableRepoAutocomplete && name === "repo" ? "" : type, name, place, token);
  const note = { owner: options.ownerDescription, repo: options.repoDescription }[name];
  const noteId = `${id}__note`;
  useEffect(() => {
    if (allowed.length === 1 && !place[name]) onGive(name, allowed[0]);
  }, [allowed.length, place[name]]);
  return (
    <div>
      <label className="form-label" htmlFor={id}>{titleOf(name, options)}</label>
      {allowed.length ? (
        <select id={id} className="form-select" value={place[name] ?? ""} disabled={field.disabled} aria-describedby={note ? noteId : undefined} onChange={({ target }) => onGive(name, target.value || undefined)}>
          <option value="" />
          {allowed.map((item) => <option key={item} value={item}>{item}</option>)}
        </select>
      ) : offered.length ? (
        <Combobox id={id} takesText options={offered.map((item) => ({ value: item, label: item }))} value={place[name]} onChoose={(value) => onGive(name, value)} onText={(value) => onGive(name, value)} describedBy={note ? noteId : undefined} />
      ) : (
        <input id={id} type="text" className="form-control" autoComplete="off" spellCheck="false" value={place[name] ?? ""} disabled={field.disabled} aria-describedby={note ? noteId : undefined} onChange={({ target }) => onGive(name, target.value || undefined)} />
      )}
      {note && <p className="form-text" id={noteId}>{note}</p>}
    </div>
  );
}

// A person's own token for the host, which goes to the secrets and nowhere else.
function Token({ field, host }) {
  const { secrets, giveSecret } = field.registry.formContext;
  const key = optionsOf(field).requestUserCredentials?.secretsKey;
  if (typeof key !== "string" || !host) return null;
  const id = `${field.fieldPathId.$id}_token`;
  return (
    <div>
      <label className="form-label" htmlFor={id}>{word("Your token for %(host)s", { host })}</label>
      <input id={id} type="password" className="form-control" autoComplete="new-password" value={secrets[key] ?? ""} aria-describedby={`${id}__note`} onChange={({ target }) => giveSecret(key, target.value || undefined)} />
      <p className="form-text" id={`${id}__note`}>{word("The template acts with it there. It is kept for this task alone.")}</p>
    </div>
  );
}

function RepoUrlPicker(field) {
  const { hosts, secrets } = field.registry.formContext;
  const options = optionsOf(field);
  const wanted = (options.allowedHosts ?? []).filter((item) => typeof item === "string");
  const offered = wanted.length ? wanted : hosts.map((item) => item.host);
  const place = read(field.formData);
  const type = typeOf(hosts, place.host);
  const id = field.fieldPathId.$id;
  const token = secrets[options.requestUserCredentials?.secretsKey];
  const give = (next) => field.onChange(written(next), field.fieldPathId.path);
  useEffect(() => {
    if (offered.length === 1 && !place.host) give({ ...place, host: offered[0] });
  }, [offered.length, place.host]);
  const { describedBy } = common(field);
  return (
    <div id={id} className="place" role="group" tabIndex={-1} aria-labelledby={labelId(id)} aria-describedby={describedBy}>
      <div>
        <label className="form-label" htmlFor={`${id}_host`}>{word("Host")}</label>
        <select id={`${id}_host`} className={`form-select${field.rawErrors?.length ? " is-invalid" : ""}`} value={place.host} disabled={field.disabled} autoFocus={field.autofocus} onChange={({ target }) => give({ ...place, host: target.value })}>
          {offered.length !== 1 && <option value="" />}
          {offered.map((host) => <option key={host} value={host}>{host}</option>)}
        </select>
      </div>
      <Token field={field} host={place.host} />
      {place.host && partsOf(type).map((name) => (
        <Part key={name} field={field} name={name} place={place} type={type} token={token} onGive={(part, value) => give({ ...place, [part]: value })} />
      ))}
    </div>
  );
}

function RepoBranchPicker(field) {
  const { hosts, secrets, values } = field.registry.formContext;
  const place = read(values.repoUrl);
  const offered = useHostNames(typeOf(hosts, place.host), "branch", place, secrets[optionsOf(field).requestUserCredentials?.secretsKey]);
  return <Named field={field} offered={offered} host={place.host} />;
}

function RepoOwnerPicker(field) {
  const { hosts, secrets } = field.registry.formContext;
  const options = optionsOf(field);
  const type = typeOf(hosts, options.host);
  const part = type === "bitbucketCloud" ? "workspace" : "owner";
  const offered = useHostNames(type, part, { host: options.host }, secrets[options.requestUserCredentials?.secretsKey]);
  return <Named field={field} offered={offered.filter((name) => !(options.excludedOwners ?? []).includes(name))} host={options.host} />;
}

function Named({ field, offered, host }) {
  const give = (value) => field.onChange(value, field.fieldPathId.path);
  return (
    <>
      <Combobox {...common(field)} takesText options={offered.map((item) => ({ value: item, label: item }))} value={field.formData} onChoose={give} onText={give} />
      <Token field={field} host={host} />
    </>
  );
}

export const repositoryFields = { RepoBranchPicker, RepoOwnerPicker, RepoUrlPicker };
