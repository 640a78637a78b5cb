"""Messages of the chain as JSON, in the node's own way (bif notes §1.1, §1.5).

    scalars equal to their default, empty lists   left out
    int64, int32                                  number
    enum                                          number
    bytes                                         lower-case hexadecimal
    message                                       object, if it is present

This is not the mapping of Protocol Buffers, which writes int64 as text and bytes in
base64. What is read is wider than what is written, because SDKs write numbers as
strings, enums by name and bytes as text; unknown names are passed over.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from chain_anchor.bif import hexadecimal
from chain_anchor.bif.errors import EncodingError, ErrorCode, RefusedError

Json = Any
"""What `json.loads` gives."""

JsonObject = dict[str, Any]

_MESSAGE: Final = FieldDescriptor.TYPE_MESSAGE
_BYTES: Final = FieldDescriptor.TYPE_BYTES
_MAX_DIGITS: Final = 20
"""An int64 has 19 digits and a sign; longer text is not worth converting."""


def to_json(message: Message) -> JsonObject:
    """Write a message as a JSON object."""
    return {
        field.name: [_value(field, item) for item in value]
        if field.is_repeated
        else _value(field, value)
        for field, value in message.ListFields()
    }


def from_json(data: Json, message: Message) -> None:
    """Fill a message from a JSON object.

    Raises:
        RefusedError: something is not of its field's kind, or out of range.
    """
    if not isinstance(data, Mapping):
        raise _refusal(message.DESCRIPTOR.name, "an object", data)
    fields: Mapping[str, Any] = message.DESCRIPTOR.fields_by_name
    for name, value in data.items():
        field = fields.get(name)
        if field is None or value is None:
            continue
        if field.is_repeated:
            _fill_list(field, value, getattr(message, name))
        elif field.type == _MESSAGE:
            getattr(message, name).SetInParent()
            from_json(value, getattr(message, name))
        else:
            _set(message, field, value)


def _value(field: FieldDescriptor, value: Any) -> Json:
    if field.type == _MESSAGE:
        return to_json(value)
    return value.hex() if field.type == _BYTES else value


def _fill_list(field: FieldDescriptor, value: Json, target: Any) -> None:
    if not isinstance(value, list):
        raise _refusal(field.name, "an array", value)
    for item in value:
        if field.type == _MESSAGE:
            from_json(item, target.add())
        else:
            target.append(_scalar(field, item))


def _set(message: Message, field: FieldDescriptor, value: Json) -> None:
    try:
        setattr(message, field.name, _scalar(field, value))
    except (ValueError, OverflowError):
        raise _refusal(field.name, "a value in range", value) from None


def _scalar(field: FieldDescriptor, value: Json) -> Any:
    return _READERS.get(field.type, _integer)(field, value)


def _integer(field: FieldDescriptor, value: Json) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and len(value) <= _MAX_DIGITS:
        digits = value.removeprefix("-")
        if digits.isascii() and digits.isdigit():
            return int(value)
    raise _refusal(field.name, "an integer", value)


def _enum(field: FieldDescriptor, value: Json) -> int:
    kind = field.enum_type
    if isinstance(value, str) and isinstance(kind, EnumDescriptor):
        named = kind.values_by_name.get(value)
        if named is not None:
            return named.number
    return _integer(field, value)


def _boolean(field: FieldDescriptor, value: Json) -> bool:
    if isinstance(value, str):
        value = {"true": True, "false": False, "1": True, "0": False}.get(value)
    if value in (0, 1):
        return bool(value)
    raise _refusal(field.name, "a boolean", value)


def _string(field: FieldDescriptor, value: Json) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise _refusal(field.name, "a string", value)
    _utf8(field, value)
    return value


def _octets(field: FieldDescriptor, value: Json) -> bytes:
    """Read hexadecimal, or take the text itself as the Java SDK means it."""
    if not isinstance(value, str):
        raise _refusal(field.name, "a string", value)
    try:
        return hexadecimal.decode(value)
    except EncodingError:
        return _sign_extended(value) or _utf8(field, value)


def _sign_extended(text: str) -> bytes | None:
    """Read octets of UTF-8, each of which became a character; None if they did not.

    The Java SDK makes characters of signed octets: 0x80 to 0xff become U+FF80 to
    U+FFFF. Text that has such characters of itself is not UTF-8 when read so.
    """
    if text.isascii() or not all(c < "\x80" or "\uff80" <= c <= "\uffff" for c in text):
        return None
    octets = bytes(ord(character) & 0xFF for character in text)
    try:
        octets.decode()
    except UnicodeDecodeError:
        return None
    return octets


def _utf8(field: FieldDescriptor, value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise _refusal(field.name, "Unicode text", value) from None


def _refusal(name: str, expected: str, value: Json) -> RefusedError:
    kind = type(value).__name__
    return RefusedError(
        ErrorCode.INVALID_PARAMETER, f"'{name}' must be {expected}, got {kind}"
    )


_READERS: Final[dict[int, Callable[[FieldDescriptor, Json], Any]]] = {
    FieldDescriptor.TYPE_STRING: _string,
    FieldDescriptor.TYPE_BYTES: _octets,
    FieldDescriptor.TYPE_BOOL: _boolean,
    FieldDescriptor.TYPE_ENUM: _enum,
}
