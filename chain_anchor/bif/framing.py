"""Protocol Buffers fields put around octets that must stay as they came.

A transaction is hashed and signed as its raw octets, and a client may have written
defaults that a second serialisation would drop (bif notes §1.5, item 8). So what
contains a transaction is put together by hand, in the order of field numbers, which is
how the library writes it too.
"""


def varint(number: int) -> bytes:
    """Write a number that is not negative, seven bits an octet, lowest first."""
    octets = bytearray()
    while number > 0x7F:
        octets.append(number & 0x7F | 0x80)
        number >>= 7
    octets.append(number)
    return bytes(octets)


def length_delimited(number: int, octets: bytes) -> bytes:
    """Write a field of octets, a string or a message."""
    return varint(number << 3 | 2) + varint(len(octets)) + octets


def read_varint(octets: bytes, start: int) -> tuple[int, int]:
    """Read a number that `varint` wrote; give it and where it ends."""
    number = shift = 0
    while True:
        octet = octets[start]
        number |= (octet & 0x7F) << shift
        start, shift = start + 1, shift + 7
        if octet < 0x80:
            return number, start
