"""Shows the documents of an entity as text, with the place in its file where something stands."""

from __future__ import annotations

import orjson

from portal.ingest.yaml_text import to_yaml
from portal.model.problem import Problem
from portal.web.entity_frame import Frame

#: Longer documents are shown as JSON, which is written a hundred times as fast; of that so much is shown.
_LONGEST_YAML, _LONGEST_SHOWN = 30_000, 300_000


def as_yaml(text: str) -> str:
    """Return a JSON text as people write YAML; a long one as JSON, which is YAML too, cut where it is too long."""
    value = orjson.loads(text)
    if len(text) <= _LONGEST_YAML:
        return to_yaml(value)
    written = orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    return written if len(written) <= _LONGEST_SHOWN else f"{written[:_LONGEST_SHOWN]}\n…"


def place_url(frame: Frame, problem: Problem) -> str:
    """Return where a problem can be seen in its file, empty where nowhere.

    GitHub, GitLab, Gitea and their kin all name a line of a file `#L12`.
    """
    if not frame.view_url or not frame.location.endswith(problem.location):
        return ""
    return f"{frame.view_url}#L{problem.span.line}" if problem.span is not None else frame.view_url
