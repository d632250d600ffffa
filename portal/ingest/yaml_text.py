"""Writes YAML that reads back as the same value under YAML 1.2, as catalogs are read, no less than under 1.1."""

from __future__ import annotations

from typing import Any

import yaml

from portal.ingest.scalars import core_value


class _Dumper(yaml.SafeDumper):
    """Quotes the texts that YAML 1.2 alone takes for something else, such as `1e3`; writes no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None if isinstance(core_value(text), str) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def to_yaml(value: Any) -> str:
    """Return a JSON value as YAML, members in their order."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
