"""Errors of the data plane and of the client library.

    ResolverError
    ├── AnswerError            the server answered with an error: .code, .message
    │   ├── NotFoundError            100
    │   │   └── CodeNotFoundError    100    a product code that leads nowhere
    │   ├── ValuesNotFoundError      200
    │   ├── AlreadyExistsError  101, 201
    │   ├── NotResponsibleError      301
    │   ├── AccessError       400 to 406
    │   └── ServerError       all others
    ├── ReferralLoopError        6    the walk goes round or too deep
    ├── UnreachableError       601    nobody could be reached
    │   └── TimedOutError      602    no answer in time
    ├── BadAnswerError           4    an answer that breaks the protocol
    ├── UnreadableCodeError    102    a text that is no code; has the reasons
    ├── AmbiguousCodeError       2    a code that means several identifiers
    └── SetupError                    misuse: a port in use, a bad file; has a hint
        ├── TopologyError             defined in `resolver.topology`
        └── PortError

Malformed octets raise `registry.errors.MalformedError`.
"""

from registry.model.codes import ResponseCode
from registry.schemes.reading import Reading, Rejection

MAX_NAMED = 8
"""Names in the text of an error."""


class ResolverError(Exception):
    """Something between a question and its answer failed."""

    code: int = ResponseCode.ERROR


class AnswerError(ResolverError):
    """A server answered with an error."""

    def __init__(self, code: int, message: str = "", handle: str = "") -> None:
        name = _code_name(code)
        about = f"{handle}: " if handle else ""
        super().__init__(f"{about}{name} ({code}){': ' if message else ''}{message}")
        self.code = code
        self.message = message
        self.handle = handle


class NotFoundError(AnswerError):
    """The identifier is not registered."""


class CodeNotFoundError(NotFoundError):
    """A product code is a code, but the tree has nothing under it."""

    hint = "its owner registers what it means: idis codes alias CODE IDENTIFIER"

    def __init__(
        self,
        text: str,
        readings: tuple[Reading, ...],
        asked: tuple[str, ...],
        mishaps: tuple[Rejection, ...] = (),
    ) -> None:
        names = ", ".join(asked[:MAX_NAMED]) or "nothing: no scheme of it is looked up"
        if len(asked) > MAX_NAMED:
            names += f" and {len(asked) - MAX_NAMED} more"
        names += "".join(f"; {mishap}" for mishap in mishaps)
        code = ResponseCode.HANDLE_NOT_FOUND
        super().__init__(code, f"asked for {names}", text)
        self.readings = readings
        self.asked = asked


class ValuesNotFoundError(AnswerError):
    """The record has no value that was asked for."""


class AlreadyExistsError(AnswerError):
    """The identifier or the value is there already."""


class NotResponsibleError(AnswerError):
    """The prefix does not live at that node."""


class AccessError(AnswerError):
    """Authentication or permission is missing."""


class ServerError(AnswerError):
    """Any other error a server answers."""


class ReferralLoopError(ResolverError):
    """The walk through the tree goes round, or is deeper than allowed."""

    code: int = ResponseCode.RECURSION_COUNT_TOO_HIGH


class UnreachableError(ResolverError):
    """No server could be reached."""

    code: int = ResponseCode.CLIENT_CHANNEL_ERROR


class TimedOutError(UnreachableError):
    """No answer came in time."""

    code: int = ResponseCode.CLIENT_TIME_OUT


class BadAnswerError(ResolverError):
    """An answer breaks the protocol."""

    code: int = ResponseCode.PROTOCOL_ERROR


class UnreadableCodeError(ResolverError):
    """A text is no code of any scheme; `rejections` say why, the likeliest first."""

    code: int = ResponseCode.INVALID_HANDLE

    def __init__(self, message: str, rejections: tuple[Rejection, ...]) -> None:
        super().__init__(message)
        self.rejections = rejections


class AmbiguousCodeError(ResolverError):
    """A code means several identifiers, `choices`; nobody guesses."""

    hint = "resolve one of these, or write which is meant: (01)... or (414)..."

    def __init__(self, message: str, choices: tuple[str, ...]) -> None:
        super().__init__(message)
        self.choices = choices


class SetupError(ResolverError):
    """The network cannot be set up as asked; `hint` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class PortError(SetupError):
    """An address cannot be listened on."""


_CLASSES: dict[int, type[AnswerError]] = {
    ResponseCode.HANDLE_NOT_FOUND: NotFoundError,
    ResponseCode.VALUES_NOT_FOUND: ValuesNotFoundError,
    ResponseCode.HANDLE_ALREADY_EXISTS: AlreadyExistsError,
    ResponseCode.VALUE_ALREADY_EXISTS: AlreadyExistsError,
    ResponseCode.SERVER_NOT_RESP: NotResponsibleError,
    **dict.fromkeys(range(400, 407), AccessError),
}


def answer_error(code: int, message: str = "", handle: str = "") -> AnswerError:
    """Make the error class that fits a response code."""
    return _CLASSES.get(code, ServerError)(code, message, handle)


def _code_name(code: int) -> str:
    try:
        return ResponseCode(code).name
    except ValueError:
        return "UNKNOWN_CODE"
