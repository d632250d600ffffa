from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.defaults.kinds import all_kinds
from portal.model.kind import Kind, SpecSchema

_KINDS = list(all_kinds())
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "a", "Group:b/c"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["ref", "duty", "email"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@pytest.mark.parametrize("kind", _KINDS, ids=[kind.name for kind in _KINDS])
@given(data=st.data())
def test_what_is_accepted_at_once_has_no_fault(kind: Kind, data: st.DataObject) -> None:
    schema = data.draw(st.sampled_from([kind.spec_schema, *kind.variant_schemas.values()]))
    names = [field.data_key or name for name, field in schema.fields.items()]
    spec = data.draw(st.dictionaries(st.sampled_from([*names, "other"]), _VALUES | st.just("text"), max_size=6))
    for name, field in schema.fields.items():
        if field.required and data.draw(st.booleans()):
            spec.setdefault(field.data_key or name, "text")

    if schema.accepts(spec):
        assert schema.validate(spec) == {}


def test_a_common_component_is_accepted_at_once() -> None:
    schema = all_kinds().find("Component", "backstage.io/v1alpha1").spec_schema

    assert schema.accepts({"type": "a", "lifecycle": "b", "owner": "c", "dependsOn": ["component:d"], "more": 1})
    assert not schema.accepts({"type": "a", "lifecycle": "b"})
    assert not schema.accepts({"type": "a", "lifecycle": "b", "owner": ""})
    assert schema.accepts({"type": "a", "lifecycle": "b", "owners": ["c"]})
    assert not schema.accepts({"type": "a", "lifecycle": "b", "owners": []})


def test_a_schema_with_a_check_of_its_own_is_always_asked() -> None:
    class Odd(SpecSchema):
        def validate(self, data: Any, **kwargs: Any) -> dict[str, list[str]]:
            return {"all": ["no"]}

    assert not Odd().accepts({})
