"""Renders templates with cookiecutter's own environment; run by `portal.actions.child`, never imported.

It reads one JSON value, writes one, and opens no file of the template: its texts come with the request.
"""

from __future__ import annotations

import json
import resource
import sys
from typing import Any

_MEMORY_BYTES = 1024 * 1024 * 1024


def main() -> int:
    """Answer the request on standard input; return 3 where cookiecutter is not installed."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    seconds = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    try:
        import cookiecutter.generate  # noqa: F401, PLC0415  # what is missing is told by the exit
    except ImportError:
        return 3
    json.dump(_answer(json.load(sys.stdin)), sys.stdout)
    return 0


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    from cookiecutter import prompt  # noqa: PLC0415
    from cookiecutter.environment import ExtensionLoaderMixin  # noqa: PLC0415
    from cookiecutter.exceptions import CookiecutterException  # noqa: PLC0415
    from cookiecutter.generate import is_copy_only_path  # noqa: PLC0415
    from jinja2 import DictLoader, StrictUndefined, TemplateError  # noqa: PLC0415
    from jinja2.sandbox import SandboxedEnvironment  # noqa: PLC0415

    class Sandbox(ExtensionLoaderMixin, SandboxedEnvironment):  # type: ignore[misc]  # it has no types
        """Cookiecutter's environment, where templates reach no internals of Python."""

    def environment(context: dict[str, Any]) -> Sandbox:
        return Sandbox(context=context, undefined=StrictUndefined, keep_trailing_newline=True)

    texts, names = request["texts"], request["names"]
    # Prompts are prepared in an environment of their own making, which must be this one.
    prompt.create_env_with_context = environment
    place = "cookiecutter.json"
    try:
        context = {"cookiecutter": request["values"]}
        context["cookiecutter"] = dict(prompt.prompt_for_config(context, no_input=True))
        rendering = environment(context)
        rendering.loader = DictLoader(texts)
        reply: dict[str, Any] = {"names": {}, "texts": {}}
        for name in names:
            place = name
            reply["names"][name] = rendering.from_string(name).render(**context)
        for name in texts:
            place = name
            if not any(is_copy_only_path(part, context) for part in _with_parents(name)):
                reply["texts"][name] = rendering.get_template(name).render(**context)
    except (TemplateError, CookiecutterException, TypeError, ValueError, ArithmeticError, LookupError) as error:
        return {"error": f"{place}: {error}"}
    except (MemoryError, RecursionError, OverflowError) as error:
        return {"error": f"{place}: it needs too much: {type(error).__name__}"}
    return reply


def _with_parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]


if __name__ == "__main__":
    sys.exit(main())
