"""Operations of a transaction, as the official SDKs make them (bif notes §2.1, §2.7).

A transaction has up to 100, done together or not at all. Each may have a source of its
own, `source_address`, whose keys must then sign too.
"""

from collections.abc import Iterable, Mapping

from chain_anchor.bif.chain_pb2 import (
    AccountPrivilege,
    AccountThreshold,
    Contract,
    KeyPair,
    Operation,
    OperationCreateAccount,
    OperationLog,
    OperationPayCoin,
    OperationSetMetadata,
    OperationSetPrivilege,
    OperationTypeThreshold,
    Signer,
)


def pay(destination: str, amount: int, text: str = "") -> Operation:
    """Pay an account, which is created if it does not exist.

    Paying a contract calls its `main` with the text.
    """
    payment = OperationPayCoin(dest_address=destination, amount=amount, input=text)
    return Operation(type=Operation.PAY_COIN, pay_coin=payment)


def create_account(
    address: str, balance: int, metadata: Mapping[str, str] | None = None
) -> Operation:
    """Create an account that its own key alone controls."""
    creation = OperationCreateAccount(
        dest_address=address,
        priv=_alone(master_weight=1),
        init_balance=balance,
        metadatas=[
            KeyPair(key=key, value=value) for key, value in (metadata or {}).items()
        ],
    )
    return Operation(type=Operation.CREATE_ACCOUNT, create_account=creation)


def create_contract(
    payload: str, text: str = "", balance: int = 0, kind: int = Contract.JAVASCRIPT
) -> Operation:
    """Create a contract, whose `init` is called with the text.

    `TransactionRecord.contracts` has its address then. It costs 1 000 000 of gas.
    """
    contract = Contract(payload=payload)
    contract.type = kind  # type: ignore[assignment] # enums are ints
    creation = OperationCreateAccount(
        contract=contract,
        priv=_alone(master_weight=0),
        init_balance=balance,
        init_input=text,
    )
    return Operation(type=Operation.CREATE_ACCOUNT, create_account=creation)


def set_metadata(key: str, value: str, version: int = 0) -> Operation:
    """Write a metadata.

    Args:
        key: 1 to 1024 octets.
        value: up to 256 KiB.
        version: 0 for any, else one more than the present version.
    """
    change = OperationSetMetadata(key=key, value=value, version=version)
    return Operation(type=Operation.SET_METADATA, set_metadata=change)


def delete_metadata(key: str, version: int = 0) -> Operation:
    """Delete a metadata, of the version if that is not 0."""
    change = OperationSetMetadata(key=key, version=version, delete_flag=True)
    return Operation(type=Operation.SET_METADATA, set_metadata=change)


def set_privilege(
    *,
    master_weight: int | None = None,
    threshold: int | None = None,
    signers: Mapping[str, int] | None = None,
    type_thresholds: Mapping[int, int] | None = None,
) -> Operation:
    """Change who may sign for the account; what is None stays.

    Args:
        master_weight: weight of the account's own key.
        threshold: weight that a transaction needs.
        signers: weights of others by address; 0 takes one away.
        type_thresholds: weights by type of operation; 0 takes one away.
    """
    change = OperationSetPrivilege(
        master_weight=_text(master_weight),
        tx_threshold=_text(threshold),
        signers=[
            Signer(address=address, weight=weight)
            for address, weight in (signers or {}).items()
        ],
        type_thresholds=[
            _type_threshold(kind, weight)
            for kind, weight in (type_thresholds or {}).items()
        ],
    )
    return Operation(type=Operation.SET_PRIVILEGE, set_privilege=change)


def log(topic: str, datas: Iterable[str]) -> Operation:
    """Record texts under a topic; they are on the chain and nowhere in the state."""
    return Operation(type=Operation.LOG, log=OperationLog(topic=topic, datas=datas))


def _alone(master_weight: int) -> AccountPrivilege:
    thresholds = AccountThreshold(tx_threshold=1)
    return AccountPrivilege(master_weight=master_weight, thresholds=thresholds)


def _type_threshold(kind: int, weight: int) -> OperationTypeThreshold:
    made = OperationTypeThreshold(threshold=weight)
    made.type = kind  # type: ignore[assignment] # enums are ints
    return made


def _text(number: int | None) -> str:
    return "" if number is None else str(number)
