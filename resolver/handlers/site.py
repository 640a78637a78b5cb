"""GET_SITE_INFO: where this node answers, and with which key (handle notes §1.9)."""

from resolver.chain import SUCCESS, Answer, Query
from resolver.wire.codes import OpCode


class SiteInfo:
    """Answers with the node's own HS_SITE; the handle asked about is ignored."""

    operations = frozenset({OpCode.GET_SITE_INFO})

    def __init__(self, site: bytes) -> None:
        self._reply = SUCCESS._replace(body=site)

    def __call__(self, query: Query) -> Answer:
        """Answer site questions only."""
        del query
        return self._reply
