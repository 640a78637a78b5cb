"""Operations and blocks, through the ledger as a node uses it."""

from hashlib import sha256

import pytest

from chain_anchor.bif import account, addresses, blocks, genesis, storage, trie
from chain_anchor.bif.account_edits import AccountEdit, PlacedEdit
from chain_anchor.bif.chain_pb2 import (
    AccountPrivilege,
    AccountThreshold,
    Operation,
    OperationLog,
    OperationSetPrivilege,
    OperationSetSignerWeight,
    OperationSetThreshold,
    OperationTypeThreshold,
    OperationUpgradeContract,
    Signer,
    Transaction,
)
from chain_anchor.bif.errors import BlockError, ErrorCode, RefusedError
from chain_anchor.bif.execution import Chain
from chain_anchor.bif.genesis import FIRST_BALANCE, FUNDED_BALANCE
from chain_anchor.bif.ledger import Ledger
from chain_anchor.bif.rules import MAINNET_LIKE, Rules
from chain_anchor.bif.transactions import sign
from tests.bif_chains import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    FEE_LIMIT,
    KEYS,
    SM2_USER,
    MemoryStorage,
    NoContracts,
    TestChain,
    check_follows,
    create,
    key,
    metadata,
    pay,
)

NEW = key("new")


@pytest.fixture
def chain() -> TestChain:
    return TestChain()


def failed(shown, code: ErrorCode, text: str) -> None:
    """Say that a transaction is on the chain, failed, and has paid for it."""
    assert shown["error_code"] == code
    assert text in shown["error_desc"]
    assert shown["actual_fee"] == FEE_LIMIT


def dropped(chain: TestChain, transaction) -> RefusedError:
    """Put a transaction into a block that it cannot be in; say why."""
    before = chain.ledger.last.domain_account_hashs
    block = chain.close(transaction)
    assert not block.applied
    assert block.header.domain_account_hashs == before
    return block.dropped[0].refusal


# Genesis


def test_a_chain_begins_with_its_genesis(chain):
    header = chain.ledger.last
    assert (header.seq, header.close_time, header.previous_hash) == (1, 0, b"")
    assert (header.version, header.tx_count) == (1006, 0)
    assert [entry.domain_id for entry in header.domain_account_hashs] == [
        *(0, 24, 20, 22, 21, 23)
    ]
    for domain in chain.ledger.chain.rules.domains:
        assert chain.balance(KEYS.first, domain) == FIRST_BALANCE
        assert chain.balance(ALICE, domain) == FUNDED_BALANCE
        assert chain.balance(KEYS.validators[0], domain) == 0
    assert chain.ledger.validators == tuple(v.address() for v in KEYS.validators)


def test_every_published_demo_account_is_an_address_and_funded(chain):
    for suffix in genesis.DEMO_SUFFIXES:
        assert addresses.is_address(addresses.PREFIX + suffix), suffix
        assert chain.balance(addresses.PREFIX + suffix, 22) == FUNDED_BALANCE
    assert len(set(genesis.DEMO_SUFFIXES)) == 21
    # The createAccount demo makes this one.
    assert chain.account("did:bid:efQMuPahc3zm7abBUBfj22xZokhZ7rED") is None


def test_a_storage_takes_one_genesis_only(chain):
    with pytest.raises(BlockError, match="empty storage"):
        Ledger.create(chain.storage, chain.ledger.chain, genesis.seeded_genesis(KEYS))


def test_a_chain_goes_on_from_its_storage(chain):
    chain.run(ALICE, pay(BOB, 5))
    again = Ledger.open(chain.storage, chain.ledger.chain)
    assert again.last == chain.ledger.last
    assert again.validators == chain.ledger.validators
    assert chain.close().header == again.close([], chain.ledger.last.close_time).header


def test_a_chain_does_not_go_on_under_other_rules(chain):
    for rules in (
        Rules(gas_price=1),
        Rules(domains=(0,)),
        Rules(chain_id=5),
        Rules(ledger_version=1007),
    ):
        with pytest.raises(BlockError, match="fees hash"):
            Ledger.open(chain.storage, Chain(rules, NoContracts()))


def test_a_storage_that_was_damaged_is_noticed(chain):
    place = storage.header(1)
    octets = chain.storage.values[place]
    for damaged in (octets[:-1] + bytes([octets[-1] ^ 1]), octets[:-1]):
        chain.storage.values[place] = damaged
        with pytest.raises(BlockError, match="block 1"):
            Ledger.open(chain.storage, chain.ledger.chain)
    with pytest.raises(BlockError, match="has none"):
        Ledger.open(MemoryStorage(), chain.ledger.chain)


# Blocks


def test_the_same_genesis_and_calls_give_the_same_octets():
    def run() -> dict[bytes, bytes]:
        chain = TestChain()
        chain.run(ALICE, pay(NEW, 10), metadata("a", "b"), gas_price=3)
        chain.run(SM2_USER if chain.account(SM2_USER) else BOB, pay(SM2_USER, 7))
        chain.close()
        chain.run(CAROL, create(DAVE, 1))
        return chain.storage.values

    assert run() == run()


def test_a_block_counts_and_links_what_went_before(chain):
    first = chain.ledger.last
    block = chain.close(
        chain.make(ALICE, pay(BOB, 1)),
        chain.make(BOB, pay(ALICE, 1)),
        chain.make(ALICE, pay(BOB, 1), domain_id=21),
    )
    check_follows(first, block.header)
    assert block.header.tx_count == 3
    assert chain.close().header.tx_count == 3
    assert chain.ledger.header(2) == block.header
    assert chain.ledger.header(4) is None
    assert chain.ledger.header(0) is None


def test_an_empty_block_keeps_the_state(chain):
    before = list(chain.ledger.last.domain_account_hashs)
    assert list(chain.close().header.domain_account_hashs) == before


def test_time_goes_forward_only(chain):
    chain.close()
    for now in (0, chain.ledger.last.close_time, -5):
        with pytest.raises(BlockError, match="close time"):
            chain.ledger.close([], now)


def test_a_developer_sets_accounts_in_a_block(chain):
    edit = AccountEdit(5, nonce=7, metadata={"k": "v"})
    placed = PlacedEdit(20, NEW.address(), edit)
    header = chain.ledger.close([], 5, edits=[placed]).header
    edited = chain.account(NEW, 20)
    assert (edited.balance, edited.nonce, edited.contract) == (5, 7, None)
    assert chain.account(NEW) is None
    assert header.tx_count == 0
    state = chain.ledger.state(20)
    assert blocks.tree_hash(header, 20) == state.root()
    with pytest.raises(RefusedError):
        chain.ledger.close([], 6, edits=[placed._replace(domain=99)])
    assert chain.ledger.last == header


def test_what_a_developer_does_not_set_stays(chain):
    def put(**members):
        placed = PlacedEdit(0, ALICE.address(), AccountEdit(**members))
        time = chain.ledger.last.close_time + 1
        chain.ledger.close([], time, edits=[placed])
        return chain.account(ALICE)

    before = chain.account(ALICE)
    assert put(nonce=3) == before._replace(nonce=3)
    assert put(code="x").contract == account.Code(0, "x")
    assert put(balance=0) == before._replace(
        nonce=3, balance=0, contract=account.Code(0, "x")
    )
    assert put(code="").contract is None
    put(metadata={"a": "1", "b": "2"})
    put(metadata={"a": None, "b": "3"})
    state, address = chain.ledger.state(0), ALICE.address()
    assert list(state.metadatas(address)) == [("b", account.Metadata("3", 2))]


def test_nobody_acts_for_a_contract_that_a_developer_made(chain):
    placed = PlacedEdit(0, NEW.address(), AccountEdit(code="x"))
    chain.ledger.close([], 5, edits=[placed])
    assert chain.account(NEW).privilege.master_weight == 0
    assert chain.account(NEW).privilege.tx_threshold == 1


def test_a_block_takes_no_more_than_16_mib(chain):
    big = "x" * (256 * 1024)
    transaction = chain.make(ALICE, *[metadata(f"k{n}", big) for n in range(3)])
    with pytest.raises(BlockError, match="16777216"):
        chain.close(*[transaction] * 30)
    assert chain.ledger.last.seq == 1
    assert chain.nonce(ALICE) == 0


def test_a_block_that_cannot_be_written_has_not_happened(chain):
    def fail(changes):
        raise OSError("no space left")

    written, chain.storage.write = chain.storage.write, fail
    transaction = chain.make(ALICE, pay(BOB, 1))
    with pytest.raises(OSError, match="space"):
        chain.close(transaction)
    chain.storage.write = written
    assert chain.ledger.last.seq == 1
    assert chain.nonce(ALICE) == 0
    assert chain.close(transaction).header.seq == 2


def test_the_state_of_a_block_is_the_trie_over_its_accounts(chain):
    chain.run(ALICE, pay(NEW, 10), metadata("k", "v"))
    state = chain.ledger.state(0)
    leaves = {}
    for address in state.addresses():
        found = state.account(address)
        leaves[addresses.parse(address).state_key] = sha256(found.encode()).digest()
    root = trie.update({}.get, leaves).root
    assert blocks.tree_hash(chain.ledger.last, 0) == root
    assert len(leaves) == 31


def test_domains_have_states_of_their_own(chain):
    before = {
        d.domain_id: d.account_tree_hash for d in chain.ledger.last.domain_account_hashs
    }
    shown = chain.run(ALICE, pay(BOB, 5), domain_id=20)
    assert shown["transaction"]["domain_id"] == 20
    after = {
        d.domain_id: d.account_tree_hash for d in chain.ledger.last.domain_account_hashs
    }
    assert [d for d in before if before[d] != after[d]] == [20]
    assert (chain.nonce(ALICE, 20), chain.nonce(ALICE)) == (1, 0)
    assert chain.ledger.hashes(0, 2) == []
    assert len(chain.ledger.hashes(20, 2)) == 1


def test_an_unknown_domain_is_refused(chain):
    with pytest.raises(RefusedError) as raised:
        chain.ledger.state(99)
    assert raised.value.code is ErrorCode.DOMAIN_NOT_EXIST
    content = Transaction(source_address=ALICE.address(), nonce=1, domain_id=99)
    transaction = sign(content.SerializeToString(), [ALICE])
    assert dropped(chain, transaction).code is ErrorCode.DOMAIN_NOT_EXIST
    with pytest.raises(RefusedError):
        chain.check(transaction)


# What may be in a block


def test_a_nonce_that_is_not_next_is_dropped(chain):
    for nonce in (0, 2, -1):
        refusal = dropped(chain, chain.make(ALICE, pay(BOB, 1), nonce=nonce))
        assert refusal.code is ErrorCode.BAD_SEQUENCE
        assert refusal.text == (
            f"Account({ALICE.address()})'s transaction nonce({nonce}) is not equal to "
            "reserve nonce(0) + 1."
        )


def test_nonces_that_follow_each_other_fit_into_one_block(chain):
    transactions = [chain.make(ALICE, pay(BOB, n), nonce=n) for n in (1, 2, 3)]
    assert len(chain.close(*transactions).applied) == 3
    assert chain.nonce(ALICE) == 3


def test_what_cannot_pay_its_fee_limit_is_dropped(chain):
    limit = FUNDED_BALANCE + 1
    transaction = chain.make(ALICE, pay(BOB, 0), fee_limit=limit)
    refusal = dropped(chain, transaction)
    assert refusal.code is ErrorCode.ACCOUNT_LOW_RESERVE
    assert refusal.text == (
        f"Account({ALICE.address()})'s reserve balance({FUNDED_BALANCE}) - "
        f"transaction({transaction.hash.hex()[:8]}) fee limit({limit}) < "
        "base reserve(0)"
    )


def test_what_nobody_signed_is_dropped(chain):
    for signers in ([], [BOB]):
        refusal = dropped(chain, chain.make(ALICE, pay(BOB, 1), signers=signers))
        assert refusal.code is ErrorCode.INVALID_SIGNATURE
        assert refusal.text.endswith("signature weight is not enough")


def test_what_comes_after_its_last_block_is_dropped(chain):
    transaction = chain.make(ALICE, pay(BOB, 1), ceil_ledger_seq=2)
    chain.close()
    refusal = dropped(chain, transaction)
    assert refusal.text == "Limit ledger sequence(2) < current ledger sequence(3)"


def test_the_last_block_of_a_transaction_still_takes_it(chain):
    transaction = chain.make(ALICE, pay(BOB, 1), ceil_ledger_seq=2)
    chain.check(transaction)
    assert not chain.close(transaction).dropped


def test_an_account_that_is_not_there_cannot_act(chain):
    refusal = dropped(chain, chain.make(NEW, pay(BOB, 1)))
    assert refusal.code is ErrorCode.ACCOUNT_NOT_EXIST
    assert refusal.text == f"Source account({NEW.address()}) does not exist"


# Fees


def test_a_fee_is_the_octets_times_the_price_and_leaves_the_chain(chain):
    shown = chain.run(ALICE, pay(BOB, 7), gas_price=100)
    assert shown["actual_fee"] == 100 * shown["tx_size"]
    assert chain.balance(ALICE) == FUNDED_BALANCE - 7 - shown["actual_fee"]
    assert chain.balance(BOB) == FUNDED_BALANCE + 7


def test_a_price_of_nothing_costs_nothing(chain):
    assert chain.run(ALICE, pay(BOB, 7))["actual_fee"] == 0
    assert chain.balance(ALICE) == FUNDED_BALANCE - 7


def test_a_failed_transaction_is_on_the_chain_and_costs_its_limit(chain):
    shown = chain.run(ALICE, metadata("a", "b"), pay(BOB, FUNDED_BALANCE + 1))
    failed(shown, ErrorCode.ACCOUNT_LOW_RESERVE, "is not enough for payment (")
    assert chain.metadata(ALICE, "a") is None
    assert chain.nonce(ALICE) == 1
    assert chain.balance(ALICE) == FUNDED_BALANCE - FEE_LIMIT
    assert chain.balance(BOB) == FUNDED_BALANCE
    assert chain.ledger.last.tx_count == 1


def test_a_fee_limit_that_is_too_low_fails_the_transaction(chain):
    shown = chain.run(ALICE, pay(BOB, 1), gas_price=100, fee_limit=500)
    assert shown["error_code"] == ErrorCode.FEE_NOT_ENOUGH
    assert shown["error_desc"].startswith(f"Bottom transaction({shown['hash']}) fee ")
    assert shown["actual_fee"] == 500
    assert chain.balance(BOB) == FUNDED_BALANCE


# Operations


def test_an_account_is_created(chain):
    operation = create(NEW, 50)
    operation.create_account.metadatas.add(key="k", value="v")
    assert chain.run(ALICE, operation)["error_code"] == 0
    found = chain.account(NEW)
    assert (found.balance, found.nonce) == (50, 0)
    assert found.privilege == account.Privilege()
    assert found.metadatas_hash != trie.EMPTY_ROOT
    assert chain.metadata(NEW, "k") == account.Metadata("v", 1)
    assert chain.balance(ALICE) == FUNDED_BALANCE - 50
    chain.run(NEW, pay(ALICE, 50), fee_limit=0)
    assert chain.balance(NEW) == 0


def test_an_account_is_not_created_twice(chain):
    shown = chain.run(ALICE, create(BOB, 1))
    text = f"Dest address({BOB.address()}) already exist"
    failed(shown, ErrorCode.ACCOUNT_DEST_EXIST, text)


def test_a_payment_creates_an_account_that_is_not_there(chain):
    chain.run(ALICE, pay(NEW, 5))
    assert chain.balance(NEW) == 5
    assert chain.account(NEW).privilege == account.Privilege()
    chain.run(ALICE, pay(key("nothing"), 0))
    assert chain.balance(key("nothing")) == 0


def test_accounts_keep_the_reserve():
    chain = TestChain(MAINNET_LIKE)
    reserve = MAINNET_LIKE.base_reserve
    for operation in (create(NEW, reserve - 1), pay(NEW, reserve - 1)):
        shown = chain.run(ALICE, operation, gas_price=1000)
        failed(
            shown,
            ErrorCode.ACCOUNT_INIT_LOW_RESERVE,
            f"Account({NEW.address()})'s init balance({reserve - 1}) is not enough "
            f"for reserve({reserve})",
        )
    left = chain.balance(ALICE) - FEE_LIMIT
    shown = chain.run(ALICE, pay(BOB, left - reserve + 1), gas_price=1000)
    failed(
        shown,
        ErrorCode.ACCOUNT_LOW_RESERVE,
        f"Account({ALICE.address()})'s balance({left}) - base_reserve({reserve}) is "
        f"not enough for payment ({left - reserve + 1}) ",
    )
    assert chain.run(ALICE, create(NEW, reserve), gas_price=1000)["error_code"] == 0


def test_a_balance_does_not_overflow(chain):
    most = 2**63 - 1
    rich = genesis.Genesis((), {ALICE.address(): most, BOB.address(): 10})
    chain = TestChain(genesis=rich)
    shown = chain.run(BOB, pay(ALICE, 1), fee_limit=0)
    assert shown["error_code"] == ErrorCode.MATH_OVERFLOW
    assert chain.balance(ALICE) == most


def test_metadata_counts_its_versions(chain):
    chain.run(ALICE, metadata("k", "one"))
    assert chain.metadata(ALICE, "k") == account.Metadata("one", 1)
    chain.run(ALICE, metadata("k", "two", 2))
    chain.run(ALICE, metadata("k", "three"), metadata("k", "four", 4))
    assert chain.metadata(ALICE, "k") == account.Metadata("four", 4)
    assert chain.run(ALICE, metadata("new", "v", 1))["error_code"] == 0


@pytest.mark.parametrize("version", [1, 3])
def test_metadata_of_another_version_is_refused(chain, version):
    chain.run(ALICE, metadata("k", "one"))
    shown = chain.run(ALICE, metadata("k", "two", version))
    text = f"Data version({version}) is not valid"
    failed(shown, ErrorCode.INVALID_DATA_VERSION, text)
    shown = chain.run(ALICE, metadata("new", "two", 2))
    failed(shown, ErrorCode.INVALID_DATA_VERSION, "Data version(2) is not valid")


def test_metadata_is_deleted_by_its_version_or_any(chain):
    chain.run(ALICE, metadata("k", "one"), metadata("l", "one"))
    shown = chain.run(ALICE, metadata("k", version=2, delete=True))
    failed(shown, ErrorCode.INVALID_DATA_VERSION, "Data version(2) not valid")
    chain.run(ALICE, metadata("k", version=1, delete=True), metadata("l", delete=True))
    assert chain.metadata(ALICE, "k") is None
    assert chain.account(ALICE).metadatas_hash == trie.EMPTY_ROOT
    shown = chain.run(ALICE, metadata("k", delete=True))
    failed(shown, ErrorCode.NOT_EXIST, "The key(k) to be deleted is not exist")
    chain.run(ALICE, metadata("k", "again", 1))
    assert list(chain.ledger.state(0).metadatas(ALICE.address())) == [
        ("k", account.Metadata("again", 1))
    ]


def test_metadata_is_listed_in_the_order_of_its_keys(chain):
    names = ["b", "a", "ab", "中", "a" * 1024, "B"]
    chain.run(ALICE, *[metadata(name, name) for name in names])
    listed = [name for name, _ in chain.ledger.state(0).metadatas(ALICE.address())]
    assert listed == sorted(names, key=str.encode)


def test_long_keys_that_begin_alike_are_kept_apart(chain):
    names = ["k" * 64, "k" * 65, "k" * 100 + "a", "k" * 100 + "b", "k" * 1024]
    chain.run(ALICE, *[metadata(name, name[-1] + str(len(name))) for name in names])
    for name in names:
        assert chain.metadata(ALICE, name).value == name[-1] + str(len(name))
    assert max(map(len, chain.storage.values)) <= 120


def test_a_log_changes_nothing_but_the_nonce(chain):
    operation = Operation(type=Operation.LOG, log=OperationLog(topic="t", datas=["d"]))
    shown = chain.run(ALICE, operation)
    assert shown["transaction"]["operations"] == [
        {"type": 8, "log": {"topic": "t", "datas": ["d"]}}
    ]
    assert chain.account(ALICE)._replace(nonce=0) == account.Account(
        ALICE.address(), FUNDED_BALANCE
    )


@pytest.mark.parametrize("kind", [11, 12, 13, 14])
def test_operations_that_are_only_recorded_are_on_the_chain(chain, kind):
    shown = chain.run(ALICE, Operation(type=kind))
    assert shown["error_code"] == 0
    assert shown["transaction"]["operations"] == [{"type": kind}]


def test_only_its_creator_upgrades_a_contract(chain):
    upgrade = OperationUpgradeContract(dest_address=BOB.address(), payload="x")
    operation = Operation(type=Operation.UPGRADE_CONTRACT, upgrade_contract=upgrade)
    shown = chain.run(ALICE, operation)
    failed(shown, ErrorCode.INVALID_CONTRACT, "is not a contract")


# Weights


def set_privilege(**fields) -> Operation:
    return Operation(
        type=Operation.SET_PRIVILEGE, set_privilege=OperationSetPrivilege(**fields)
    )


def threshold(kind: int, weight: int) -> OperationTypeThreshold:
    return OperationTypeThreshold(type=kind, threshold=weight)


def test_a_privilege_is_set_and_what_is_empty_stays(chain):
    chain.run(
        ALICE,
        set_privilege(
            master_weight="10",
            tx_threshold="8",
            signers=[Signer(address=BOB.address(), weight=5)],
            type_thresholds=[threshold(7, 12), threshold(4, 1)],
        ),
    )
    assert chain.account(ALICE).privilege == account.Privilege(
        10, ((BOB.address(), 5),), 8, ((7, 12), (4, 1))
    )
    chain.run(
        ALICE,
        set_privilege(
            signers=[
                Signer(address=BOB.address()),
                Signer(address=CAROL.address(), weight=1),
            ],
            type_thresholds=[threshold(7, 0)],
        ),
    )
    assert chain.account(ALICE).privilege == account.Privilege(
        10, ((CAROL.address(), 1),), 8, ((4, 1),)
    )
    chain.run(ALICE, set_privilege(master_weight="0", tx_threshold="0"))
    assert chain.account(ALICE).privilege[0:3:2] == (0, 0)


def test_weights_and_thresholds_have_operations_of_their_own(chain):
    weight = OperationSetSignerWeight(
        master_weight=-1, signers=[Signer(address=BOB.address(), weight=3)]
    )
    limit = OperationSetThreshold(tx_threshold=-1, type_thresholds=[threshold(7, 1)])
    chain.run(
        ALICE,
        Operation(type=Operation.SET_SIGNER_WEIGHT, set_signer_weight=weight),
        Operation(type=Operation.SET_THRESHOLD, set_threshold=limit),
    )
    assert chain.account(ALICE).privilege == account.Privilege(
        1, ((BOB.address(), 3),), 1, ((7, 1),)
    )
    weight.master_weight, limit.tx_threshold = 3, 2
    chain.run(
        ALICE,
        Operation(type=Operation.SET_SIGNER_WEIGHT, set_signer_weight=weight),
        Operation(type=Operation.SET_THRESHOLD, set_threshold=limit),
    )
    assert chain.account(ALICE).privilege[0:3:2] == (3, 2)


def test_signatures_together_reach_a_threshold(chain):
    signers = [
        Signer(address=BOB.address(), weight=5),
        Signer(address=SM2_USER.address(), weight=5),
    ]
    chain.run(ALICE, set_privilege(tx_threshold="10", signers=signers))
    for few in ([ALICE], [ALICE, BOB], [BOB, CAROL]):
        refusal = dropped(chain, chain.make(ALICE, pay(BOB, 1), signers=few))
        assert refusal.code is ErrorCode.INVALID_SIGNATURE
    chain.run(ALICE, pay(BOB, 1), signers=[BOB, SM2_USER])
    assert chain.balance(BOB) == FUNDED_BALANCE + 1


def test_an_operation_s_own_threshold_counts_for_it_alone(chain):
    chain.run(ALICE, set_privilege(type_thresholds=[threshold(7, 2)]))
    failed(
        chain.run(ALICE, pay(BOB, 1)),
        ErrorCode.INVALID_SIGNATURE,
        "signature weight is not enough",
    )
    assert chain.run(ALICE, metadata("k", "v"))["error_code"] == 0


def test_an_operation_of_another_account_needs_that_account_s_signature(chain):
    operation = pay(CAROL, 5, source=BOB.address())
    failed(
        chain.run(ALICE, operation),
        ErrorCode.INVALID_SIGNATURE,
        "signature weight is not enough",
    )
    chain.run(ALICE, operation, signers=[ALICE, BOB])
    assert chain.balance(BOB) == FUNDED_BALANCE - 5
    assert (chain.nonce(ALICE), chain.nonce(BOB)) == (2, 0)
    shown = chain.run(ALICE, pay(CAROL, 5, source=NEW.address()), signers=[ALICE, NEW])
    failed(shown, ErrorCode.ACCOUNT_NOT_EXIST, NEW.address())


def test_a_threshold_of_nothing_lets_everyone_act(chain):
    chain.run(ALICE, set_privilege(tx_threshold="0"))
    chain.run(ALICE, pay(BOB, 1), signers=[])
    assert chain.balance(BOB) == FUNDED_BALANCE + 1


def test_a_privilege_that_locks_an_account_locks_it(chain):
    chain.run(ALICE, set_privilege(master_weight="0"))
    refusal = dropped(chain, chain.make(ALICE, pay(BOB, 1)))
    assert refusal.code is ErrorCode.INVALID_SIGNATURE


def test_an_account_has_at_most_100_signers(chain):
    def signers(start: int, end: int) -> list[Signer]:
        made = (key(f"signer{n}").address() for n in range(start, end))
        return [Signer(address=address, weight=1) for address in made]

    chain.run(ALICE, set_privilege(signers=signers(0, 100)))
    shown = chain.run(ALICE, set_privilege(signers=signers(100, 101)))
    failed(shown, ErrorCode.WEIGHT_NOT_VALID, "More than 100 signers")


def test_signers_of_a_sub_chain_may_carry_its_code():
    balances = {ALICE.address("hany"): 100, BOB.address(): 100}
    chain = TestChain(genesis=genesis.Genesis((), balances), ac="hany")
    content = Transaction(
        source_address=ALICE.address("hany"),
        nonce=1,
        operations=[
            set_privilege(
                tx_threshold="2",
                signers=[Signer(address=BOB.address("hany"), weight=2)],
            )
        ],
    )
    chain.close(sign(content.SerializeToString(), [ALICE]))
    content.nonce = 2
    assert not chain.close(sign(content.SerializeToString(), [BOB])).dropped
    assert chain.nonce(ALICE.address("hany")) == 2
    assert chain.account(ALICE) is None


def test_a_new_account_may_come_with_any_privilege(chain):
    operation = create(NEW, 50, weight=7)
    privilege = AccountPrivilege(
        master_weight=7,
        signers=[
            Signer(address=BOB.address(), weight=2),
            Signer(address=CAROL.address()),
        ],
        thresholds=AccountThreshold(
            tx_threshold=3, type_thresholds=[threshold(7, 0), threshold(4, 9)]
        ),
    )
    operation.create_account.priv.CopyFrom(privilege)
    chain.run(ALICE, operation)
    assert chain.account(NEW).privilege == account.Privilege(
        7, ((BOB.address(), 2),), 3, ((4, 9),)
    )
