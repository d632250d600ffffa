"""The pages of layers: the rules that they make, how well these are kept, what is reused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from flask import Blueprint, abort, render_template, request

from portal.errors import NotFoundError
from portal.model.layer import Layer, Role
from portal.model.ref import EntityRef
from portal.model.sentence import Sentence
from portal.services.layers import Glance, LayerReport, LayersService
from portal.services.ownership import OwnershipService
from portal.services.rules import KnownRule, RuleBook, RulesService
from portal.services.trend import Share, Trend, TrendService
from portal.web.charts import Chart, percent_chart
from portal.web.language import gettext
from portal.web.tones import tones_from_above

#: So much of each list is shown on a page of one layer.
_AT_ONCE = 50
_LAST_PAGE = 100_000


@dataclass(frozen=True, slots=True)
class Standing:
    """A layer with its rules and how it stands; `allowed` are the layers that its assets may depend on."""

    layer: Layer
    report: LayerReport
    tone: int
    owners: list[Role]
    duties: list[tuple[str, Role]]
    approvers: list[Role]
    allowed: list[Layer]
    share: Share | None

    @property
    def violations(self) -> int:
        """How often its rules are broken."""
        return sum(item.count for item in self.report.broken)


def add_layers(
    blueprint: Blueprint, layers: LayersService, rules: RulesService, trends: TrendService, ownership: OwnershipService
) -> None:
    """Add the page of all layers, with one for each."""

    @blueprint.get("/layers", endpoint="layers")
    def all_layers() -> str:
        glance = layers.glance()
        trend, book = trends.trend(), rules.book()
        standings = _standings(glance, trend, glance.answer.reports)
        return render_template(
            "layers.html",
            glance=glance,
            standings=standings,
            stray=next((report for report in glance.answer.reports if report.layer is None), None),
            book=book,
            broken=_broken(glance.answer.reports),
            exemptions=[(rule, granted) for rule in book.rules for granted in rule.exemptions],
            duplicates=glance.answer.duplicates,
            charts=_charts(trend, standings),
            trend=trend,
            known=ownership.nodes(_named(standings, book)),
            **_words(),
        )

    @blueprint.get("/layers/<namespace>/<name>")
    def layer(namespace: str, name: str) -> str:
        ref = EntityRef.of("layer", namespace, name)
        number = request.args.get("page", 1, type=int)
        if not 1 <= number <= _LAST_PAGE:
            abort(404, Sentence("There is no such page."))
        glance = layers.glance()
        if ref not in glance.layers:
            raise NotFoundError(Sentence("There is no layer %(ref)s.", ref=ref))
        report = layers.layers(layer=ref, limit=_AT_ONCE, offset=(number - 1) * _AT_ONCE).reports[0]
        trend, book = trends.trend(), rules.book()
        (standing,) = _standings(glance, trend, [report])
        lengths = [report.owners.total, report.unused.total, report.reused.total if report.reused else 0]
        return render_template(
            "layer.html",
            standing=standing,
            report=report,
            book=book,
            broken=_broken([report]),
            charts=_charts(trend, [standing]),
            trend=trend,
            known=ownership.nodes(
                {ref, *(owner.ref for owner in report.owners.items), *_named([standing], book), *_used_by(report)}
            ),
            page=number,
            pages=max(1, -(-max(lengths) // _AT_ONCE)),
            **_words(),
        )


def _standings(glance: Glance, trend: Trend, reports: Sequence[LayerReport]) -> list[Standing]:
    """Return how those layers stand that some reports tell of and that are declared."""
    ordered = _from_below(glance.layers.values())
    from_above = sorted(ordered, key=lambda layer: (-layer.rank, layer.ref))
    tones = dict(zip((layer.ref for layer in from_above), tones_from_above(from_above), strict=True))
    newest = trend.points[-1].layers if trend.points else {}
    found = []
    for report in reports:
        layer = None if report.layer is None else glance.layers.get(report.layer)
        if layer is None:
            continue
        found.append(
            Standing(
                layer,
                report,
                tones[layer.ref],
                glance.named(layer.owner_roles),
                [(item.duty, glance.named([item.role])[0]) for item in layer.duties],
                glance.named(layer.approvers),
                [other for other in ordered if layer.may_need(other)],
                newest.get(layer.ref),
            )
        )
    return found


def _from_below(layers: Iterable[Layer]) -> list[Layer]:
    return sorted(layers, key=lambda layer: (layer.rank, layer.ref))


def _broken(reports: Iterable[LayerReport]) -> Mapping[str, int]:
    """Return how often each rule is broken."""
    found: dict[str, int] = {}
    for report in reports:
        for item in report.broken:
            found[item.rule] = found.get(item.rule, 0) + item.count
    return found


def _charts(trend: Trend, standings: Sequence[Standing]) -> list[tuple[str, str, Chart]]:
    """Return the charts, each with a name and its title."""
    times = [point.recorded_at_ms for point in trend.points]
    coverage, reuse = [], []
    for item in standings:
        shares = {
            at: point.layers[item.layer.ref] for at, point in enumerate(trend.points) if item.layer.ref in point.layers
        }
        covered = {at: share.coverage for at, share in shares.items() if share.coverage is not None}
        reused = {at: share.reuse for at, share in shares.items() if share.reuse is not None}
        coverage.append((item.layer.title, item.tone, covered))
        if reused:
            reuse.append((item.layer.title, item.tone, reused))
    found = [("coverage", gettext("Coverage: the share with an owner who is there"), percent_chart(times, coverage))]
    if reuse:
        found.append(("reuse", gettext("Reuse: the share that projects use"), percent_chart(times, reuse)))
    return found


def _named(standings: Iterable[Standing], book: RuleBook) -> set[EntityRef]:
    """Return all that is named by reference alone."""
    return {
        *(granted.exemption.entity for rule in book.rules for granted in rule.exemptions),
        *(granted.exemption.approver for rule in book.rules for granted in rule.exemptions),
        *(rule.policy.ref for rule in book.rules if rule.policy is not None),
        *(role.ref for item in standings for role in (*item.owners, *item.approvers)),
        *(role.ref for item in standings for _, role in item.duties),
    }


def _used_by(report: LayerReport) -> set[EntityRef]:
    return {ref for item in (report.reused.items if report.reused else ()) for ref in item.use.named}


def _severity(rule: KnownRule, layer: EntityRef) -> str:
    return dict(rule.severities).get(layer, "off")


def _words() -> dict[str, object]:
    """Return what the templates call severities and what exemptions are worth."""
    return {
        "severity_of": _severity,
        "severities": {"off": gettext("off"), "warn": gettext("warns"), "enforce": gettext("enforced")},
        "worth": {
            "valid": gettext("holds"),
            "ended": gettext("has ended"),
            "refused": gettext("refused: who approved it may not"),
            "missing": gettext("its entity is not there"),
        },
    }
