"""Entity references: the canonical `kind:namespace/name` text that names an entity everywhere."""

from __future__ import annotations

from typing import Self

from portal.errors import InputError
from portal.model.sentence import Sentence

DEFAULT_NAMESPACE = "default"
#: The kinds, lower case, whose entities own others.
PEOPLE = frozenset({"group", "user"})


class EntityRef(str):
    """A canonical entity reference, lower case, for example `component:default/billing`.

    A string subclass, so that one value serves as database key, JSON value and graph node. Build it with `parse` or
    `of`; the plain constructor trusts its argument (it is for text that the store has given back).
    """

    __slots__ = ()

    @classmethod
    def of(cls, kind: str, namespace: str, name: str) -> Self:
        """Return the reference of the entity with these three parts, in any case."""
        return cls(f"{kind}:{namespace}/{name}".lower())

    @classmethod
    def parse(cls, text: str, *, default_kind: str | None = None, default_namespace: str = DEFAULT_NAMESPACE) -> Self:
        """Return the canonical reference that `text` (`[kind:][namespace/]name`) stands for.

        Raises `InputError` when a part is empty, or the kind is missing without a default.
        """
        return cls.of(*split_ref(text, default_kind=default_kind, default_namespace=default_namespace))

    @property
    def kind(self) -> str:
        """The kind, lower case."""
        return self.partition(":")[0]

    @property
    def namespace(self) -> str:
        """The namespace, lower case."""
        return self.partition(":")[2].partition("/")[0]

    @property
    def name(self) -> str:
        """The name, lower case."""
        return self.partition("/")[2]


def split_ref(
    text: str, *, default_kind: str | None = None, default_namespace: str = DEFAULT_NAMESPACE
) -> tuple[str, str, str]:
    """Return (kind, namespace, name) of a reference, case kept.

    The first `:` ends the kind and the first `/` after it ends the namespace; a `/` before the `:` makes the colon
    part of the name. Raises `InputError` as `EntityRef.parse`. Rule: catalog-model 1.10 `parseEntityRef`.
    """
    if not text:
        raise InputError(Sentence("Entity reference must not be empty"))
    colon = text.find(":")
    slash = text.find("/")
    if 0 <= slash < colon:
        colon = -1
    kind = text[:colon] if colon >= 0 else default_kind
    namespace = text[colon + 1 : slash] if slash >= 0 else default_namespace
    name = text[max(colon, slash) + 1 :]
    if (colon >= 0 and not kind) or not namespace or not name:
        raise InputError(
            Sentence('Entity reference "%(text)s" was not on the form [<kind>:][<namespace>/]<name>', text=text)
        )
    if not kind:
        raise InputError(
            Sentence(
                'Entity reference "%(text)s" had missing or empty kind (e.g. did not start with '
                '"component:" or similar)',
                text=text,
            )
        )
    return kind, namespace, name
