"""Weighs the roles that a team needs against those that it holds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal, NamedTuple

from portal.model.layer import Role
from portal.model.ref import EntityRef
from portal.model.sentence import Sentence, either, several
from portal.model.value import value

#: So many who could fill a role are named in a sentence, and so many in the answer itself.
_MOST_SPELT, MOST_CANDIDATES = 3, 20

#: `required`: nobody else does it. `one-of`: one of several roles is enough. `usual`: the layer knows it, no more.
Necessity = Literal["required", "one-of", "usual"]
_STRICTER: Mapping[Necessity, int] = {"required": 0, "one-of": 1, "usual": 2}

Place = Literal["entity", "layer"]


class Need(NamedTuple):
    """A role that is needed: how much, said by which entity or layer, and where in words."""

    role: EntityRef
    necessity: Necessity
    place: Place
    ref: EntityRef
    why: str


class Way(NamedTuple):
    """How one comes to a team: as the owner where `capacity` is empty, else in another, perhaps `through` a group."""

    capacity: str
    through: EntityRef | None

    def told(self) -> str:
        """Return it in words."""
        if self.through is None:
            return self.capacity or Sentence("owner")
        member = Sentence("member of %(group)s", group=self.through)
        return Sentence("%(way)s, %(member)s", way=self.capacity, member=member) if self.capacity else member


@value
class Mate:
    """One of a team, or a group of it in which nobody is known.

    One who is `lent` is in none of the owner's groups. `roles` are all that are held, each with who holds it: oneself,
    or a group above.
    """

    ref: EntityRef
    title: str
    by: tuple[Way, ...]
    lent: bool
    roles: Mapping[EntityRef, EntityRef]

    @property
    def ways(self) -> tuple[str, ...]:
        """How one comes to the team, in words: of thousands few are shown."""
        return tuple(way.told() for way in self.by)


@dataclass(frozen=True, slots=True)
class Held:
    """A role with who needs it, who of the team holds it, and who else could.

    `is_single` says that just one person holds it; `is_missing` that nobody does and somebody must.
    """

    role: Role
    necessity: Necessity
    needs: tuple[Need, ...]
    holders: tuple[Mate, ...]
    is_single: bool
    is_missing: bool
    candidates: tuple[EntityRef, ...]
    candidates_total: int


@dataclass(frozen=True, slots=True)
class Balance:
    """Whether a team is balanced; `missing` and `notes` are sentences, `lent` roles by who of outside holds them."""

    is_balanced: bool
    summary: str
    roles: tuple[Held, ...]
    lent: tuple[tuple[Mate, tuple[Role, ...]], ...]
    missing: tuple[str, ...]
    notes: tuple[str, ...]


def weigh(
    needs: Collection[Need],
    team: Collection[Mate],
    *,
    roles: Mapping[EntityRef, Role],
    holders: Mapping[EntityRef, Collection[EntityRef]],
    within: Collection[EntityRef] = (),
) -> Balance:
    """Return the balance of a team.

    `holders` are those who hold a role directly, in the whole catalog, each once, in the order in which they are to be
    named; of them those `within` the team cannot help it.
    """
    by_role: dict[EntityRef, list[Need]] = {}
    for need in needs:
        by_role.setdefault(need.role, []).append(need)
    # Most often they come sorted, and twice by one value is then sooner done than once by two.
    mates = sorted(sorted(team, key=attrgetter("ref")), key=attrgetter("lent"))
    here = {*within, *(mate.ref for mate in mates)}
    holding_of: dict[EntityRef, list[Mate]] = {}
    for mate in mates:
        for ref in mate.roles:
            holding_of.setdefault(ref, []).append(mate)
    # Of the roles of which one is enough, which one is held: by the layer that asks. Who is lent sorts last.
    enough = {
        need.ref
        for need in needs
        if need.necessity == "one-of" and need.role in holding_of and not holding_of[need.role][0].lent
    }
    found = []
    for ref, asked in by_role.items():
        asked.sort(key=lambda need: (_STRICTER[need.necessity], need.place, need.ref, need.why))
        necessity = asked[0].necessity
        holding = tuple(holding_of.get(ref, ()))
        is_lacking = necessity == "one-of" and any(
            need.necessity == "one-of" and need.ref not in enough for need in asked
        )
        others = [who for who in holders.get(ref, ()) if who not in here]
        found.append(
            Held(
                roles.get(ref) or Role(ref, ref.name),
                necessity,
                tuple(asked),
                holding,
                len(holding) == 1 and holding[0].ref.kind == "user",
                not holding and (necessity == "required" or is_lacking),
                tuple(others[:MOST_CANDIDATES]),
                len(others),
            )
        )
    found.sort(key=lambda item: (_STRICTER[item.necessity], item.role.ref))
    missing = [_missing(item) for item in found if item.is_missing and item.necessity == "required"]
    missing += _lacking(needs, found, enough)
    return Balance(
        not missing,
        _summary(found, missing),
        tuple(found),
        tuple(
            (mate, tuple(roles.get(ref) or Role(ref, ref.name) for ref in sorted(mate.roles)))
            for mate in mates
            if mate.lent and mate.roles
        ),
        tuple(missing),
        tuple(_notes(found)),
    )


def _missing(item: Held) -> str:
    return Sentence(
        'Nobody on the team holds the role "%(role)s" (%(asked)s). %(who)s',
        role=item.role.title,
        asked=several(dict.fromkeys(need.why for need in item.needs)),
        who=_who_could([item]),
    )


def _lacking(needs: Iterable[Need], found: Sequence[Held], enough: Collection[EntityRef]) -> list[str]:
    """Return a sentence for each layer that asks for one of several roles and is given none."""
    layers = sorted({need.ref for need in needs if need.necessity == "one-of" and need.ref not in enough})
    told: list[str] = []
    for layer in layers:
        asked = [item for item in found if any(need[1::2] == ("one-of", layer) for need in item.needs)]
        told.append(
            Sentence(
                "Nobody of the owner's own people holds a role that may own in the layer %(layer)s: %(roles)s. %(who)s",
                layer=layer.name,
                roles=either([f'"{item.role.title}"' for item in asked]),
                who=_who_could(asked),
            )
        )
    return told


def _summary(found: Sequence[Held], missing: Sequence[str]) -> str:
    needed = [item for item in found if item.necessity == "required"]
    held = sum(1 for item in needed if item.holders)
    single = sum(1 for item in needed if item.is_single)
    verdict = Sentence("The team is balanced") if not missing else Sentence("The team is not balanced")
    if not needed:
        return Sentence("%(verdict)s.", verdict=verdict)
    roles = Sentence("required roles") if len(needed) > 1 else Sentence("required role")
    told = Sentence(
        "%(verdict)s: %(held)s of %(count)s %(roles)s held", verdict=verdict, held=held, count=len(needed), roles=roles
    )
    if single:
        return Sentence("%(told)s, %(count)s of them by one person alone.", told=told, count=single)
    return Sentence("%(told)s.", told=told)


def _notes(found: Iterable[Held]) -> Iterable[str]:
    for item in found:
        if item.is_single and item.necessity == "required":
            yield Sentence(
                'Only %(holder)s holds the role "%(role)s": when away, nobody does its work. %(who)s',
                holder=item.holders[0].ref,
                role=item.role.title,
                who=_who_could([item]),
            )
        elif item.necessity != "usual" and item.holders and all(mate.ref.kind != "user" for mate in item.holders):
            yield Sentence(
                'The role "%(role)s" is held by %(groups)s, but the catalog knows nobody there.',
                role=item.role.title,
                groups=[mate.ref for mate in item.holders],
            )
        usual = dict.fromkeys(need.ref.name for need in item.needs if need.necessity == "usual")
        if not item.holders and not item.is_missing and usual:
            yield Sentence(
                'Nobody here holds the role "%(role)s", which works in the layer %(layers)s; it is not required. '
                "%(who)s",
                role=item.role.title,
                layers=list(usual),
                who=_who_could([item]),
            )


def _who_could(items: Iterable[Held]) -> str:
    total = sum(item.candidates_total for item in items)
    who = list(dict.fromkeys(ref for item in items for ref in item.candidates))
    if not who:
        return Sentence("Nobody else in the catalog holds it.")
    if total > _MOST_SPELT:
        return Sentence(
            "Who could help: %(people)s and %(count)s more.", people=who[:_MOST_SPELT], count=total - _MOST_SPELT
        )
    return Sentence("Who could help: %(people)s.", people=who)
