"""Sparing memory."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from portal.services.memory import cycles_kept

PROGRAM = """
from pathlib import Path
from portal.services.memory import give_back

def held():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if "RssAnon" in line)

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


def test_the_collector_of_cycles_rests_and_goes_on_after_an_error_too() -> None:
    def failing() -> None:
        with cycles_kept():
            assert not gc.isenabled()
            raise ValueError("x")

    assert gc.isenabled()
    with pytest.raises(ValueError, match="x"):
        failing()
    assert gc.isenabled()
