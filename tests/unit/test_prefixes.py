"""The life of a prefix, from allocation to its end."""

import pytest

from registry.change import Change
from registry.errors import (
    AdminError,
    AlreadyExistsError,
    NotFoundError,
    NotHomedError,
    PermissionsError,
    RegistryError,
)
from registry.journal import Operation
from registry.model.identifier import prefix_handle
from registry.model.identity import Identity
from registry.model.typed import Admin, AdminBit
from registry.model.value import Reference
from registry.prefixes import Prefixes, is_stopped, sites_of
from registry.service import Registry
from registry.store.lmdb import LmdbStore
from tests.registries import (
    NOW,
    STRANGER,
    InlineExecutor,
    admin,
    home,
    seed,
    url,
)

PARENT, CHILD = b"88", b"88.118"
HEAD = Identity(PARENT + b"/ADMIN", 300)
RECORD = prefix_handle(CHILD)
CHIEF = Reference(STRANGER.handle.decode(), STRANGER.index)
SITES = (b"first site", b"second site")


@pytest.fixture
def registry(tmp_path):
    store = LmdbStore(tmp_path)
    seed(store, home(PARENT, admin(HEAD)))
    yield Registry(store, InlineExecutor(), lambda: NOW)
    store.close()


@pytest.fixture
def prefixes(registry):
    return Prefixes(registry, None, trusted=True)


def types(registry: Registry) -> list[tuple[int, str]]:
    return [(value.index, value.type) for value in registry.get(RECORD).values]


async def test_an_allocated_prefix_has_an_administrator_and_no_site(registry, prefixes):
    await prefixes.allocate(CHILD, CHIEF)
    record = registry.get(RECORD)
    assert sites_of(record) == ()
    assert record.value(10).data == b"allocated"
    assert Admin.decode(record.value(100).data) == (0xFFF, *CHIEF)
    with pytest.raises(AlreadyExistsError):
        await prefixes.allocate(CHILD, CHIEF)
    with pytest.raises(NotHomedError):
        await prefixes.allocate(b"99.1", CHIEF)


async def test_a_delegated_prefix_names_its_sites_in_order(registry, prefixes):
    await prefixes.allocate(CHILD, CHIEF)
    await prefixes.delegate(CHILD, SITES)
    assert sites_of(registry.get(RECORD)) == SITES
    await prefixes.delegate(CHILD, SITES[1:])
    record = registry.get(RECORD)
    assert sites_of(record) == SITES[1:]
    assert types(registry) == [(1, "HS_SITE"), (10, "PREFIX_STATE"), (100, "HS_ADMIN")]
    assert record.value(10).data == b"enabled"


async def test_a_hosted_prefix_takes_records_of_its_administrator(registry, prefixes):
    await prefixes.allocate(CHILD, CHIEF)
    new = Change(Operation.CREATE, CHILD + b"/X", (url(),), actor=STRANGER)
    with pytest.raises(NotHomedError):
        await registry.submit(new)
    await prefixes.host(CHILD, SITES)
    await registry.submit(new)
    assert sites_of(registry.get(RECORD)) == SITES


async def test_a_stopped_prefix_takes_no_records_and_keeps_them(registry, prefixes):
    await prefixes.allocate(CHILD, CHIEF)
    await prefixes.host(CHILD, SITES)
    new = Change(Operation.CREATE, CHILD + b"/X", (url(),), trusted=True)
    await registry.submit(new)
    assert not is_stopped(registry.get(RECORD))
    await prefixes.stop(CHILD)
    record = registry.get(RECORD)
    assert is_stopped(record)
    assert sites_of(record) == ()
    assert record.value(100) is not None
    with pytest.raises(NotHomedError, match="stopped"):
        await registry.submit(new)
    assert registry.get(new.name) is not None
    await prefixes.unhome(CHILD)
    with pytest.raises(NotHomedError, match="doesn't live here"):
        await registry.submit(new)


@pytest.mark.parametrize("step", ["delegate", "host", "stop"])
async def test_what_was_not_allocated_goes_no_further(registry, prefixes, step):
    arguments = (CHILD,) if step == "stop" else (CHILD, SITES)
    with pytest.raises(NotFoundError, match=r"88\.118 is not allocated"):
        await getattr(prefixes, step)(*arguments)
    with registry.store.snapshot() as snapshot:
        assert snapshot.home(CHILD) is None
        assert snapshot.serial == 0


async def test_only_who_may_add_prefixes_allocates(registry):
    with pytest.raises(AdminError):
        await Prefixes(registry, STRANGER, trusted=False).allocate(CHILD, CHIEF)
    seed(registry.store, home(PARENT, admin(HEAD, 0xFFF ^ AdminBit.ADD_PREFIX)))
    with pytest.raises(PermissionsError):
        await Prefixes(registry, HEAD, trusted=False).allocate(CHILD, CHIEF)
    seed(registry.store, home(PARENT, admin(HEAD, AdminBit.ADD_PREFIX)))
    await Prefixes(registry, HEAD, trusted=False).allocate(CHILD, CHIEF)


async def test_a_record_that_changed_meanwhile_is_not_overwritten(registry, prefixes):
    await prefixes.allocate(CHILD, CHIEF)
    held = prefixes._record(CHILD)
    await prefixes.delegate(CHILD, SITES)
    with pytest.raises(RegistryError, match="read it again"):
        await prefixes._rewrite(held, held.values)
