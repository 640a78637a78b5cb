"""Where what fails in the background of a running chain is told: the loop's handler."""

import asyncio


def report(what: str, error: Exception) -> None:
    """Tell the event loop's exception handler, which logs it, of a failure."""
    context = {"message": what, "exception": error}
    asyncio.get_running_loop().call_exception_handler(context)
