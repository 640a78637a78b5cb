"""What a response amounts to: its decoded body, or the error it carries.

Errors that a server answers become `AnswerError`s with their code; octets that break
the layout become `BadAnswerError`s, so that a caller has one tree to catch.
"""

from registry.errors import RegistryError
from registry.model.codes import ResponseCode
from resolver.errors import AnswerError, BadAnswerError, answer_error
from resolver.wire.message import Message
from resolver.wire.response import Failure, Response, ResponseBody, decode_response


def read_body(message: Message) -> ResponseBody:
    """Decode the body of a response.

    Raises:
        BadAnswerError: It breaks its layout.
    """
    try:
        return decode_response(message)
    except RegistryError as error:
        raise BadAnswerError(f"answer cannot be read: {error}") from None


def successful(message: Message, handle: str = "") -> Response:
    """Decode the body of a response that must be a success.

    Raises:
        AnswerError: The server answered with an error; `handle` is put in its text.
        BadAnswerError: The body breaks its layout.
    """
    if message.header.response_code != ResponseCode.SUCCESS:
        raise error_of(message, handle)
    return read_body(message).response


def error_of(message: Message, handle: str = "") -> AnswerError:
    """Make the error that an unsuccessful response stands for."""
    return answer_error(message.header.response_code, text_of(message), handle)


def text_of(message: Message) -> str:
    """Give the text of an error answer; empty where there is none to read."""
    try:
        response = decode_response(message).response
    except RegistryError:
        return ""
    return response.message if isinstance(response, Failure) else ""
