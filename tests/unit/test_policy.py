"""Who may do what: administrators, groups, permissions."""

import pytest
from hypothesis import given, strategies as st

from registry.errors import (
    AdminError,
    ChallengeNeededError,
    GroupElsewhereError,
    GroupError,
    PermissionsError,
)
from registry.model.identity import Identity
from registry.model.typed import ALL_ADMIN_BITS, Admin, AdminBit, encode_group
from registry.model.value import Reference, Value
from registry.policy import (
    MAX_GROUP_DEPTH,
    MAX_GROUP_LOOKUPS,
    MAX_GROUP_STEPS,
    administrators,
    authorise,
    check_writable,
    grants_of,
)
from tests.registries import admin

USER = Identity(b"88.100/USER", 300)
OTHER = Identity(b"88.100/OTHER", 300)
BITS = pytest.mark.parametrize("bit", AdminBit)


class Groups:
    """A reader over groups by name, which counts what it reads."""

    def __init__(self, **members):
        self.members = members
        self.read = []

    def __call__(self, name: bytes, index: int) -> Value | None:
        self.read.append((name, index))
        found = self.members.get(name.decode().removeprefix("88/"))
        if isinstance(found, (Value, Exception)):
            if isinstance(found, Exception):
                raise found
            return found
        return None if found is None else Value(index, "HS_VLIST", vlist(*found))


def vlist(*members) -> bytes:
    return encode_group(tuple(reference(member) for member in members))


def reference(member) -> Reference:
    if isinstance(member, Identity):
        return Reference(member.handle.decode(), member.index)
    return Reference(f"88/{member}", 200)


def entry(member, bits: int = ALL_ADMIN_BITS) -> Admin:
    return Admin(bits, *reference(member))


def nobody(name: bytes, index: int) -> Value | None:
    pytest.fail(f"{index}:{name!r} was read")


@BITS
def test_a_bit_permits_its_own_operation_only(bit):
    authorise(USER, bit, [entry(USER, bit)], nobody)
    for other in AdminBit:
        if other is not bit:
            with pytest.raises(PermissionsError, match=other.name):
                authorise(USER, other, [entry(USER, bit)], nobody)


@BITS
def test_all_bits_but_one_do_not_permit_it(bit):
    with pytest.raises(PermissionsError):
        authorise(USER, bit, [entry(USER, ALL_ADMIN_BITS ^ bit)], nobody)


def test_nobody_is_asked_who_they_are_before_anything_is_read():
    with pytest.raises(ChallengeNeededError) as refused:
        authorise(None, AdminBit.ADD_VALUE, [entry("G")], nobody)
    assert refused.value.code == 402


def test_whom_no_entry_names_is_no_administrator():
    for admins in ([], [entry(OTHER)]):
        with pytest.raises(AdminError) as refused:
            authorise(USER, AdminBit.ADD_VALUE, admins, Groups())
        assert refused.value.code == 400


def test_who_lacks_the_bit_is_told_so_and_not_that_they_are_unknown():
    with pytest.raises(PermissionsError) as refused:
        authorise(USER, AdminBit.ADD_VALUE, [entry(USER, 0)], nobody)
    assert refused.value.code == 401


def test_entries_for_one_key_add_up():
    admins = [entry(USER, AdminBit.ADD_VALUE), entry(USER, AdminBit.LIST_HANDLES)]
    assert grants_of(USER, admins, nobody).permissions == 0x840


def test_index_zero_names_every_key_of_its_handle():
    any_key = Admin(ALL_ADMIN_BITS, "88.100/user", 0)
    for index in (0, 1, 300, 301):
        authorise(USER._replace(index=index), AdminBit.ADD_VALUE, [any_key], nobody)
    with pytest.raises(AdminError):
        authorise(OTHER, AdminBit.ADD_VALUE, [any_key], Groups())


def test_another_index_of_the_same_handle_is_another_identity():
    with pytest.raises(AdminError):
        authorise(USER._replace(index=301), AdminBit.ADD_VALUE, [entry(USER)], Groups())
    # An identity with index 0 does not match everything in turn.
    with pytest.raises(AdminError):
        authorise(USER._replace(index=0), AdminBit.ADD_VALUE, [entry(USER)], Groups())


def test_a_handle_is_compared_without_case():
    authorise(USER, AdminBit.ADD_VALUE, [Admin(0xFFF, "88.100/uSeR", 300)], nobody)


@pytest.mark.parametrize("handle", ["", "88/", "88/\0", "/"])
def test_an_entry_that_is_no_identifier_names_nobody(handle):
    grants = grants_of(USER, [Admin(ALL_ADMIN_BITS, handle, 300)], nobody)
    assert grants == (None, None)


def test_a_group_names_its_members():
    authorise(USER, AdminBit.ADD_VALUE, [entry("G")], Groups(G=[OTHER, USER]))
    with pytest.raises(AdminError):
        authorise(USER, AdminBit.ADD_VALUE, [entry("G")], Groups(G=[OTHER]))


def test_index_zero_in_a_group_names_every_key():
    groups = Groups(G=[USER._replace(index=0)])
    authorise(USER, AdminBit.ADD_VALUE, [entry("G")], groups)


def test_groups_are_not_read_when_an_entry_names_the_identity():
    assert grants_of(USER, [entry("G"), entry(USER, 1)], nobody).permissions == 1


def test_a_group_grants_no_more_than_its_entry():
    with pytest.raises(PermissionsError):
        authorise(
            USER,
            AdminBit.ADD_VALUE,
            [entry("G", AdminBit.READ_VALUE)],
            Groups(G=[USER]),
        )


def test_what_several_groups_grant_adds_up():
    groups = Groups(A=[USER], B=[USER], C=[OTHER])
    admins = [entry("A", 1), entry("B", 2), entry("C", 4)]
    assert grants_of(USER, admins, groups).permissions == 3


def test_a_group_that_two_entries_name_grants_both():
    groups = Groups(G=[USER])
    assert grants_of(USER, [entry("G", 1), entry("G", 2)], groups).permissions == 3
    assert groups.read == [(b"88/G", 200)]


def test_a_group_inside_another_still_grants_by_its_own_entry():
    groups = Groups(OUTER=["INNER"], INNER=[USER])
    admins = [entry("OUTER", 1), entry("INNER", 2)]
    assert grants_of(USER, admins, groups).permissions == 3


def _nested(depth: int) -> Groups:
    """G1 contains G2, and so on; the last names the user."""
    chain = {f"G{n}": [f"G{n + 1}"] for n in range(1, depth)}
    return Groups(**chain, **{f"G{depth}": [USER]})


def test_groups_nest_as_deep_as_the_limit_and_no_deeper():
    authorise(USER, AdminBit.ADD_VALUE, [entry("G1")], _nested(MAX_GROUP_DEPTH))
    with pytest.raises(AdminError):
        authorise(USER, AdminBit.ADD_VALUE, [entry("G1")], _nested(MAX_GROUP_DEPTH + 1))


def test_a_long_way_to_a_group_does_not_hide_the_short_one():
    long_way = {f"L{n}": [f"L{n + 1}"] for n in range(1, MAX_GROUP_DEPTH - 2)}
    last = f"L{MAX_GROUP_DEPTH - 2}"
    groups = Groups(
        G=["L1", "SHARED"],
        **long_way,
        **{last: ["SHARED"]},
        SHARED=["X"],
        X=["Y"],
        Y=[USER],
    )
    authorise(USER, AdminBit.ADD_VALUE, [entry("G")], groups)


def test_groups_that_contain_each_other_end():
    groups = Groups(A=["B", "A"], B=["A", "C"], C=["B"])
    assert grants_of(USER, [entry("A"), entry("B")], groups) == (None, None)
    assert sorted(set(groups.read)) == sorted(groups.read)
    groups.members["C"] = ["A", USER]
    authorise(USER, AdminBit.ADD_VALUE, [entry("A")], groups)


def _wide(size: int) -> Groups:
    return Groups(G=[f"M{n}" for n in range(size)])


def test_as_many_records_are_read_as_the_limit_and_no_more():
    groups = _wide(MAX_GROUP_LOOKUPS - 1)
    assert grants_of(USER, [entry("G")], groups) == (None, None)
    groups = _wide(MAX_GROUP_LOOKUPS)
    with pytest.raises(GroupError, match="more than 256 records") as refused:
        authorise(USER, AdminBit.ADD_VALUE, [entry("G")], groups)
    assert refused.value.code == 406
    assert len(groups.read) == MAX_GROUP_LOOKUPS


def test_a_large_group_that_names_the_identity_costs_one_look():
    groups = Groups(G=[*(f"M{n}" for n in range(4000)), USER])
    authorise(USER, AdminBit.ADD_VALUE, [entry("G")], groups)
    assert len(groups.read) == 1


def test_groups_may_not_make_a_decision_endless():
    names = [f"G{n}" for n in range(200)]
    members = [Identity(b"88.100/X", 1)] * 3800 + names
    value = Value(200, "HS_VLIST", vlist(*members))
    groups = Groups(**dict.fromkeys(names, value))
    with pytest.raises(GroupError, match=f"more than {MAX_GROUP_STEPS} members"):
        authorise(USER, AdminBit.ADD_VALUE, [entry(name) for name in names], groups)
    assert len(groups.read) < 20


@pytest.mark.parametrize(
    "value",
    [
        Value(200, "HS_VLIST", b"\xff\xff\xff\xff"),
        Value(200, "HS_VLIST", vlist(USER) + b"\0"),
        Value(200, "URL", vlist(USER)),
        None,
    ],
    ids=["forged", "tail", "another type", "absent"],
)
def test_a_group_that_is_none_names_nobody(value):
    groups = Groups(G=value) if value else Groups()
    with pytest.raises(AdminError):
        authorise(USER, AdminBit.ADD_VALUE, [entry("G")], groups)


def test_the_type_of_a_group_is_read_without_case():
    groups = Groups(G=Value(200, "hs_vlist", vlist(USER)))
    authorise(USER, AdminBit.ADD_VALUE, [entry("G")], groups)


def test_an_unreadable_group_is_the_answer_when_nothing_else_decides():
    elsewhere = GroupElsewhereError(b"88/G", 200)
    with pytest.raises(GroupElsewhereError) as refused:
        authorise(USER, AdminBit.ADD_VALUE, [entry("G")], Groups(G=elsewhere))
    assert refused.value is elsewhere
    assert (elsewhere.name, elsewhere.index, elsewhere.code) == (b"88/G", 200, 406)


@pytest.mark.parametrize("order", [("A", "B"), ("B", "A")])
def test_an_unreadable_group_does_not_take_away_what_another_grants(order):
    groups = Groups(A=GroupElsewhereError(b"88/A", 200), B=[USER])
    bits = {"A": AdminBit.ADD_VALUE, "B": AdminBit.READ_VALUE}
    admins = [entry(name, bits[name]) for name in order]
    authorise(USER, AdminBit.READ_VALUE, admins, groups)
    # The permission may well stand in the group that could not be read.
    with pytest.raises(GroupElsewhereError):
        authorise(USER, AdminBit.ADD_VALUE, admins, groups)


def test_unreadable_administrators_grant_nothing():
    good = admin(USER)
    values = [
        good._replace(data=b""),
        good._replace(data=good.data[:-1]),
        good._replace(data=good.data + b"\0"),
        good._replace(type="HS_ADMIN."),
        good._replace(type="URL"),
    ]
    assert administrators(values) == ()
    assert administrators([*values, good]) == (Admin.decode(good.data),)


def test_the_type_of_an_administrator_is_read_without_case():
    (found,) = administrators([admin(USER)._replace(type="hs_Admin")])
    assert found.index == USER.index


@given(st.integers(0, 0xFF))
def test_a_value_is_writable_when_administrators_may_write_it(permissions):
    value = Value(3, "URL", b"", permissions=permissions)
    if permissions & 4:
        check_writable(value)
    else:
        with pytest.raises(PermissionsError, match="value 3"):
            check_writable(value)
