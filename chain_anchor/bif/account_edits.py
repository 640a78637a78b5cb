"""Accounts that are set without a transaction (emulator convention; bif notes §8).

    balance     as it is given
    nonce       that of the account's last transaction; it may go back
    code        a contract in JavaScript; empty for none
    metadata    text by key, None for a key that is to be removed

What is not given stays as it is; an account that is not there is made. The `init` of a
contract is not run, and an account made with a contract has no key that acts for it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from chain_anchor.bif.account import Account, Code, Metadata, Privilege
from chain_anchor.bif.chain_pb2 import Contract
from chain_anchor.bif.errors import ErrorCode, RefusedError
from chain_anchor.bif.operation_checks import check_metadata, check_payload
from chain_anchor.bif.rules import MAX_INT64
from chain_anchor.bif.state import Layer, View


class AccountEdit(NamedTuple):
    """What is set of an account."""

    balance: int | None = None
    nonce: int | None = None
    code: str | None = None
    metadata: Mapping[str, str | None] = MappingProxyType({})

    def check(self) -> None:
        """Check what can be checked without the state; contracts are checked elsewhere.

        Raises:
            RefusedError: a number is out of range, or a text too long.
        """
        for name, number in (("balance", self.balance), ("nonce", self.nonce)):
            if number is not None and not 0 <= number <= MAX_INT64:
                raise RefusedError(
                    ErrorCode.INVALID_PARAMETER,
                    f"'{name}'({number}) must be 0 to 2**63-1",
                )
        if self.code:
            check_payload(self.code)
        for key, value in self.metadata.items():
            check_metadata(key, value or "")


class PlacedEdit(NamedTuple):
    """An edit, and where it is done."""

    domain: int
    address: str
    edit: AccountEdit


def put(layer: Layer, address: str, edit: AccountEdit) -> None:
    """Set what an edit says.

    Raises:
        EncodingError: it is no address.
    """
    layer.put(_account(layer.account(address), address, edit))
    for key, value in edit.metadata.items():
        layer.put_metadata(address, key, _metadata(layer, address, key, value))


def _account(found: Account | None, address: str, edit: AccountEdit) -> Account:
    account = found or Account(address, 0, privilege=Privilege(int(not edit.code)))
    if edit.balance is not None:
        account = account._replace(balance=edit.balance)
    if edit.nonce is not None:
        account = account._replace(nonce=edit.nonce)
    if edit.code is not None:
        code = Code(Contract.JAVASCRIPT, edit.code) if edit.code else None
        account = account._replace(contract=code)
    return account


def _metadata(view: View, address: str, key: str, value: str | None) -> Metadata | None:
    if value is None:
        return None
    old = view.metadata(address, key)
    return Metadata(value, old.version + 1 if old else 1)
