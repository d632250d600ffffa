"""Catalog documents for tests, as YAML text."""

from __future__ import annotations


def entity(kind: str, name: str, spec: str = "", *, namespace: str = "", version: str = "backstage.io/v1alpha1") -> str:
    """Return one document; `spec` is the inside of a flow mapping."""
    place = f", namespace: {namespace}" if namespace else ""
    return f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}{place}}}\nspec: {{{spec}}}\n"


def component(name: str, *, owner: str = "team-a", more: str = "") -> str:
    """Return a Component."""
    return entity(
        "Component", name, f"type: service, lifecycle: production, owner: {owner}{', ' if more else ''}{more}"
    )


def group(name: str, *, more: str = "") -> str:
    """Return a Group."""
    return entity("Group", name, f"type: team, children: []{', ' if more else ''}{more}")


def location(name: str, *targets: str) -> str:
    """Return a Location."""
    return entity("Location", name, f"targets: [{', '.join(repr(target) for target in targets)}]")


def documents(*texts: str) -> str:
    """Return several documents as one file."""
    return "---\n".join(texts)
