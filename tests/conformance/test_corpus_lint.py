"""Templates of real repositories: `portal template lint` finds what was looked at and is wrong, and no more."""

from __future__ import annotations

from collections import Counter

import pytest
from casefiles import CORPUS, manifest

from portal.app.dry_runs import bench_alone
from portal.config import load_settings

#: By rule: how many faults there are. Rules on what actions take, and on files that the corpus leaves out, say nothing
#: of the templates themselves.
FOUND = {
    "expression-invalid": 14,
    "filter-unknown": 5,
    "id-repeated": 1,
    "name-undefined": 4,
    "owner-missing": 1,
    "parameter-undefined": 30,
    "parameter-unused": 182,
    "secret-plain": 6,
    "step-undefined": 13,
}
ELSEWHERE = {
    "action-unknown",
    "cases-missing",
    "input-unknown",
    "input-missing",
    "input-refused",
    "output-undefined",
} | {
    "secret-written",
    "skeleton-missing",
    "value-undefined",
    "value-unused",
}


@pytest.mark.slow
@pytest.mark.skipif(not (CORPUS / "MANIFEST.tsv").exists(), reason=f"no corpus at {CORPUS}")
def test_what_is_found_in_the_corpus_is_wrong_there(tmp_path):
    files = [CORPUS / row["repo"].replace("/", "__") / row["path"] for row in manifest() if row["role"] == "template"]
    with bench_alone(load_settings(environment={}, overrides={"data": str(tmp_path)})) as bench:
        linted = bench.lint.lint(files)

    counts = Counter(fault.rule.id for fault in linted.faults)
    assert linted.templates == 202
    assert {rule: count for rule, count in counts.items() if rule not in ELSEWHERE} == FOUND
