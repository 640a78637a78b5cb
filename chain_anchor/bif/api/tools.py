"""What a node does for clients that cannot: blobs, keys, addresses (bif notes §1.4).

The forms of these answers are Bumo's as far as the notes have them; the rest is
emulator convention.
"""

from hashlib import sha256
from typing import Final

from google.protobuf.message import DecodeError

from chain_anchor.bif import answers, hexadecimal
from chain_anchor.bif.api.asking import Asked, invalid
from chain_anchor.bif.chain_pb2 import TransactionEnv
from chain_anchor.bif.errors import EncodingError, ErrorCode, RefusedError
from chain_anchor.bif.json_form import JsonObject, to_json
from chain_anchor.bif.keys import PRIVATE_KEY_OCTETS, KeyType, PrivateKey, PublicKey
from chain_anchor.bif.transactions import content_of_json, read_content

_TYPES: Final = {
    "": KeyType.ED25519,
    "ed25519": KeyType.ED25519,
    "sm2": KeyType.SM2,
}
_ATTEMPTS: Final = 8


async def transaction_blob(asked: Asked) -> JsonObject:
    """Serialise a transaction that is given in JSON."""
    document = asked.document
    content = content_of_json(document.get("transaction_json", document))
    blob = content.SerializeToString()
    return answers.success(
        {"transaction_blob": blob.hex(), "hash": sha256(blob).hexdigest()}
    )


async def transaction_from_blob(asked: Asked) -> JsonObject:
    """Show what a blob says, that of an envelope if `env` is true."""
    try:
        octets = hexadecimal.decode(asked.parameters.text("blob"))
    except EncodingError:
        raise invalid("'blob' value must be Hex") from None
    if not asked.parameters.flag("env"):
        return answers.success(to_json(read_content(octets)))
    try:
        return answers.success(to_json(TransactionEnv.FromString(octets)))
    except DecodeError:
        raise invalid("'blob' value must be a transaction envelope") from None


async def create_key_pair(asked: Asked) -> JsonObject:
    """Make a key."""
    text = asked.parameters.text("sign_type").lower()
    kind = _TYPES.get(text)
    if kind is None:
        raise invalid(f"'sign_type'({text:.20}) must be ed25519 or sm2")
    key = _new_key(asked, kind)
    return answers.success(_shown(asked, key.public) | {"private_key": key.text})


async def address(asked: Asked) -> JsonObject:
    """Give the address of a key, private or public."""
    parameters = asked.parameters
    if "private_key" in parameters:
        try:
            key = PrivateKey.parse(parameters.text("private_key"))
        except EncodingError:
            # The text is a secret, if a wrong one: it is not repeated.
            raise RefusedError(
                ErrorCode.INVALID_PRIVATE_KEY, "Invalid private key"
            ) from None
        return answers.success(_shown(asked, key.public))
    text = parameters.text("public_key")
    try:
        return answers.success(_shown(asked, PublicKey.parse(text)))
    except EncodingError:
        raise RefusedError(
            ErrorCode.INVALID_PUBLIC_KEY, f"Invalid public key({text:.200})"
        ) from None


async def update_log_level(asked: Asked) -> JsonObject:
    """Refuse to change what the node logs: it has no levels."""
    del asked
    raise RefusedError(ErrorCode.ACCESS_DENIED, "The log level cannot be changed")


def _shown(asked: Asked, key: PublicKey) -> JsonObject:
    return {
        "address": key.address(asked.chain.ledger.chain.ac),
        "public_key": key.text,
        "public_key_raw": key.octets.hex(),
        "sign_type": "sm2" if key.type is KeyType.SM2 else "ed25519",
    }


def _new_key(asked: Asked, kind: KeyType) -> PrivateKey:
    """Make a key; a number that is out of range, once in 2**32, is made anew."""
    for _ in range(_ATTEMPTS):
        try:
            return PrivateKey(kind, asked.random(PRIVATE_KEY_OCTETS))
        except EncodingError:
            continue
    raise RefusedError(ErrorCode.INTERNAL, "no key could be made")
