"""The page on what templates have made, with how far each repository is behind its template."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import groupby

from flask import Blueprint, Response, make_response, render_template, request

from portal.errors import NotFoundError, PortalError, ValuesError
from portal.model.ref import EntityRef
from portal.services.generated import Generated, GeneratedList, GeneratedService, TemplateState
from portal.services.ownership import OwnershipService
from portal.services.task_rights import TaskAccess
from portal.services.upgrades import Asking, Upgrade, UpgradeOptions, UpgradesService
from portal.web.language import gettext
from portal.web.links import is_safe

#: So many repositories one request brings up to date: whoever sent it waits.
MOST_AT_ONCE = 50
#: What the names of inputs for values of new parameters begin with.
_VALUE = "value/"


@dataclass(frozen=True, slots=True)
class Made:
    """A repository that a template has made; `upgradable` is the entity by which the reader may upgrade it, if any."""

    item: Generated
    upgradable: EntityRef | None

    @property
    def url(self) -> str:
        """The address of the repository, empty where nobody is to be led there."""
        return self.item.repository if is_safe(self.item.repository) else ""


@dataclass(frozen=True, slots=True)
class MadeByTemplate:
    """A template with the repositories that it has made, those that are furthest behind first."""

    state: TemplateState
    made: Sequence[Made]

    @property
    def waiting(self) -> list[EntityRef]:
        """The entities by which the reader may upgrade all that is known to be behind."""
        return [one.upgradable for one in self.made if one.upgradable is not None and one.item.behind]


@dataclass(frozen=True, slots=True)
class Result:
    """What the upgrade of an entity's repository came to; `missing` are parameters that need a value first."""

    ref: EntityRef
    upgrade: Upgrade
    missing: Sequence[str] = ()


def add_upgrades(
    blueprint: Blueprint,
    generated: GeneratedService,
    upgrades: UpgradesService,
    ownership: OwnershipService,
    access: TaskAccess,
) -> None:
    """Add the page with the form that upgrades."""

    @blueprint.get("/create/upgrades", endpoint="upgrades")
    def upgrades_page() -> Response:
        return _page()

    @blueprint.post("/create/upgrades")
    def upgrade() -> Response:
        refs = list(dict.fromkeys(map(EntityRef.parse, request.form.getlist("entityRef"))))
        if not 0 < len(refs) <= MOST_AT_ONCE:
            fault = gettext("Choose at least one repository, and at most %(most)s at once.", most=MOST_AT_ONCE)
            return _page(fault=fault, status=422)
        values = {
            name.removeprefix(_VALUE): text for name, text in request.form.items() if name.startswith(_VALUE) and text
        }
        options = UpgradeOptions(values, is_dry=request.form.get("do") == "preview")
        asking = Asking(access.user_ref(), access.rights())
        results = [_upgraded(upgrades, ref, options, asking=asking) for ref in refs]
        is_fault = all(result.upgrade.status == "failed" for result in results)
        return _page(results=results, status=422 if is_fault else 200)

    def _page(*, results: Sequence[Result] = (), fault: str = "", status: int = 200) -> Response:
        name = request.args.get("template", "")
        template = EntityRef.parse(name, default_kind="template") if name else None
        try:
            listing = generated.listing(template)
        except NotFoundError:
            listing = GeneratedList((), ())
        groups = _groups(listing, access)
        page = render_template(
            "upgrades.html",
            groups=groups,
            template=template,
            results=results,
            known=ownership.nodes(_named(groups, results, template)),
            value_prefix=_VALUE,
            most=MOST_AT_ONCE,
            fault=fault,
        )
        response = make_response(page, status)
        response.headers["Cache-Control"] = "no-store"
        return response


def _upgraded(upgrades: UpgradesService, ref: EntityRef, options: UpgradeOptions, *, asking: Asking) -> Result:
    try:
        return Result(ref, upgrades.upgrade_entity(ref, options, asking=asking))
    except ValuesError as error:
        missing = {
            str(one["argument"]) for one in error.errors if one.get("name") == "required" and not one.get("path")
        }
        return Result(ref, Upgrade(ref, "failed", reason=error.message), sorted(missing))
    except PortalError as error:
        return Result(ref, Upgrade(ref, "failed", reason=error.message))


def _groups(listing: GeneratedList, access: TaskAccess) -> list[MadeByTemplate]:
    may = access.upgradable({ref for item in listing.items for ref in item.entities})
    by_template = {
        ref: [Made(item, _by(item, may)) for item in items]
        for ref, items in groupby(sorted(listing.items, key=lambda item: item.template), key=lambda item: item.template)
    }
    return [MadeByTemplate(state, by_template.get(state.ref, [])) for state in listing.templates]


def _by(item: Generated, may: Collection[EntityRef]) -> EntityRef | None:
    if not item.repository:
        return None
    return next((ref for ref in item.entities if ref in may), None)


def _named(groups: Sequence[MadeByTemplate], results: Sequence[Result], template: EntityRef | None) -> set[EntityRef]:
    """Return every entity that the page may name."""
    return {
        *(group.state.ref for group in groups),
        *(ref for group in groups for one in group.made for ref in one.item.entities),
        *(result.ref for result in results),
        *([template] if template is not None else []),
    }
