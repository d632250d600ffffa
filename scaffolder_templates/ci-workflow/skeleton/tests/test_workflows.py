"""The workflows of this repository have no faults; the checks find those that there could be."""

import pytest

from checks.workflows import check, check_all, workflow_files

GITHUB = """
on:
  workflow_call:
    inputs:
      folder: {description: Where, type: string}
permissions: {contents: read}
jobs:
  test:
    timeout-minutes: 5
    steps:
      - uses: actions/checkout@v4
      - run: pytest
"""
GITLAB = """
spec:
  inputs:
    folder: {description: Where}
---
test:
  image: python:3.12
  timeout: 5 minutes
  script: [pytest]
"""


def test_there_is_a_workflow_and_none_has_faults():
    assert workflow_files()
    assert check_all() == []


@pytest.mark.parametrize(("text", "is_gitlab"), [(GITHUB, False), (GITLAB, True)])
def test_a_good_workflow_has_no_faults(text, is_gitlab):
    assert check(text, is_gitlab=is_gitlab) == []


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("description: Where, ", "", "the input folder has no description"),
        ("permissions: {contents: read}", "", "says nothing of permissions"),
        ("timeout-minutes: 5", "runs-on: ubuntu-latest", "the job test has no timeout-minutes"),
        ("checkout@v4", "checkout@main", "uses actions/checkout@main"),
        ("checkout@v4", "checkout", "uses actions/checkout;"),
        ("run: pytest", "run: 'cd ${{ inputs.folder }}'", "puts what a caller sets into a script"),
        ("jobs:", "jobs: [", "is no YAML"),
    ],
)
def test_a_fault_of_a_github_workflow_is_told(before, after, fault):
    (found,) = check(GITHUB.replace(before, after), is_gitlab=False)

    assert fault in found


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("{description: Where}", "{default: x}", "the input folder has no description"),
        ("timeout: 5 minutes", "stage: test", "the job test has no timeout"),
        ("python:3.12", "python:latest", "name a version"),
        ("---", "", "expected two documents"),
    ],
)
def test_a_fault_of_a_gitlab_workflow_is_told(before, after, fault):
    (found,) = check(GITLAB.replace(before, after), is_gitlab=True)

    assert fault in found
