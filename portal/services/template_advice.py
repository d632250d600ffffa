"""Warns of steps that do not fit together in templates that come into the catalog."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from portal.errors import TemplateError
from portal.ingest.check import Examine
from portal.model.envelope import FieldFault
from portal.model.fields import Fault
from portal.model.sentence import Sentence
from portal.scaffolder.step_rules import STEP_FIXES, STEP_RULES, Found
from portal.scaffolder.steps import outline_of

if TYPE_CHECKING:
    from portal.scaffolder.engine import Engine

#: Of one template no more is told: what a file may hold would otherwise be looked up, placed, stored line by line.
MOST_WARNINGS = 50
_EXPECTED: Mapping[str, str] = {
    "action-unknown": Sentence("the id of an action that is installed"),
    "id-repeated": Sentence("an id that no other step has"),
    "step-undefined": Sentence("the id of a step of this template"),
    "step-later": Sentence("a step before this one"),
}


class TemplateAdvice:
    """The rules on steps that `portal template lint` has, as the ingest asks them: what they find are warnings.

    `actions` are the ids of those that are installed. `open_engine` makes what reads expressions; it is called when a
    template first has one that may name a step.
    """

    def __init__(self, *, actions: Collection[str], open_engine: Callable[[], Engine]) -> None:
        self._actions = frozenset(actions)
        self._open_engine = open_engine

    def fingerprint(self) -> str:
        """Return a text that changes whenever something else may be found in the same templates."""
        return repr((sorted(STEP_RULES), sorted(self._actions)))

    @contextmanager
    def open(self) -> Iterator[Mapping[str, Examine]]:
        """Give what examines the documents of a batch, by kind.

        The engine is closed with it: its thread would keep later batches from being shared with forked processes.
        """
        with ExitStack() as stack:
            yield {"Template": partial(self._warnings, _Parser(self._open_engine, stack))}

    def _warnings(self, parse: _Parser, template: Mapping[str, Any]) -> list[FieldFault]:
        """Return what does not fit in a template, an action once however many steps name it."""
        outline = outline_of(template, parse=parse, actions=self._actions)
        found = ((code, item) for code, rule in STEP_RULES.items() for item in rule(outline))
        return list(islice(_once(found), MOST_WARNINGS))


def _once(found: Iterator[tuple[str, Found]]) -> Iterator[FieldFault]:
    told: set[tuple[object, ...]] = set()
    for code, item in found:
        key = (code, item.found) if code == "action-unknown" else (code, item.path, item.found)
        if key not in told:
            told.add(key)
            hint = item.hint or STEP_FIXES[code]
            yield FieldFault(item.path, Fault(code, _EXPECTED[code], hint), item.found, lenient=True)


class _Parser:
    """Parses texts with an engine that is opened when there are any."""

    def __init__(self, open_engine: Callable[[], Engine], stack: ExitStack) -> None:
        self._open = open_engine
        self._stack = stack
        self._engine: Engine | None = None

    def __call__(self, texts: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        if not texts:
            return []
        if self._engine is None:
            self._engine = self._stack.enter_context(self._open())
        try:
            return self._engine.parse_texts(texts)
        except TemplateError as error:
            # A limit was reached: what nobody can read is no reason to keep the rest of the source waiting.
            return [{"error": {"message": error.message, "line": 0, "column": 0}}] * len(texts)
