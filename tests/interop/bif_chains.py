"""Chains that clients of others are let loose on, and who plays on them.

They are those of `idis up`, run in a process of its own as a user runs it.
"""

from typing import Any, NamedTuple

from chain_anchor.bif.keys import KeyType, PrivateKey


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


def played(chain: dict[str, Any], domain: int = 0) -> Played:
    """Play in a domain of a chain, as the ready file describes it."""
    funded = [PrivateKey.parse(account["private_key"]) for account in chain["accounts"]]
    sender, *_ = (key for key in funded if key.type is KeyType.ED25519)
    sm2, *_ = (key for key in funded if key.type is KeyType.SM2)
    others = [PrivateKey.from_seed("1", f"interop/{name}") for name in range(3)]
    return Played(chain["http"], chain["chain_code"], domain, sender, sm2, *others)
