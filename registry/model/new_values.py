"""A list of values to be written: the rules it must keep, and one known to keep them.

Nearly all of what is registered arrives as a list of plain values, is checked, stamped
with the time and stored in the very octets it came in. `CheckedValues` is such a list:
`read_checked` finds out in one walk that no rule is broken and remembers where the
timestamps stand, so that nothing is decoded and encoded again. It only recognises;
`check_values` defines the rules and says which one is broken.

Rules and texts are CNRI's (handle notes §1.7, §3) unless the line says otherwise.
"""

import functools
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import overload

from registry.errors import (
    InvalidValueError,
    MalformedError,
    RegistryError,
    ValueExistsError,
)
from registry.model.octets import MAX_BLOB_OCTETS
from registry.model.typed import HS_ADMIN, HS_VLIST, Admin, decode_group
from registry.model.value import MAX_VALUES, Permission, Value, decode_values

_LARGEST_INDEX = 0x7FFF_FFFF
_TYPE_OCTETS = 255
_KNOWN_TYPES = 1024
"""Types remembered as plain: a network uses some dozens."""

# The count of a list, or of the references of the value before, then a value's start.
_NEXT = struct.Struct("!Ii9xBI")
_TIMESTAMP_AT = 8
_TYPE_AT = 22
_U32 = struct.Struct("!I")
_INDEX = struct.Struct("!i")
_NO_REFERENCES = bytes(4)
_PUBLIC_READ = int(Permission.PUBLIC_READ)
_READERS: dict[str, Callable[[bytes], object]] = {
    HS_ADMIN: Admin.decode,
    HS_VLIST: decode_group,
}
"""What reads the data of types whose data must have a layout."""


class CheckedValues(Sequence[Value]):
    """A list of values that breaks no rule, in its octets; decoded if anybody looks."""

    __slots__ = ("_decoded", "_timestamps", "octets", "public")

    def __init__(self, octets: bytes, timestamps: list[int], public: bool) -> None:
        self.octets = octets
        """The list in wire form: count, then values."""

        self.public = public
        """Whether everyone may read every value."""

        self._timestamps = timestamps
        self._decoded: tuple[Value, ...] | None = None

    def stamped(self, timestamp: int) -> bytes:
        """Give the list with the time of writing on every value."""
        patched, pack_into = bytearray(self.octets), _U32.pack_into
        for start in self._timestamps:
            pack_into(patched, start, timestamp)
        return bytes(patched)

    @property
    def values(self) -> tuple[Value, ...]:
        """The values, decoded."""
        if self._decoded is None:
            self._decoded = decode_values(self.octets)
        return self._decoded

    def __len__(self) -> int:
        return len(self._timestamps)

    def __iter__(self) -> Iterator[Value]:
        return iter(self.values)

    @overload
    def __getitem__(self, position: int) -> Value: ...
    @overload
    def __getitem__(self, position: slice) -> tuple[Value, ...]: ...
    def __getitem__(self, position: int | slice) -> Value | tuple[Value, ...]:
        return self.values[position]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, CheckedValues):
            return self.octets == other.octets
        return self.values == other if isinstance(other, tuple) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.values)

    def __repr__(self) -> str:
        return repr(self.values)


NewValues = tuple[Value, ...] | CheckedValues
"""Values to be written."""


def check_values(values: NewValues) -> None:
    """Check a list of values to be written, before anything else is looked at.

    Raises:
        InvalidValueError: No values, an index that is not positive, an empty or
            overlong type, overlong data, or HS_ADMIN or HS_VLIST data that cannot
            be read.
        ValueExistsError: An index stands twice.
    """
    if isinstance(values, CheckedValues):
        return
    if not values:
        message = "Value list was empty"
        raise InvalidValueError(message)
    seen = set()
    for value in values:
        if not 0 < value.index <= _LARGEST_INDEX:
            message = "Value indexes must be positive"
            raise InvalidValueError(message)
        if value.index in seen:
            raise index_conflict(value.index)
        seen.add(value.index)
        _check_value(value)


def index_conflict(index: int) -> ValueExistsError:
    """Make the error for an index that is taken."""
    return ValueExistsError(f"Index conflict for {index}")


def _check_value(value: Value) -> None:
    size = len(value.type.encode())
    if not 0 < size <= _TYPE_OCTETS:
        message = (
            f"value {value.index}: type of 1 to {_TYPE_OCTETS} octets expected, "
            f"got {size}"
        )
        raise InvalidValueError(message)
    if len(value.data) > MAX_BLOB_OCTETS:
        message = (
            f"value {value.index}: {len(value.data)} octets of data, "
            f"at most {MAX_BLOB_OCTETS} allowed"
        )
        raise InvalidValueError(message)
    read = _READERS.get(value.type.upper())
    if read is not None:
        try:
            read(value.data)
        except MalformedError as error:
            message = f"value {value.index}: {error}"
            raise InvalidValueError(message) from None


def read_checked(octets: bytes, start: int = 0) -> CheckedValues | None:
    """Recognise a list that breaks no rule, from `start` to the end of `octets`.

    None says nothing: the list may be longer or odder than most (references are), or
    break a rule or its layout, which `decode_values` and `check_values` then tell.
    """
    if len(octets) > MAX_BLOB_OCTETS:
        return None
    try:
        return _recognise(octets, start)
    except (struct.error, RegistryError, UnicodeDecodeError):
        return None


def _recognise(octets: bytes, start: int) -> CheckedValues | None:
    # Everything that is registered passes here: hence one loop, in which each value is
    # read in two strokes. A third of the time of decoding and checking it.
    unpack_next, unpack_size = _NEXT.unpack_from, _U32.unpack_from
    (count,) = unpack_size(octets, start)
    if not 0 < count <= MAX_VALUES:
        return None
    timestamps, public = [], _PUBLIC_READ
    position, before, last, rising = start, count, 0, True
    for _ in range(count):
        link, index, permissions, size = unpack_next(octets, position)
        type_start = position + _TYPE_AT
        data_start = type_start + size
        read = _reader_of(octets[type_start:data_start])
        (size,) = unpack_size(octets, data_start)
        if link != before:
            return None
        if index <= last:
            rising = False
        if read is not None:
            read(octets[data_start + 4 : data_start + 4 + size])
        timestamps.append(position + _TIMESTAMP_AT - start)
        public &= permissions
        position, before, last = data_start + 4 + size, 0, index
    if octets[position:] != _NO_REFERENCES:
        return None
    if not rising and not _are_indexes(octets, start, timestamps):
        return None
    return CheckedValues(octets[start:], timestamps, bool(public))


def _are_indexes(octets: bytes, start: int, timestamps: list[int]) -> bool:
    """Tell whether indexes are positive and none stands twice."""
    found = {_INDEX.unpack_from(octets, start + at - 4)[0] for at in timestamps}
    return len(found) == len(timestamps) and min(found) > 0


@functools.lru_cache(maxsize=_KNOWN_TYPES)
def _reader_of(kind: bytes) -> Callable[[bytes], object] | None:
    """Give what reads the data of a type, None where the data may be anything.

    Raises:
        InvalidValueError: No value may have this type.
        UnicodeDecodeError: It is no text.
    """
    if not 0 < len(kind) <= _TYPE_OCTETS:
        raise InvalidValueError
    return _READERS.get(kind.decode().upper())
