"""Problems of documents with findings of rules, as one thing that is chosen by what it concerns, then counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from operator import attrgetter
from typing import NamedTuple

from portal.model.layer import Finding
from portal.model.problem import Problem
from portal.model.ref import EntityRef

#: What a fault can weigh, the graver first: `error` and `warning` are of problems, the others of findings.
SEVERITIES = ("error", "enforce", "warning", "warn")
#: What keeps something from happening: a document from the catalog, a change from being let in.
GRAVE = frozenset({"error", "enforce"})
#: By what faults are counted.
FACETS = ("rule", "layer", "owner", "severity")


#: The fields of a fault that a selection chooses by, in its order.
_FIELDS = (*FACETS, "kind", "ref")
#: Values of `FACETS`.
Values = tuple[str, str, str, str]
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


class Selection(NamedTuple):
    """Which faults are meant: those that have one of the values in each field that names any; "" stands for none."""

    rules: frozenset[str] = NOTHING
    layers: frozenset[str] = NOTHING
    owners: frozenset[str] = NOTHING
    severities: frozenset[str] = NOTHING
    kinds: frozenset[str] = NOTHING
    refs: frozenset[str] = NOTHING

    def among(self, faults: Sequence[Fault]) -> Sequence[Fault]:
        """Return those of some faults that are meant, in their order."""
        for name, wanted in zip(_FIELDS, self, strict=True):
            if wanted:
                # A field at a time, and only those that choose: each fault is looked at as little as may be.
                value = attrgetter(name)
                faults = [fault for fault in faults if value(fault) in wanted]
        return faults


def combined(faults: Iterable[Fault]) -> Mapping[Values, int]:
    """Return how many faults there are of each combination of values of `FACETS`: far fewer than faults."""
    return Counter(map(attrgetter(*FACETS), faults))


def counted(faults: Iterable[Fault]) -> dict[str, dict[str, int]]:
    """Return how many faults there are by each of `FACETS` and value, sorted; "" stands for none."""
    return facets(combined(faults), Selection())


def facets(combinations: Mapping[Values, int], chosen: Selection) -> dict[str, dict[str, int]]:
    """Return how many faults there would be by each of `FACETS` and value if that facet chose nothing, sorted.

    So a reader sees what else could be chosen in a facet beside what is; "" stands for none. What is chosen of kinds
    and references does not count here.
    """
    found: dict[str, dict[str, int]] = {name: {} for name in FACETS}
    wanted = (chosen.rules, chosen.layers, chosen.owners, chosen.severities)
    for values, count in combinations.items():
        missed = [
            place for place, (value, some) in enumerate(zip(values, wanted, strict=True)) if some and value not in some
        ]
        if len(missed) > 1:
            continue
        for place, (name, value) in enumerate(zip(FACETS, values, strict=True)):
            if not missed or missed[0] == place:
                found[name][value] = found[name].get(value, 0) + count
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
