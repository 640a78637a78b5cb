"""Chains that clients of others are let loose on, and who plays on them."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import NamedTuple

from chain_anchor.bif.contracts.table import Contracts
from chain_anchor.bif.genesis import FUNDED_BALANCE, Genesis, seeded_keys
from chain_anchor.bif.keys import KeyType, PrivateKey
from tests.bif_chains import TestChain
from tests.bif_served import MemoryChain, serving

START_SECONDS = 30


class Played(NamedTuple):
    """A node, and keys with and without an account on its chain."""

    url: str
    ac: str
    """Code of the sub-chain, empty on the main chain."""

    domain: int
    sender: PrivateKey
    """Funded, Ed25519."""

    sm2: PrivateKey
    """Funded."""

    first: PrivateKey
    second: PrivateKey
    third: PrivateKey

    def account(self, key: PrivateKey) -> str:
        """Give a key with its address, as the drivers take it."""
        return f"{key.text},{key.address(self.ac)}"

    @property
    def settings(self) -> dict[str, object]:
        """What the drivers are told."""
        keys = {
            "sender": self.sender,
            "sm2": self.sm2,
            "first": self.first,
            "second": self.second,
            "third": self.third,
        }
        told: dict[str, object] = {"url": self.url, "domain": self.domain}
        return told | {name: self.account(key) for name, key in keys.items()}


@contextlib.contextmanager
def played_chain(ac: str, domain: int) -> Iterator[Played]:
    """Run a chain with two funded accounts."""
    keys = seeded_keys("1", "interop", 1)
    sm2 = PrivateKey.from_seed("1", "interop/sm2", KeyType.SM2)
    funded = [key.address(ac) for key in (*keys.funded, sm2)]
    validators = tuple(key.address(ac) for key in keys.validators)
    genesis = Genesis(validators, dict.fromkeys(funded, FUNDED_BALANCE))
    chain = MemoryChain()
    chain.chain_code = ac or chain.chain_code
    chain.test = TestChain(contracts=Contracts(), genesis=genesis, ac=ac)
    others = [PrivateKey.from_seed("1", f"interop/{name}") for name in range(3)]
    with _served(chain) as url:
        yield Played(url, ac, domain, keys.funded[0], sm2, *others)


@contextlib.contextmanager
def _served(chain: MemoryChain) -> Iterator[str]:
    """Serve a chain from a thread of its own; give the URL."""
    started, url = threading.Event(), []

    async def serve() -> None:
        async with serving(chain) as face:
            stop = asyncio.Event()
            url[:] = f"http://127.0.0.1:{face.http_port}", stop
            started.set()
            await stop.wait()

    with asyncio.Runner() as runner:
        thread = threading.Thread(target=runner.run, args=(serve(),))
        thread.start()
        assert started.wait(START_SECONDS), "the faces do not start"
        try:
            yield url[0]
        finally:
            runner.get_loop().call_soon_threadsafe(url[1].set)
            thread.join()
