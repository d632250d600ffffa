"""Writes YAML that reads back as the same value under YAML 1.2, as catalogs are read, no less than under 1.1."""

from __future__ import annotations

from typing import Any

import yaml

from portal.ingest.scalars import core_value


class _Dumper(yaml.SafeDumper):
    """Quotes the texts that YAML 1.2 alone takes for something else, such as `1e3`; writes no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


#: Ends of lines under YAML 1.1 alone, which PyYAML folds texts at: written out, they are none.
_OLD_BREAKS = frozenset("\x85\u2028\u2029")


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    if not _OLD_BREAKS.isdisjoint(text):
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
    style = "|" if "\n" in text else None if isinstance(core_value(text), str) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


class _IndentingDumper(_Dumper):
    """Begins the items of a list further right than the key of the list."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002  # its form
        super().increase_indent(flow, indentless=False)


def to_yaml(value: Any, *, indent: int = 2, width: int = 120, indents_lists: bool = False) -> str:
    """Return a JSON value as YAML, members in their order. `indent` is 2 to 9, `width` where long texts are folded."""
    return yaml.dump(
        value,
        Dumper=_IndentingDumper if indents_lists else _Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=width,
        indent=indent,
    )
