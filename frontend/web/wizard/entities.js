// Looks up entities of the catalog for the fields that ask for one.
import { useEffect, useState } from "react";

import { ask } from "./server.js";
import { isObject } from "./schema.js";

const AT_ONCE = 200;
const PEOPLE = ["Group", "User"];
const SHOWN = ["kind", "metadata.name", "metadata.namespace", "metadata.title", "metadata.description", "spec.profile.displayName", "spec.type"];
const url = "/api/catalog/entities/by-query";

// Returns the predicate of a picker's `catalogFilter`. Rule: scaffolder 1.39 `buildCatalogFilter`.
function predicateOf(filter) {
  const parts = (Array.isArray(filter) ? filter : [filter]).filter(isObject).map((item) => ({ $all: Object.entries(item).map(condition) }));
  return parts.length === 0 ? undefined : parts.length === 1 ? parts[0] : { $any: parts };
}

function condition([key, value]) {
  if (isObject(value)) return { [key]: { $exists: true } };
  return Array.isArray(value) ? { [key]: { $in: value.filter((item) => !isObject(item)) } } : { [key]: value };
}

// Returns the filter that the options of a field come to.
export function filterOf(options, { isOwner = false } = {}) {
  if (options.catalogFilter) return options.catalogFilter;
  if (options.allowedKinds) return { kind: options.allowedKinds };
  return isOwner ? { kind: PEOPLE } : undefined;
}

function refOf(entity) {
  return `${entity.kind}:${entity.metadata.namespace ?? "default"}/${entity.metadata.name}`.toLowerCase();
}

function optionOf(entity) {
  const label = entity.metadata.title ?? entity.spec?.profile?.displayName ?? entity.metadata.name;
  const ref = refOf(entity);
  return { value: ref, label: String(label), note: ref, kind: entity.kind };
}

// Returns a text as a full reference, itself where it is none. Rule: catalog-model `parseEntityRef`.
export function completed(text, { defaultKind, defaultNamespace = "default" } = {}) {
  const match = /^(?:([^:/\s]+):)?(?:([^:/\s]+)\/)?([^:/\s]+)$/.exec(text.trim());
  const kind = match?.[1] ?? defaultKind;
  const namespace = match?.[2] ?? (defaultNamespace === false ? undefined : defaultNamespace);
  return match && kind && namespace ? `${kind}:${namespace}/${match[3]}`.toLowerCase() : text;
}

const remembered = new Map();

async function search(predicate, text, signal) {
  const body = { limit: AT_ONCE, fields: SHOWN, orderBy: [{ field: "metadata.name", order: "asc" }], totalItems: "include" };
  if (predicate) body.query = predicate;
  if (text) body.fullTextFilter = { term: text, fields: ["metadata.name", "metadata.title", "spec.profile.displayName"] };
  const key = JSON.stringify(body);
  if (!remembered.has(key)) {
    const answer = await ask(url, body, { signal });
    remembered.set(key, { options: answer.items.map(optionOf), total: answer.totalItems });
  }
  return remembered.get(key);
}

// Returns the entities that a filter leaves, those that hold a text first asked of the server where there are many.
export function useEntities(filter, text = "") {
  const asked = JSON.stringify(predicateOf(filter) ?? null);
  const [found, setFound] = useState({ options: [], total: null, fault: null });
  const [all, setAll] = useState(null);
  const isPartial = all !== null && all.total > all.options.length;
  const wanted = isPartial ? text.trim() : "";
  useEffect(() => {
    const stop = new AbortController();
    const wait = setTimeout(async () => {
      try {
        const answer = await search(JSON.parse(asked) ?? undefined, wanted, stop.signal);
        if (stop.signal.aborted) return;
        if (!wanted) setAll(answer);
        setFound({ ...answer, fault: null });
      } catch (error) {
        if (error.name !== "AbortError") setFound({ options: [], total: 0, fault: error.message });
      }
    }, wanted ? 200 : 0);
    return () => {
      clearTimeout(wait);
      stop.abort();
    };
  }, [asked, wanted]);
  return { ...found, isBusy: found.total === null, isPartial };
}

// Returns how often each tag of some kinds is used.
export async function tagsOf(kinds, signal) {
  const query = kinds?.length ? { kind: { $in: kinds } } : undefined;
  const answer = await ask("/api/catalog/entity-facets", { facets: ["metadata.tags"], ...(query && { query }) }, { signal });
  return (answer.facets["metadata.tags"] ?? []).sort((a, b) => b.count - a.count || a.value.localeCompare(b.value));
}
