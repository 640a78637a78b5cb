"""The seeded identities: who administers what, with which keys.

Every prefix has one administrator, `PREFIX/admin`, with a key of each kind; any of
them may administer the prefix, since its HS_ADMIN names index 0 (emulator convention).

    INDEX  KIND     VALUE
      300  rsa      HS_PUBKEY, 2048 bits
      301  sm2      HS_PUBKEY
      302  secret   HS_SECKEY, read by administrators only
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from registry.model.identifier import canonical
from registry.model.identity import Identity
from registry.model.public_key import encode_public_key
from registry.model.typed import KEY_INDEX
from registry.model.value import Reference, Value
from registry.prefixes import admin_value
from resolver.keys import SeededKeys, private_key_pem
from resolver.session.signature import public_key_of

RSA_INDEX, SM2_INDEX, SECRET_INDEX = KEY_INDEX, KEY_INDEX + 1, KEY_INDEX + 2
_RESTRICTED = 0x0C


@dataclass(frozen=True, slots=True)
class Administrator:
    """The administrator of one prefix and its three keys."""

    prefix: str
    rsa: RSAPrivateKey
    sm2: int
    secret: str

    @property
    def handle(self) -> str:
        """Its identifier."""
        return f"{self.prefix}/admin"

    @property
    def reference(self) -> Reference:
        """How HS_ADMIN names it: any of its keys."""
        return Reference(self.handle, 0)

    @property
    def identities(self) -> tuple[Identity, ...]:
        """Who it can prove to be."""
        name = canonical(self.handle.encode())
        indexes = (RSA_INDEX, SM2_INDEX, SECRET_INDEX)
        return tuple(Identity(name, index) for index in indexes)

    @property
    def values(self) -> tuple[Value, ...]:
        """Its record."""
        return (
            admin_value(self.reference),
            Value(RSA_INDEX, "HS_PUBKEY", encode_public_key(public_key_of(self.rsa))),
            Value(SM2_INDEX, "HS_PUBKEY", encode_public_key(public_key_of(self.sm2))),
            Value(
                SECRET_INDEX,
                "HS_SECKEY",
                self.secret.encode(),
                permissions=_RESTRICTED,
            ),
        )


def make_administrators(
    keys: SeededKeys, prefixes: Sequence[str]
) -> dict[str, Administrator]:
    """Make the administrators of these prefixes from the network's seed."""
    labels = [key_label(prefix) for prefix in prefixes]
    return {
        prefix: Administrator(prefix, rsa, keys.sm2(label), keys.secret(label))
        for prefix, label, rsa in zip(
            prefixes, labels, keys.rsa_many(labels), strict=True
        )
    }


def key_label(prefix: str) -> str:
    """Give the label under which the keys of a prefix's administrator are derived."""
    return f"{prefix}/admin"


def key_file(administrator: Administrator, kind: str, directory: Path) -> Path:
    """Give where a private key of an administrator is."""
    return directory / f"{administrator.prefix}-{kind}.pem"


def write_keys(administrator: Administrator, directory: Path) -> None:
    """Write an administrator's private keys, PEM.

    Raises:
        OSError: They cannot be written.
    """
    for kind, key in (("rsa", administrator.rsa), ("sm2", administrator.sm2)):
        file = key_file(administrator, kind, directory)
        write_private(file, private_key_pem(key))


def credential_entries(
    administrator: Administrator, directory: Path
) -> list[dict[str, object]]:
    """Give an administrator's entries of the ready file: RSA, SM2, secret."""
    return [
        {
            "handle": administrator.handle,
            "index": RSA_INDEX,
            "kind": "rsa",
            "private_key": str(key_file(administrator, "rsa", directory)),
        },
        {
            "handle": administrator.handle,
            "index": SM2_INDEX,
            "kind": "sm2",
            "private_key": str(key_file(administrator, "sm2", directory)),
        },
        {
            "handle": administrator.handle,
            "index": SECRET_INDEX,
            "kind": "secret",
            "secret": administrator.secret,
        },
    ]


def write_private(file: Path, octets: bytes) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    temporary = file.with_name(file.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as output:
        output.write(octets)
    temporary.replace(file)
