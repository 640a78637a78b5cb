"""Who asks for the second time: a set of questions in a few bits.

It may take a question for one it has seen, never the other way round until it starts
anew, which it does before it is half full.
"""

_BITS = 1 << 23
_MAX_NOTED = _BITS // 2


class Doorkeeper:
    """Remembers some four million questions in a megabyte."""

    __slots__ = ("_noted", "_table")

    def __init__(self) -> None:
        self._table = bytearray(_BITS // 8)
        self._noted = 0

    def knows(self, question: bytes) -> bool:
        """Tell whether a question came before, and note it."""
        place = hash(question) & (_BITS - 1)
        bit = 1 << (place & 7)
        if self._table[place >> 3] & bit:
            return True
        if self._noted == _MAX_NOTED:
            self._table = bytearray(_BITS // 8)
            self._noted = 0
        self._table[place >> 3] |= bit
        self._noted += 1
        return False
