"""Keys and secrets that follow from the network's seed (emulator convention).

One seed gives one network: every key is a function of the seed, the kind of key
and a label, through SHAKE-256. Whoever knows the seed knows the keys, so none of
them may protect anything real.

An RSA prime is the first at or after a number that SHAKE-256 gives, found by a
sieve of small primes and the Fermat test on what is left, then confirmed by
Miller-Rabin. Measured on the 2-core development machine, in ms for a key of 2048
bits: 39; with two threads 23; from the cache 0.2; without the GMP library, which
gives the same keys, 75. `cryptography` takes 45, and takes no seed.

The cache keeps how far each prime lies from its start, under a tag that only the
right seed and label give. It holds nothing that helps to find a key without the
seed; what fails its tag is found again, and a directory that cannot be written
is a cache that stays empty.
"""

import base64
import functools
import hashlib
import hmac
import math
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path

from Cryptodome.Math.Numbers import Integer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.dsa import DSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from chain_anchor.sm2_curve import ORDER as SM2_ORDER
from resolver.session import sm2

PrivateKey = RSAPrivateKey | DSAPrivateKey | EllipticCurvePrivateKey | int
"""A key of any kind used here; an integer is an SM2 key."""

DEFAULT_SEED = 1
RSA_EXPONENT = 65537
RSA_PRIME_BITS = 1024

SECRET_CHARACTERS = 20
"""100 bits of lowercase base32: nothing to escape, and no dash in front."""

_DOMAIN = "idis-emulator key 1"
"""Change the number when a derivation changes: cached keys must not match."""

_P256_ORDER = 0xFFFFFFFF_00000000_FFFFFFFF_FFFFFFFF_BCE6FAAD_A7179E84_F3B9CAC2_FC632551

_SIEVE_LIMIT = 1 << 14
"""Measured: from 2^14 to 2^16, what the sieve costs it saves in Fermat tests."""

_SIEVE_NUMBERS = 1024
"""Odd numbers sieved at once; 19 in 20 searches end within."""

_WITNESSES = (3, 5, 7, 11)
"""For numbers nobody chose, four rounds after Fermat's leave less than 2^-100."""

_MAX_CACHE_FILE_OCTETS = 256
_PACKAGED = "seed-1-primes.txt"


class SeededKeys:
    """The keys of one seed; safe to share between threads."""

    __slots__ = ("_cache", "_seed")

    def __init__(self, seed: int, cache: Path | None = None) -> None:
        """Take a seed, and a directory for a cache, made if absent."""
        self._seed = seed
        self._cache = cache

    def rsa(self, label: str) -> RSAPrivateKey:
        """Return an RSA key of 2048 bits."""
        starts = [self._prime_start(label, which) for which in "pq"]
        offsets = self._load_offsets(label)
        if offsets is None:
            offsets = self.search_offsets(label)
            self._store_offsets(label, offsets)
        first, second = map(sum, zip(starts, offsets, strict=True))
        return _rsa_key(max(first, second), min(first, second))

    def search_offsets(self, label: str) -> list[int]:
        """Find how far the two primes of an RSA key lie from where they start."""
        starts = [self._prime_start(label, which) for which in "pq"]
        return [_next_prime_offset(start) for start in starts]

    def rsa_many(self, labels: Iterable[str]) -> list[RSAPrivateKey]:
        """Return a key for each label; the search runs on all cores, four at most."""
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as executor:
            return list(executor.map(self.rsa, labels))

    def sm2(self, label: str) -> int:
        """Return an SM2 private key."""
        return self._number("sm2", label, SM2_ORDER - 2)

    def ec(self, label: str) -> EllipticCurvePrivateKey:
        """Return a key on P-256."""
        number = self._number("p256", label, _P256_ORDER - 1)
        return ec.derive_private_key(number, ec.SECP256R1())

    def secret(self, label: str) -> str:
        """Return a secret of 20 characters from a-z and 2-7."""
        octets = base64.b32encode(self.octets("secret", label, SECRET_CHARACTERS))
        return octets.decode().lower()[:SECRET_CHARACTERS]

    def octets(self, kind: str, label: str, size: int) -> bytes:
        """Return `size` octets that nothing else gets; `kind` names the purpose."""
        source = f"{_DOMAIN}\0{kind}\0{self._seed}\0{label}"
        return hashlib.shake_256(source.encode()).digest(size)

    def _number(self, kind: str, label: str, largest: int) -> int:
        """Return a number from 1 to `largest`, of at most 256 bits."""
        # Twice the size makes the bias of the remainder smaller than 2^-250.
        return int.from_bytes(self.octets(kind, label, 64)) % largest + 1

    def _prime_start(self, label: str, which: str) -> int:
        """Return an odd number whose two highest bits make any product long enough."""
        octets = self.octets(f"rsa {which}", label, RSA_PRIME_BITS // 8)
        return int.from_bytes(octets) | 3 << (RSA_PRIME_BITS - 2) | 1

    def _cache_file(self, label: str) -> Path | None:
        if self._cache is None:
            return None
        return self._cache / self.octets("rsa file", label, 16).hex()

    def _cache_line(self, label: str, offsets: list[int]) -> bytes:
        """Return what the file of a key holds: its offsets and their tag."""
        numbers = " ".join(map(str, offsets)).encode()
        key = self.octets("rsa tag", label, 32)
        return b"%s %s\n" % (
            numbers,
            hmac.digest(key, numbers, "sha256").hex().encode(),
        )

    def _load_offsets(self, label: str) -> list[int] | None:
        if self._seed == DEFAULT_SEED and label in packaged_offsets():
            return packaged_offsets()[label]
        file = self._cache_file(label)
        if file is None:
            return None
        try:
            with file.open("rb") as stream:
                line = stream.read(_MAX_CACHE_FILE_OCTETS)
            offsets = [int(number) for number in line.split()[:2]]
        except (OSError, ValueError):
            return None
        return offsets if line == self._cache_line(label, offsets) else None

    def _store_offsets(self, label: str, offsets: list[int]) -> None:
        file = self._cache_file(label)
        if file is None:
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(file, flags, 0o600), "wb") as stream:
                # Not atomic: a line cut short fails its tag and is found again.
                stream.write(self._cache_line(label, offsets))
        except OSError:
            return


@functools.cache
def packaged_offsets() -> dict[str, list[int]]:
    """Read what the search finds for the built-in topology with the default seed.

    Made by `python -m bench.primes`; it spares the first start two seconds.
    """
    text = resources.files("resolver").joinpath("data", _PACKAGED).read_text()
    rows = (line.split() for line in text.splitlines())
    return {label: [int(first), int(second)] for label, first, second in rows}


def private_key_pem(key: PrivateKey) -> bytes:
    """Write a private key as unencrypted PKCS #8 in PEM."""
    if isinstance(key, int):
        return sm2.private_key_pem(key)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def public_key_pem(key: PrivateKey) -> bytes:
    """Write the public half of a key as X.509 SubjectPublicKeyInfo in PEM."""
    if isinstance(key, int):
        return sm2.public_key_pem(sm2.public_point(key))
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _rsa_key(p: int, q: int) -> RSAPrivateKey:
    """Make the key of two primes (RFC 8017 §3.2)."""
    d = pow(RSA_EXPONENT, -1, math.lcm(p - 1, q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p=p,
        q=q,
        d=d,
        dmp1=rsa.rsa_crt_dmp1(d, p),
        dmq1=rsa.rsa_crt_dmq1(d, q),
        iqmp=rsa.rsa_crt_iqmp(p, q),
        public_numbers=rsa.RSAPublicNumbers(RSA_EXPONENT, p * q),
    )
    # Testing the primes again would cost more than finding them did.
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


def _next_prime_offset(start: int) -> int:
    """Return how far the next usable prime is from an odd number."""
    offset = 0
    while True:
        for index in _sieve(start + offset):
            if _is_usable_prime(start + offset + 2 * index):
                return offset + 2 * index
        offset += 2 * _SIEVE_NUMBERS


def _sieve(start: int) -> Iterable[int]:
    """Yield i for each start + 2i that no small prime divides."""
    left = bytearray(b"\1") * _SIEVE_NUMBERS
    for prime in _small_primes():
        distance = -start % prime
        index = (distance + prime if distance & 1 else distance) // 2
        left[index::prime] = bytes(len(range(index, _SIEVE_NUMBERS, prime)))
    index = left.find(1)
    while index >= 0:
        yield index
        index = left.find(1, index + 1)


@functools.cache
def _small_primes() -> list[int]:
    """Return the odd primes below the sieve's limit."""
    left = bytearray(b"\1") * _SIEVE_LIMIT
    for number in range(3, math.isqrt(_SIEVE_LIMIT) + 1, 2):
        if left[number]:
            left[number**2 :: number] = bytes(
                len(range(number**2, _SIEVE_LIMIT, number))
            )
    return [number for number in range(3, _SIEVE_LIMIT, 2) if left[number]]


def _is_usable_prime(number: int) -> bool:
    """Tell whether a number is prime and fits the exponent."""
    if number % RSA_EXPONENT == 1:
        return False
    # GMP's powers take a tenth of Python's time and let other threads run.
    if Integer(2).inplace_pow(number - 1, number) != 1:
        return False
    return all(_is_strong_probable_prime(number, witness) for witness in _WITNESSES)


def _is_strong_probable_prime(number: int, witness: int) -> bool:
    """Run one round of Miller-Rabin."""
    twos = (number - 1 & 1 - number).bit_length() - 1
    power = int(Integer(witness).inplace_pow(number - 1 >> twos, number))
    if power in {1, number - 1}:
        return True
    for _ in range(twos - 1):
        power = power * power % number
        if power == number - 1:
            return True
    return False
