"""Long lists, a numbered page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

from flask import request, url_for

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class NumberedPage:
    """The part of a list of `total` items that is shown, and the addresses of the parts beside it."""

    number: int
    size: int
    total: int

    @classmethod
    def asked(cls, total: int, *, size: int) -> NumberedPage:
        """Return the page that the request asks for: the nearest one that there is."""
        number = request.args.get("page", 1, type=int)
        last = max(1, -(-total // size))
        return cls(min(max(number, 1), last), size, total)

    @property
    def offset(self) -> int:
        """How many items come before."""
        return (self.number - 1) * self.size

    @property
    def first(self) -> int:
        """The place of the first item shown, from 1; 0 where there is none."""
        return min(self.offset + 1, self.total)

    @property
    def last(self) -> int:
        """The place of the last item shown."""
        return min(self.offset + self.size, self.total)

    @property
    def previous_url(self) -> str | None:
        """The address of the page before, if there is one."""
        return self._url(self.number - 1) if self.number > 1 else None

    @property
    def next_url(self) -> str | None:
        """The address of the page after, if there is one."""
        return self._url(self.number + 1) if self.last < self.total else None

    def of(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return the items of this page."""
        return items[self.offset : self.offset + self.size]

    def _url(self, number: int) -> str:
        # Not by `url_for`, to which names such as `_scheme`, which anybody can write into an address, mean more.
        kept = [(name, value) for name, value in request.args.items(multi=True) if name != "page" and value]
        here = url_for(request.endpoint or "", **(request.view_args or {}))
        return f"{here}?{urlencode([*kept, ('page', number)])}"
