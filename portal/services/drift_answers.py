"""What is answered about the drift of owners, as values that tell themselves in JSON, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from portal.graph.codeowners import Rule
from portal.graph.drift import Drift, Effort, Person
from portal.graph.people import hint_of, masked, shown_name
from portal.model.ref import EntityRef
from portal.model.sentence import Sentence, several
from portal.store.graph import Node

_LAST_SECOND = 253_402_300_799


class Worker(NamedTuple):
    """Somebody who works on an asset: share of the work (0 to 1), whether they stand for the owner, their groups."""

    person: Person
    share: float
    is_owner: bool
    groups: Sequence[EntityRef]

    def to_json(self) -> dict[str, Any]:
        """Return the worker as JSON tells it; addresses are not told."""
        person = self.person
        return {
            "ref": person.ref,
            "name": shown_name(person.author),
            "hint": "" if person.ref else hint_of(person.author),
            "share": round(self.share, 4),
            "weight": round(person.weight, 3),
            "commits": person.commits,
            "lastAt": _time(person.last_seconds),
            "isOwner": self.is_owner,
            "groups": self.groups,
        }


@dataclass(frozen=True, slots=True)
class CodeOwnersView:
    """Whom a CODEOWNERS file names for an asset; `refs` are the entities that its owners are.

    `agrees` says whether the declared owner is among them; None where there is nothing to compare.
    """

    path: str
    rules: Sequence[Rule]
    refs: Mapping[str, EntityRef | None]
    owner: EntityRef | None
    agrees: bool | None

    @property
    def message(self) -> str:
        """How the file and the catalog differ, or that they do not."""
        named = [rule for rule in self.rules if rule.owners]
        if not named:
            return Sentence("%(path)s names nobody for it.", path=self.path)
        places = several(
            Sentence(
                "%(place)s names %(owners)s",
                place=f"{self.path}:{rule.line}",
                owners=[self._told(name) for name in rule.owners],
            )
            for rule in named
        )
        if self.agrees is None:
            return Sentence("%(places)s.", places=places)
        if self.agrees:
            return Sentence("%(places)s; as the catalog does.", places=places)
        return Sentence("%(places)s; the catalog says %(owner)s.", places=places, owner=self.owner)

    def to_json(self) -> dict[str, Any]:
        """Return the view as JSON tells it."""
        return {
            "path": self.path,
            "rules": [
                {
                    "line": rule.line,
                    "pattern": rule.pattern,
                    "section": rule.section,
                    "owners": [{"name": masked(name), "ref": self.refs.get(name)} for name in rule.owners],
                }
                for rule in self.rules
            ],
            "agrees": self.agrees,
            "message": self.message,
        }

    def _told(self, name: str) -> str:
        ref = self.refs.get(name)
        if ref:
            return f"{masked(name)} ({ref})"
        return Sentence("%(name)s (not in the catalog)", name=masked(name))


@dataclass(frozen=True, slots=True)
class WorkPlace:
    """Where the work on an asset was read: a folder ("" is the root) of a remote's branch, up to a commit."""

    remote: str
    branch: str
    commit: str
    folder: str
    is_shallow: bool
    is_cut: bool

    def to_json(self) -> dict[str, Any]:
        """Return the place as JSON tells it."""
        return {
            "remote": self.remote,
            "branch": self.branch,
            "commit": self.commit,
            "folder": self.folder,
            "isShallow": self.is_shallow,
            "isCut": self.is_cut,
        }


@dataclass(frozen=True, slots=True)
class AssetDrift:
    """How far the owner of an asset is from the work on it. `reason` says why it is unknown, where it is."""

    entity: Node
    drift: Drift
    effort: Effort
    workers: Sequence[Worker]
    place: WorkPlace | None = None
    codeowners: CodeOwnersView | None = None
    reason: str = ""

    @property
    def message(self) -> str:
        """The answer in one sentence."""
        owner, found = self.entity.owner, self.drift
        if found.status == "unknown":
            return Sentence("Nothing is known of who works on it: %(reason)s.", reason=self.reason)
        if owner is None:
            said = Sentence("It has no declared owner")
        else:
            whom = (
                Sentence("%(owner)s itself", owner=owner)
                if owner.kind == "user"
                else Sentence("members of %(owner)s", owner=owner)
            )
            said = Sentence(
                "%(share)s of recent work on it is by %(whom)s", share=percent(found.share or 0.0), whom=whom
            )
        top = self.workers[0]
        others = f" ({', '.join(top.groups)})" if top.groups else ""
        name = shown_name(top.person.author)
        said = Sentence(
            "%(said)s; most by %(who)s %(share)s", said=said, who=f"{name}{others}", share=percent(top.share)
        )
        if found.status == "little":
            return Sentence("%(said)s; too little recent work to judge by.", said=said)
        if found.suggestion is not None:
            return Sentence(
                "%(said)s: %(group)s, whose members did %(share)s, may be the real owner.",
                said=said,
                group=found.suggestion.ref,
                share=percent(found.suggestion.share),
            )
        return Sentence("%(said)s.", said=said)

    def to_json(self, *, people: int | None = None) -> dict[str, Any]:
        """Return the answer as JSON tells it, with so many people at most."""
        suggestion = self.drift.suggestion
        return {
            "entity": self.entity.to_json(),
            "status": self.drift.status,
            "reason": self.reason,
            "message": self.message,
            "share": None if self.drift.share is None else round(self.drift.share, 4),
            "weight": round(self.effort.weight, 3),
            "commits": self.effort.commits,
            "botCommits": self.effort.bots,
            "peopleCount": len(self.workers),
            "people": [worker.to_json() for worker in self.workers[:people]],
            "suggestion": suggestion and {"ref": suggestion.ref, "share": round(suggestion.share, 4)},
            "source": self.place and self.place.to_json(),
            "codeowners": self.codeowners and self.codeowners.to_json(),
        }


@dataclass(frozen=True, slots=True)
class DriftPage:
    """A page of assets, the worst first. `counts` are of all: by status, and those whose CODEOWNERS file disagrees.

    `unread` are the repositories that could not be read, each with the reason.
    """

    items: Sequence[AssetDrift]
    total: int
    counts: Mapping[str, int]
    disagreements: int
    unread: Mapping[str, str]
    half_life_days: float

    def to_json(self) -> dict[str, Any]:
        """Return the page as JSON tells it; of each asset the three people who did most."""
        return {
            "items": [item.to_json(people=3) for item in self.items],
            "total": self.total,
            "counts": dict(self.counts),
            "disagreements": self.disagreements,
            "unread": [{"remote": remote, "reason": why} for remote, why in sorted(self.unread.items())],
            "halfLife": self.half_life_days,
        }


def percent(share: float) -> str:
    """Return a share (0 to 1) as people read it; what is little is not nothing."""
    number = round(share * 100)
    if number == 0 and share > 0:
        return Sentence("less than 1 %")
    return f"{number} %"


def _time(seconds: int) -> str:
    moment = datetime.fromtimestamp(min(max(seconds, 0), _LAST_SECOND), UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
