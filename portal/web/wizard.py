"""The page that fills in a template: a form of several steps, a look at all of it, a trial, the task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from portal.errors import InputError, NotFoundError, ValuesError
from portal.model.integration import Integrations
from portal.model.ref import EntityRef
from portal.model.secret import Secret
from portal.model.sentence import Sentence
from portal.scaffolder.asked import with_defaults
from portal.services.catalog import CatalogService
from portal.services.gallery import GalleryService
from portal.services.ownership import OwnershipService
from portal.services.scaffolding import ScaffoldingService
from portal.web.creator import BEGIN, Creator
from portal.web.gallery import template_url
from portal.web.language import translated, translated_parts
from portal.web.links import is_safe
from portal.web.preview_form import ShownPage, form_pages, read_form
from portal.web.tones import tones_by_layer
from portal.web.wizard_words import wizard_words

#: What the form without scripts says of itself: which inputs it showed.
_SHOWN = "shown"
#: A value may open a branch, whose values open others; deeper nobody nests them.
_MOST_BRANCHES = 10


@dataclass(frozen=True, slots=True)
class _Typed:
    """What was typed into the form without scripts; `is_whole` says that all of what it comes to ask was shown."""

    pages: Sequence[ShownPage]
    values: Mapping[str, Any]
    secrets: Mapping[str, Secret]
    is_whole: bool


def add_wizard(
    blueprint: Blueprint,
    scaffolding: ScaffoldingService,
    catalog: CatalogService,
    gallery: GalleryService,
    ownership: OwnershipService,
    *,
    creator: Creator,
    integrations: Integrations,
) -> None:
    """Add the page, and what its form leads to where no scripts run."""
    hosts = sorted(({"host": item.host, "type": item.type} for item in integrations), key=lambda item: item["host"])

    @blueprint.get("/create/templates/<namespace>/<name>")
    def template(namespace: str, name: str) -> str:
        ref = EntityRef.of("template", namespace, name)
        form = _form(ref)
        schemas = [step["schema"] for step in form["steps"]]
        return _page(ref, form, form_pages(schemas, with_defaults(schemas, {})))

    @blueprint.post("/create/templates/<namespace>/<name>")
    def begin_task(namespace: str, name: str) -> ResponseReturnValue:
        ref = EntityRef.of("template", namespace, name)
        form = _form(ref)
        typed = _typed([step["schema"] for step in form["steps"]])
        if not typed.is_whole:
            return Response(_page(ref, form, typed.pages, asks_more=True), 422)
        try:
            task = scaffolding.create_task(
                ref, typed.values, secrets=typed.secrets, actor_ref=creator.user_ref(), rights=creator.rights()
            )
        except ValuesError as refused:
            return Response(_page(ref, form, typed.pages, faults=[item["stack"] for item in refused.errors]), 422)
        except InputError as refused:
            return Response(_page(ref, form, typed.pages, faults=translated(refused.message).splitlines()), 422)
        return redirect(f"{url_for('web.create')}/tasks/{task}", 303)

    def _form(ref: EntityRef) -> dict[str, Any]:
        form = scaffolding.parameter_schema(ref, rights=creator.rights(), actor_ref=creator.user_ref())
        return dict(translated_parts(form))

    def _page(
        ref: EntityRef,
        form: Mapping[str, Any],
        pages: Sequence[ShownPage],
        *,
        asks_more: bool = False,
        faults: Sequence[str] = (),
    ) -> str:
        body = catalog.by_refs([ref]).get(ref)
        if body is None:
            raise NotFoundError(Sentence("Template %(ref)s not found", ref=ref))
        document = orjson.loads(body)
        offer = gallery.offer(document, creator.rights())
        refusal = creator.against(BEGIN)
        known = ownership.nodes({*offer.layers, *((offer.owner,) if offer.owner is not None else ())})
        island = {
            "template": ref,
            "form": form,
            "hosts": hosts,
            "user": creator.user_ref(),
            "claims": list(creator.claims()),
            "taskUrl": f"{url_for('web.create')}/tasks/{{id}}",
            "refusal": translated(refusal or offer.refusal),
            "words": wizard_words(),
        }
        return render_template(
            "wizard.html",
            offer=offer,
            links=[link for link in document["metadata"].get("links") or () if is_safe(link.get("url", ""))],
            known=known,
            tones=tones_by_layer(ownership.layers()),
            refusal=refusal,
            island=_in_html(island),
            pages=pages,
            shown=" ".join(_names(pages)),
            asks_more=asks_more,
            faults=faults,
            form_url=template_url(ref),
        )


def _in_html(value: Any) -> Markup:
    """Return a value as JSON that ends no script element, its members in their order."""
    text = orjson.dumps(value).decode()
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)  # noqa: S704  # nothing in it can leave the element


def _typed(schemas: Sequence[Mapping[str, Any]]) -> _Typed:
    """Return what was typed: what it opens is read too, as far as it was shown."""
    values: dict[str, Any] = {}
    for _ in range(_MOST_BRANCHES):
        pages = form_pages(schemas, values)
        found, secrets = read_form(pages, request.form)
        if found == values:
            break
        values = found
    was_shown = set(request.form.get(_SHOWN, "").split())
    return _Typed(pages, values, secrets, is_whole=was_shown.issuperset(_names(pages)))


def _names(pages: Sequence[ShownPage]) -> list[str]:
    """Return the names of all inputs, as they can stand beside each other in one text."""
    return ["".join(item.name.split()) for page in pages for item in page.inputs]
