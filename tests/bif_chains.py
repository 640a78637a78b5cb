"""A chain in memory, with accounts that have names, for tests."""

from collections.abc import Sequence

from chain_anchor.bif import trial
from chain_anchor.bif.account import Account, Code, Metadata
from chain_anchor.bif.admission import check_submission
from chain_anchor.bif.answers import transaction as shown
from chain_anchor.bif.blocks import check_header
from chain_anchor.bif.chain_pb2 import (
    AccountPrivilege,
    AccountThreshold,
    Contract,
    LedgerHeader,
    Operation,
    OperationCreateAccount,
    OperationPayCoin,
    OperationSetMetadata,
    Transaction,
)
from chain_anchor.bif.contracts.interface import Call, Host, Meter, Outcome
from chain_anchor.bif.errors import ErrorCode, RefusedError
from chain_anchor.bif.execution import Chain, ContractTable
from chain_anchor.bif.genesis import Genesis, Keys, seeded_genesis, seeded_keys
from chain_anchor.bif.keys import KeyType, PrivateKey
from chain_anchor.bif.ledger import ClosedBlock, Ledger
from chain_anchor.bif.rules import Rules
from chain_anchor.bif.storage import Changes
from chain_anchor.bif.transactions import SignedTransaction, sign

SECOND = 1_000_000
KEYS: Keys = seeded_keys("1", "test", 4)
ALICE, BOB, CAROL, DAVE = KEYS.funded
SM2_USER = PrivateKey.from_seed("1", "sm2", KeyType.SM2)
FEE_LIMIT = 10_000_000


def key(name: str) -> PrivateKey:
    """Make the key of an account that the chain does not have."""
    return PrivateKey.from_seed("1", f"new/{name}")


class MemoryStorage:
    """Keeps a chain in a dictionary."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}

    def get(self, key: bytes, /) -> bytes | None:
        return self.values.get(key)

    def write(self, changes: Changes, /) -> None:
        for key, value in changes.items():
            if value is None:
                self.values.pop(key, None)
            else:
                self.values[key] = value


class NoContracts:
    """A table for chains that have no contracts."""

    def check(self, code: Code) -> None:
        raise RefusedError(
            ErrorCode.INVALID_CONTRACT, f"Contract type({code.type}) is not supported"
        )

    def run(self, code: Code, call: Call, host: Host, meter: Meter) -> Outcome:
        raise RefusedError(
            ErrorCode.INVALID_CONTRACT, f"Contract({call.address}) is not supported"
        )


def check_follows(previous: LedgerHeader, header: LedgerHeader) -> None:
    """Demand that a block comes next after another."""
    check_header(header)
    assert header.seq == previous.seq + 1
    assert header.previous_hash == previous.hash
    assert header.close_time > previous.close_time


class TestChain:
    """A ledger that closes a block a second."""

    __test__ = False

    def __init__(
        self,
        rules: Rules | None = None,
        contracts: ContractTable | None = None,
        genesis: Genesis | None = None,
        ac: str = "",
    ) -> None:
        self.storage = MemoryStorage()
        chain = Chain(rules or Rules(), contracts or NoContracts(), ac)
        genesis = genesis or seeded_genesis(KEYS)
        self.ledger = Ledger.create(self.storage, chain, genesis)

    def account(self, key: PrivateKey | str, domain: int = 0) -> Account | None:
        address = key if isinstance(key, str) else key.address()
        return self.ledger.state(domain).account(address)

    def balance(self, key: PrivateKey | str, domain: int = 0) -> int:
        account = self.account(key, domain)
        assert account is not None
        return account.balance

    def nonce(self, key: PrivateKey | str, domain: int = 0) -> int:
        account = self.account(key, domain)
        return account.nonce if account else 0

    def metadata(self, key: PrivateKey, name: str, domain: int = 0) -> Metadata | None:
        return self.ledger.state(domain).metadata(key.address(), name)

    def make(
        self,
        source: PrivateKey,
        *operations: Operation,
        signers: Sequence[PrivateKey] | None = None,
        **fields: object,
    ) -> SignedTransaction:
        """Make a transaction of a source with its next nonce."""
        domain = fields.get("domain_id", 0)
        assert isinstance(domain, int)
        given = {"nonce": self.nonce(source, domain) + 1, "fee_limit": FEE_LIMIT}
        content = Transaction(
            source_address=source.address(), operations=operations, **(given | fields)
        )
        keys = [source] if signers is None else signers
        return sign(content.SerializeToString(), keys)

    def check(self, transaction: SignedTransaction) -> Account:
        return check_submission(transaction, self.ledger)

    def close(self, *transactions: SignedTransaction) -> ClosedBlock:
        return self.ledger.close(transactions, self.ledger.last.close_time + SECOND)

    def run(
        self,
        source: PrivateKey,
        *operations: Operation,
        signers: Sequence[PrivateKey] | None = None,
        **fields: object,
    ) -> dict:
        """Put one transaction on the chain; give it as the API shows it."""
        transaction = self.make(source, *operations, signers=signers, **fields)
        block = self.close(transaction)
        assert not block.dropped, block.dropped[0].refusal
        return self.shown(transaction.hash)

    def shown(self, digest: bytes) -> dict:
        recorded = self.ledger.transaction(digest)
        assert recorded is not None
        return shown(recorded)

    def call(self, address: str, text: str = "", domain: int = 0) -> trial.Answer:
        code = trial.contract_at(self.ledger, domain, address)
        assert code is not None
        return trial.call(
            self.ledger, domain, trial.Invocation(code, address, input=text)
        )


def pay(
    to: PrivateKey | str, amount: int, text: str = "", source: str = ""
) -> Operation:
    address = to if isinstance(to, str) else to.address()
    return Operation(
        type=Operation.PAY_COIN,
        source_address=source,
        pay_coin=OperationPayCoin(dest_address=address, amount=amount, input=text),
    )


def create(to: PrivateKey, balance: int, *, weight: int = 1) -> Operation:
    privilege = AccountPrivilege(
        master_weight=weight, thresholds=AccountThreshold(tx_threshold=1)
    )
    return Operation(
        type=Operation.CREATE_ACCOUNT,
        create_account=OperationCreateAccount(
            dest_address=to.address(), init_balance=balance, priv=privilege
        ),
    )


def create_contract(payload: str, balance: int = 0, text: str = "") -> Operation:
    return Operation(
        type=Operation.CREATE_ACCOUNT,
        create_account=OperationCreateAccount(
            contract=Contract(payload=payload),
            init_balance=balance,
            init_input=text,
            priv=AccountPrivilege(thresholds=AccountThreshold(tx_threshold=1)),
        ),
    )


def metadata(
    name: str, value: str = "", version: int = 0, *, delete: bool = False
) -> Operation:
    data = OperationSetMetadata(
        key=name, value=value, version=version, delete_flag=delete
    )
    return Operation(type=Operation.SET_METADATA, set_metadata=data)
