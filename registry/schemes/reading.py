"""What decoding a code yields: readings, and the reasons against the others.

A *reading* is one way to understand a text: its scheme, the form it was written in, the
canonical code and its parts. A text may have several readings (thirteen digits are a GTIN-13
and a GLN alike): that is an answer, and nobody guesses. A *rejection* says why a text is not
a code of a scheme: the reason, the character, and what was expected there.

Every scheme's module offers ``read(text) -> tuple[Reading, ...]``: the best reading first, at
least one, or :class:`CodeError` with its rejections. Positions count characters from 0 in
the text that ``read`` was given; ``decoding.decode`` moves them to the text as it came.

Emulator convention; the standards of the single schemes stand in their modules.
"""

from collections.abc import Callable
from typing import NamedTuple

from registry.errors import InvalidIdentifierError


class Part(NamedTuple):
    """One part of a code: ``("01", "06901234567892", "GTIN", "check digit right")``.

    ``key`` is the scheme's own name of the part (an application identifier, ``V``, ``NSI``),
    ``title`` what people call it, ``note`` what was checked or understood (a date, a country).
    """

    key: str
    value: str
    title: str = ""
    note: str = ""


class Reading(NamedTuple):
    """One way to understand a text.

    ``scheme`` is one of handle, vaa, gs1, oid, ecode, did, company; ``form`` how it was
    written (gtin-13, element-string, digital-link, epc-uri, dotted, iri, compact, ...);
    ``code`` the canonical code, the same for every form of one code; ``notes`` what is odd
    but allowed.
    """

    scheme: str
    form: str
    code: str
    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()


class Rejection(NamedTuple):
    """Why a text is not a code of a scheme.

    ``position`` is the 0-based character that is wrong, None when it is the whole;
    ``expected`` says what would be right.
    """

    scheme: str
    form: str
    reason: str
    position: int | None
    expected: str

    def __str__(self) -> str:
        """Say it in one line; people count characters from 1."""
        where = "" if self.position is None else f" at character {self.position + 1}"
        name = self.form if self.scheme == "any" else f"{self.scheme} {self.form}"
        return f"{name}: {self.reason}{where}; expected {self.expected}"


def _no_rejections(_text: str) -> tuple[Rejection, ...]:
    return ()


class Decoded(NamedTuple):
    """Everything a text may mean.

    ``text`` is the text as it came, ``changes`` what was normalised before reading it
    (full-width digits, spaces around), ``readings`` the best first and none when the text is
    no code. Whoever decodes a million codes does not want a million explanations: ``explain``
    works them out when :attr:`rejections` is read.
    """

    text: str
    changes: tuple[str, ...]
    readings: tuple[Reading, ...]
    explain: Callable[[str], tuple[Rejection, ...]] = _no_rejections

    @property
    def rejections(self) -> tuple[Rejection, ...]:
        """Say why the text is not a code of the other schemes; works it out each time."""
        return self.explain(self.text)


class CodeError(InvalidIdentifierError):
    """A text is not a code: :attr:`rejections` has the reasons, the likeliest first."""

    def __init__(self, *rejections: Rejection) -> None:
        """Say the likeliest reason; there is at least one."""
        super().__init__(
            str(rejections[0]) if rejections else "not a code of any scheme"
        )
        self.rejections = rejections
