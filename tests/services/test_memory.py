"""Giving memory back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
from pathlib import Path
from portal.services.memory import give_back

def held():
    return next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if "RssAnon" in line)

small = [bytes(60_000) for _ in range(2_000)]
pins = small[::200]
del small
before = held()
give_back()
print(before - held())
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="what a process holds is read from Linux")
def test_what_is_free_between_what_is_used_goes_back() -> None:
    found = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)

    assert int(found.stdout) > 50_000
