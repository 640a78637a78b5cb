"""The system contracts of a real chain, by their addresses (bif notes §2.5).

Those that a chain has are accounts of its first block (`Genesis.native`), run by the
native contracts of its table (`contracts.table`); this emulator's chains have none.
Money sent to one that is missing would make an account that nobody has the key of, so
it is refused with a clear text (emulator convention).
"""

from functools import cache
from typing import Final

from chain_anchor.bif import addresses
from chain_anchor.bif.errors import ErrorCode, RefusedError

PURPOSES: Final = {
    1: "chain management",
    2: "",
    3: "",
    4: "",
    5: "",
    6: "cross-chain transactions",
    7: "BID documents",
    8: "account status",
    14: "permits",
    21: "",
}
"""What each is for, by its number; empty where that is not published."""


def check_missing(address: str) -> None:
    """Refuse to do anything with a system contract that is not there.

    Args:
        address: a valid one, of an account that does not exist.

    Raises:
        RefusedError: it is that of a system contract (156).
    """
    text = missing(address)
    if text:
        raise RefusedError(ErrorCode.INVALID_CONTRACT, text)


def missing(address: str) -> str:
    """Say that a system contract is not there; empty if the address is of no such one.

    Args:
        address: a valid one, of an account that does not exist.
    """
    number = _numbers().get(addresses.without_ac(address))
    if number is None:
        return ""
    purpose = f", {PURPOSES[number]}," if PURPOSES[number] else ""
    return (
        f"System contract {number}({address}){purpose} is not on this chain: its table "
        "of native contracts is empty"
    )


@cache
def _numbers() -> dict[str, int]:
    return {addresses.of_system_contract(number): number for number in PURPOSES}
