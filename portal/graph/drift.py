"""Compares the declared owner of an asset with the people whose recent work it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from portal.model.ref import EntityRef

#: Less weight than that of one commit a half-life ago says nothing.
ENOUGH = 0.5
#: A longer half-life would tell nobody's work from anybody's.
LONGEST_HALF_LIFE_DAYS = 36_500
_DAY_SECONDS = 86_400
#: So much of a name is compared with the patterns of bots.
_LONGEST_NAME = 200

Status = Literal["known", "little", "unowned", "unknown"]
#: How much an answer is worth a look, the most first.
STATUSES: tuple[Status, ...] = ("known", "unowned", "little", "unknown")


class Author(NamedTuple):
    """Who wrote a commit, as git tells it."""

    name: str
    email: str


class Touch(NamedTuple):
    """A commit that touched a folder: its author, and its time in seconds since 1970."""

    author: Author
    time_seconds: int


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody's work on something. `ref` is the User, None for an author whom the catalog does not know."""

    ref: EntityRef | None
    author: Author
    weight: float
    commits: int
    last_seconds: int


@dataclass(frozen=True, slots=True)
class Effort:
    """The work on something: people, who did most of it first, what it weighs, and the commits of bots left out."""

    people: list[Person] = field(default_factory=list)
    weight: float = 0.0
    bots: int = 0

    @property
    def commits(self) -> int:
        """How many commits people made."""
        return sum(person.commits for person in self.people)


class Suggestion(NamedTuple):
    """The group whose members did more than those of the declared owner, and their share (0 to 1)."""

    ref: EntityRef
    share: float


@dataclass(frozen=True, slots=True)
class Drift:
    """How far a declared owner is from the work: the share (0 to 1) of its members, None where it cannot be told."""

    status: Status
    share: float | None = None
    suggestion: Suggestion | None = None


class Memberships:
    """Who belongs to which group: `members` of each (users) directly, and the groups right `below` each."""

    def __init__(
        self,
        members: Mapping[EntityRef, Collection[EntityRef]],
        below: Mapping[EntityRef, Collection[EntityRef]],
    ) -> None:
        self._members = members
        self._below = below
        self._groups: dict[EntityRef, list[EntityRef]] = {}
        for group, users in members.items():
            for user in set(users):
                self._groups.setdefault(user, []).append(group)
        self._within: dict[EntityRef, frozenset[EntityRef]] = {}
        self._people: dict[EntityRef, frozenset[EntityRef]] = {}

    def memberships(self, user: EntityRef) -> list[EntityRef]:
        """Return the groups that a user belongs to directly, sorted."""
        return sorted(self._groups.get(user, ()))

    def within(self, owner: EntityRef) -> frozenset[EntityRef]:
        """Return a group with all groups below it; cycles end."""
        known = self._within.get(owner)
        if known is None:
            found: set[EntityRef] = set()
            pending = [owner]
            while pending:
                group = pending.pop()
                if group not in found:
                    found.add(group)
                    pending += self._below.get(group, ())
            known = self._within[owner] = frozenset(found)
        return known

    def people_of(self, owner: EntityRef) -> frozenset[EntityRef]:
        """Return the users who stand for an owner: itself, or the members of the group and of the groups below it."""
        known = self._people.get(owner)
        if known is None:
            members = {who for group in self.within(owner) for who in self._members.get(group, ())}
            known = self._people[owner] = frozenset({owner} if owner.kind == "user" else members)
        return known

    def agrees(self, owner: EntityRef, named: Collection[EntityRef]) -> bool:
        """Return whether an owner, somebody who stands for it, or a group that it belongs to is among some others."""
        mine = {owner} | self.within(owner) | self.people_of(owner)
        return any(other in mine or owner in self.people_of(other) for other in named)


class FolderOf:
    """Gives the nearest of some folders that a path is in, "" being the root; None where it is in none of them.

    What lies in a deeper folder does not count for those above it.
    """

    def __init__(self, folders: Collection[str]) -> None:
        self._known: dict[str, str | None] = {"": "" if "" in folders else None} | {
            folder: folder for folder in folders
        }

    def __call__(self, path: str) -> str | None:
        """Return the folder of a file."""
        place = path.rpartition("/")[0]
        passed = []
        while place not in self._known:
            passed.append(place)
            place = place.rpartition("/")[0]
        found = self._known[place]
        self._known.update(dict.fromkeys(passed, found))
        return found


class BotNames:
    """Tells bots by patterns of their name or address: `*` stands for anything, case makes no difference."""

    def __init__(self, patterns: Iterable[str]) -> None:
        alternatives = "|".join(".*".join(map(re.escape, pattern.split("*"))) for pattern in patterns)
        self._pattern = re.compile(alternatives, re.IGNORECASE | re.DOTALL) if alternatives else None

    def __call__(self, author: Author) -> bool:
        """Return whether an author is a bot."""
        pattern = self._pattern
        return pattern is not None and any(pattern.fullmatch(text[:_LONGEST_NAME]) for text in author)


def weight_of(time_seconds: int, *, now_seconds: float, half_life_days: float) -> float:
    """Return what a commit weighs: 1 now, half of it a half-life ago; no more than 1 where its time is yet to come."""
    age_days = max(0.0, now_seconds - time_seconds) / _DAY_SECONDS
    return float(0.5 ** (age_days / half_life_days))


def effort(
    touches: Iterable[Touch],
    *,
    now_seconds: float,
    half_life_days: float,
    user_of: Callable[[Author], EntityRef | None],
    is_bot: Callable[[Author], bool],
) -> Effort:
    """Return the work that some commits were, each counted once however much it changed."""
    bots = 0
    sums: dict[tuple[EntityRef | None, str], Person] = {}
    users: dict[Author, tuple[EntityRef | None, bool]] = {}
    for author, time_seconds in touches:
        if author not in users:
            users[author] = (user_of(author), is_bot(author))
        ref, bot = users[author]
        if bot:
            bots += 1
            continue
        weight = weight_of(time_seconds, now_seconds=now_seconds, half_life_days=half_life_days)
        key = (ref, "" if ref else (author.email.lower() or author.name))
        known = sums.get(key)
        if known is None:
            sums[key] = Person(ref, author, weight, 1, time_seconds)
        else:
            newest = author if time_seconds > known.last_seconds else known.author
            last = max(time_seconds, known.last_seconds)
            sums[key] = Person(ref, newest, known.weight + weight, known.commits + 1, last)
    people = sorted(sums.values(), key=lambda person: (-person.weight, person.ref or "", person.author))
    return Effort(people, sum(person.weight for person in people), bots)


def drift(found: Effort, owner: EntityRef | None, organisation: Memberships) -> Drift:
    """Return how far an owner is from the work, with the group that is nearer, if there is one.

    A group is suggested whose own members did more than those who stand for the owner; not one below the owner, as its
    members stand for the owner already.
    """
    if not found.people:
        return Drift("unknown")
    if found.weight <= 0:
        # So long ago that the weights are too small for any number.
        return Drift("little")
    own = organisation.people_of(owner) if owner is not None else frozenset()
    spared = organisation.within(owner) if owner is not None else frozenset()
    share = sum(person.weight for person in found.people if person.ref in own) / found.weight
    held: dict[EntityRef, float] = {}
    for person in found.people:
        for group in organisation.memberships(person.ref) if person.ref is not None else ():
            if group not in spared:
                held[group] = held.get(group, 0.0) + person.weight / found.weight
    best = min(held.items(), key=lambda item: (-item[1], item[0]), default=None)
    suggestion = Suggestion(*best) if best is not None and best[1] > share else None
    if found.weight < ENOUGH:
        return Drift("little", None if owner is None else share, suggestion)
    if owner is None:
        return Drift("unowned", None, suggestion)
    return Drift("known", share, suggestion)


def order(found: Drift, weight: float) -> tuple[int, float, float]:
    """Return what sorts the worst first: the lowest share, of alike ones the one with the most work on it."""
    return STATUSES.index(found.status), 0.0 if found.share is None else found.share, -weight
