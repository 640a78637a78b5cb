"""Who may read and list at one node."""

import pytest

from registry.access import Access
from registry.errors import (
    AdminError,
    ChallengeNeededError,
    GroupElsewhereError,
    PermissionsError,
)
from registry.model.identity import Identity
from registry.model.record import make_record
from registry.model.typed import AdminBit
from registry.store.interface import Batch
from registry.store.lmdb import LmdbStore
from tests.registries import (
    OWNER,
    PREFIX,
    STRANGER,
    admin,
    group,
    home,
    name,
    seed,
    url,
)

OPERATOR = Identity(b"0.NA/88", 300)
HERE = Identity(name("g"), 200)
ELSEWHERE = Identity(b"99/G", 200)


@pytest.fixture
def store(tmp_path):
    store = LmdbStore(tmp_path)
    seed(store, home())
    yield store
    store.close()


@pytest.fixture
def access(store):
    return Access(store, [OPERATOR])


def record(*values):
    return make_record(name("x"), 1, (url(1, permissions=0x0C), *values))


def test_an_operator_may_do_everything(access):
    assert access.trusts(OPERATOR)
    assert access.may_read(OPERATOR, record(admin(OWNER)))
    access.check_list(OPERATOR, b"99")


def test_everybody_may_do_everything_without_authentication(store):
    open_to_all = Access(store, [], required=False)
    assert open_to_all.trusts(None)
    assert open_to_all.may_read(None, record())
    open_to_all.check_list(None, PREFIX)


def test_nobody_reads_or_lists_before_saying_who_they_are(access):
    with pytest.raises(ChallengeNeededError):
        access.may_read(None, record())
    with pytest.raises(ChallengeNeededError):
        access.check_list(None, PREFIX)


def test_a_records_own_administrators_read_it(access):
    mine = record(admin(STRANGER, AdminBit.READ_VALUE))
    assert access.may_read(STRANGER, mine)
    assert not access.may_read(OWNER, mine)
    assert not access.may_read(STRANGER, record(admin(STRANGER, 0xFFF ^ 0x400)))


def test_a_record_without_administrators_is_read_by_its_prefixs(access):
    assert access.may_read(OWNER, record())
    assert not access.may_read(STRANGER, record())


def test_a_group_reads_what_it_administers(access, store):
    members = make_record(HERE.handle, 1, (group(STRANGER),))
    store.write(Batch(1, {HERE.handle: members}))
    assert access.may_read(STRANGER, record(admin(HERE)))
    assert not access.may_read(OWNER, record(admin(HERE)))


def test_a_group_of_another_node_takes_away_nothing(access, store):
    members = make_record(HERE.handle, 1, (group(STRANGER),))
    store.write(Batch(1, {HERE.handle: members}))
    both = record(admin(ELSEWHERE), admin(HERE, index=101))
    assert access.may_read(STRANGER, both)
    assert not access.may_read(OWNER, both)


def test_listing_needs_its_permission_at_the_prefix(access, store):
    access.check_list(OWNER, PREFIX)
    with pytest.raises(AdminError):
        access.check_list(STRANGER, PREFIX)
    with pytest.raises(AdminError):
        access.check_list(OWNER, b"88.999")
    seed(store, home(PREFIX, admin(OWNER, 0xFFF ^ 0x800)))
    with pytest.raises(PermissionsError):
        access.check_list(OWNER, PREFIX)
    seed(store, home(PREFIX, admin(ELSEWHERE)))
    with pytest.raises(GroupElsewhereError):
        access.check_list(OWNER, PREFIX)
