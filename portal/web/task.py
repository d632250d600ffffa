"""The page of a task: what its steps do while they do it."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal.errors import ConflictError, InputError, NotAllowedError, NotFoundError, ValuesError
from portal.model.ref import EntityRef
from portal.model.secret import MASK, Secret
from portal.services.catalog import CatalogService
from portal.services.ownership import OwnershipService
from portal.services.scaffolding import ScaffoldingService
from portal.services.task_checks import secret_names
from portal.services.task_rights import TaskAccess
from portal.web.links import is_safe, page_url
from portal.web.log_text import plain
from portal.web.markdown import markdown
from portal.web.task_story import is_live, story_of
from portal.web.task_words import ref_or_none, shown_span, status_words, template_of, title_of, to_the_minute

#: What the names of inputs for secrets begin with.
_SECRET = "secret/"  # noqa: S105  # no password
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


def add_task(
    blueprint: Blueprint,
    scaffolding: ScaffoldingService,
    catalog: CatalogService,
    ownership: OwnershipService,
    access: TaskAccess,
) -> None:
    """Add the page with what can be done on it."""

    @blueprint.get("/create/tasks/<task_id>")
    def task(task_id: str) -> Response:
        return _page(task_id)

    @blueprint.get("/create/tasks/<task_id>/log")
    def task_log(task_id: str) -> Response:
        response = Response(map(_log_line, scaffolding.events(task_id)), mimetype="text/plain")
        response.headers["Content-Disposition"] = f'attachment; filename="task-{task_id}.log"'
        return response

    @blueprint.post("/create/tasks/<task_id>/cancel")
    def cancel_task(task_id: str) -> ResponseReturnValue:
        scaffolding.cancel(task_id)
        return redirect(url_for("web.task", task_id=task_id), 303)

    @blueprint.post("/create/tasks/<task_id>/retry")
    def retry_task(task_id: str) -> ResponseReturnValue:
        try:
            scaffolding.retry(task_id, secrets=_given_secrets())
        except ConflictError as error:
            return _page(task_id, fault=error.message, status=409)
        except (InputError, NotFoundError) as error:
            return _page(task_id, fault=error.message, status=422)
        return redirect(url_for("web.task", task_id=task_id), 303)

    @blueprint.post("/create/tasks/<task_id>/again")
    def start_task_over(task_id: str) -> ResponseReturnValue:
        spec = scaffolding.get_task(task_id)["spec"]
        try:
            begun = scaffolding.create_task(
                spec["templateInfo"]["entityRef"],
                spec["parameters"],
                secrets=_given_secrets(),
                actor_ref=access.user_ref(),
                rights=access.rights(),
            )
        except (InputError, ValuesError, NotFoundError, NotAllowedError) as error:
            return _page(task_id, fault=error.message, status=403 if isinstance(error, NotAllowedError) else 422)
        return redirect(url_for("web.task", task_id=begun), 303)

    def _page(task_id: str, *, fault: str = "", status: int = 200) -> Response:
        found = scaffolding.get_task(task_id)
        spec = found["spec"]
        story = story_of(spec.get("steps") or (), scaffolding.events(task_id))
        if story.ended_ms is not None and is_live(found["status"]):
            # It has ended between the two looks.
            found = scaffolding.get_task(task_id)
        template = template_of(found)
        document = _template(catalog, template)
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
            known=ownership.nodes(named),
            secrets=secrets,
            secret_prefix=_SECRET,
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


def _log_line(event: Mapping[str, Any]) -> str:
    body = event["body"]
    return f"{event['createdAt']} {body.get('stepId') or '-'} {plain(str(body.get('message', '')))}\n"


def _given_secrets() -> dict[str, Secret]:
    return {
        name.removeprefix(_SECRET): Secret(text)
        for name, text in request.form.items()
        if name.startswith(_SECRET) and text
    }


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
    return page_url("web.template", namespace=template.namespace, name=template.name, formData=text)
