"""Whom load may be aimed at, and how a target is named."""

import pytest

from resolver.load.targets import (
    ALLOW,
    OWN,
    Address,
    Target,
    TargetError,
    check_allowed,
    credentials_of,
    is_loopback,
    read_identifiers,
    registering_prefixes,
    target_of,
    with_host,
)

READY = {
    "pid": 1,
    "nodes": [
        {"role": "recursive", "http": "http://127.0.0.1:3000"},
        {"role": "top", "http": "http://127.0.0.1:3001"},
        {"role": "secondary", "http": "http://127.0.0.1:3002"},
        {"role": "secondary", "http": "http://127.0.0.1:3003"},
    ],
    "recursive": {
        "handle": ["127.0.0.1", 3641],
        "dns": ["::1", 5300],
        "dns_zone": "idis.test.",
    },
    "identifiers": ["88.118.7/SN1", "88.118.7/SN2"],
    "credentials": [
        {"handle": "88/admin", "kind": "secret", "index": 300},
        {"handle": "88.118.7/admin", "kind": "rsa", "index": 300},
        {"handle": "88.118.7/admin", "kind": "secret", "index": 301},
    ],
}


def test_a_ready_file_has_all_there_is_to_load():
    target = target_of(READY)
    assert target.handle == Address("127.0.0.1", 3641)
    assert target.http == "http://127.0.0.1:3000"
    assert target.dns == Address("::1", 5300)
    assert target.dns_zone == "idis.test"
    assert target.identifiers == ("88.118.7/SN1", "88.118.7/SN2")
    assert target.secondaries == 2


def test_a_network_without_a_dns_face_is_a_target_without_one():
    recursive = {"handle": ["127.0.0.1", 3641]}
    target = target_of({**READY, "recursive": recursive})
    assert (target.dns, target.dns_zone) == (None, None)


@pytest.mark.parametrize(
    "ready", [{}, [], {"nodes": []}, {**READY, "recursive": {}}, {**READY, "nodes": 1}]
)
def test_what_is_no_ready_file_is_said_to_be_none(ready):
    with pytest.raises(TargetError, match="ready file"):
        target_of(ready)


@pytest.mark.parametrize(
    ("host", "face", "expected"),
    [
        ("127.0.0.1:2641", "handle", Address("127.0.0.1", 2641)),
        ("handle://[::1]:2641", "handle", Address("::1", 2641)),
        ("dns://127.0.0.1:53/", "dns", Address("127.0.0.1", 53)),
        ("http://127.0.0.1:3000/", "http", "http://127.0.0.1:3000"),
        ("HTTPS://localhost:3443", "http", "HTTPS://localhost:3443"),
    ],
)
def test_a_host_replaces_its_face_and_no_other(host, face, expected):
    before = target_of(READY)
    after = with_host(before, host)
    assert getattr(after, face) == expected
    for other in {"handle", "http", "dns"} - {face}:
        assert getattr(after, other) == getattr(before, other)
    assert after.identifiers == before.identifiers


@pytest.mark.parametrize(
    "host", ["", "127.0.0.1", "ftp://127.0.0.1:1", "dns://a", "http://", "http://:0/"]
)
def test_a_host_that_is_no_address_is_told_what_one_looks_like(host):
    with pytest.raises(TargetError, match="--host") as caught:
        with_host(Target(), host)
    assert caught.value.hint


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST"]
)
def test_these_are_this_machine(host):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "0.0.0.0", "::", "2001:db8::1", "localhost.example.com", ""]
)
def test_these_are_not_certain_to_be_this_machine(host):
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "host", ["192.0.2.1:2641", "http://example.com", "dns://[2001:db8::1]:53"]
)
@pytest.mark.parametrize("told", [(False, False), (True, False), (False, True)])
def test_what_is_not_this_machine_is_refused_unless_told_twice(host, told):
    target = with_host(target_of(READY), host)
    with pytest.raises(TargetError, match="not this machine") as caught:
        check_allowed(target, allow_remote=told[0], own_target=told[1])
    assert ALLOW in caught.value.hint
    assert OWN in caught.value.hint
    check_allowed(target, allow_remote=True, own_target=True)


def test_loopback_needs_no_telling():
    check_allowed(target_of(READY), allow_remote=False, own_target=False)


def test_enterprises_register_and_not_the_nodes_above_them():
    assert registering_prefixes(target_of(READY), "secret") == ("88.118.7",)


def test_where_no_enterprise_is_known_anybody_registers():
    target = target_of({**READY, "identifiers": []})
    assert registering_prefixes(target, "secret") == ("88", "88.118.7")
    assert registering_prefixes(target, "sm2") == ()


def test_every_prefix_has_its_own_credential_of_a_kind():
    found = credentials_of(target_of(READY), "secret")
    assert {prefix: entry["index"] for prefix, entry in found.items()} == {
        "88": 300,
        "88.118.7": 301,
    }


def test_identifiers_are_read_one_a_line(tmp_path):
    file = tmp_path / "names.txt"
    file.write_text("88.118.7/A 1\n\n  88.118.7/B\n")
    assert read_identifiers(file) == ("88.118.7/A 1", "88.118.7/B")


def test_a_file_without_identifiers_is_refused(tmp_path):
    file = tmp_path / "names.txt"
    file.write_text("\n")
    for given in (file, tmp_path / "missing.txt"):
        with pytest.raises(TargetError, match="--identifiers"):
            read_identifiers(given)
