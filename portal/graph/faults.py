"""Problems of documents with findings of rules, as one thing that is chosen by what it concerns, then counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

from portal.model.layer import Finding
from portal.model.problem import Problem
from portal.model.ref import EntityRef

#: What a fault can weigh, the graver first: `error` and `warning` are of problems, the others of findings.
SEVERITIES = ("error", "enforce", "warning", "warn")
#: What keeps something from happening: a document from the catalog, a change from being let in.
GRAVE = frozenset({"error", "enforce"})
#: By what faults are counted.
FACETS = ("rule", "layer", "owner", "severity")


#: A field of a selection that chooses nothing, so that all are taken.
NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Fault:
    """A problem or a finding, with what it concerns.

    `rule` is a problem's code or the id of a finding's rule. `owner` is the accountable one and `layer` the effective
    one of the entity `ref`; all of them are empty where there is none. `revision` is the one that first showed a
    problem; 0 of findings.
    """

    told: Problem | Finding
    rule: str
    severity: str
    ref: str
    layer: str
    owner: str
    revision: int = 0

    @property
    def kind(self) -> str:
        """The kind of the entity, lower case; empty where there is none."""
        return EntityRef(self.ref).kind


@dataclass(frozen=True, slots=True)
class Selection:
    """Which faults are meant: those that have one of the values in each field that names any; "" stands for none."""

    rules: frozenset[str] = NOTHING
    layers: frozenset[str] = NOTHING
    owners: frozenset[str] = NOTHING
    severities: frozenset[str] = NOTHING
    kinds: frozenset[str] = NOTHING
    refs: frozenset[str] = NOTHING

    def holds(self, fault: Fault) -> bool:
        """Return whether a fault is meant."""
        return (
            (not self.rules or fault.rule in self.rules)
            and (not self.layers or fault.layer in self.layers)
            and (not self.owners or fault.owner in self.owners)
            and (not self.severities or fault.severity in self.severities)
            and (not self.kinds or fault.kind in self.kinds)
            and (not self.refs or fault.ref in self.refs)
        )


def counted(faults: Iterable[Fault]) -> dict[str, dict[str, int]]:
    """Return how many faults there are by each of `FACETS` and value, sorted; "" stands for none."""
    found: dict[str, dict[str, int]] = {name: {} for name in FACETS}
    for fault in faults:
        for name, value in zip(FACETS, (fault.rule, fault.layer, fault.owner, fault.severity), strict=True):
            found[name][value] = found[name].get(value, 0) + 1
    return {name: dict(sorted(counts.items())) for name, counts in found.items()}


def facets(faults: Iterable[Fault], chosen: Selection) -> dict[str, dict[str, int]]:
    """Return how many faults there would be by each of `FACETS` and value if that facet chose nothing, sorted.

    So a reader sees what else could be chosen in a facet beside what is; "" stands for none.
    """
    found: dict[str, dict[str, int]] = {name: {} for name in FACETS}
    wanted = (chosen.rules, chosen.layers, chosen.owners, chosen.severities)
    others = replace(chosen, rules=NOTHING, layers=NOTHING, owners=NOTHING, severities=NOTHING)
    for fault in faults:
        if not others.holds(fault):
            continue
        values = (fault.rule, fault.layer, fault.owner, fault.severity)
        missed = [
            place for place, (value, some) in enumerate(zip(values, wanted, strict=True)) if some and value not in some
        ]
        if len(missed) > 1:
            continue
        for place, (name, value) in enumerate(zip(FACETS, values, strict=True)):
            if not missed or missed[0] == place:
                found[name][value] = found[name].get(value, 0) + 1
    return {name: dict(sorted(counts.items())) for name, counts in found.items()}


def fault_of_problem(problem: Problem, *, revision: int, places: Mapping[str, tuple[str, str]]) -> Fault:
    """Return the fault that a problem is; `places` are (layer, owner) by entity."""
    layer, owner = places.get(problem.ref or "", ("", ""))
    return Fault(problem, problem.code, problem.severity, problem.ref or "", layer, owner, revision)


def fault_of_finding(finding: Finding, *, places: Mapping[str, tuple[str, str]]) -> Fault:
    """Return the fault that a finding is; `places` are (layer, owner) by entity."""
    owner = places.get(finding.ref, ("", ""))[1]
    return Fault(finding, finding.rule, finding.severity, str(finding.ref), str(finding.layer or ""), owner)


def mark_of(finding: Finding) -> str:
    """Return what tells a finding from others, 32 hex characters: its rule, its entity, what is wrong.

    How much it weighs does not count: what was tolerated and is not any more is no new fault. Nor does how to mend it,
    which names whoever could own at the moment.
    """
    told = f"{finding.rule}\0{finding.ref}\0{finding.message}"
    return sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:32]
