"""Finds what is wrong with a template's form."""

from __future__ import annotations

import re
from collections.abc import Iterator

from portal.scaffolder.form import Field, fields_below
from portal.scaffolder.parameters import owner_parameters, pages
from portal.scaffolder.step_rules import Found, meant
from portal.services.template_draft import Draft

#: What the last word of a name is where its value should be seen by nobody.
_SECRET_WORDS = frozenset({"password", "passwd", "passphrase", "secret", "token", "credentials"})
_SECRET_PAIRS = frozenset({("api", "key"), ("private", "key"), ("access", "key"), ("secret", "key")})
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SECRET_FIELD = "Secret"  # noqa: S105  # the name of a field
#: In a text that cannot be parsed: a parameter by its name, or one, or all, that nobody can tell.
_NAMED = re.compile(r"\bparameters\s*\.\s*(\w+)")
_COMPUTED = re.compile(r"\bparameters\b(?!\s*\.\s*\w)")
#: Fields that read another parameter, without an expression.
_READING_FIELDS = {"RepoBranchPicker": "repoUrl"}


def unused_parameters(draft: Draft) -> Iterator[Found]:
    """Yield parameters that nothing uses, where no computed name could mean them."""
    faulty = [text.content for text in draft.texts if text.fault is not None]
    if not draft.has_all_steps or any(_COMPUTED.search(content) for content in faulty):
        return
    paths = [use.path for _, syntax in draft.parsed() for use in syntax.uses]
    if ("parameters",) in paths:
        return
    used = _used_by_the_form(draft) | {path[1] for path in paths if path[0] == "parameters"}
    used |= {name for content in faulty for name in _NAMED.findall(content)}
    secrets = {path[1] for path in paths if path[0] == "secrets" and path != ("secrets",)}
    secrets |= draft.form.names if ("secrets",) in paths else set()
    told: set[str] = set()
    for field in draft.form.fields:
        names = used | secrets if field.schema.get("ui:field") == _SECRET_FIELD else used
        is_shown_only = field.schema.get("type") == "null" or field.is_custom
        if field.name not in names and field.name not in told and not is_shown_only:
            told.add(field.name)
            yield Found(field.path, field.name)


def _used_by_the_form(draft: Draft) -> set[str]:
    """Return the parameters that need no expression: they steer the form, or are read by Portal or other fields."""
    owners = owner_parameters(pages(draft.template)) if draft.spec.get("creates") else []
    fields = {str(field.schema.get("ui:field")) for field in draft.form.fields}
    return {
        *draft.form.steering,
        *draft.form.mentioned,
        *owners,
        *(read for name, read in _READING_FIELDS.items() if name in fields),
    }


def undefined_parameters(draft: Draft) -> Iterator[Found]:
    """Yield uses of parameters that the form does not ask for."""
    if draft.form.is_open:
        return
    names = draft.form.names | draft.form.mentioned
    for text, syntax in draft.parsed():
        for use in syntax.uses:
            if use.path[0] == "parameters" and len(use.path) > 1 and use.path[1] not in names:
                yield Found(
                    text.path,
                    ".".join(use.path[:2]),
                    meant(use.path[1], names),
                    use.place,
                    text.content,
                    level="warning" if use.is_guarded else None,
                )


def unreachable_branches(draft: Draft) -> Iterator[Found]:
    """Yield parts of pages that no value opens."""
    names = draft.form.names
    for branch in draft.form.branches:
        if draft.form.is_open:
            return
        if branch.name not in names:
            yield Found(branch.path, f"what {branch.name} opens, which no page asks for", meant(branch.name, names))
            continue
        choices = draft.form.choices(branch.name)
        if branch.values is not None and choices is not None and not any(value in choices for value in branch.values):
            offered = ", ".join(map(shown, choices))
            yield Found(
                branch.path,
                f"what {branch.name} opens with {' or '.join(map(shown, branch.values))}",
                f"It offers {offered}",
            )


def missing_owner(draft: Draft) -> Iterator[Found]:
    """Yield that nobody answers for the template itself."""
    if not draft.spec.get("owner") and not draft.spec.get("owners"):
        yield Found(("spec",), "no owner")


def created_without_owner(draft: Draft) -> Iterator[Found]:
    """Yield that what the template creates can have no owner, or may be given none."""
    if not draft.spec.get("creates") or draft.form.is_open:
        return
    names = owner_parameters(pages(draft.template))
    if not names:
        yield Found(("spec", "creates"), "no parameter that asks for an owner")
        return
    asked = [field for field in draft.form.fields if field.name in names]
    if not any(field.is_required or "default" in field.schema for field in asked):
        yield Found(asked[0].path, f"{asked[0].name}, which may be left empty", level="warning")


def plain_secrets(draft: Draft) -> Iterator[Found]:
    """Yield parameters that take a secret as an ordinary value, which is stored and shown."""
    for field in draft.form.fields:
        schema = field.schema
        if schema.get("type", "string") != "string" or _is_hidden(field):
            continue
        # Who offers values means the name of a secret, which is none.
        offers = bool(schema.get("default")) or "enum" in schema
        if schema.get("ui:widget") == "password" or (names_secret(field.name) and not offers):
            yield Found(field.path, field.name)


def names_secret(name: str) -> bool:
    """Return whether a name is that of a secret: `dbPassword`, `api_key`, not `secretName`."""
    words = tuple(word.lower() for word in _WORD.findall(name))
    return bool(words) and (words[-1] in _SECRET_WORDS or words[-2:] in _SECRET_PAIRS)


def _is_hidden(field: Field) -> bool:
    return any(schema.get("ui:field") == _SECRET_FIELD for schema in fields_below(field.schema))


def shown(value: object) -> str:
    """Return a constant as a template has it."""
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
