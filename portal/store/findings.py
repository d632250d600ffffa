"""Keeps the findings of the newest survey at the catalog, each with since when it is there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from hashlib import sha256
from itertools import chain
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, delete, func, insert, select

from portal.graph.faults import mark_of
from portal.model.layer import Exemption, Finding
from portal.model.ref import EntityRef
from portal.model.sentence import restored, stored
from portal.store.bulk import insert_tuples
from portal.store.dialect import WANTED, among, among_wanted, in_chunks, once
from portal.store.tables import entities, findings, surveys

_TOLD = ("ref", "rule", "severity", "layer", "message", "said", "fix", "said_fix", "related", "exemption")
_COLUMNS = ("mark", "digest", *_TOLD, "after_revision", "revision")
#: So many rows are in memory at once beside what is made of them; row by row takes three times as long.
_AT_ONCE = 5_000
_OF_EACH = tuple(findings.c[name] for name in _TOLD)
_ON_ALL = select(*_OF_EACH).order_by(findings.c.ref, findings.c.rule, findings.c.message)
_ON_SOME = _ON_ALL.where(among_wanted(findings.c.ref))


class Seen(NamedTuple):
    """When a finding came up: not yet there at the revision `after`, there at `revision`."""

    after: int
    revision: int


class Survey(NamedTuple):
    """What a survey saw: its revision, on which day (ISO, UTC), with which rules (a digest)."""

    revision: int
    day: str
    rules: str


#: Nobody has surveyed yet.
NO_SURVEY = Survey(0, "", "")


def last_survey(connection: Connection) -> Survey:
    """Return the newest survey; what it found is kept."""
    columns = (surveys.c.revision, surveys.c.day, surveys.c.rules)
    row = once(connection, "survey", lambda: connection.execute(select(*columns)).one_or_none())
    return NO_SURVEY if row is None else Survey(*row)


def seen(connection: Connection) -> dict[str, Seen]:
    """Return when each finding came up, by its mark."""
    columns = (findings.c.mark, findings.c.after_revision, findings.c.revision)
    return {mark: Seen(after, revision) for mark, after, revision in connection.execute(select(*columns)).all()}


def kept(connection: Connection, refs: Collection[EntityRef] | None = None) -> list[Finding]:
    """Return what the newest survey has found, all or on some entities, by entity, rule and message."""
    if refs is None:
        return _told(connection.execute(_ON_ALL).partitions(_AT_ONCE))
    found: list[Finding] = []
    for chunk in in_chunks(sorted(ref for ref in set(refs) if "\0" not in ref)):
        found += _told(connection.execute(_ON_SOME, {WANTED: chunk}).partitions(_AT_ONCE))
    return found


def kept_of_owners(connection: Connection, owners: Collection[EntityRef], *, limit: int, offset: int) -> list[Finding]:
    """Return a page of what the newest survey has found on all that some answer for, in the order of `kept`."""
    wanted = (
        select(*_OF_EACH)
        .join(entities, entities.c.ref == findings.c.ref)
        .where(among(entities.c.owner, sorted(owners)))
        .order_by(findings.c.ref, findings.c.rule, findings.c.message)
    )
    return _told(connection.execute(wanted.limit(limit).offset(offset)).partitions(_AT_ONCE))


def kept_counts(connection: Connection) -> dict[str, int]:
    """Return how many findings the newest survey has on what each owner answers for, without what is exempt."""
    counted = (
        select(entities.c.owner, func.count())
        .select_from(findings)
        .join(entities, entities.c.ref == findings.c.ref)
        .where(findings.c.severity != "exempt", entities.c.owner.is_not(None))
        .group_by(entities.c.owner)
    )
    return {owner: count for owner, count in connection.execute(counted)}  # noqa: C416  # rows are no pairs to mypy


def keep(connection: Connection, found: Iterable[Finding], survey: Survey) -> int:
    """Bring what is kept to what a survey has found; what the survey before did not find came up after that.

    Returns how many findings have come, gone or changed.
    """
    before = last_survey(connection)
    columns = (findings.c.mark, findings.c.digest, findings.c.after_revision, findings.c.revision)
    known = {row.mark: row for row in connection.execute(select(*columns))}
    rows: dict[str, tuple[Any, ...]] = {}
    unchanged = set()
    for finding in found:
        mark, told = mark_of(finding), _telling(finding)
        digest = _digest(orjson.dumps(told))
        there = known.get(mark)
        if there is not None and there.digest == digest:
            unchanged.add(mark)
            continue
        since = Seen(before.revision, survey.revision) if there is None else Seen(there.after_revision, there.revision)
        rows[mark] = (mark, digest, *told, *since)
    obsolete = known.keys() - unchanged
    for chunk in in_chunks(sorted(obsolete)):
        connection.execute(delete(findings).where(among(findings.c.mark, chunk)))
    insert_tuples(connection, findings, _COLUMNS, list(rows.values()))
    connection.execute(delete(surveys))
    connection.execute(insert(surveys).values(survey._asdict()))
    return len(obsolete) + len(rows)


def _telling(finding: Finding) -> tuple[str | None, ...]:
    """Return what is told of a finding as a row has it. What many have in common is a text of its own there."""
    return (
        finding.ref,
        finding.rule,
        finding.severity,
        finding.layer,
        finding.message,
        stored(finding.message),
        finding.fix,
        stored(finding.fix),
        orjson.dumps(finding.related).decode() if finding.related else None,
        None if finding.exemption is None else orjson.dumps(finding.exemption.to_json()).decode(),
    )


def _told(portions: Iterable[Sequence[Any]]) -> list[Finding]:
    found = []
    # How to mend it, and the layer, are the same for many.
    fixes: dict[str, str] = {}
    layers: dict[str | None, EntityRef | None] = {None: None}
    for ref, rule, severity, layer, message, said, fix, said_fix, related, exemption in chain.from_iterable(portions):
        mended = fixes.get(fix)
        if mended is None:
            mended = fixes[fix] = restored(fix, said_fix)
        if layer not in layers:
            layers[layer] = EntityRef(layer)
        found.append(
            Finding(
                rule,
                severity,
                EntityRef(ref),
                layers[layer],
                restored(message, said),
                mended,
                () if related is None else tuple(map(EntityRef, orjson.loads(related))),
                None if exemption is None else _exemption(EntityRef(ref), rule, orjson.loads(exemption)),
            )
        )
    return found


def _exemption(ref: EntityRef, rule: str, told: Mapping[str, str]) -> Exemption:
    expires = date.fromisoformat(told["expires"])
    return Exemption(ref, rule, told["reason"], EntityRef(told["approver"]), expires, EntityRef(told["policy"]))


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()[:32]
