"""Makes the page of a task."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from flask import Response, make_response, render_template, request, url_for

from portal.model.ref import EntityRef
from portal.model.secret import MASK
from portal.services.catalog import CatalogService
from portal.services.ownership import OwnershipService
from portal.services.scaffolding import ScaffoldingService
from portal.services.task_checks import secret_names
from portal.web.links import is_safe
from portal.web.markdown import markdown
from portal.web.task_story import is_live, story_of
from portal.web.task_words import ref_or_none, shown_span, status_words, template_of, title_of, to_the_minute

#: What the names of inputs for secrets begin with.
SECRET_PREFIX = "secret/"  # noqa: S105  # no password
_LONGEST_VALUE = 5_000
#: Servers refuse longer urls.
_LONGEST_IN_URL = 2_000
#: So often a page that is left to reload itself does so.
_RELOAD_SECONDS = 5


@dataclass(frozen=True, slots=True)
class OutputLink:
    """A link that a task gives out: to an entity, or a url; `url` is empty where nobody is to be led there."""

    title: str
    url: str
    ref: EntityRef | None
    said: str


class TaskPages:
    """Makes the pages of tasks."""

    def __init__(self, scaffolding: ScaffoldingService, catalog: CatalogService, ownership: OwnershipService) -> None:
        self._scaffolding = scaffolding
        self._catalog = catalog
        self._ownership = ownership

    def page(self, task_id: str, *, fault: str = "", status: int = 200) -> Response:
        """Return the page as it is now, with what was wrong with a request. Raises `NotFoundError`."""
        found = self._scaffolding.get_task(task_id)
        spec = found["spec"]
        story = story_of(spec.get("steps") or (), self._scaffolding.events(task_id))
        if story.ended_ms is not None and is_live(found["status"]):
            # It has ended between the two looks.
            found = self._scaffolding.get_task(task_id)
        template = template_of(found)
        document = _template(self._catalog, template)
        secrets = _secret_inputs(document)
        links = _links(story.output)
        creator = ref_or_none(found.get("createdBy"))
        named = {ref for ref in (template, creator, *(link.ref for link in links)) if ref is not None}
        page = render_template(
            "task.html",
            task=found,
            title=title_of(found),
            status=found["status"],
            is_live=is_live(found["status"]),
            story=story,
            template=template,
            commit=str((spec.get("templateInfo") or {}).get("commit") or ""),
            creator=creator,
            values=_values(spec.get("parameters") or {}, hidden=secrets),
            links=links,
            texts=_texts(story.output),
            outputs=[(name, _value(value)) for name, value in story.output.items() if name not in {"links", "text"}],
            known=self._ownership.nodes(named),
            secrets=secrets,
            secret_prefix=SECRET_PREFIX,
            can_begin=document is not None,
            wizard=_wizard(template, spec, secrets) if document is not None else None,
            words_of=status_words(),
            span=shown_span,
            to_the_minute=to_the_minute,
            has_lines=request.args.get("lines") != "0",
            reloads=_RELOAD_SECONDS if "reload" in request.args else 0,
            now_ms=round(time.time() * 1000),
            fault=fault,
        )
        response = make_response(page, status)
        response.headers["Cache-Control"] = "no-store"
        return response


def _template(catalog: CatalogService, ref: EntityRef | None) -> Mapping[str, Any] | None:
    body = None if ref is None else catalog.by_refs([ref]).get(ref)
    found: Mapping[str, Any] | None = None if body is None else orjson.loads(body)
    return found


def _secret_inputs(template: Mapping[str, Any] | None) -> list[str]:
    """Return the names of the secrets that a template takes, those of its form's fields with them."""
    if template is None:
        return []
    form = (template.get("spec") or {}).get("parameters") or ()
    pages = form if isinstance(form, list) else [form]
    fields = [
        str(name)
        for page in pages
        if isinstance(page, Mapping) and isinstance(page.get("properties"), Mapping)
        for name, field in page["properties"].items()
        if isinstance(field, Mapping) and field.get("ui:field") == "Secret"
    ]
    return list(dict.fromkeys([*fields, *secret_names(template)]))


def _links(output: Mapping[str, Any]) -> list[OutputLink]:
    found = []
    for link in _listed(output.get("links")):
        url, said = str(link.get("url") or ""), str(link.get("entityRef") or "")
        ref = ref_or_none(said)
        if url or said:
            found.append(
                OutputLink(str(link.get("title") or said or url), url if is_safe(url) else "", ref, said or url)
            )
    return found


def _texts(output: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return title and content of the texts that a task gives out, which are Markdown as Backstage has it."""
    return [
        (str(text.get("title") or ""), markdown(str(text.get("content") or ""))) for text in _listed(output.get("text"))
    ]


def _listed(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _values(values: Mapping[str, Any], *, hidden: Collection[str]) -> list[tuple[str, str]]:
    return [(name, MASK if name in hidden else _value(value)) for name, value in values.items()]


def _value(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = "\n".join(value)
    text = value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def _wizard(template: EntityRef | None, spec: Mapping[str, Any], secrets: Collection[str]) -> str | None:
    """Return the address of the template's form with the values in it, as Backstage's clients have it."""
    if template is None:
        return None
    values = {name: value for name, value in (spec.get("parameters") or {}).items() if name not in secrets}
    text = orjson.dumps(values).decode()
    if len(text) > _LONGEST_IN_URL:
        return None
    return url_for("web.template", namespace=template.namespace, name=template.name, formData=text)
