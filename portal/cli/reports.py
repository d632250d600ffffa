"""What a check has found, in the forms that other tools read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
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
    """All that is wrong, by place, beside what it was made from."""

    found: Validation
    faults: tuple[Fault, ...]

    @classmethod
    def of(cls, found: Validation, *, root: Path) -> Report:
        """Return the report of a check; paths are relative to `root` where they lie below it."""
        faults = [_problem_fault(problem, root) for problem in found.problems]
        for finding, location, span in found.findings:
            if finding.exemption is not None:
                # Nobody has to do anything about it before it ends; people read of it in the other answers.
                continue
            path = _relative(location, root)
            level: Level = "error" if finding.severity == "enforce" else "warning"
            identity = _identity(finding.rule, path, finding.ref, *finding.related, finding.message)
            message = f"{finding.ref}: {finding.message} {finding.fix}"
            faults.append(Fault(finding.rule, level, message, path, span.line, span.column, identity))
        return cls(found, tuple(sorted(faults, key=lambda fault: (fault.path, fault.line, fault.column, fault.code))))

    @property
    def errors(self) -> int:
        """How many faults would be refused."""
        return sum(fault.level == "error" for fault in self.faults)


def json_text(report: Report) -> str:
    """Return Portal's own JSON: entities, problems, findings, each with its file and line."""
    found = report.found
    findings = [
        finding.to_json() | {"location": location, "line": span.line} for finding, location, span in found.findings
    ]
    problems = [problem.to_json() for problem in found.problems]
    return _text(
        {
            "entities": found.entities,
            "problems": problems,
            "findings": findings,
            "knowsWholeCatalog": found.knows_all,
        }
    )


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
    driver = {"name": "Portal", "version": version("portal"), "rules": [_sarif_rule(code) for code in codes]}
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


def _problem_fault(problem: Problem, root: Path) -> Fault:
    path = _relative(problem.location, root)
    line, column = (problem.span.line, problem.span.column) if problem.span is not None else (1, 1)
    # What stands before the sentence is the place, which every form shows in its own way.
    message = str(problem.at("", None))
    identity = _identity(problem.code, path, problem.ref or "", problem.field, problem.found)
    return Fault(problem.code, problem.severity, message, path, line, column, identity)


def _sarif_rule(code: str) -> dict[str, Any]:
    for rule in RULES:
        if rule.id == code:
            return {"id": code, "shortDescription": {"text": rule.explanation}, "help": {"text": rule.fix}}
    return {"id": code, "shortDescription": {"text": f"{PROBLEM_MESSAGES[code]}."}}


def _relative(location: str, root: Path) -> str:
    path = Path(location.removeprefix("file:"))
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _identity(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _text(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
