"""How far a log is anchored, as its node says: `GET LOG/anchored`.

    {"anchored": {"url": ..., "size": ..., "transaction": ..., "ledger_seq": ...,
                  "hops": ...}}        or null, for a log that is anchored nowhere

It proves nothing; it tells whether waiting for a proof makes sense, and where to look on
a chain that gives none.
"""

import json
import time
from http import HTTPStatus

from chain_anchor.anchors import AnchoredTold
from resolver.client.download import Download, perform
from resolver.errors import BadAnswerError

TIMEOUT_SECONDS = 10.0


def fetch_anchored(
    log_url: str, timeout_seconds: float = TIMEOUT_SECONDS
) -> AnchoredTold | None:
    """Ask a log how far it is anchored; None if it is anchored nowhere.

    Raises:
        UnreachableError: Its node cannot answer now.
        TimedOutError: The time is up.
        BadAnswerError: What came is no answer to this.
        SetupError: The URL is not one.
    """
    deadline = time.monotonic() + timeout_seconds
    answer = perform(Download(log_url, "anchored", "application/json"), deadline)
    if answer.status == HTTPStatus.NOT_FOUND:
        return None  # an empty log
    try:
        found = json.loads(answer.body)["anchored"]
        return None if found is None else _told(found)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        message = f"{log_url}/anchored: HTTP {answer.status}, {error!r}"
        raise BadAnswerError(message) from None


def _told(found: dict[str, object]) -> AnchoredTold:
    url, size, transaction, seq, hops = (found[name] for name in AnchoredTold._fields)
    return AnchoredTold(
        str(url), int(str(size)), str(transaction), int(str(seq)), int(str(hops))
    )
