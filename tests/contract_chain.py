"""A chain of one domain in a dictionary, for contracts alone."""

from dataclasses import dataclass, field

from chain_anchor.bif.account import Account, Code, Metadata
from chain_anchor.bif.addresses import of_contract
from chain_anchor.bif.chain_pb2 import Operation
from chain_anchor.bif.contracts.interface import (
    Block,
    BottomTransaction,
    Call,
    EntryPoint,
    Limits,
    Message,
    Meter,
    Outcome,
    Performed,
)
from chain_anchor.bif.contracts.table import Contracts
from chain_anchor.bif.errors import ErrorCode, RefusedError

USER = "did:bid:efQ69GRtQUDR9SngdFKAv4owYyx5Fnko"
CONTRACT = "did:bid:efNs6DGRwnaWvdBqp6PVLFJQzL5rxYeF"
OTHER = "did:bid:efnVUgqQFfYeu97ABf6sGm3WFtVXHZB2"
ABSENT = "did:bid:efyJLYwWd7SmKV44QXxRAd7NLCfjKxHB"
BLOCK = Block(7, 1_700_000_000_000_000)
HASHES = ["aa" * 32, "bb" * 32]


@dataclass
class ContractChain:
    """Accounts, their metadata, and what contracts triggered."""

    contracts: Contracts
    chain_code: str = ""
    limits: Limits = field(default_factory=Limits)
    accounts: dict[str, Account] = field(default_factory=dict)
    metadatas: dict[tuple[str, str], Metadata] = field(default_factory=dict)
    performed: list[tuple[str, Operation]] = field(default_factory=list)
    meter: Meter = field(default_factory=Meter)

    def put(self, address, script=None, balance=0, kind=0):
        code = None if script is None else Code(kind, script)
        self.accounts[address] = Account(address, balance, contract=code)

    def call(
        self, script, text="", entry=EntryPoint.MAIN, *, amount=0, address=CONTRACT
    ) -> Outcome:
        """Call a script as the contract at an address, in a transaction of its own."""
        if address not in self.accounts:
            self.put(address, script, balance=1000)
        bottom = BottomTransaction(USER, USER, 5, 1000, "cc" * 32)
        message = Message(USER, USER, 3, 1, amount)
        self.meter = Meter(self.limits)
        call = Call(address, entry, text, BLOCK, bottom, message)
        return self.contracts.run(Code(0, script), call, self, self.meter)

    def account(self, address):
        return self.accounts.get(address)

    def metadata(self, address, key):
        return self.metadatas.get((address, key))

    def block_hash(self, offset):
        return HASHES[offset] if offset < len(HASHES) else None

    def is_validator(self, address):
        return address == USER

    def perform(self, call, operation, meter) -> Performed:
        source = call.address
        self.performed.append((source, operation))
        self.accounts[source] = account = self.accounts[source]._replace(
            nonce=self.accounts[source].nonce + 1
        )
        if operation.type == Operation.SET_METADATA:
            return self._set(source, operation.set_metadata)
        if operation.type == Operation.PAY_COIN:
            return self._pay(call, operation.pay_coin, account.nonce, meter)
        if operation.type == Operation.CREATE_ACCOUNT:
            create = operation.create_account
            address = of_contract(source, account.nonce, 0)
            self.contracts.check(Code(create.contract.type, create.contract.payload))
            self.put(address, create.contract.payload, create.init_balance)
            message = Message(source, source, account.nonce)
            nested = call._replace(
                address=address,
                entry=EntryPoint.INIT,
                input=create.init_input,
                message=message,
            )
            self._run(nested, meter)
            return Performed(None, address)
        return Performed()

    def _set(self, source, data):
        old = self.metadatas.get((source, data.key))
        if not data.delete_flag:
            version = old.version + 1 if old else 1
            self.metadatas[source, data.key] = Metadata(data.value, version)
        elif old is None:
            raise RefusedError(
                ErrorCode.NOT_EXIST, f"The key({data.key}) to be deleted is not exist"
            )
        else:
            del self.metadatas[source, data.key]
        return Performed()

    def _pay(self, call, pay, nonce, meter):
        payer = self.accounts[call.address]
        if payer.balance < pay.amount:
            raise RefusedError(ErrorCode.ACCOUNT_LOW_RESERVE, "not enough for payment")
        paid = self.accounts.get(pay.dest_address) or Account(pay.dest_address, 0)
        self.accounts[call.address] = payer._replace(balance=payer.balance - pay.amount)
        self.accounts[paid.address] = paid._replace(balance=paid.balance + pay.amount)
        if paid.contract is None:
            return Performed()
        message = Message(call.address, call.address, nonce, 0, pay.amount)
        nested = call._replace(
            address=paid.address,
            entry=EntryPoint.MAIN,
            input=pay.input,
            message=message,
        )
        return Performed(self._run(nested, meter))

    def _run(self, call, meter):
        code = self.accounts[call.address].contract
        return self.contracts.run(code, call, self, meter)
