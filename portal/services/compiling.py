"""Compiles many files on all processors."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from multiprocessing.connection import Connection

from portal.ingest.check import Examine
from portal.ingest.compile import CompiledBatch, DraftFile, compile_files, parse_files
from portal.ingest.meaning import Annotate
from portal.ingest.placeholders import Resolve
from portal.ingest.yaml import YamlLimits
from portal.model.kind import Kinds
from portal.model.rules import Allows
from portal.services.template_advice import TemplateAdvice

#: A batch is about so large, and a file is never divided: its documents share leaves, and wait together.
_BATCH_BYTES = 400_000
_BATCH_FILES = 500
_Rules = tuple[Kinds, YamlLimits, Annotate, Allows | None, TemplateAdvice | None]
#: With fewer batches than this a process of its own costs more than it saves.
_WORTH_FORKING = 6


def compile_batches(
    contents: Mapping[str, bytes],
    *,
    kinds: Kinds,
    limits: YamlLimits,
    annotate: Annotate,
    allows: Allows | None = None,
    advice: TemplateAdvice | None = None,
) -> Iterator[CompiledBatch]:
    """Yield compiled files, batch by batch in the order given; none of them holds a placeholder.

    Large jobs are shared with forked processes where that is safe: on a system that forks, while this process has one
    thread. A fork holds files and kinds already, so that only what was found travels, and it ends when nobody reads
    from it any more. Elsewhere, as in a server, everything is done here.
    """
    batches = list(_batches(contents))
    rules = kinds, limits, annotate, allows, advice
    workers = min(os.cpu_count() or 1, len(batches) // (_WORTH_FORKING // 2))
    if len(batches) < _WORTH_FORKING or workers == 1 or not _may_fork():
        for batch in batches:
            yield _compiled(batch, rules)
        return
    context = multiprocessing.get_context("fork")
    pipes = [context.Pipe(duplex=False) for _ in range(workers)]
    processes = [
        context.Process(target=_work, args=(number, pipes, batches, rules), daemon=True) for number in range(workers)
    ]
    for process in processes:
        process.start()
    for _, sender in pipes:
        sender.close()
    try:
        for number in range(len(batches)):
            found = pipes[number % workers][0].recv()
            if isinstance(found, BaseException):
                raise found
            yield found
    finally:
        for receiver, _ in pipes:
            receiver.close()
        for process in processes:
            process.join()


def compile_drafts(
    drafts: Collection[DraftFile],
    *,
    kinds: Kinds,
    resolvers: Mapping[str, Resolve],
    annotate: Annotate,
    allows: Allows | None,
    advice: TemplateAdvice | None,
) -> CompiledBatch:
    """Compile parsed files as `compile_files` does; `advice` is asked about the templates among them."""
    opened: AbstractContextManager[Mapping[str, Examine]] = nullcontext({}) if advice is None else advice.open()
    with opened as examine:
        return compile_files(
            drafts, kinds=kinds, resolvers=resolvers, annotate=annotate, allows=allows, examine=examine
        )


def _work(
    number: int,
    pipes: Sequence[tuple[Connection, Connection]],
    batches: Sequence[Mapping[str, bytes]],
    rules: _Rules,
) -> None:
    """Compile every n-th batch in a process of its own, until all are done or nobody reads any more."""
    # An end that stays open here would keep this process waiting for a reader that has died.
    for place, (receiver, sender) in enumerate(pipes):
        receiver.close()
        if place != number:
            sender.close()
    sender = pipes[number][1]
    try:
        for batch in batches[number :: len(pipes)]:
            sender.send(_compiled(batch, rules))
    except BrokenPipeError:
        return
    except Exception as error:  # noqa: BLE001  # the process that reads raises it again
        sender.send(error)


def _compiled(contents: Mapping[str, bytes], rules: _Rules) -> CompiledBatch:
    kinds, limits, annotate, allows, advice = rules
    drafts = list(parse_files(contents, limits=limits).values())
    return compile_drafts(drafts, kinds=kinds, resolvers={}, annotate=annotate, allows=allows, advice=advice)


def _batches(contents: Mapping[str, bytes]) -> Iterator[Mapping[str, bytes]]:
    batch: dict[str, bytes] = {}
    size = 0
    for location, content in contents.items():
        if batch and (size + len(content) > _BATCH_BYTES or len(batch) == _BATCH_FILES):
            yield batch
            batch, size = {}, 0
        batch[location] = content
        size += len(content)
    if batch:
        yield batch


def _may_fork() -> bool:
    return "fork" in multiprocessing.get_all_start_methods() and threading.active_count() == 1
