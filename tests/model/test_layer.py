import pytest

from portal.model.layer import Duty, Layer, Role, layer_of, role_of, stewards_of
from portal.model.ref import EntityRef

SHARED = EntityRef("layer:acme/shared")


def test_a_layer_is_read_from_its_entity_with_short_names_in_its_namespace() -> None:
    layer = layer_of(
        {
            "metadata": {"name": "shared", "title": "Shared assets", "description": "Made once"},
            "spec": {
                "rank": 2,
                "owner": "ml",
                "ownerRoles": ["ml-engineer", "role:default/mlops"],
                "stewards": [{"duty": "checks", "role": "security"}],
                "mayDependOn": ["shared", "layer:default/backbone"],
                "approvers": ["security"],
                "enforcement": {"portal/owner-role": "enforce"},
            },
        },
        SHARED,
    )

    assert layer == Layer(
        SHARED,
        "Shared assets",
        2,
        (EntityRef("role:acme/ml-engineer"), EntityRef("role:default/mlops")),
        (Duty("checks", EntityRef("role:acme/security")),),
        frozenset({SHARED, EntityRef("layer:default/backbone")}),
        (EntityRef("role:acme/security"),),
        {"portal/owner-role": "enforce"},
        "Made once",
    )


def test_a_name_that_is_no_reference_names_nothing_and_spoils_nothing() -> None:
    layer = layer_of({"metadata": {"name": "shared"}, "spec": {"rank": 1, "ownerRoles": ["role:", "good"]}}, SHARED)

    assert layer.title == "shared"
    assert layer.owner_roles[1] == "role:acme/good"


@pytest.mark.parametrize(
    ("may_depend_on", "lower", "same", "higher"),
    [(None, True, True, False), (frozenset(), False, False, False), (frozenset({"layer:default/high"}), 0, 0, 1)],
)
def test_without_a_list_a_layer_may_need_its_own_and_lower_ranks(
    may_depend_on: frozenset[EntityRef] | None, lower: bool, same: bool, higher: bool
) -> None:
    low, middle, high = (
        Layer(EntityRef(f"layer:default/{name}"), name, rank, (), may_depend_on=may_depend_on)
        for rank, name in enumerate(("low", "middle", "high"), 1)
    )

    assert [middle.may_need(other) for other in (low, middle, high)] == [lower, same, higher]


def test_a_role_says_where_it_works_and_what_it_does() -> None:
    ref = EntityRef("role:default/devops")

    role = role_of({"metadata": {"name": "devops"}, "spec": {"layers": ["backbone"], "responsibilities": ["CI"]}}, ref)

    assert role == Role(ref, "devops", (EntityRef("layer:default/backbone"),), ("CI",))
    assert role_of({"metadata": {"name": "devops"}}, ref) == Role(ref, "devops")


@pytest.mark.parametrize("stewards", [None, "text", {}, [1, None], [{"ref": "a"}], [{"ref": "a:", "duty": "x"}]])
def test_malformed_stewards_are_nobody(stewards: object) -> None:
    assert stewards_of({"spec": {"stewards": stewards}}, EntityRef("component:default/x")) == ()


def test_a_steward_is_a_group_of_the_entitys_namespace_unless_it_says_otherwise() -> None:
    declared = {"spec": {"stewards": [{"ref": "sec", "duty": "checks"}, {"ref": "user:default/ann", "duty": "runs"}]}}

    assert stewards_of(declared, EntityRef("component:acme/x")) == (
        ("group:acme/sec", "checks"),
        ("user:default/ann", "runs"),
    )
