import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.graph.drift import Author, BotNames, Drift, FolderOf, Memberships, Touch, drift, effort, order
from portal.model.ref import EntityRef

DAY = 86_400
NOW = 1_700_000_000
USERS = [EntityRef(f"user:default/u{number}") for number in range(4)]
GROUPS = [EntityRef(f"group:default/g{number}") for number in range(4)]
#: The first four are users of the catalog, two are strangers, one is a bot.
AUTHORS = [
    *(Author(f"U{number}", f"u{number}@example.com") for number in range(4)),
    Author("Stranger", "s@example.com"),
    Author("Stranger", "t@example.com"),
    Author("dependabot[bot]", "support@example.com"),
]
KNOWN = dict(zip(AUTHORS, USERS, strict=False))
is_bot = BotNames(["*[bot]*"])

touches = st.lists(st.builds(Touch, st.sampled_from(AUTHORS), st.integers(NOW - 2_000 * DAY, NOW + DAY)), max_size=30)
members = st.dictionaries(st.sampled_from(GROUPS), st.lists(st.sampled_from(USERS), max_size=4))
below = st.dictionaries(st.sampled_from(GROUPS), st.lists(st.sampled_from(GROUPS), max_size=3))
half_lives = st.floats(1, 1_000)


def worked(*done: Touch, half_life: float = 180, now: float = NOW):
    return effort(done, now_seconds=now, half_life_days=half_life, user_of=KNOWN.get, is_bot=is_bot)


def days_ago(number: int, days: float) -> Touch:
    return Touch(AUTHORS[number], int(NOW - days * DAY))


def test_a_commit_weighs_half_after_a_half_life() -> None:
    found = worked(days_ago(0, 0), days_ago(1, 180), days_ago(2, 360))

    assert [(person.ref, person.weight) for person in found.people] == [
        (USERS[0], 1.0),
        (USERS[1], 0.5),
        (USERS[2], 0.25),
    ]


def test_a_commit_of_tomorrow_weighs_no_more_than_one_of_now() -> None:
    assert worked(days_ago(0, -30)).weight == 1.0


def test_bots_are_counted_and_left_out() -> None:
    found = worked(days_ago(0, 0), days_ago(6, 0), days_ago(6, 1))

    assert (found.bots, found.commits, found.weight) == (2, 1, 1.0)


@pytest.mark.parametrize(
    ("patterns", "author", "is_one"),
    [
        (["*[bot]*"], Author("Renovate[BOT]", "x@y"), True),
        (["renovate*"], Author("Ann", "renovate@whitesource.example"), True),
        (["*-bot"], Author("talbot", "talbot@example.com"), False),
        (["*-bot@*"], Author("Robbie", "release-bot@example.com"), True),
        (["a.c"], Author("abc", ""), False),
        ([], Author("dependabot[bot]", ""), False),
    ],
)
def test_bots_are_told_by_patterns(patterns: list[str], author: Author, is_one: bool) -> None:
    assert BotNames(patterns)(author) is is_one


def test_the_group_that_holds_most_of_the_work_is_suggested() -> None:
    organisation = Memberships({GROUPS[0]: [USERS[0]], GROUPS[1]: [USERS[1], USERS[2]], GROUPS[2]: [USERS[3]]}, {})
    found = worked(days_ago(0, 0), *[days_ago(1, 0)] * 2, days_ago(2, 0))

    told = drift(found, GROUPS[0], organisation)

    assert (told.status, told.share, told.suggestion) == ("known", 0.25, (GROUPS[1], 0.75))
    assert drift(found, GROUPS[1], organisation).suggestion is None
    assert drift(found, None, organisation).status == "unowned"


def test_a_group_below_the_owner_is_not_suggested_for_it() -> None:
    organisation = Memberships({GROUPS[1]: [USERS[1]]}, {GROUPS[0]: [GROUPS[1]], GROUPS[1]: [GROUPS[0]]})

    told = drift(worked(days_ago(1, 0)), GROUPS[0], organisation)

    assert (told.share, told.suggestion) == (1.0, None)


def test_little_work_says_so_and_none_says_nothing() -> None:
    organisation = Memberships({}, {})

    assert drift(worked(days_ago(1, 181)), GROUPS[0], organisation).status == "little"
    assert drift(worked(days_ago(6, 0)), GROUPS[0], organisation).status == "unknown"


def test_an_owner_agrees_with_itself_its_people_and_the_groups_that_it_is_in() -> None:
    organisation = Memberships({GROUPS[1]: [USERS[1]]}, {GROUPS[0]: [GROUPS[1]]})

    assert organisation.agrees(GROUPS[0], [USERS[1]])
    assert organisation.agrees(GROUPS[0], [GROUPS[1]])
    assert organisation.agrees(USERS[1], [GROUPS[0]])
    assert not organisation.agrees(GROUPS[1], [GROUPS[0]])
    assert not organisation.agrees(GROUPS[0], [USERS[0]])
    assert not organisation.agrees(GROUPS[0], [])


@given(touches, members, below, st.sampled_from([*GROUPS, *USERS]), half_lives)
def test_shares_are_those_of_a_naive_sum(done, members, below, owner, half_life) -> None:
    organisation = Memberships(members, below)

    found = worked(*done, half_life=half_life)
    told = drift(found, owner, organisation)

    # Each commit by itself, owners found by trying every group again and again.
    people = [touch for touch in done if "[bot]" not in touch.author.name]
    weights = [0.5 ** (max(0, NOW - touch.time_seconds) / DAY / half_life) for touch in people]
    groups = {owner}
    for _ in GROUPS:
        groups |= {child for group in groups for child in below.get(group, ())}
    stand = {user for group in groups for user in members.get(group, ())} if owner in GROUPS else {owner}
    total = math.fsum(weights)
    own = math.fsum(weight for touch, weight in zip(people, weights, strict=True) if KNOWN.get(touch.author) in stand)
    assert found.commits == len(people)
    assert found.bots == len(done) - len(people)
    assert math.isclose(found.weight, total, abs_tol=1e-12)
    if not people:
        assert told.status == "unknown"
        return
    if not total:
        assert told == Drift("little")
        return
    assert math.isclose(told.share, own / total, abs_tol=1e-9)
    held = {
        group: math.fsum(
            weight
            for touch, weight in zip(people, weights, strict=True)
            if KNOWN.get(touch.author) in members.get(group, ())
        )
        / total
        for group in set(members) - groups
    }
    best = max(held.values(), default=0)
    if told.suggestion is None:
        assert best <= told.share + 1e-9
    else:
        assert told.suggestion.ref not in groups
        assert math.isclose(told.suggestion.share, best, abs_tol=1e-9)
        assert best > told.share - 1e-9


@given(touches, members, st.sampled_from(GROUPS), st.integers(1, 3_000))
def test_shares_of_old_work_are_the_same_whenever_one_asks(done, members, owner, days) -> None:
    organisation = Memberships(members, {})
    done = [touch for touch in done if touch.time_seconds <= NOW]

    today, later = (drift(worked(*done, now=now, half_life=90), owner, organisation) for now in (NOW, NOW + days * DAY))

    if today.share is not None and later.share is not None:
        assert math.isclose(today.share, later.share, abs_tol=1e-6)


names = st.sampled_from(["a", "b", "ab"])
paths = st.lists(names, min_size=1, max_size=5).map("/".join)


@given(st.sets(paths | st.just("")), st.lists(paths))
def test_a_path_counts_for_the_nearest_folder_above_it(folders, files) -> None:
    folder_of = FolderOf(folders)

    for path in files:
        above = [folder for folder in folders if not folder or path.startswith(f"{folder}/")]
        assert folder_of(path) == max(above, key=len, default=None)


def test_the_worst_comes_first_and_what_is_not_known_last() -> None:
    organisation = Memberships({GROUPS[0]: [USERS[0]]}, {})
    efforts = {
        "much": worked(*[days_ago(1, 0)] * 3),
        "some": worked(*[days_ago(1, 0)] * 2),
        "own": worked(days_ago(0, 0)),
        "old": worked(days_ago(1, 900)),
        "none": worked(),
    }

    def key(name: str):
        return order(drift(efforts[name], GROUPS[0], organisation), efforts[name].weight)

    assert sorted(efforts, key=key) == ["much", "some", "own", "old", "none"]
