"""Turns the plan of a reorganisation into the changes of each entity."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, NamedTuple

from portal.errors import InputError
from portal.model.amendment import Addition, Amendment
from portal.model.envelope import Path
from portal.model.leaves import leaves
from portal.model.ref import PEOPLE, EntityRef
from portal.model.reorg_plan import AssetRule, ClosedGroup, NewGroup, Plan, PlanError, PlanFault
from portal.model.texts import texts_in

_MOST_NAMED = 5
Documents = Mapping[EntityRef, Mapping[str, Any]]


class Place(NamedTuple):
    """A place of an entity's document that names a group or user, as `capacity` (owner, members, parent, ...)."""

    ref: EntityRef
    path: Path
    capacity: str
    text: str
    who: EntityRef
    default_kind: str


@dataclass(slots=True)
class Changes:
    """What a plan comes to: amendments of entities, documents added, groups whose documents go.

    `taken` are the assets that went from one to another by their owner, as (asset, from, to); `inherited` so the people
    and groups that went to the heir of a group that ends.
    """

    places: dict[EntityRef, list[Amendment]] = field(default_factory=dict)
    added: list[Addition] = field(default_factory=list)
    dropped: list[EntityRef] = field(default_factory=list)
    taken: list[tuple[EntityRef, EntityRef, EntityRef]] = field(default_factory=list)
    inherited: list[tuple[EntityRef, EntityRef, EntityRef]] = field(default_factory=list)


def changes_of(plan: Plan, documents: Documents, *, above: Mapping[EntityRef, Collection[EntityRef]]) -> Changes:
    """Return the changes that a plan comes to.

    `documents` are the finished documents of all that the plan names, and of all that have a relation to a group or
    user of the plan; `above` are the groups above each group of the whole catalog. Raises `PlanError` with every
    fault: references to what is not there, assets that two rules take or nobody takes, groups above themselves.
    """
    work = _Work(plan, documents)
    work.check_refs(above)
    work.raise_faults()
    work.take_assets()
    work.move_users()
    work.move_groups()
    work.empty_closed()
    work.raise_faults()
    return work.changes()


def places(ref: EntityRef, document: Mapping[str, Any]) -> Iterator[Place]:
    """Yield where a document names groups and users that a reorganisation may change; what is malformed is left out."""
    spec = document.get("spec")
    if not isinstance(spec, dict):
        return
    for name, default in _NAMING.get(ref.kind, _NAMING_ASSETS).items():
        value = spec.get(name)
        for path, item in enumerate(value) if isinstance(value, list) else [(None, value)]:
            at: Path = ("spec", name) if path is None else ("spec", name, path)
            text = item
            if name == "stewards":
                at, text = (*at, "ref"), item.get("ref") if isinstance(item, dict) else None
            if isinstance(text, str):
                try:
                    who = EntityRef.parse(text, default_kind=default, default_namespace=ref.namespace)
                except InputError:
                    continue
                yield Place(ref, at, "owner" if name == "owners" else name, text, who, default)


_NAMING_ASSETS = {"owner": "group", "owners": "group", "stewards": "group", "contributors": "user"}
_NAMING: Mapping[str, Mapping[str, str]] = {
    "group": {"parent": "group", "children": "group", "members": "user"},
    "user": {"memberOf": "group"},
}


class _Work:
    """A plan being worked out: who takes which place, what joins which list, all with the faults found."""

    def __init__(self, plan: Plan, documents: Documents) -> None:
        self._plan = plan
        self._documents = documents
        self._faults: list[PlanFault] = []
        self._created = {new.ref: new for new in plan.created}
        self._closed = {closed.ref: closed for closed in plan.closed}
        self._places = {
            ref: list(places(ref, document))
            for ref, document in documents.items()
            if ref not in self._closed or self._closed[ref].keep
        }
        #: Who takes a place (None: it goes), and the part of the plan that says so.
        self._takers: dict[tuple[EntityRef, Path], tuple[EntityRef | None, Path]] = {}
        #: What joins a list: (entity, name of the list) to references.
        self._joining: dict[tuple[EntityRef, str], list[EntityRef]] = {}
        self._members: dict[EntityRef, dict[EntityRef, list[Place]]] = {}
        self._moved_users: set[tuple[EntityRef, EntityRef]] = set()
        self._inherited_by: set[tuple[EntityRef, EntityRef, EntityRef]] = set()

    def raise_faults(self) -> None:
        if self._faults:
            raise PlanError(self._faults)

    def check_refs(self, above: Mapping[EntityRef, Collection[EntityRef]]) -> None:
        plan = self._plan
        for path, ref in plan.refs():
            self._check_ref(path, ref)
        for index, new in enumerate(plan.created):
            at: Path = ("groups", "create", index)
            if new.ref in self._documents:
                self._fault((*at, "ref"), f"{new.ref} is there already")
            if [other.ref for other in plan.created].index(new.ref) != index:
                self._fault((*at, "ref"), f"{new.ref} is created twice")
            if new.beside is None and not plan.closed:
                self._fault(at, "expected beside: the entity whose file the group is written to")
            elif new.beside in self._created:
                self._fault((*at, "beside"), f"{new.beside} is in no file yet")
        for index, closed in enumerate(plan.closed):
            if [other.ref for other in plan.closed].index(closed.ref) != index:
                self._fault(("groups", "close", index, "ref"), f"{closed.ref} is closed twice")
        self._check_parents(above)

    def _check_ref(self, path: Path, ref: EntityRef) -> None:
        name = path[-2] if isinstance(path[-1], int) else path[-1]
        people = frozenset({"group"}) if path[0] in {"groups", "users"} else PEOPLE
        people = frozenset({"user"}) if path[0] == "users" and name == "ref" else people
        if name not in {"refs", "roles", "beside"} and ref.kind not in people:
            self._fault(path, f"found {ref}; expected a {' or '.join(sorted(people))}")
        elif name in {"to", "heir", "parent"} and ref in self._closed:
            self._fault(path, f"{ref} ends by this plan")
        elif ref not in self._documents and not (ref in self._created and name in {"to", "heir", "parent"}):
            known = [*self._documents, *self._created]
            near = get_close_matches(ref, [other for other in known if other.kind == ref.kind], n=1)
            self._fault(path, f"{ref} is not in the catalog{f'; did you mean {near[0]}?' if near else ''}")

    def _check_parents(self, present: Mapping[EntityRef, Collection[EntityRef]]) -> None:
        """Find groups that would be above themselves, through what the plan changes."""
        heirs = {closed.ref: closed.heir for closed in self._plan.closed if closed.heir is not None}
        above = {ref: {heirs.get(parent, parent) for parent in parents} for ref, parents in present.items()}
        above |= {new.ref: {new.parent} for new in self._plan.created if new.parent is not None}
        above |= {move.ref: {move.to} for move in self._plan.moved}
        changed = [(("groups", "create", index, "parent"), new.ref) for index, new in enumerate(self._plan.created)]
        changed += [(("groups", "move", index, "parent"), move.ref) for index, move in enumerate(self._plan.moved)]
        changed += [
            (("groups", "close", index, "heir"), closed.heir)
            for index, closed in enumerate(self._plan.closed)
            if closed.heir is not None
        ]
        for path, start in changed:
            seen: set[EntityRef] = set()
            frontier = set(above.get(start, ()))
            while frontier:
                seen |= frontier
                frontier = {parent for ref in frontier for parent in above.get(ref, ())} - seen
            if start in seen:
                self._fault(path, f"{start} would be above itself")

    def take_assets(self) -> None:
        naming: dict[EntityRef, list[Place]] = {}
        for found in self._places.values():
            for place in found:
                if place.capacity in {"owner", "stewards", "contributors"}:
                    naming.setdefault(place.who, []).append(place)
        for index, rule in enumerate(self._plan.assets):
            at: Path = ("assets", index)
            if rule.source == rule.to:
                self._fault((*at, "to"), f"{rule.to} has them already")
            wanted = [place for place in naming.get(rule.source, ()) if place.capacity in rule.capacities]
            meant = self._meant(rule, {place.ref for place in wanted}, at)
            for place in wanted:
                if place.ref in meant:
                    self._take(place, rule.to, at)

    def _meant(self, rule: AssetRule, candidates: Collection[EntityRef], at: Path) -> set[EntityRef]:
        if rule.where is not None:
            found = {ref for ref in candidates if rule.where.matches(leaves(self._documents[ref]))}
            if not found:
                self._fault((*at, "where"), f"it means nothing that {rule.source} has")
            return found
        for number, ref in enumerate(rule.refs):
            if ref not in candidates:
                names = " or ".join(rule.capacities)
                self._fault((*at, "refs", number), f"{ref} does not name {rule.source} as {names}")
        return set(rule.refs)

    def _take(self, place: Place, to: EntityRef | None, by: Path) -> None:
        taken = self._takers.setdefault((place.ref, place.path), (to, by))
        if taken[1] != by:
            self._fault(by, f"it takes {place.ref} ({_dotted(place.path)}), which {_dotted(taken[1])} takes already")

    def move_users(self) -> None:
        for index, move in enumerate(self._plan.users):
            at: Path = ("users", index)
            if move.source is None:
                continue
            if (move.ref, move.source) in self._moved_users:
                self._fault((*at, "ref"), f"{move.ref} leaves {move.source} twice")
            elif move.source == move.to:
                self._fault((*at, "to"), f"{move.ref} is in {move.to} already")
            elif not self._move_member(move.ref, move.source, move.to, at):
                self._fault((*at, "ref"), f"{move.ref} is no member of {move.source}")
            self._moved_users.add((move.ref, move.source))

    def _move_member(self, user: EntityRef, source: EntityRef, to: EntityRef, by: Path) -> bool:
        """Move a member; return whether the user was one. The user's own document says it from now on."""
        own = [place for place in self._places.get(user, ()) if place.who == source]
        listed = self._listed_members(source).get(user, ())
        for place in own:
            self._take(place, to, by)
        if listed and not own:
            self._join(user, "memberOf", to)
        for place in listed:
            if source in self._places:
                self._take(place, None, by)
        if own or listed:
            self._join_where_listed(to, "members", user)
        return bool(own or listed)

    def _listed_members(self, group: EntityRef) -> Mapping[EntityRef, list[Place]]:
        if group not in self._members:
            found = self._members.setdefault(group, {})
            for place in places(group, self._documents[group]):
                if place.capacity == "members":
                    found.setdefault(place.who, []).append(place)
        return self._members[group]

    def move_groups(self) -> None:
        for index, move in enumerate(self._plan.moved):
            self._move_group(move.ref, move.to, ("groups", "move", index), leaving=None)
        for new in self._plan.created:
            if new.parent is not None:
                self._join_where_listed(new.parent, "children", new.ref)

    def _move_group(self, group: EntityRef, to: EntityRef, by: Path, *, leaving: EntityRef | None) -> None:
        """Bring a group below another; `leaving` names the one above that it leaves, None all."""
        own = [
            place
            for place in self._places.get(group, ())
            if place.capacity == "parent" and leaving in {None, place.who}
        ]
        for place in own:
            self._take(place, to, by)
        for found in self._places.values():
            for place in found:
                if place.capacity == "children" and place.who == group and leaving in {None, place.ref}:
                    self._take(place, None, by)
        if own:
            self._join_where_listed(to, "children", group)
        else:
            self._join(to, "children", group)

    def empty_closed(self) -> None:
        for index, closed in enumerate(self._plan.closed):
            at: Path = ("groups", "close", index)
            naming = [place for found in self._places.values() for place in found if place.who == closed.ref]
            left = [
                f"{place.ref} ({_dotted(place.path)})"
                for place in naming
                if (place.ref, place.path) not in self._takers and not self._inherited(place, closed, at)
            ]
            left += self._empty_lists(closed.ref, closed.heir, at)
            for ref, path in self._naming_otherwise(closed.ref):
                self._fault(at, f"{ref} names {closed.ref} at {_dotted(path)}, which no plan changes; edit it first")
            if left:
                shown = ", ".join(left[:_MOST_NAMED]) + (
                    f", {len(left) - _MOST_NAMED} more" * (len(left) > _MOST_NAMED)
                )
                self._fault((*at, "ref"), f"nobody takes {shown}; add rules, or name an heir")

    def _inherited(self, place: Place, closed: ClosedGroup, at: Path) -> bool:
        """Give a place that no rule takes to the heir; return whether there is one, or the place needs none."""
        if place.capacity == "children":
            if not closed.keep:
                self._take(place, None, at)
        elif closed.heir is None:
            return False
        elif place.capacity in {"memberOf", "parent"}:
            self._inherit(place.ref, closed.ref, closed.heir, at, is_member=place.capacity == "memberOf")
        else:
            self._take(place, closed.heir, at)
        return True

    def _empty_lists(self, group: EntityRef, heir: EntityRef | None, at: Path) -> list[str]:
        """Give members and children that only the closed group's own document tells of to the heir."""
        left = []
        moved_groups = {move.ref for move in self._plan.moved}
        for place in places(group, self._documents[group]):
            if place.capacity not in {"members", "children"} or (group, place.path) in self._takers:
                continue
            own = [mine for mine in self._places.get(place.who, ()) if mine.who == group]
            is_gone = place.who not in self._places or place.who in moved_groups
            if not (own or is_gone or (place.who, group) in self._moved_users):
                if heir is None:
                    left.append(f"{place.who} ({_dotted(place.path)} of {group})")
                else:
                    self._inherit(place.who, group, heir, at, is_member=place.capacity == "members")
            if group in self._places and (group, place.path) not in self._takers:
                self._take(place, None, at)
        return left

    def _inherit(self, who: EntityRef, group: EntityRef, heir: EntityRef, at: Path, *, is_member: bool) -> None:
        """Give a member, or a child, of a group that ends to the heir."""
        self._inherited_by.add((who, group, heir))
        if is_member:
            self._move_member(who, group, heir, at)
        else:
            self._move_group(who, heir, at, leaving=group)

    def _naming_otherwise(self, group: EntityRef) -> Iterator[tuple[EntityRef, Path]]:
        for ref, document in self._documents.items():
            if ref in self._places and ref != group:
                told = {place.path for place in self._places[ref]}
                for path, text in texts_in(document.get("spec"), ("spec",)):
                    if path not in told and text[:6].lower() == "group:" and _parsed(text, ref) == group:
                        yield ref, path

    def _join(self, ref: EntityRef, name: str, who: EntityRef) -> None:
        joining = self._joining.setdefault((ref, name), [])
        if who not in joining:
            joining.append(who)

    def _join_where_listed(self, ref: EntityRef, name: str, who: EntityRef) -> None:
        """Let `who` join a list of `ref` that others are in; where nobody is, the other side alone tells of it."""
        if any(place.capacity == name for place in self._places.get(ref, ())):
            self._join(ref, name, who)

    def changes(self) -> Changes:
        found = Changes()
        for ref in sorted({place for place, _ in self._takers} | {ref for ref, _ in self._joining}):
            if ref in self._documents:
                amendments = self._amendments(ref)
                if amendments:
                    found.places[ref] = amendments
        for (ref, path), (to, _) in sorted(self._takers.items(), key=lambda item: (item[0][0], str(item[0][1]))):
            if to is not None and path[:2] == ("spec", "owner"):
                source = next(place.who for place in self._places[ref] if place.path == path)
                found.taken.append((ref, source, to))
        first = self._plan.closed[0].ref if self._plan.closed else None
        for new in self._plan.created:
            beside = new.beside or first
            if beside is not None:
                children = self._joining.get((new.ref, "children"), ())
                found.added.append(Addition(beside, _document(new, children)))
        found.inherited = sorted(self._inherited_by)
        found.dropped = [closed.ref for closed in self._plan.closed if not closed.keep]
        return found

    def _amendments(self, ref: EntityRef) -> list[Amendment]:
        """Return the amendments of one document; what would then be named twice in a list is taken out."""
        document = self._documents[ref]
        staying: dict[str, set[tuple[EntityRef, str]]] = {}
        for place in self._places[ref]:
            if (ref, place.path) not in self._takers:
                staying.setdefault(place.capacity, set()).add((place.who, _duty(document, place.path)))
        found: list[Amendment] = []
        for place in self._places[ref]:
            to = self._takers.get((ref, place.path), (place.who, ()))[0]
            if to == place.who:
                continue
            key = (to, _duty(document, place.path)) if to is not None else None
            mine = staying.setdefault(place.capacity, set())
            is_item = len(place.path) > 2  # noqa: PLR2004  # spec, and the field
            if key is None or (key in mine and is_item):
                path = place.path[:-1] if place.capacity == "stewards" else place.path
                found.append(Amendment(path, place.text))
            else:
                mine.add(key)
                written = _written(key[0], place.text, default_kind=place.default_kind, near=ref)
                found.append(Amendment(place.path, place.text, written))
        for name, kind in _NAMING.get(ref.kind, {}).items():
            for who in self._joining.get((ref, name), ()):
                if (who, "") not in staying.setdefault(name, set()):
                    like = next((place.text for place in self._places[ref] if place.capacity == name), "")
                    written = _written(who, like, default_kind=kind, near=ref)
                    found.append(Amendment(("spec", name), None, written))
        return found

    def _fault(self, path: Path, message: str) -> None:
        self._faults.append(PlanFault(path, message))


def _duty(document: Mapping[str, Any], path: Path) -> str:
    if path[1] != "stewards" or not isinstance(path[2], int):
        return ""
    return str(document["spec"]["stewards"][path[2]].get("duty"))


def _written(new: EntityRef, like: str, *, default_kind: str, near: EntityRef) -> str:
    """Return a reference as short as the one that it stands in for, or beside, is written."""
    head, colon, tail = like.partition(":")
    has_kind = bool(colon) and "/" not in head
    kind = head if has_kind and head.lower() == new.kind else new.kind
    text = new.name
    if "/" in (tail if has_kind else like) or new.namespace != near.namespace:
        text = f"{new.namespace}/{text}"
    return f"{kind}:{text}" if has_kind or new.kind != default_kind else text


def _document(new: NewGroup, children: Sequence[EntityRef]) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": new.ref.name}
    if new.ref.namespace != "default":
        metadata["namespace"] = new.ref.namespace
    told = {"title": new.title, "description": new.description}
    metadata |= {name: text for name, text in told.items() if text}
    spec: dict[str, Any] = {"type": new.type}
    if new.parent is not None:
        spec["parent"] = _written(new.parent, "", default_kind="group", near=new.ref)
    spec["children"] = [_written(child, "", default_kind="group", near=new.ref) for child in children]
    if new.roles:
        spec["roles"] = [_written(role, "", default_kind="role", near=new.ref) for role in new.roles]
    return {"apiVersion": "backstage.io/v1alpha1", "kind": "Group", "metadata": metadata, "spec": spec}


def _parsed(text: str, near: EntityRef) -> EntityRef | None:
    try:
        return EntityRef.parse(text, default_namespace=near.namespace)
    except InputError:
        return None


def _dotted(path: Path) -> str:
    return ".".join(map(str, path))
