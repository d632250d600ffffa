"""The first template that docs/templates.md walks through does what is told there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from servers import ROOT


@pytest.mark.slow
def test_the_walk_runs_as_it_is_written(tmp_path: Path) -> None:
    text = (ROOT / "docs/templates.md").read_text(encoding="utf-8")
    section = text.partition("## A first template")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 6

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(blocks)],
        cwd=tmp_path,
        env=os.environ
        | {
            "CLONE": str(ROOT),
            # Where the clone has no environment of its own, the one of the tests has the command.
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "160",
        },
        capture_output=True,
        text=True,
        check=False,
    )

    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    assert "3 passed, 0 failed" in told
    assert "Who could own: group:default/demand-forecast" in told
    assert "component:default/line-counter" in told
    assert done.stdout.splitlines()[-2:] == ["* @demand-forecast", "2"]
