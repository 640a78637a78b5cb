"""Whose changes a watched prefix expects."""

import pytest

from chain_anchor.changes import Change
from chain_anchor.entry_fields import NO_HASH
from chain_anchor.errors import FormatError
from chain_anchor.watch import Watch, actor_of


def change(scope=b"88.118", actor=b"88.118/ADMIN", actor_index=300):
    return Change(
        state=1,
        version=1,
        previous_index=0,
        previous_hash=NO_HASH,
        key=bytes(32),
        operation=1,
        record_digest=bytes(32),
        time_ms=0,
        actor_index=actor_index,
        actor=actor,
        scope=scope,
        extra=b"",
    )


@pytest.mark.parametrize(
    ("scope", "under"),
    [
        (b"88.118", True),
        (b"88.118.7", True),
        (b"88.1180", False),
        (b"88", False),
        (b"", False),
        (b"x88.118", False),
        (b"\xff", False),
    ],
)
def test_a_watch_is_about_a_prefix_and_those_derived_from_it(scope, under):
    assert Watch.parse("88.118").concerns(change(scope)) is under


def test_case_does_not_matter():
    assert Watch.parse("oid.abc").concerns(change(b"OID.ABC"))
    assert Watch.parse("OID.ABC").concerns(change(b"oid.abc.1"))
    assert Watch.parse("p=88.118/admin").allows(change())
    assert Watch.parse("p=300:88.118/Admin").allows(change(actor=b"88.118/aDMIN"))


@pytest.mark.parametrize(
    ("actors", "allowed"),
    [
        ("", False),
        ("=88.118/ADMIN", True),
        ("=300:88.118/ADMIN", True),
        ("=301:88.118/ADMIN", False),
        ("=88.118/OTHER", False),
        ("=88.118/OTHER,300:88.118/ADMIN", True),
        ("=-", False),
    ],
)
def test_only_named_actors_are_expected(actors, allowed):
    assert Watch.parse(f"88.118{actors}").allows(change()) is allowed


def test_changes_by_nobody_are_the_operator_s():
    nobody = change(actor=b"", actor_index=0)
    assert actor_of(nobody) == "-"
    assert Watch.parse("p=-").allows(nobody)
    assert not Watch.parse("p=88.118/ADMIN").allows(nobody)


@pytest.mark.parametrize("text", ["", "=x", "p=", "p=a,,b", "p=a,"])
def test_a_watch_without_prefix_or_with_an_empty_actor_is_none(text):
    with pytest.raises(FormatError):
        Watch.parse(text)
