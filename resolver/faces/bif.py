"""Both faces of a 星火·链网 node: HTTP and WebSocket (bif notes §1, §3)."""

from chain_anchor.bif.api.served import ServedChain
from resolver.faces.bif_http import BifHttp
from resolver.faces.bif_ws import BifWebSocket
from resolver.faces.sockets import Bound


class BifFace:
    """What clients of one chain connect to."""

    def __init__(self, chain: ServedChain, http: Bound, websocket: Bound) -> None:
        """Take a chain that runs, and the sockets bound for it."""
        self.websocket = BifWebSocket(chain)
        self.http = BifHttp(chain, websocket.port, self.websocket.drop)
        self._http = http
        self._websocket = websocket

    async def start(self) -> None:
        """Answer from now on."""
        await self.websocket.start(self._websocket.tcp)
        await self.http.start(self._http.tcp)

    async def close(self) -> None:
        """Take nothing new, let running requests finish for a while, and end."""
        await self.http.close()
        await self.websocket.close()
