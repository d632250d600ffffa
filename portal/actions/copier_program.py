"""Renders a folder with copier; run by `portal.actions.child`, never imported.

It works in its folder: what is in `template` there is rendered into `target` beside it.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import Any

_MEMORY_BYTES = 2 * 1024 * 1024 * 1024
_FILE_BYTES = 64 * 1024 * 1024


def main() -> int:
    """Answer the request on standard input; return 3 where copier is not installed."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    seconds = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_BYTES, _FILE_BYTES))
    try:
        import copier  # noqa: F401, PLC0415  # what is missing is told by the exit
    except ImportError:
        return 3
    json.dump(_answer(json.load(sys.stdin)), sys.stdout)
    return 0


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    from copier import run_copy  # noqa: PLC0415
    from copier.errors import CopierError, ForbiddenPathError  # noqa: PLC0415
    from jinja2 import TemplateError  # noqa: PLC0415

    here = Path.cwd()
    try:
        worker = run_copy(
            str(here / "template"),
            here / "target",
            data=request["values"],
            defaults=True,
            overwrite=True,
            quiet=True,
            unsafe=False,
            skip_tasks=True,
        )
    except ForbiddenPathError as error:
        # An absolute one may be what a pattern has found elsewhere, which is nothing to tell.
        found = "" if '"/' in str(error) else f": {str(error).partition(chr(10))[0]}"
        return {"error": f"a path leads out of the template or its target{found}"}
    except CopierError as error:
        return {"error": f"{type(error).__name__}: {_shown(error, here)}"}
    except (TemplateError, OSError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        return {"error": _shown(error, here)}
    except (MemoryError, RecursionError) as error:
        return {"error": f"it needs too much: {type(error).__name__}"}
    return {"tasks": len(worker.template.tasks)}


def _shown(error: Exception, here: Path) -> str:
    """Return what an error says, without how to lift the check that it comes from."""
    return str(error).replace(f"{here}/", "").partition("\n")[0]


if __name__ == "__main__":
    sys.exit(main())
