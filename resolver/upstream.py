"""placeholder"""

from collections.abc import Sequence

from registry.model.value import Value
from resolver.errors import UnreachableError
from resolver.telemetry import Telemetry
from resolver.wire.request import Verify


class Upstream:
    def __init__(self, root_sites: Sequence[bytes], telemetry: Telemetry) -> None:
        self._t = telemetry

    async def values(self, name: bytes) -> tuple[Value, ...]:
        raise UnreachableError("nothing there")

    async def verify(self, question: Verify) -> bool:
        raise UnreachableError("nothing there")

    async def close(self) -> None:
        pass
