"""Has routes make the code that puts their urls together when a url is first asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from werkzeug.routing import Rule


class LateRule(Rule):
    """A rule of a route that compiles nothing before it has to.

    Werkzeug compiles two programs for each of a hundred routes, of which a server's first answer uses none: 50 ms.
    Where another Werkzeug does not ask for them in this way, they are compiled at once.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:  # noqa: FBT001, FBT002  # Werkzeug's own
        compiled = cache(super()._compile_builder)

        def build(rule: Rule, /, **values: Any) -> tuple[str, str]:
            return compiled(append_unknown)(rule, **values)

        return build
