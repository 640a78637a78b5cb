"""Transactions as they are submitted: a raw blob and signatures over it.

Hash and signatures are over the raw octets of the blob, as they came (bif notes §2.2,
verified); nothing is serialised again before they are checked. An envelope is

    1  the blob            TransactionEnv.transaction
    2  each signature      TransactionEnv.signatures, in the order they came

and its size is the `tx_size` that fees are counted from. The address of each key
whose signature holds signs; a signature that does not hold is passed over, as the
node does.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple

from google.protobuf.message import DecodeError

from chain_anchor.bif import chain_pb2, hexadecimal
from chain_anchor.bif.errors import EncodingError, ErrorCode, RefusedError
from chain_anchor.bif.framing import length_delimited
from chain_anchor.bif.json_form import Json, JsonObject, from_json
from chain_anchor.bif.keys import PrivateKey, PublicKey
from chain_anchor.errors import SignatureError

MAX_SIGNATURES: Final = 100
"""Most signatures of a transaction (`Limit.SIGNATURE` of the SDK's descriptors)."""


class Signature(NamedTuple):
    """A signature as it was submitted."""

    public_key: str
    """The encoded key in hexadecimal."""

    sign_data: bytes


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """A transaction that was read, with what its octets say and who signed them."""

    blob: bytes
    hash: bytes
    """SHA-256 of the blob."""

    content: chain_pb2.Transaction
    """What the blob says; not to be changed."""

    signatures: tuple[Signature, ...]
    signers: frozenset[str]
    """Addresses, without an AC, of the keys whose signatures hold."""

    envelope: bytes
    """TransactionEnv, serialised."""


def read(blob: bytes, signatures: Iterable[Signature]) -> SignedTransaction:
    """Read a blob and check the signatures over it.

    Raises:
        RefusedError: the blob is no transaction, a public key is none, or there are
            too many signatures.
    """
    signatures = tuple(signatures)
    if len(signatures) > MAX_SIGNATURES:
        raise RefusedError(
            ErrorCode.INVALID_PARAMETER,
            f"Signature count({len(signatures)}) exceed the limit({MAX_SIGNATURES})",
        )
    content = read_content(blob)
    return SignedTransaction(
        blob=blob,
        hash=sha256(blob).digest(),
        content=content,
        signatures=signatures,
        signers=frozenset(_signers(blob, signatures)),
        envelope=envelope(blob, signatures),
    )


def read_content(blob: bytes) -> chain_pb2.Transaction:
    """Read what a blob says; unknown fields are kept.

    Raises:
        RefusedError: it is no transaction.
    """
    try:
        return chain_pb2.Transaction.FromString(blob)
    except DecodeError:
        raise RefusedError(
            ErrorCode.INVALID_PARAMETER,
            "'transaction_blob' value must be a transaction",
        ) from None


def read_item(item: Json) -> SignedTransaction:
    """Read one of the `items` of POST /submitTransaction (bif notes §1.4).

    It has `transaction_blob` and `signatures`, or `transaction_json` and
    `private_keys`, with which the node signs.

    Raises:
        RefusedError: it has neither, or something in it is wrong.
    """
    if not isinstance(item, dict):
        raise _invalid("request must be in json format")
    if "transaction_json" in item:
        content = content_of_json(item["transaction_json"])
        return sign(content.SerializeToString(), _private_keys(item))
    blob = _hex(item.get("transaction_blob"), "transaction_blob")
    return read(blob, map(_signature, _list(item.get("signatures"))))


def content_of_json(data: Json) -> chain_pb2.Transaction:
    """Make a transaction from its JSON form.

    Raises:
        RefusedError: it has not that form.
    """
    content = chain_pb2.Transaction()
    from_json(data, content)
    return content


def sign(blob: bytes, keys: Sequence[PrivateKey]) -> SignedTransaction:
    """Sign a blob with each of the keys.

    Raises:
        RefusedError: the blob is no transaction.
    """
    return read(blob, [Signature(key.public.text, key.sign(blob)) for key in keys])


def check_canonical(transaction: SignedTransaction) -> None:
    """Refuse a blob that the node would not write in the same way (§1.5, item 8).

    Raises:
        RefusedError: another serialisation gives other octets.
    """
    if transaction.content.SerializeToString() != transaction.blob:
        raise _invalid("'transaction_blob' is not in canonical form")


def envelope(blob: bytes, signatures: Iterable[Signature]) -> bytes:
    """Put a blob and its signatures into a TransactionEnv."""
    parts = [length_delimited(1, blob)]
    for public_key, sign_data in signatures:
        message = chain_pb2.Signature(public_key=public_key, sign_data=sign_data)
        parts.append(length_delimited(2, message.SerializeToString()))
    return b"".join(parts)


def _signers(blob: bytes, signatures: Iterable[Signature]) -> Iterable[str]:
    for text, sign_data in signatures:
        try:
            key = PublicKey.parse(text)
        except EncodingError:
            raise _invalid(f"Invalid public key({text[:200]})") from None
        try:
            key.verify(blob, sign_data)
        except SignatureError:
            continue
        yield key.address()


def _signature(item: Json) -> Signature:
    if not isinstance(item, dict):
        raise _invalid("'signatures' value must be an array of objects")
    public_key = item.get("public_key")
    if not isinstance(public_key, str):
        raise _invalid("Invalid public key()")
    return Signature(public_key, _hex(item.get("sign_data"), "sign_data"))


def _private_keys(item: JsonObject) -> list[PrivateKey]:
    texts = _list(item.get("private_keys"))
    try:
        return [PrivateKey.parse(str(text)) for text in texts]
    except EncodingError:
        # The text is a secret, if a wrong one: it is not repeated.
        raise RefusedError(
            ErrorCode.INVALID_PRIVATE_KEY, "Invalid private key"
        ) from None


def _list(value: Json) -> list[Json]:
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > MAX_SIGNATURES:
        raise _invalid(f"an array of at most {MAX_SIGNATURES} elements is expected")
    return value


def _hex(value: Json, name: str) -> bytes:
    try:
        return hexadecimal.decode(value)
    except (EncodingError, TypeError):
        raise _invalid(f"'{name}' value must be Hex") from None


def _invalid(text: str) -> RefusedError:
    return RefusedError(ErrorCode.INVALID_PARAMETER, text)
