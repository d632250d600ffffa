"""What a check has found, in the forms that other tools read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import orjson

from portal.graph.policies import RULES
from portal.model.problem import PROBLEM_MESSAGES, Problem
from portal.services.validation import Validation

Level = Literal["error", "warning"]

_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_GITLAB_SEVERITIES: Mapping[Level, str] = MappingProxyType({"error": "major", "warning": "minor"})


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: `path` is relative to the repository with `/`; line and column count from 1.

    `identity` stays the same while lines move.
    """

    code: str
    level: Level
    message: str
    path: str
    line: int
    column: int
    identity: str


@dataclass(frozen=True, slots=True)
class Report:
    """All that is wrong, by place.

    `value` is what Portal's own JSON tells of it. `rules` are the sentence and the way to fix of each code that is not
    that of a problem.
    """

    faults: tuple[Fault, ...]
    value: Mapping[str, Any]
    rules: Mapping[str, tuple[str, str]]

    @classmethod
    def made_of(
        cls, faults: Iterable[Fault], *, value: Mapping[str, Any], rules: Mapping[str, tuple[str, str]]
    ) -> Report:
        """Return the report of some faults."""
        by_place = sorted(faults, key=lambda fault: (fault.path, fault.line, fault.column, fault.code))
        return cls(tuple(by_place), value, rules)

    @classmethod
    def of(cls, found: Validation, *, root: Path) -> Report:
        """Return the report of a check; paths are relative to `root` where they lie below it."""
        faults = [problem_fault(problem, root) for problem in found.problems]
        for finding, location, span in found.findings:
            if finding.exemption is not None:
                # Nobody has to do anything about it before it ends; people read of it in the other answers.
                continue
            path = relative(location, root)
            level: Level = "error" if finding.severity == "enforce" else "warning"
            identity = identity_of(finding.rule, path, finding.ref, *finding.related, finding.message)
            message = f"{finding.ref}: {finding.message} {finding.fix}"
            faults.append(Fault(finding.rule, level, message, path, span.line, span.column, identity))
        rules = {rule.id: (rule.explanation, rule.fix) for rule in RULES}
        return cls.made_of(faults, value=_value(found), rules=rules)

    @property
    def errors(self) -> int:
        """How many faults would be refused."""
        return sum(fault.level == "error" for fault in self.faults)


def json_text(report: Report) -> str:
    """Return Portal's own JSON, each fault with its file and line."""
    return _text(report.value)


def sarif_text(report: Report) -> str:
    """Return SARIF 2.1.0, as GitHub code scanning and other tools read it."""
    codes = sorted({fault.code for fault in report.faults})
    results = [
        {
            "ruleId": fault.code,
            "ruleIndex": codes.index(fault.code),
            "level": fault.level,
            "message": {"text": fault.message},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": fault.path, "uriBaseId": "%SRCROOT%"},
                        "region": {"startLine": fault.line, "startColumn": fault.column},
                    }
                }
            ],
            "partialFingerprints": {"portalFault/v1": fault.identity},
        }
        for fault in report.faults
    ]
    driver = {
        "name": "Portal",
        "version": version("portal"),
        "rules": [_sarif_rule(code, report.rules) for code in codes],
    }
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return _text({"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]})


def github_text(report: Report) -> str:
    """Return workflow commands, which GitHub shows as annotations of lines. Rule: "Workflow commands", GitHub Docs."""
    return "".join(
        f"::{fault.level} file={_property(fault.path)},line={fault.line},col={fault.column},"
        f"title={_property(fault.code)}::{_data(fault.message)}\n"
        for fault in report.faults
    )


def gitlab_text(report: Report) -> str:
    """Return a Code Quality report. Rule: "Code Quality report format", GitLab Docs."""
    return _text(
        [
            {
                "description": fault.message,
                "check_name": fault.code,
                "fingerprint": fault.identity,
                "severity": _GITLAB_SEVERITIES[fault.level],
                "location": {"path": fault.path, "lines": {"begin": fault.line}},
            }
            for fault in report.faults
        ]
    )


#: How to tell of a check, by the name of the form.
FORMATS: Mapping[str, Callable[[Report], str]] = MappingProxyType(
    {"json": json_text, "sarif": sarif_text, "github": github_text, "gitlab": gitlab_text}
)


def problem_fault(problem: Problem, root: Path) -> Fault:
    """Return the fault that a problem is."""
    path = relative(problem.location, root)
    line, column = (problem.span.line, problem.span.column) if problem.span is not None else (1, 1)
    # What stands before the sentence is the place, which every form shows in its own way.
    message = str(problem.at("", None))
    identity = identity_of(problem.code, path, problem.ref or "", problem.field, problem.found)
    return Fault(problem.code, problem.severity, message, path, line, column, identity)


def _sarif_rule(code: str, rules: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    if code in rules:
        explanation, fix = rules[code]
        return {"id": code, "shortDescription": {"text": explanation}, "help": {"text": fix}}
    return {"id": code, "shortDescription": {"text": f"{PROBLEM_MESSAGES[code]}."}}


def _value(found: Validation) -> dict[str, Any]:
    """Return entities, problems, findings as JSON has them."""
    findings = [
        finding.to_json() | {"location": location, "line": span.line} for finding, location, span in found.findings
    ]
    problems = [problem.to_json() for problem in found.problems]
    return {
        "entities": found.entities,
        "problems": problems,
        "findings": findings,
        "knowsWholeCatalog": found.knows_all,
    }


def relative(location: str, root: Path) -> str:
    """Return the path of a file: from `root` where it lies below, with `/`."""
    path = Path(location.removeprefix("file:"))
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def identity_of(*parts: str) -> str:
    """Return what tells a fault from others, made of what stays the same while lines move."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _text(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
