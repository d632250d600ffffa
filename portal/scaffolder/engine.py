"""Renders template expressions with nunjitsu inside QuickJS.

Beside `portal.actions.scripting` the one module that knows of the JavaScript engine; the bundle that it runs is
`frontend/engine/entry.js`, built by `hatch_build.py`. JSON text alone crosses the border.

Two modes (`reference: scaffolder-api 2`): *value mode* for what stands in a template's steps, where a lone `${{ }}`
keeps its type while faults leave the source as it was, *file mode* for file bodies with their names, where the result
is always text while a fault is an error.

Both nunjitsu (work units, nesting, output) and QuickJS (memory, CPU time, stack) limit what a template may use. After
a limit of QuickJS was reached its context is thrown away, the next render gets a new one.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from queue import LifoQueue
from types import MappingProxyType
from typing import Any, Literal, Self, TypeVar

import quickjs

from portal.errors import InputError, PortalError, ServiceUnavailableError, TemplateError
from portal.scaffolder.nested import Coercion, rebuilt, texts_in
from portal.scaffolder.plain_lines import NamedTexts, sparing
from portal.scaffolder.values import UNDEFINED, Undefined

Filter = Callable[..., Any]
_T = TypeVar("_T")

#: What a filter may raise about the values that a template handed to it. Anything else is a fault of the program.
_FILTER_FAULTS = (PortalError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)

_PLACE = re.compile(r"^Template error at line \d+, column \d+: | at line \d+, column \d+$")
#: What nunjitsu says where JavaScript itself failed, which is mostly for want of memory.
_HIDDEN_FAULTS = ("out of memory", "Template evaluation failed", "Template rendering failed")


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """What one call of the engine may use, with how many calls may run at once.

    `time_seconds` is CPU time of the process (QuickJS counts with `clock()`), so other busy threads shorten it.
    """

    memory_bytes: int = 128 * 1024 * 1024
    time_seconds: float = 10.0
    stack_bytes: int = 8 * 1024 * 1024
    contexts: int = 2


@dataclass(frozen=True, slots=True)
class TextSource:
    """A text to render; `name` is how an error names it, such as a file's path."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class RenderWarning:
    """A text of a value that could not be rendered, so that it stayed as it was.

    `path` is where it stands in the value, dotted (`values.tags.0`), empty for the value itself.
    """

    path: str
    source: str
    message: str

    def __str__(self) -> str:
        """Return `path: message; the text stayed as it was: source`."""
        return f"{self.path or 'value'}: {self.message}; the text stayed as it was: {self.source}"


@dataclass(frozen=True, slots=True)
class Rendered:
    """A rendered value.

    `status_functions_called` tells whether always() or failure() was called, which lets a step run after a failure.
    """

    value: Any | Undefined
    warnings: tuple[RenderWarning, ...] = ()
    status_functions_called: bool = False


class Engine:
    """Renders templates; may be used from any thread, though not after a fork.

    `bundle` is the text of engine.js. `filters` maps the name that a template uses to a function of the input and the
    arguments, all JSON values or `UNDEFINED`; it returns one of these or raises `InputError` for what it cannot take.
    A filter is a pure function, for it can be called more often than a template shows; it must not render. The
    `functions` are the same, called by name with the arguments alone; `values` are names in scope, which those of a
    call hide. `seeds` feeds the `random` filter, which fails without it. Contexts are started when first needed, freed
    by `close`.
    """

    def __init__(
        self,
        bundle: str,
        *,
        filters: Mapping[str, Filter],
        functions: Mapping[str, Filter] = MappingProxyType({}),
        values: Mapping[str, Any] = MappingProxyType({}),
        limits: EngineLimits | None = None,
        seeds: Callable[[], int] | None = None,
    ) -> None:
        # Told apart in questions: a function may have the name of a filter.
        self._called = {**filters, **{f"{name}()": function for name, function in functions.items()}}
        self._values = dict(values)
        self._seeds = seeds
        self._limits = limits or EngineLimits()
        names = list(filters), list(functions)
        self._lanes = [_Lane(bundle, *names, self._limits) for _ in range(self._limits.contexts)]
        self._idle: LifoQueue[_Lane] = LifoQueue()
        for lane in self._lanes:
            self._idle.put(lane)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free all contexts once the calls under way have ended; later calls raise `ServiceUnavailableError`."""
        for lane in self._lanes:
            lane.close()

    def render_value(
        self, value: Any, context: Mapping[str, Any], *, failed: bool = False, coercion: Coercion = "none"
    ) -> Rendered:
        """Return `value` (any JSON value) with every text in it rendered, keys excepted.

        A text that is one `${{ }}` alone gives the expression's own value. A member without a value is left out, a
        list item without one becomes None, the whole value without one is `UNDEFINED`. A text with a fault stays as it
        is, told by a warning. `context` holds the names in scope. `failed` is what failure() answers. With coercion
        `json`, a text that is one block or expression is decoded as JSON where possible, as before scaffolder-backend
        4.0.3. Raises `TemplateError` when a limit is reached, or for a context that cannot cross to the engine.
        """
        found = list(texts_in(value, (), coercion))
        if not found:
            return Rendered(rebuilt(value, (), {}))
        sources = [TextSource(".".join(map(str, path)) or "value", text) for path, text in found]
        reply = self._render("value", sources, context, failed=failed, coercion=coercion)
        results: dict[tuple[str | int, ...], Any] = {}
        warnings = []
        for (path, text), outcome in zip(found, reply.outcomes, strict=True):
            if "error" in outcome:
                warnings.append(RenderWarning(".".join(map(str, path)), text, _sentence(outcome["error"])))
            else:
                results[path] = _unwrap(outcome["value"])
        return Rendered(rebuilt(value, (), results), tuple(warnings), reply.status_functions_called)

    def render_texts(
        self,
        sources: Sequence[TextSource],
        context: Mapping[str, Any],
        *,
        cookiecutter_compat: bool = False,
        trim_blocks: bool = False,
        lstrip_blocks: bool = False,
    ) -> list[str]:
        """Return the rendered texts in the order of `sources`.

        `cookiecutter_compat` takes `{{ }}` for variables, with Jinja's True, None and methods of mappings. Raises
        `TemplateError`, naming the source and the line, for the first source with a fault.
        """
        texts = []
        for outcome in self.attempt_texts(
            sources,
            context,
            cookiecutter_compat=cookiecutter_compat,
            trim_blocks=trim_blocks,
            lstrip_blocks=lstrip_blocks,
        ):
            if isinstance(outcome, TemplateError):
                raise outcome
            texts.append(outcome)
        return texts

    def attempt_texts(
        self,
        sources: Sequence[TextSource],
        context: Mapping[str, Any],
        *,
        cookiecutter_compat: bool = False,
        trim_blocks: bool = False,
        lstrip_blocks: bool = False,
    ) -> list[str | TemplateError]:
        """Return for each source its rendered text or its fault; raise only when a limit stops the whole call."""
        if not sources:
            return []
        options = {
            "cookiecutterCompat": cookiecutter_compat,
            "trimBlocks": trim_blocks,
            "lstripBlocks": lstrip_blocks,
        }

        def attempt(asked: Sequence[tuple[int, str]]) -> list[str | TemplateError]:
            named = [TextSource(sources[index].name, text) for index, text in asked]
            reply = self._render("text", named, context, options=options)
            return [
                _fault(source, outcome["error"]) if "error" in outcome else str(outcome["value"][0])
                for source, outcome in zip(named, reply.outcomes, strict=True)
            ]

        named = NamedTexts(context, opening="{{" if cookiecutter_compat else "${{")
        return sparing([source.text for source in sources], named, attempt)

    def parse_texts(self, texts: Sequence[str], *, cookiecutter_compat: bool = False) -> list[dict[str, Any]]:
        """Return for each text its syntax `tree`, or its `error` with message, line and column (from 0)."""
        if not texts:
            return []
        request = _encode({"sources": list(texts), "cookiecutterCompat": cookiecutter_compat})
        with self._lane() as lane:
            reply = lane.call("parse", request, sources=[TextSource("text", text) for text in texts])
        outcomes: list[dict[str, Any]] = reply["outcomes"]
        return outcomes

    def words(self) -> dict[str, list[str]]:
        """Return the names of all `filters` and `tests`."""
        with self._lane() as lane:
            return lane.call("words", "", sources=[TextSource("words", "")])

    def _render(
        self,
        mode: Literal["value", "text"],
        sources: Sequence[TextSource],
        context: Mapping[str, Any],
        *,
        options: Mapping[str, bool] | None = None,
        failed: bool = False,
        coercion: Coercion = "none",
    ) -> _Reply:
        request = _encode(
            {
                "mode": mode,
                "sources": [source.text for source in sources],
                "context": {**self._values, **context},
                "options": options or {},
                "coercion": coercion,
                "failed": failed,
                "seed": None if self._seeds is None else self._seeds() & 0x7FFFFFFF,
            }
        )
        with self._lane() as lane:
            reply = lane.call("start", request, sources=sources)
            while "questions" in reply:
                answers = [(question, self._answer(question)) for question in reply["questions"]]
                reply = lane.call("resume", _encode(answers), sources=sources)
        if "refused" in reply:
            raise TemplateError(f"The names in scope cannot be given to the template engine: {reply['refused']}")
        return _Reply(reply["outcomes"], reply["statusFunctionsCalled"])

    @contextmanager
    def _lane(self) -> Iterator[_Lane]:
        lane = self._idle.get()
        try:
            lane.begin()
            yield lane
        finally:
            self._idle.put(lane)

    def _answer(self, question: str) -> dict[str, Any]:
        """Call what a render waits for; return its result or its fault in the border's encoding."""
        name, operands = json.loads(question)
        try:
            result = self._called[name](*map(_unwrap, operands))
        except _FILTER_FAULTS as error:
            return {"error": error.message if isinstance(error, PortalError) else f"{type(error).__name__}: {error}"}
        return {"value": [] if result is UNDEFINED else [result]}


@dataclass(frozen=True, slots=True)
class _Reply:
    outcomes: Sequence[Mapping[str, Any]]
    status_functions_called: bool


class _Lane:
    """One thread with the QuickJS context that lives in it.

    A context crashes when two threads use it, even one after the other, and its stack limit must fit its thread's: so
    each has a thread of its own, started with room for it.
    """

    def __init__(
        self, bundle: str, filter_names: Sequence[str], function_names: Sequence[str], limits: EngineLimits
    ) -> None:
        self._bundle = bundle
        self._filter_names = filter_names
        self._function_names = function_names
        self._limits = limits
        self._thread: ThreadPoolExecutor | None = None
        self._context: Any = None
        self._functions: dict[str, Callable[..., Any]] = {}
        self._remaining_seconds = 0.0
        self._lock = threading.Lock()
        self._closed = False

    def begin(self) -> None:
        """Give the next render its whole time; raises `ServiceUnavailableError` after `close`."""
        with self._lock:
            if self._closed:
                raise ServiceUnavailableError("The template engine is closed")
            if self._thread is None:
                self._thread = _spawn(self._limits.stack_bytes + 2 * 1024 * 1024)
        self._remaining_seconds = self._limits.time_seconds

    def close(self) -> None:
        """Free the context and its thread."""
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.submit(self._drop).result()
            thread.shutdown()

    def call(self, function: str, argument: str, *, sources: Sequence[TextSource]) -> dict[str, Any]:
        """Call a function of the bundle; raise `TemplateError` naming the source that reached a limit."""
        reply: dict[str, Any] = self._run(lambda: self._call(function, argument, sources))
        self._remaining_seconds -= reply.get("spent", 0.0)
        if self._remaining_seconds <= 0 and "questions" in reply:
            raise TemplateError(f"The templates ask for filters for longer than {self._limits.time_seconds:g} s")
        return reply

    def _run(self, work: Callable[[], _T]) -> _T:
        thread = self._thread
        if thread is None:
            raise ServiceUnavailableError("The template engine is closed")
        return thread.submit(work).result()

    def _call(self, function: str, argument: str, sources: Sequence[TextSource]) -> dict[str, Any]:
        try:
            if self._context is None:
                self._start()
            self._context.set_time_limit(self._remaining_seconds)
            reply: dict[str, Any] = json.loads(self._functions[function](argument))
        except quickjs.JSException as error:
            fault = self._fault(error, sources)
        else:
            self._distrust(reply)
            return reply
        raise fault  # out here, as a context reachable from a traceback would be freed in another thread

    def _start(self) -> None:
        context = quickjs.Context()
        context.set_max_stack_size(self._limits.stack_bytes)
        context.set_memory_limit(self._limits.memory_bytes)
        context.eval(self._bundle)
        bridge = {name: context.eval(f"portalEngine.{name}") for name in _BRIDGE}
        bridge["configure"](json.dumps(self._filter_names))
        if self._function_names:
            bridge["provide"](json.dumps(self._function_names))
        self._context, self._functions = context, bridge

    def _drop(self) -> None:
        self._functions = {}
        self._context = None

    def _distrust(self, reply: Mapping[str, Any]) -> None:
        """Drop the context after a fault behind which nunjitsu hides a full memory or stack."""
        faults = [outcome["error"] for outcome in reply.get("outcomes", ()) if "error" in outcome]
        if any(fault["line"] is None or _sentence(fault) in _HIDDEN_FAULTS for fault in faults):
            self._drop()

    def _fault(self, error: Exception, sources: Sequence[TextSource]) -> TemplateError:
        """Drop the context; return what stopped it, with the source that it was rendering."""
        try:
            current = self._functions["current"]() if self._functions else 0
        except quickjs.JSException:  # not even room to answer that
            current = 0
        self._drop()
        limits = self._limits
        first_line = str(error).partition("\n")[0]
        if "interrupted" in first_line:
            reason = f"takes longer than {limits.time_seconds:g} s of CPU time; it may loop without end"
        elif "out of memory" in first_line or first_line == "null":  # no room even for an error
            reason = f"needs more than {limits.memory_bytes // 1024**2} MiB of memory"
        elif isinstance(error, quickjs.StackOverflow):
            reason = "is nested too deeply"
        else:
            reason = f"stops the template engine: {first_line}"
        return TemplateError(f"{sources[current].name}: rendering {reason}")


_BRIDGE = ("configure", "provide", "start", "resume", "current", "parse", "words")


def _spawn(stack_bytes: int) -> ThreadPoolExecutor:
    """Return an executor whose only thread runs already, with a stack of `stack_bytes`."""
    with _SPAWNING:  # the stack size of new threads is one setting for the whole process
        before = threading.stack_size(stack_bytes)
        try:
            executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="template-engine")
            executor.submit(int).result()
        finally:
            threading.stack_size(before)
    return executor


_SPAWNING = threading.Lock()


def _encode(value: Any) -> str:
    """Return JSON in ASCII: QuickJS's binding loses text after a NUL, and refuses lone surrogates."""
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"A value for the template engine is not JSON: {error}") from error


def _unwrap(wrapped: Sequence[Any]) -> Any | Undefined:
    return wrapped[0] if wrapped else UNDEFINED


def _sentence(error: Mapping[str, Any]) -> str:
    """Return nunjitsu's message without its place, which is told beside it."""
    return _PLACE.sub("", error["message"])


def _fault(source: TextSource, error: Mapping[str, Any]) -> TemplateError:
    place = ":".join(str(part) for part in (source.name, error["line"], error["column"]) if part is not None)
    sentence = _sentence(error)
    hint = "; it may need more memory than it is given" if sentence in _HIDDEN_FAULTS else ""
    return TemplateError(f"{place}: {sentence}{hint}")
