"""What a step tells, gathered for a moment."""

from __future__ import annotations

import threading

import pytest
from waiting import eventually

from portal.scaffolder.task import log
from portal.services.telling import Telling


def messages(written):
    return [[event.body["message"] for event in events] for events in written]


def test_what_is_told_in_a_moment_is_written_at_once_in_its_order():
    written = []
    telling = Telling(written.append, seconds=600)
    telling.tell([log("a"), log("b")])
    telling.tell([log("c")])
    assert written == []
    telling.flush()
    assert messages(written) == [["a", "b", "c"]]
    telling.flush()
    assert len(written) == 1


def test_it_is_written_after_a_moment_though_nothing_more_is_told():
    written = []
    telling = Telling(written.append, seconds=0.01)
    for name in "ab":
        telling.tell([log(name)])
        eventually(lambda: messages(written)[-1:] == [[name]], "the moment")  # noqa: B023


def test_much_is_not_gathered_and_nothing_is_where_there_is_no_time():
    written = []
    telling = Telling(written.append, seconds=600)
    for number in range(1001):
        telling.tell([log(str(number))])
    assert [len(events) for events in written] == [500, 500]
    now = Telling(written.append, seconds=0)
    now.tell([log("now")])
    assert messages(written)[-1] == ["now"]


def test_whoever_may_not_write_hears_of_it_where_it_goes_on():
    tried = threading.Event()

    def refuse(events):
        tried.set()
        raise KeyboardInterrupt  # as what ends a job: no Exception

    telling = Telling(refuse, seconds=0.01)
    telling.tell([log("a")])
    assert tried.wait(60)
    for go_on in (lambda: telling.tell([log("b")]), telling.flush):
        with pytest.raises(KeyboardInterrupt):
            go_on()
