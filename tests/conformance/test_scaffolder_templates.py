"""What a template may look like, against cases recorded from Backstage's own packages."""

from __future__ import annotations

import pytest
from casefiles import cases

from portal.defaults.kinds import all_kinds
from portal.ingest.check import check


@pytest.mark.parametrize("case", cases("scaffolder-cases.json", kinds={"template-validation"}))
def test_templates(case):
    faults = [fault for fault in check(case["input"]["template"], kinds=all_kinds()).faults if not fault.lenient]
    assert (not faults) is case["expect"]["valid"]
