from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from portal.graph.balance import Mate, Need, weigh
from portal.model.layer import Role
from portal.model.ref import EntityRef

LAYER = EntityRef("layer:default/top")
PROJECT = EntityRef("project:default/p")
ROLES = [EntityRef(f"role:default/r{number}") for number in range(4)]
PEOPLE = [EntityRef(f"user:default/u{number}") for number in range(4)] + [EntityRef("group:default/g")]
NEEDS = st.builds(
    lambda role, necessity: Need(role, necessity, "layer", LAYER, "the layer asks"),
    st.sampled_from(ROLES),
    st.sampled_from(["required", "one-of", "usual"]),
)
TEAMS = st.dictionaries(st.sampled_from(PEOPLE), st.tuples(st.booleans(), st.sets(st.sampled_from(ROLES))))


def mate(ref: EntityRef, *roles: EntityRef, lent: bool = False) -> Mate:
    return Mate(ref, ref.name, (), lent, dict.fromkeys(roles, ref))


@given(needs=st.lists(NEEDS, max_size=6), team=TEAMS)
def test_a_balance_equals_a_naive_reference(
    needs: list[Need], team: dict[EntityRef, tuple[bool, set[EntityRef]]]
) -> None:
    mates = [mate(ref, *roles, lent=lent) for ref, (lent, roles) in team.items()]

    found = weigh(needs, mates, roles={}, holders=dict.fromkeys(ROLES, PEOPLE))

    required = {need.role for need in needs if need.necessity == "required"}
    enough = {need.role for need in needs if need.necessity == "one-of"}
    held = {role for _, roles in team.values() for role in roles}
    own = {role for lent, roles in team.values() if not lent for role in roles}
    assert found.is_balanced == (required <= held and (not enough or not enough.isdisjoint(own)))
    assert found.is_balanced == (not found.missing)
    assert {item.role.ref for item in found.roles} == {need.role for need in needs}
    for item in found.roles:
        holding = {ref for ref, (_, roles) in team.items() if item.role.ref in roles}
        assert {holder.ref for holder in item.holders} == holding
        assert item.is_single == (len(holding) == 1 and next(iter(holding)).kind == "user")
        assert item.is_missing <= (not holding)
        assert set(item.candidates) == set(PEOPLE) - set(team)
    assert {who.ref for who, _ in found.lent} == {ref for ref, (lent, roles) in team.items() if lent and roles}


def test_what_is_missing_is_said_in_sentences() -> None:
    science, security = ROLES[:2]
    needs = [
        Need(science, "required", "entity", PROJECT, f"{PROJECT} needs it"),
        Need(security, "required", "layer", LAYER, 'the layer top asks for a steward for "checks"'),
        Need(ROLES[2], "one-of", "layer", LAYER, "may own in the layer top"),
    ]
    titles = {science: Role(science, "Data scientist"), security: Role(security, "Security")}

    found = weigh(needs, [mate(PEOPLE[0], science)], roles=titles, holders={security: [PEOPLE[1]], science: PEOPLE[:1]})

    assert found.summary == ("The team is not balanced: 1 of 2 required roles held, 1 of them by one person alone.")
    assert found.missing == (
        (
            'Nobody on the team holds the role "Security" (the layer top asks for a steward for "checks"). '
            "Who could help: user:default/u1."
        ),
        (
            'Nobody of the owner\'s own people holds a role that may own in the layer top: "r2". '
            "Nobody else in the catalog holds it."
        ),
    )
    assert found.notes == (
        (
            'Only user:default/u0 holds the role "Data scientist": when away, nobody does its work. '
            "Nobody else in the catalog holds it."
        ),
    )
