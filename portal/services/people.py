"""Finds the User entity of a person whom a provider has signed in."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import orjson

from portal.errors import UnknownPersonError
from portal.model.filter import AllOf, AnyOf, EntityFilter, Match
from portal.model.query import EntityQuery
from portal.model.ref import EntityRef
from portal.model.sentence import Sentence
from portal.model.sign_in import CREATE, SignInProvider
from portal.services.catalog import CatalogService

#: A subject that can be a name as it is: no two of them differ by case alone.
_PLAIN = re.compile(r"(?!sub-)[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?")
_EMAIL_KEY = "spec.profile.email"
#: So many Users that a claim might mean are looked at.
_MOST = 20


class PeopleService:
    """Maps people to Users by the rule of their provider."""

    def __init__(self, catalog: CatalogService) -> None:
        self._catalog = catalog

    def user_of(self, claims: Mapping[str, Any], provider: SignInProvider) -> EntityRef:
        """Return the User that a person is.

        The first of the provider's `match` by which any User is found decides. Raises `UnknownPersonError` where none
        is found, or several are. Where the provider's `unknown` says so, a person whom the catalog does not know is a
        user without an entity instead: `user:PROVIDER/SUBJECT`, the same one each time, in no group.
        """
        users = self._candidates(claims, provider)
        for way in provider.match:
            found = [ref for ref, entity in users.items() if _is_meant(way, ref, entity, claims, provider)]
            if len(found) > 1:
                raise UnknownPersonError(
                    Sentence(
                        "You are signed in with %(title)s as %(claims)s, and several users of the "
                        "catalog are meant by it (%(way)s): %(found)s. Ask who keeps them to mend that.",
                        title=provider.title,
                        claims=shown_person(claims),
                        way=way,
                        found=sorted(found),
                    )
                )
            if found:
                return found[0]
        if provider.unknown == CREATE:
            made = _made_ref(claims, provider)
            if made not in self._catalog.by_refs([made]):
                return made
        raise UnknownPersonError(
            Sentence(
                "You are signed in with %(title)s as %(claims)s, but the catalog has no user for "
                "you. Ask who keeps the users of the catalog to add you: by %(added)s.",
                title=provider.title,
                claims=shown_person(claims),
                added=_told(claims, provider),
            )
        )

    def is_known(self, user_ref: EntityRef, provider: SignInProvider) -> bool:
        """Return whether a user that a person of the provider was is one still."""
        is_made = provider.unknown == CREATE and user_ref.namespace == provider.id
        return is_made or self._catalog.body(user_ref) is not None

    def _candidates(self, claims: Mapping[str, Any], provider: SignInProvider) -> dict[EntityRef, Any]:
        """Return the Users that a person may be, by any of the ways."""
        ways: list[EntityFilter] = []
        if (subject := _claim(claims, provider.annotation_claim)) is not None:
            ways.append(Match.of(f"metadata.annotations.{provider.annotation}", [subject]))
        if (email := _email(claims, provider)) is not None:
            ways.append(Match.of(_EMAIL_KEY, [email]))
        bodies: list[str] = []
        if ways:
            query = EntityQuery(AllOf((Match.of("kind", ["user"]), AnyOf(tuple(ways)))))
            bodies += self._catalog.query(query, limit=_MOST, with_total=False).bodies
        if (name := _name_ref(claims, provider)) is not None:
            bodies += self._catalog.by_refs([name]).values()
        users = {}
        for entity in map(orjson.loads, bodies):
            metadata = entity["metadata"]
            users[EntityRef.of(entity["kind"], metadata.get("namespace", "default"), metadata["name"])] = entity
        return users


def profile_of(claims: Mapping[str, Any]) -> dict[str, str]:
    """Return how a person is shown, as Backstage's clients read it."""
    names = {"email": "email", "displayName": "name", "picture": "picture"}
    return {key: value for key, name in names.items() if (value := _claim(claims, name)) is not None}


def shown_person(claims: Mapping[str, Any]) -> str:
    """Return what a person is called at their provider."""
    found = (_claim(claims, name) for name in ("email", "preferred_username", "name", "sub"))
    return next((text for text in found if text is not None), "somebody")


def _is_meant(
    way: str, ref: EntityRef, entity: Mapping[str, Any], claims: Mapping[str, Any], provider: SignInProvider
) -> bool:
    """Return whether a User is the person, by one way. The index folds case, which counts in subjects."""
    if way == "annotation":
        annotations = entity["metadata"].get("annotations") or {}
        subject = _claim(claims, provider.annotation_claim)
        return subject is not None and annotations.get(provider.annotation) == subject
    if way == "email":
        profile = (entity.get("spec") or {}).get("profile") or {}
        email, held = _email(claims, provider), profile.get("email")
        return email is not None and isinstance(held, str) and held.casefold() == email.casefold()
    return ref == _name_ref(claims, provider)


def _claim(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    return value if isinstance(value, str) and value and "\0" not in value else None


def _email(claims: Mapping[str, Any], provider: SignInProvider) -> str | None:
    """Return the person's e-mail address, if it is known to be theirs: anybody can say that they are somebody else."""
    is_theirs = claims.get("email_verified") is True or provider.trusts_email
    return _claim(claims, "email") if is_theirs else None


def _name_ref(claims: Mapping[str, Any], provider: SignInProvider) -> EntityRef | None:
    name = _claim(claims, provider.name_claim)
    # Nothing that would be another reference than that of a user of the default namespace.
    return None if name is None or re.search(r"[:/\s]", name) else EntityRef.of("user", "default", name)


def _made_ref(claims: Mapping[str, Any], provider: SignInProvider) -> EntityRef:
    subject = str(claims["sub"])
    name = subject if _PLAIN.fullmatch(subject) else f"sub-{hashlib.sha256(subject.encode()).hexdigest()[:32]}"
    return EntityRef.of("user", provider.id, name)


def _told(claims: Mapping[str, Any], provider: SignInProvider) -> str:
    """Return what an entity would have to hold."""
    email, name = _email(claims, provider), _name_ref(claims, provider)
    found = {
        "annotation": Sentence(
            'the annotation %(name)s: "%(value)s"',
            name=provider.annotation,
            value=_claim(claims, provider.annotation_claim),
        ),
        "email": f'spec.profile.email "{email}"' if email is not None else None,
        "name": Sentence("the name %(name)s", name=name) if name is not None else None,
    }
    first, *others = [text for way in provider.match if (text := found[way]) is not None] or [Sentence("another rule")]
    said: str = first
    for other in others:
        said = Sentence("%(first)s, or %(other)s", first=said, other=other)
    return said
