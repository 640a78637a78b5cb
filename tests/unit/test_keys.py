"""Keys that follow from a seed."""

import hashlib
import re
import stat

import pytest
from Cryptodome.Math._IntegerCustom import IntegerCustom
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, strategies as st

from resolver import keys as keys_module
from resolver.identities import key_label
from resolver.keys import (
    DEFAULT_SEED,
    SeededKeys,
    packaged_offsets,
    private_key_pem,
    public_key_pem,
)
from resolver.network import SERVER_KEY_LABEL
from resolver.session import sm2
from resolver.topology import BUILTIN_SECONDARIES, builtin_topology

KEYS = SeededKeys(1)
LABEL = "88.100.1/admin"
RSA = KEYS.rsa(LABEL)


@pytest.fixture(autouse=True)
def nothing_packaged(request, monkeypatch):
    """Let every test search for its primes, but those about the packaged ones."""
    if "packaged" not in request.node.name:
        monkeypatch.setattr(keys_module, "packaged_offsets", dict)


def modulus(key) -> int:
    return key.public_key().public_numbers().n


def test_the_same_seed_and_label_give_the_same_keys():
    again = SeededKeys(1)
    assert again.rsa(LABEL).private_numbers() == RSA.private_numbers()
    assert again.sm2(LABEL) == KEYS.sm2(LABEL)
    assert again.ec(LABEL).private_numbers() == KEYS.ec(LABEL).private_numbers()
    assert again.secret(LABEL) == KEYS.secret(LABEL)


def test_the_keys_of_seed_1_never_change():
    # Computed by this code when it was written; a change breaks stored networks.
    digest = hashlib.sha256(modulus(RSA).to_bytes(256)).hexdigest()
    assert digest.startswith("e4eba6d425cb4b06fe02baf981fa8dc1")
    assert f"{KEYS.sm2(LABEL):064x}".startswith("6a1e36d2502b9f2b889859a1f6044886")
    assert f"{KEYS.ec(LABEL).private_numbers().private_value:064x}".startswith(
        "2f9bbe1cd3bffe215f0c58e3fa8ecdeb"
    )
    assert KEYS.secret(LABEL) == "7z7b53h3hyojn25snevz"


@pytest.mark.parametrize(("seed", "label"), [(2, LABEL), (1, "88.100.1/other")])
def test_another_seed_or_label_gives_other_keys(seed, label):
    other = SeededKeys(seed)
    assert modulus(other.rsa(label)) != modulus(RSA)
    assert other.sm2(label) != KEYS.sm2(LABEL)
    assert other.secret(label) != KEYS.secret(LABEL)
    assert other.ec(label).private_numbers() != KEYS.ec(LABEL).private_numbers()


def test_seed_and_label_do_not_run_into_each_other():
    assert SeededKeys(1).secret("23") != SeededKeys(12).secret("3")


@pytest.mark.parametrize("label", ["a", "b", "c", "d"])
def test_rsa_keys_pass_the_library_s_full_check(label):
    numbers = KEYS.rsa(label).private_numbers()
    assert numbers.private_key().key_size == 2048
    assert numbers.public_numbers.e == 65537
    assert numbers.p > numbers.q
    assert numbers.p.bit_length() == numbers.q.bit_length() == 1024


def test_many_keys_at_once_are_those_made_one_by_one():
    labels = ["a", LABEL, "b"]
    many = KEYS.rsa_many(labels)
    assert [key.private_numbers() for key in many] == [
        KEYS.rsa(label).private_numbers() for label in labels
    ]
    assert KEYS.rsa_many([]) == []


def test_keys_are_the_same_without_the_gmp_library(monkeypatch):
    monkeypatch.setattr(keys_module, "Integer", IntegerCustom)
    assert KEYS.rsa(LABEL).private_numbers() == RSA.private_numbers()


def test_small_primes_are_the_odd_primes():
    primes = keys_module._small_primes()
    assert primes[:5] == [3, 5, 7, 11, 13]
    assert len(primes) == 1899  # pi(16384) = 1900, OEIS A007053, with 2
    assert all(
        number % divisor for number in primes[:50] for divisor in range(2, number)
    )


@pytest.mark.parametrize(
    ("number", "prime"),
    [
        ((1 << 1279) - 1, True),  # Mersenne prime
        ((1 << 1277) - 1, False),
        (561, False),  # Carmichael number: Fermat's test alone is fooled
        (2047, False),  # strong pseudoprime to base 2
        (3215031751, False),  # strong pseudoprime to 2, 3, 5 and 7
        (65537 * 1024 * 3 + 1, False),
        (193, True),
    ],
)
def test_primes_are_told_from_pseudoprimes(number, prime):
    assert keys_module._is_usable_prime(number) is prime


def test_a_prime_that_does_not_fit_the_exponent_is_not_used():
    number = next(
        n
        for n in range(65537 * 2 + 1, 10**8, 65537 * 2)
        if all(n % d for d in range(2, 9999))
    )
    assert not keys_module._is_usable_prime(number)
    assert all(
        keys_module._is_strong_probable_prime(number, base) for base in (2, 3, 5, 7, 11)
    )


@given(st.integers(0, 1 << 64))
def test_the_sieve_leaves_what_no_small_prime_divides(number):
    start = (1 << 100) + 2 * number + 1
    left = set(keys_module._sieve(start))
    primes = keys_module._small_primes()[:40]
    for index in range(0, 1024, 37):
        divided = any((start + 2 * index) % prime == 0 for prime in primes)
        assert not (divided and index in left)


def test_the_next_prime_is_the_first_one():
    # Primes near 2^40 are dense enough to check by division.
    start = (1 << 40) + 1
    offset = keys_module._next_prime_offset(start)
    candidates = range(start, start + offset + 1, 2)
    prime = [n for n in candidates if all(n % d for d in range(3, 1 << 20, 2))]
    assert prime == [start + offset]


@given(st.text(max_size=20))
def test_secrets_need_no_escaping_anywhere(label):
    assert re.fullmatch(r"[a-z2-7]{20}", KEYS.secret(label))


@given(st.text(max_size=20))
def test_sm2_keys_are_in_range(label):
    sm2.public_point(KEYS.sm2(label))


# Cache


def test_a_cached_key_is_the_same_key(tmp_path, monkeypatch):
    SeededKeys(1, tmp_path / "cache").rsa(LABEL)
    monkeypatch.setattr(keys_module, "_next_prime_offset", None)  # must not be asked
    key = SeededKeys(1, tmp_path / "cache").rsa(LABEL)
    assert key.private_numbers() == RSA.private_numbers()


def test_the_cache_is_for_its_owner_only(tmp_path):
    cache = tmp_path / "deep" / "cache"
    SeededKeys(1, cache).rsa(LABEL)
    (file,) = cache.iterdir()
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_cache_holds_neither_key_nor_label(tmp_path):
    SeededKeys(1, tmp_path).rsa(LABEL)
    (file,) = tmp_path.iterdir()
    assert re.fullmatch(rb"\d{1,5} \d{1,5} [0-9a-f]{64}\n", file.read_bytes())
    assert re.fullmatch(r"[0-9a-f]{32}", file.name)


def cached_file(tmp_path):
    SeededKeys(1, tmp_path).rsa(LABEL)
    (file,) = tmp_path.iterdir()
    return file


@pytest.mark.parametrize(
    "damage",
    [
        lambda line: b"",
        lambda line: b"\xff" * 10_000,
        lambda line: line[:-2],
        lambda line: line + b"\n",
        lambda line: b"1" + line,
        lambda line: b"\x30\xe0 0 " + line,
        lambda line: line.replace(b" ", b"  ", 1),
        lambda line: b"9" * 250,
    ],
)
def test_a_damaged_cache_file_is_made_again(tmp_path, damage):
    file = cached_file(tmp_path)
    line = file.read_bytes()
    file.write_bytes(damage(line))
    key = SeededKeys(1, tmp_path).rsa(LABEL)
    assert key.private_numbers() == RSA.private_numbers()
    assert file.read_bytes() == line


def test_a_file_of_another_seed_is_not_believed(tmp_path):
    file = cached_file(tmp_path)
    (tmp_path / "other").mkdir()
    other = cached_file(tmp_path / "other")
    stranger = SeededKeys(2)
    file.write_bytes(stranger._cache_line(LABEL, [0, 0]))
    assert modulus(SeededKeys(1, tmp_path).rsa(LABEL)) == modulus(RSA)
    assert file.read_bytes() == other.read_bytes()


def test_a_cache_that_cannot_be_written_is_no_cache(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for cache in (tmp_path / "file", tmp_path / "file" / "below"):
        assert modulus(SeededKeys(1, cache).rsa(LABEL)) == modulus(RSA)


def test_the_cache_does_not_write_through_a_link(tmp_path):
    file = cached_file(tmp_path)
    target = tmp_path / "precious"
    target.write_bytes(b"precious")
    file.unlink()
    file.symlink_to(target)
    assert modulus(SeededKeys(1, tmp_path).rsa(LABEL)) == modulus(RSA)
    assert target.read_bytes() == b"precious"


# PEM


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_pem_is_what_the_library_reads(kind):
    key = RSA if kind == "rsa" else KEYS.ec(LABEL)
    private_key = serialization.load_pem_private_key(private_key_pem(key), None)
    public_key = serialization.load_pem_public_key(public_key_pem(key))
    assert private_key.private_numbers() == key.private_numbers()
    assert public_key.public_numbers() == key.public_key().public_numbers()
    assert private_key_pem(key).startswith(b"-----BEGIN PRIVATE KEY-----\n")


def test_pem_of_an_sm2_key_is_what_sm2_reads():
    key = KEYS.sm2(LABEL)
    assert sm2.load_private_key(private_key_pem(key)) == key
    assert sm2.load_public_key(public_key_pem(key)) == sm2.public_point(key)


def test_ec_keys_are_on_p_256():
    assert isinstance(KEYS.ec(LABEL).curve, ec.SECP256R1)


def test_the_packaged_primes_are_those_of_the_search():
    labels = sorted(packaged_offsets())
    for label in labels[:: len(labels) // 4]:
        found = SeededKeys(DEFAULT_SEED).search_offsets(label)
        assert found == packaged_offsets()[label]


def test_every_key_of_the_builtin_network_is_packaged():
    prefixes = builtin_topology(BUILTIN_SECONDARIES).prefixes
    wanted = {SERVER_KEY_LABEL, *map(key_label, prefixes)}
    assert set(packaged_offsets()) == wanted
