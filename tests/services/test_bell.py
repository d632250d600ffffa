"""What wakes the looks into the queue."""

from __future__ import annotations

import threading

from portal.services.bell import Bell


def heard():
    told = []
    return Bell(
        gather=lambda: told.append("gather"), await_room=lambda: told.append("room"), rest_seconds=lambda: 0.0
    ), told


def test_a_look_gathers_only_what_was_rung_for():
    bell, told = heard()
    assert not bell.wait(0)
    assert told == ["room"]
    bell.ring()
    bell.ring()
    assert not bell.wait(600)
    assert told == ["room", "gather", "room"]
    assert not bell.wait(0)
    assert told[3:] == ["room"]


def test_what_rings_while_others_are_gathered_is_seen_by_the_same_look():
    rung = []
    bell = Bell(gather=lambda: rung.append(bell.ring()), await_room=lambda: None, rest_seconds=lambda: 0.0)
    bell.ring()
    assert not bell.wait(600)
    assert not bell.wait(0)
    assert len(rung) == 1


def test_a_rest_is_as_long_as_it_says_unless_somebody_rings():
    rests = iter((600.0, 0.0, 600.0))
    bell = Bell(gather=lambda: None, await_room=lambda: None, rest_seconds=lambda: next(rests))
    bell.ring()
    assert not bell.wait(0)
    assert not bell.wait(0)
    threading.Timer(0.05, bell.ring).start()
    assert not bell.wait(0)


def test_a_bell_that_is_set_ends_all_waits():
    bell, _ = heard()
    bell.set()
    assert bell.wait(600)
