"""Tells people what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def markdown(
    name: str, candidate: Mapping[str, float], baseline: Mapping[str, float] | None, found: Sequence[str]
) -> str:
    """Return a report in Markdown."""
    lines = [f"# {name}", "", "| measure | candidate | in use |", "| --- | --- | --- |"]
    for measure, value in candidate.items():
        other = "" if baseline is None else f"{baseline[measure]:.4f}"
        lines.append(f"| {measure} | {value:.4f} | {other} |")
    verdict = "It may be released." if not found else "It must not be released:"
    return "\n".join([*lines, "", verdict, *(f"- {sentence}" for sentence in found)]) + "\n"
