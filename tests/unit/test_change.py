"""What each change does, and the order in which it is refused (handle notes §3).

301 comes before 101, 101 before 402, and 402 before all that needs an identity: 100,
200, 201, 400, 401. Each test of the order breaks several rules at once.
"""

import pytest

from registry.change import Change, check_prefix, trusted
from registry.errors import (
    AdminError,
    AlreadyExistsError,
    ChallengeNeededError,
    CorruptError,
    GroupElsewhereError,
    InvalidIdentifierError,
    InvalidValueError,
    NotFoundError,
    NotHomedError,
    PermissionsError,
    RegistryError,
    SerialError,
    ValueExistsError,
    ValuesNotFoundError,
)
from registry.evaluation import Evaluation
from registry.journal import Operation, decode_entry, digest_of
from registry.model.identity import Identity
from registry.model.octets import MAX_BLOB_OCTETS
from registry.model.record import Record, make_record
from registry.model.typed import ALL_ADMIN_BITS, AdminBit
from registry.model.value import MAX_VALUES, Reference, Value
from registry.store.interface import Home, Tally
from tests.registries import (
    NOW,
    OWNER,
    PREFIX,
    STRANGER,
    admin,
    create,
    group,
    home,
    name,
    url,
)

X = name("x")
MEMBER = Identity(PREFIX + b"/MEMBER", 300)


class View:
    """A snapshot of plain dictionaries."""

    serial = 40

    def __init__(self, *records: Record, homes: tuple[Home, ...] = (home(),)) -> None:
        self.records = {record.name: record for record in records}
        self.homes = {entry.prefix: entry for entry in homes}
        self.tallies: dict[bytes, Tally] = {}

    def get(self, name: bytes) -> Record | None:
        return self.records.get(name)

    def home(self, prefix: bytes) -> Home | None:
        return self.homes.get(prefix)

    def tally(self, prefix: bytes) -> Tally:
        return self.tallies.get(prefix, Tally())


def record(*values: Value, suffix: str = "x", serial: int = 7) -> Record:
    return make_record(name(suffix), serial, values or (url(),))


def evaluation(*records: Record, **options) -> Evaluation:
    return Evaluation(View(*records, **options), NOW)


def change(operation: Operation, *values: Value, actor=OWNER, **fields) -> Change:
    return Change(operation, X, values, actor=actor, **fields)


def add(*values: Value, **fields) -> Change:
    return change(Operation.ADD, *(values or (url(2),)), **fields)


def modify(*values: Value, **fields) -> Change:
    return change(Operation.MODIFY, *(values or (url(1, b"new"),)), **fields)


def remove(*indexes: int, **fields) -> Change:
    return change(Operation.REMOVE, indexes=indexes or (1,), **fields)


def delete(**fields) -> Change:
    return change(Operation.DELETE, **fields)


def refused(group: Evaluation, wish: Change) -> type[RegistryError]:
    """Apply a change that must fail and leave nothing behind."""
    before = repr(group.batch)
    with pytest.raises(RegistryError) as found:
        group.apply(wish)
    assert repr(group.batch) == before
    return type(found.value)


def indexes(group: Evaluation) -> list[int]:
    return [value.index for value in group.record(X).values]


# What a change does


def test_a_created_record_has_the_values_asked_for_and_the_time_of_now():
    group = evaluation()
    receipt = group.apply(create("x", url(1), url(2, timestamp=5), actor=OWNER))
    assert receipt == (41, X, group.batch.records[X])
    assert receipt.record.serial == 41
    assert receipt.record.values == (
        url(1, timestamp=int(NOW)),
        url(2, timestamp=int(NOW)),
    )


@pytest.mark.parametrize(
    "wish", [create("x"), create("y", actor=OWNER), create("z", url(1), url(2))]
)
def test_the_journal_tells_what_was_done_by_whom(wish):
    group = evaluation()
    receipt = group.apply(wish)
    ((serial, octets),) = group.batch.journal
    entry = decode_entry(serial, octets)
    assert serial == receipt.serial == group.batch.serial == 41
    assert entry.operation is Operation.CREATE
    assert entry.time_ms == int(NOW * 1000)
    assert entry.name == wish.name
    assert entry.digest == digest_of(receipt.record.values_octets)
    assert (entry.actor, entry.actor_index) == (wish.actor or (b"", 0))


def test_overwriting_replaces_the_whole_record():
    group = evaluation(record(url(1), url(2)))
    group.apply(create("x", url(9), actor=OWNER, overwrite=True))
    assert indexes(group) == [9]


def test_adding_keeps_what_was_there():
    group = evaluation(record(url(5), url(3)))
    group.apply(add(url(4), url(1)))
    assert indexes(group) == [5, 3, 4, 1]
    assert group.record(X).serial == 41


def test_adding_with_overwrite_replaces_what_has_the_same_index():
    group = evaluation(record(url(5), url(3)))
    group.apply(add(url(5, b"new"), url(1), overwrite=True))
    assert indexes(group) == [5, 3, 1]
    assert group.record(X).value(5).data == b"new"


def test_modifying_changes_the_named_values_only():
    old = url(2, timestamp=5)
    group = evaluation(record(url(1), old))
    group.apply(modify(url(1, b"new")))
    assert group.record(X).values == (url(1, b"new", timestamp=int(NOW)), old)


def test_removing_takes_the_named_values_only():
    group = evaluation(record(url(1), url(2), url(3)))
    group.apply(remove(3, 1, 3))
    assert indexes(group) == [2]


def test_a_record_may_lose_all_its_values_and_stay():
    group = evaluation(record(url(1)))
    group.apply(remove(1))
    assert group.record(X).values == ()


def test_a_deleted_record_leaves_a_journal_entry_without_a_digest():
    group = evaluation(record())
    assert group.apply(delete()).record is None
    assert group.batch.records == {X: None}
    ((serial, octets),) = group.batch.journal
    assert decode_entry(serial, octets).digest == bytes(32)


def test_references_and_unknown_types_are_kept_as_they_came():
    odd = Value(
        9, "88.T/x", b"\0\xff", 5, 7, 0, 0xFF, (Reference("", 0), Reference("a/b", 4))
    )
    group = evaluation()
    group.apply(create("x", odd))
    assert group.record(X).values == (odd._replace(timestamp=int(NOW)),)


# The order of refusals


@pytest.mark.parametrize(
    "wish",
    [
        create("x", actor=None, trusted=False),
        create("x", Value(0, "", b""), actor=STRANGER),
        create("x", actor=STRANGER, expected_serial=3),
        add(Value(0, "", b""), actor=STRANGER),
        modify(url(9), actor=None),
        modify(url(1), actor=OWNER, expected_serial=3),
        remove(9, actor=None),
        create("x", trusted=True),
    ],
)
@pytest.mark.parametrize("homes", [(), (home(active=False),), (home(b"88.100"),)])
def test_that_a_prefix_is_not_homed_comes_first(wish, homes):
    assert refused(evaluation(record(), homes=homes), wish) is NotHomedError
    assert refused(evaluation(homes=homes), wish) is NotHomedError


@pytest.mark.parametrize("actor", [None, STRANGER, OWNER])
def test_that_a_record_exists_comes_before_who_asks(actor):
    wish = create("x", actor=actor, trusted=False)
    assert refused(evaluation(record()), wish) is AlreadyExistsError


@pytest.mark.parametrize(
    "wish",
    [
        create("x", actor=None, trusted=False, overwrite=True),
        add(url(1), actor=None),
        modify(url(9), actor=None),
        remove(9, actor=None),
        delete(actor=None),
    ],
)
def test_who_asks_comes_before_all_that_a_record_would_tell(wish):
    locked = record(url(1, permissions=0))
    assert refused(evaluation(locked), wish) is ChallengeNeededError
    if wish.operation is not Operation.CREATE:
        assert refused(evaluation(), wish) is ChallengeNeededError


@pytest.mark.parametrize("wish", [add(), modify(), remove(), delete()])
def test_a_missing_record_is_told_to_who_has_authenticated(wish):
    for actor in (OWNER, STRANGER):
        assert refused(evaluation(), wish._replace(actor=actor)) is NotFoundError
    assert refused(evaluation(), wish._replace(actor=None, trusted=True)) is (
        NotFoundError
    )


@pytest.mark.parametrize(
    "wish",
    [
        create("y", actor=STRANGER),
        create("x", actor=STRANGER, overwrite=True),
        add(url(1), actor=STRANGER),
        modify(url(9), actor=STRANGER),
        remove(9, actor=STRANGER),
        delete(actor=STRANGER),
    ],
)
def test_a_stranger_learns_nothing_about_the_values(wish):
    assert refused(evaluation(record(url(1, permissions=0))), wish) is AdminError


@pytest.mark.parametrize("wish", [add(url(1)), modify(url(9)), remove(9), remove(1, 9)])
def test_a_missing_permission_comes_before_what_is_wrong_with_the_values(wish):
    mine = record(url(1), admin(OWNER, AdminBit.READ_VALUE))
    assert refused(evaluation(mine), wish) is PermissionsError


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        (add(url(1)), ValueExistsError),
        (modify(url(1), url(9)), ValuesNotFoundError),
        (modify(url(9)), ValuesNotFoundError),
        (remove(1, 9), ValuesNotFoundError),
        (remove(9), ValuesNotFoundError),
        (remove(), PermissionsError),
        (modify(), PermissionsError),
        (add(url(1), overwrite=True), PermissionsError),
    ],
)
def test_a_value_that_may_not_be_written_comes_last(wish, error):
    assert refused(evaluation(record(url(1, permissions=0x0A))), wish) is error
    if error is PermissionsError:
        evaluation(record(url(1, permissions=0x0A))).apply(trusted(wish))


def test_removing_nothing_is_refused():
    wish = remove()._replace(indexes=())
    assert refused(evaluation(record()), wish) is ValuesNotFoundError


def test_deleting_is_allowed_where_the_prefix_is_not_homed_any_more():
    mine = record(url(1), admin(OWNER))
    evaluation(mine, homes=()).apply(delete())
    nobody = {tuple(OWNER): None}
    wish = delete(actor=STRANGER, elsewhere=nobody)
    assert refused(evaluation(mine, homes=()), wish) is AdminError
    assert refused(evaluation(record(), homes=()), delete()) is AdminError


# Values


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ((url(0),), InvalidValueError, "Value indexes must be positive"),
        ((url(-1),), InvalidValueError, "Value indexes must be positive"),
        ((url(0x8000_0000),), InvalidValueError, "Value indexes must be positive"),
        ((url(1), url(2), url(1)), ValueExistsError, "Index conflict for 1"),
        ((url(1)._replace(type=""),), InvalidValueError, "type of 1 to 255 octets"),
        ((url(1)._replace(type="é" * 128),), InvalidValueError, "got 256"),
        ((url(1, bytes(MAX_BLOB_OCTETS + 1)),), InvalidValueError, "1048577 octets"),
        ((Value(1, "HS_ADMIN", b""),), InvalidValueError, "value 1: HS_ADMIN"),
        ((Value(1, "hs_admin", b"x"),), InvalidValueError, "value 1: HS_ADMIN"),
        ((Value(1, "HS_VLIST", b"\0"),), InvalidValueError, "value 1: HS_VLIST"),
    ],
)
@pytest.mark.parametrize("wish", [create("y"), add(), modify()])
def test_values_that_break_a_rule_are_refused(wish, values, error, message):
    group = evaluation(record())
    wish = wish._replace(values=values)
    assert refused(group, wish) is error
    with pytest.raises(error, match=message):
        group.apply(wish)


@pytest.mark.parametrize("wish", [create("y"), add(), modify()])
def test_an_empty_list_of_values_is_refused(wish):
    wish = wish._replace(values=())
    with pytest.raises(InvalidValueError, match="Value list was empty"):
        evaluation(record()).apply(wish)


def test_the_largest_index_and_the_longest_type_and_data_are_taken():
    largest = Value(0x7FFF_FFFF, "T" * 255, bytes(MAX_BLOB_OCTETS))
    group = evaluation()
    group.apply(create("x", largest))
    assert group.record(X).value(0x7FFF_FFFF).data == largest.data


@pytest.mark.parametrize(
    "fields",
    [
        {"ttl": -1},
        {"ttl": 2**32},
        {"ttl_type": 256},
        {"permissions": 256},
        {"references": (Reference("88/x", -1),)},
        {"references": (Reference("88/\ud800", 1),)},
    ],
)
def test_a_field_that_has_no_octets_leaves_nothing_behind(fields):
    group = evaluation()
    assert refused(group, create("x", url(1, **fields))) is InvalidValueError
    group.apply(create("y"))
    assert [serial for serial, _ in group.batch.journal] == [41]


def test_a_record_has_2048_values_at_most():
    most = tuple(url(n + 1, b"") for n in range(MAX_VALUES))
    group = evaluation(record(*most[:-1]))
    group.apply(add(most[-1]))
    assert len(indexes(group)) == MAX_VALUES
    assert refused(group, add(url(MAX_VALUES + 1))) is InvalidValueError
    assert refused(group, create("y", *most, url(MAX_VALUES + 1))) is InvalidValueError


# Compare and swap


@pytest.mark.parametrize("wish", [add(), modify(), remove(), delete()])
def test_a_change_that_expects_the_right_serial_is_made(wish):
    group = evaluation(record(serial=7))
    group.apply(wish._replace(expected_serial=7))
    assert refused(group, wish._replace(expected_serial=7)) is SerialError


def test_serial_zero_expects_no_record():
    wish = create("x", actor=OWNER, expected_serial=0, overwrite=True)
    group = evaluation()
    group.apply(wish)
    assert refused(group, wish) is SerialError
    group.apply(delete())
    group.apply(wish)


def test_an_overwrite_that_expects_a_serial_meets_no_other():
    wish = create("x", actor=OWNER, overwrite=True, expected_serial=7)
    assert refused(evaluation(record(serial=8)), wish) is SerialError
    assert refused(evaluation(), wish) is SerialError
    evaluation(record(serial=7)).apply(wish)


def test_a_serial_error_tells_both_serials():
    with pytest.raises(SerialError, match="has serial 7 now, not 6") as found:
        evaluation(record(serial=7)).apply(delete(expected_serial=6))
    assert found.value.code == 101


# Permissions


def needed_bits(wish: Change, *held: Value) -> set[AdminBit]:
    """Find which single permissions a change cannot do without."""
    needed = set()
    for bit in AdminBit:
        mine = admin(OWNER, ALL_ADMIN_BITS ^ bit, index=999)
        try:
            evaluation(record(*held, mine)).apply(wish)
        except PermissionsError as error:
            needed |= {bit for bit in AdminBit if bit.name in str(error).split()}
    return needed


@pytest.mark.parametrize(
    ("wish", "bits"),
    [
        (add(url(2)), {AdminBit.ADD_VALUE}),
        (add(admin(MEMBER, index=101)), {AdminBit.ADD_ADMIN}),
        (
            add(url(2), admin(MEMBER, index=101)),
            {AdminBit.ADD_VALUE, AdminBit.ADD_ADMIN},
        ),
        (
            add(url(1), overwrite=True),
            {AdminBit.ADD_VALUE, AdminBit.MODIFY_VALUE},
        ),
        (
            add(admin(MEMBER), overwrite=True),
            {AdminBit.ADD_ADMIN, AdminBit.MODIFY_ADMIN},
        ),
        (
            add(url(100), overwrite=True),
            {AdminBit.ADD_VALUE, AdminBit.MODIFY_ADMIN},
        ),
        (modify(url(1)), {AdminBit.MODIFY_VALUE}),
        (modify(admin(MEMBER)), {AdminBit.MODIFY_ADMIN}),
        (modify(url(100)), {AdminBit.MODIFY_VALUE, AdminBit.MODIFY_ADMIN}),
        (
            modify(admin(MEMBER, index=1)),
            {AdminBit.MODIFY_VALUE, AdminBit.MODIFY_ADMIN},
        ),
        (remove(1), {AdminBit.REMOVE_VALUE}),
        (remove(100), {AdminBit.REMOVE_ADMIN}),
        (remove(1, 100), {AdminBit.REMOVE_VALUE, AdminBit.REMOVE_ADMIN}),
        (delete(), {AdminBit.DELETE_HANDLE}),
    ],
)
def test_each_operation_needs_its_own_permissions(wish, bits):
    assert needed_bits(wish, url(1), admin(MEMBER)) == bits


def test_lower_case_does_not_make_an_administrator_a_plain_value():
    wish = add(admin(MEMBER, index=101)._replace(type="hs_admin"))
    assert needed_bits(wish, url(1)) == {AdminBit.ADD_ADMIN}


def home_bits(wish: Change, *records: Record, prefix: bytes = PREFIX) -> set[AdminBit]:
    needed = set()
    for bit in AdminBit:
        homes = (home(prefix, admin(OWNER, ALL_ADMIN_BITS ^ bit)),)
        try:
            evaluation(*records, homes=homes).apply(wish)
        except PermissionsError:
            needed.add(bit)
    return needed


def test_creating_needs_the_permission_of_the_prefix():
    assert home_bits(create("x", actor=OWNER)) == {AdminBit.ADD_HANDLE}
    prefix = Change(Operation.CREATE, b"0.NA/88.100", (url(),), actor=OWNER)
    assert home_bits(prefix, prefix=b"88") == {AdminBit.ADD_PREFIX}


def test_deleting_a_prefix_needs_a_permission_of_its_own():
    held = make_record(b"0.NA/88.100", 7, (url(),))
    wish = Change(Operation.DELETE, held.name, actor=OWNER)
    assert home_bits(wish, held, prefix=b"88") == {AdminBit.DELETE_PREFIX}


def test_overwriting_needs_to_create_and_to_delete():
    wish = create("x", actor=OWNER, overwrite=True)
    assert home_bits(wish) == {AdminBit.ADD_HANDLE}
    assert home_bits(wish, record()) == {AdminBit.ADD_HANDLE, AdminBit.DELETE_HANDLE}
    theirs = record(url(1), admin(MEMBER))
    assert refused(evaluation(theirs), wish) is AdminError
    mine = record(url(1), admin(OWNER, AdminBit.DELETE_HANDLE))
    evaluation(mine).apply(wish)


def test_a_record_with_administrators_is_theirs_alone():
    theirs = record(url(1), admin(MEMBER))
    assert refused(evaluation(theirs), add()) is AdminError
    evaluation(theirs).apply(add(actor=MEMBER))


def test_a_record_without_administrators_is_the_prefixs():
    evaluation(record(url(1))).apply(add())
    assert refused(evaluation(record(url(1))), add(actor=MEMBER)) is AdminError


def test_unreadable_administrators_leave_a_record_to_its_prefix():
    broken = Value(100, "HS_ADMIN", b"nonsense")
    evaluation(record(url(1), broken)).apply(add())


def test_the_nodes_operator_needs_no_permission():
    locked = record(url(1, permissions=0), admin(MEMBER, 0))
    group = evaluation(locked)
    for wish in (add(), modify(), remove()):
        group.apply(trusted(wish)._replace(actor=STRANGER))
    group.apply(trusted(delete())._replace(actor=None))


# Groups of administrators


def guarded(*members: Identity) -> tuple[Record, Record]:
    """A record that a group administers, and the group."""
    return (
        record(url(1), admin(Identity(name("g"), 200))),
        record(group(*members), admin(OWNER), suffix="g"),
    )


def test_a_member_of_a_group_administers():
    evaluation(*guarded(MEMBER)).apply(add(actor=MEMBER))
    assert refused(evaluation(*guarded()), add(actor=MEMBER)) is AdminError


def test_a_group_of_another_node_is_asked_for_by_name():
    elsewhere = Identity(b"99/G", 200)
    guarded_there = record(url(1), admin(elsewhere))
    wish = add(actor=MEMBER)
    with pytest.raises(GroupElsewhereError) as found:
        evaluation(guarded_there).apply(wish)
    assert (found.value.name, found.value.index) == elsewhere
    known = {tuple(elsewhere): group(MEMBER)}
    evaluation(guarded_there).apply(wish._replace(elsewhere=known))
    unknown = {tuple(elsewhere): None}
    wish = wish._replace(elsewhere=unknown)
    assert refused(evaluation(guarded_there), wish) is AdminError


def test_a_group_that_lost_a_member_in_this_group_of_changes_grants_nothing():
    by_group = admin(Identity(name("g"), 200))
    group_record = guarded(MEMBER)[1]
    changes = evaluation(group_record, homes=(home(PREFIX, by_group, admin(OWNER)),))
    changes.apply(create("one", actor=MEMBER))
    changes.apply(Change(Operation.MODIFY, name("g"), (group(STRANGER),), actor=OWNER))
    assert refused(changes, create("two", actor=MEMBER)) is AdminError
    changes.apply(create("two", actor=STRANGER))


def test_a_group_made_in_this_group_of_changes_grants_at_once():
    homes = (home(PREFIX, admin(Identity(name("g"), 200)), admin(OWNER)),)
    changes = evaluation(homes=homes)
    assert refused(changes, create("one", actor=MEMBER)) is AdminError
    changes.apply(create("g", group(MEMBER), actor=OWNER))
    changes.apply(create("one", actor=MEMBER))


# Homes


def homing(operation: Operation, *values: Value, **fields) -> Change:
    fields.setdefault("trusted", True)
    return Change(operation, b"88.200", values, **fields)


def test_a_prefix_that_is_homed_takes_records_at_once():
    changes = evaluation(homes=())
    changes.apply(homing(Operation.HOME, admin(OWNER)))
    new = Change(Operation.CREATE, b"88.200/X", (url(),), actor=OWNER)
    assert changes.apply(new).serial == 42
    changes.apply(homing(Operation.STOP))
    assert refused(changes, new._replace(name=b"88.200/Y")) is NotHomedError
    changes.apply(homing(Operation.HOME))
    assert refused(changes, new._replace(name=b"88.200/Y")) is AdminError
    changes.apply(homing(Operation.UNHOME))
    assert refused(changes, new._replace(name=b"88.200/Y")) is NotHomedError
    serials = [serial for serial, _ in changes.batch.journal]
    assert serials == [41, 42, 43, 44, 45]
    assert changes.batch.serial == 45


@pytest.mark.parametrize("operation", [Operation.UNHOME, Operation.STOP])
def test_what_is_not_homed_cannot_be_stopped(operation):
    assert refused(evaluation(), homing(operation)) is NotHomedError


@pytest.mark.parametrize("operation", [Operation.HOME, Operation.UNHOME])
def test_homing_is_the_operators_alone(operation):
    homes = (home(b"88.200"), home(b"88"))
    wish = homing(operation, trusted=False, actor=None)
    assert refused(evaluation(homes=homes), wish) is ChallengeNeededError
    wish = wish._replace(actor=OWNER)
    assert refused(evaluation(homes=homes), wish) is AdminError


def test_a_prefix_is_named_by_its_record():
    assert check_prefix(b"0.NA/88.200") == b"88.200"
    with pytest.raises(InvalidIdentifierError, match="not a prefix handle"):
        check_prefix(b"88.200/X")


# Groups of changes


def test_changes_of_one_group_see_each_other():
    changes = evaluation()
    changes.apply(create("x", actor=OWNER))
    assert refused(changes, create("x", actor=OWNER)) is AlreadyExistsError
    changes.apply(add(url(2), expected_serial=41))
    changes.apply(remove(1, expected_serial=42))
    assert indexes(changes) == [2]
    changes.apply(delete())
    assert refused(changes, delete()) is NotFoundError
    changes.apply(create("x", actor=OWNER))
    assert changes.batch.serial == 45


def test_an_administrator_added_in_this_group_may_act_at_once():
    changes = evaluation(record(url(1), admin(OWNER)))
    assert refused(changes, add(actor=MEMBER)) is AdminError
    changes.apply(add(admin(MEMBER, index=101)))
    changes.apply(add(actor=MEMBER))
    changes.apply(remove(101))
    assert refused(changes, add(url(3), actor=MEMBER)) is AdminError


def test_a_record_that_cannot_be_read_fails_its_own_change_only():
    class Damaged(View):
        def get(self, wanted: bytes) -> Record | None:
            if wanted == name("bad"):
                raise CorruptError
            return super().get(wanted)

    changes = Evaluation(Damaged(), NOW)
    assert refused(changes, create("bad")) is CorruptError
    assert changes.apply(create("good")).serial == 41


def test_a_tally_that_cannot_be_read_leaves_nothing_behind():
    class Damaged(View):
        def tally(self, prefix: bytes) -> Tally:
            raise CorruptError

    assert refused(Evaluation(Damaged(), NOW), create("x")) is CorruptError


def test_tallies_count_what_is_there_and_what_ever_was():
    changes = evaluation(record())
    changes._snapshot.tallies[PREFIX] = Tally(1, 4)
    for wish, tally in [
        (create("a"), (2, 5)),
        (create("b"), (3, 6)),
        (create("b", overwrite=True), (3, 6)),
        (add(), (3, 6)),
        (delete(), (2, 6)),
        (create("x"), (3, 7)),
    ]:
        changes.apply(wish)
        assert changes.batch.tallies[PREFIX] == tally
    assert refused(changes, create("x")) is AlreadyExistsError
    assert changes.batch.tallies == {PREFIX: (3, 7)}
