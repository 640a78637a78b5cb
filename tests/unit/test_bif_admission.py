"""What a node says to what is submitted, in its order and its words."""

import pytest

from chain_anchor.bif.chain_pb2 import (
    AccountPrivilege,
    Operation,
    OperationSetPrivilege,
    OperationSetSignerWeight,
    OperationSetThreshold,
    OperationTypeThreshold,
    OperationUpgradeContract,
    Signer,
    Transaction,
)
from chain_anchor.bif.errors import ErrorCode, RefusedError
from chain_anchor.bif.fees import gas_of
from chain_anchor.bif.genesis import FUNDED_BALANCE
from chain_anchor.bif.rules import MAINNET_LIKE, Rules
from chain_anchor.bif.transactions import sign
from tests.bif_chains import (
    ALICE,
    BOB,
    CAROL,
    TestChain,
    create,
    create_contract,
    key,
    metadata,
    pay,
)
from tests.bif_vectors import load

NEW = key("new")
CHAIN = TestChain()


def refusal(transaction, chain: TestChain = CHAIN) -> RefusedError:
    with pytest.raises(RefusedError) as raised:
        chain.check(transaction)
    return raised.value


def operation_refusal(operation: Operation) -> RefusedError:
    return refusal(CHAIN.make(ALICE, operation))


def test_a_good_transaction_is_let_in():
    assert CHAIN.check(CHAIN.make(ALICE, pay(BOB, 1))) == CHAIN.account(ALICE)
    later = CHAIN.make(ALICE, pay(BOB, 1), nonce=50)
    assert CHAIN.check(later).nonce == 0


@pytest.mark.parametrize(
    ("make", "code", "text"),
    [
        (
            lambda: CHAIN.make(NEW, pay(BOB, 1)),
            103,
            f"Source account({NEW.address()}) does not exist",
        ),
        (
            lambda: CHAIN.make(ALICE, pay(BOB, 1), nonce=0),
            99,
            (
                f"Transaction nonce(0) too small, the account({ALICE.address()}) "
                "nonce is (0)."
            ),
        ),
        (
            lambda: CHAIN.make(ALICE, pay(BOB, 1), chain_id=5),
            2,
            "Failed to check same chain, node self id(0) is not eq (5)",
        ),
        (lambda: CHAIN.make(ALICE), 97, "Tx missing operation"),
        (
            lambda: CHAIN.make(ALICE, *[pay(BOB, 1)] * 101),
            98,
            "Too many operations in current transaction.",
        ),
        (
            lambda: CHAIN.make(ALICE, pay(BOB, 1), metadata=bytes(262145)),
            2,
            "Length of the metadata from transaction exceeds the limit(262144).",
        ),
        (
            lambda: CHAIN.make(ALICE, pay(BOB, 1), ceil_ledger_seq=1),
            2,
            "Limit ledger sequence(1) < current ledger sequence(2)",
        ),
        (
            lambda: CHAIN.make(ALICE, pay(BOB, 1), fee_limit=-1),
            2,
            "Transaction fee limit(-1) < 0",
        ),
        (
            lambda: CHAIN.make(ALICE, pay(BOB, 1), nonce_type=1),
            2,
            "Nonce type(1) is not supported",
        ),
        (
            lambda: CHAIN.make(ALICE, pay(BOB, 1), address_prefix="did:bid:"),
            2,
            "Raw addresses are not supported",
        ),
        (
            lambda: CHAIN.make(ALICE, pay(BOB, 1), expr_condition="1 == 1"),
            21,
            "Expression conditions are not supported",
        ),
        (
            lambda: CHAIN.make(ALICE, pay(BOB, 1), gas_price=100, fee_limit=99),
            111,
            None,
        ),
        (
            lambda: CHAIN.make(ALICE, pay(BOB, 1), fee_limit=FUNDED_BALANCE + 1),
            100,
            None,
        ),
        (lambda: CHAIN.make(ALICE, pay(BOB, 1), signers=[BOB]), 93, None),
        (
            lambda: CHAIN.make(
                ALICE, pay(CAROL, 1, source=BOB.address()), signers=[ALICE]
            ),
            93,
            None,
        ),
    ],
)
def test_a_transaction_is_refused_in_the_node_s_words(make, code, text):
    refused = refusal(make())
    assert refused.code == code
    assert text is None or refused.text == text


def test_texts_with_the_hash_of_the_transaction():
    low = CHAIN.make(ALICE, pay(BOB, 1), gas_price=100, fee_limit=99)
    fee = 100 * len(low.envelope)
    assert refusal(low).text == (
        f"Transaction({low.hash.hex()}) fee limit(99) is not enough for transaction "
        f"fee({fee}) "
    )
    unsigned = CHAIN.make(ALICE, pay(BOB, 1), signers=[])
    assert refusal(unsigned).text == (
        f"Transaction({unsigned.hash.hex()}) signature weight is not enough"
    )
    poor = CHAIN.make(ALICE, pay(BOB, 1), fee_limit=FUNDED_BALANCE + 1)
    assert refusal(poor).text == (
        f"Account({ALICE.address()})'s reserve balance({FUNDED_BALANCE}) - "
        f"transaction({poor.hash.hex()[:8]}) fee limit({FUNDED_BALANCE + 1}) < "
        "base reserve(0)"
    )


def test_an_envelope_is_at_most_1_mib():
    # Five values of a quarter of a megabyte each.
    big = CHAIN.make(ALICE, *[metadata(f"k{n}", "x" * 262_000) for n in range(5)])
    refused = refusal(big)
    assert refused.code is ErrorCode.TX_SIZE_TOO_BIG
    assert refused.text == (
        f"Transaction env size({len(big.envelope)}) exceed the limit(1048576)"
    )


def test_a_price_below_the_chain_s_is_refused():
    chain = TestChain(MAINNET_LIKE)
    refused = refusal(chain.make(ALICE, pay(BOB, 1), gas_price=999), chain)
    assert refused.text == "Transaction gas price(999) is less than (1000)"


def test_a_contract_needs_a_million_of_gas():
    # The classic error of newcomers (bif notes §2.6).
    operation = create_contract("x")
    low = CHAIN.make(ALICE, operation, gas_price=100, fee_limit=10_000_000)
    # This chain has no engine, so it says so before it counts.
    assert "not supported" in refusal(low).text
    assert gas_of(low.content, len(low.envelope)) == 1_000_000 + len(low.envelope)


def test_of_several_faults_the_node_s_first_is_told():
    # Repaired one by one, in the order in which the node tells them.
    operations = [pay(BOB, 1)]
    faults = {
        "nonce": (-1, "nonce(-1) too small"),
        "chain_id": (5, "same chain"),
        "metadata": (bytes(262145), "Length of the metadata"),
        "ceil_ledger_seq": (1, "Limit ledger sequence"),
        "fee_limit": (-1, "fee limit(-1) < 0"),
        "signers": ([BOB], "weight is not enough"),
    }
    while faults:
        fields = {name: wrong for name, (wrong, _) in faults.items()}
        _, text = faults[next(iter(faults))]
        assert text in refusal(CHAIN.make(ALICE, *operations, **fields)).text
        del faults[next(iter(faults))]
    CHAIN.check(CHAIN.make(ALICE, *operations))


def test_a_source_that_is_no_address_does_not_exist():
    content = Transaction(source_address="nobody", nonce=1, operations=[pay(BOB, 1)])
    refused = refusal(sign(content.SerializeToString(), []))
    assert (refused.code, refused.text) == (
        103,
        "Source account(nobody) does not exist",
    )


def test_a_blob_with_explicit_defaults_is_let_in_unless_that_is_forbidden():
    vector = next(v for v in load("blobs") if "gasSend 1e8" in v["call"])
    blob = bytes.fromhex(vector["blob"])
    content = Transaction.FromString(blob)
    content.source_address, content.nonce = ALICE.address(), 1
    blob = content.SerializeToString() + bytes.fromhex("6000")
    transaction = sign(blob, [ALICE])
    CHAIN.check(transaction)
    strict = TestChain(Rules(strict_canonical=True))
    assert "canonical" in refusal(transaction, strict).text


# Operations

LONG = "k" * 1025


def privilege(**fields) -> Operation:
    operation = create(NEW, 1)
    operation.create_account.priv.CopyFrom(AccountPrivilege(**fields))
    return operation


def set_privilege(**fields) -> Operation:
    return Operation(
        type=Operation.SET_PRIVILEGE, set_privilege=OperationSetPrivilege(**fields)
    )


def contract_with(**fields) -> Operation:
    operation = create_contract("x")
    for name, value in fields.items():
        setattr(operation.create_account, name, value)
    return operation


def contract_privilege(**fields) -> Operation:
    operation = create_contract("x")
    operation.create_account.priv.MergeFrom(AccountPrivilege(**fields))
    return operation


def created_with(*pairs: dict) -> Operation:
    operation = create(NEW, 1)
    for pair in pairs:
        operation.create_account.metadatas.add(**pair)
    return operation


def log(topic: str, *datas: str) -> Operation:
    return Operation(type=Operation.LOG, log={"topic": topic, "datas": datas})


def kind(number: int, weight: int = 1) -> OperationTypeThreshold:
    return OperationTypeThreshold(type=number, threshold=weight)


def upgrade(**fields) -> Operation:
    return Operation(
        type=Operation.UPGRADE_CONTRACT,
        upgrade_contract=OperationUpgradeContract(**fields),
    )


GOOD = Signer(address=BOB.address(), weight=1)


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        (Operation(), 2),
        (Operation(type=99), 2),
        (Operation(type=2), 2),
        (Operation(type=8, metadata=bytes(262145)), 2),
        (Operation(type=8, source_address="nobody"), 94),
        (pay("nobody", 1), 94),
        (pay("", 1), 94),
        (Operation(type=7), 94),
        (pay(ALICE, 1), 101),
        (pay(BOB, -1), 2),
        (create(ALICE, 1), 101),
        (create(NEW, -1), 2),
        (create(NEW, 1, weight=-1), 120),
        (create(NEW, 1, weight=2**32), 120),
        (privilege(signers=[Signer(address="nobody", weight=1)]), 94),
        (privilege(signers=[Signer(address=BOB.address(), weight=-1)]), 120),
        (privilege(signers=[GOOD] * 101), 120),
        (privilege(thresholds={"tx_threshold": -1}), 121),
        (privilege(thresholds={"type_thresholds": [kind(99)]}), 121),
        (privilege(thresholds={"type_thresholds": [kind(7, -1)]}), 121),
        (contract_with(dest_address=NEW.address()), 2),
        (contract_with(init_balance=-1), 2),
        (contract_privilege(master_weight=1), 120),
        (contract_privilege(signers=[GOOD]), 120),
        (contract_privilege(thresholds={"tx_threshold": 2}), 121),
        (create_contract(""), 2),
        (create_contract("x" * 262145), 2),
        (created_with({"key": "", "value": "v"}), 2),
        (created_with({"key": LONG, "value": "v"}), 2),
        (created_with({"key": "k"}, {"key": "k"}), 2),
        (created_with({"key": "k", "version": 2}), 144),
        (metadata("", "v"), 2),
        (metadata(LONG, "v"), 2),
        (metadata("中" * 342, "v"), 2),
        (metadata("k", "v" * 262145), 2),
        (metadata("k", "v", -1), 144),
        (Operation(type=5, set_signer_weight={"master_weight": -2}), 120),
        (Operation(type=5, set_signer_weight={"master_weight": 2**32}), 120),
        (Operation(type=6, set_threshold={"tx_threshold": -2}), 121),
        (set_privilege(master_weight="x"), 120),
        (set_privilege(master_weight="-1"), 120),
        (set_privilege(master_weight="4294967296"), 120),
        (set_privilege(tx_threshold="1.5"), 121),
        (set_privilege(tx_threshold="9223372036854775808"), 121),
        (set_privilege(tx_threshold="9" * 5000), 121),
        (set_privilege(type_thresholds=[kind(0)]), 121),
        (log(""), 2),
        (log("t" * 129), 2),
        (log("t", ""), 2),
        (log("t", "d" * 1025), 2),
        (upgrade(dest_address="nobody", payload="x"), 94),
        (upgrade(dest_address=BOB.address()), 2),
    ],
)
def test_an_operation_that_is_wrong_is_refused(operation, code):
    assert operation_refusal(operation).code == code


@pytest.mark.parametrize(
    "operation",
    [
        pay(BOB, 0),
        pay(NEW, 1),
        create(NEW, 0),
        create(NEW, 1, weight=2**32 - 1),
        created_with({"key": "k" * 1024, "value": "", "version": 1}),
        privilege(signers=[GOOD] * 100),
        metadata("k", ""),
        metadata("k", "v" * 262144),
        metadata("k", delete=True),
        Operation(type=5, set_signer_weight=OperationSetSignerWeight(master_weight=-1)),
        Operation(type=6, set_threshold=OperationSetThreshold(tx_threshold=-1)),
        set_privilege(),
        set_privilege(master_weight="0", tx_threshold="9223372036854775807"),
        log("t"),
        log("t" * 128, "d" * 1024),
        Operation(type=11),
        Operation(type=14),
    ],
)
def test_an_operation_at_its_limits_is_let_in(operation):
    CHAIN.check(CHAIN.make(ALICE, operation))
