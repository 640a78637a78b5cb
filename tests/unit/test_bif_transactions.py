import importlib.util
import json
from hashlib import sha256

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from chain_anchor.bif import chain_pb2, fees, json_form, transactions
from chain_anchor.bif.chain_pb2 import Operation, Transaction
from chain_anchor.bif.errors import ErrorCode, RefusedError
from chain_anchor.bif.keys import KeyType, PrivateKey
from chain_anchor.bif.transactions import Signature, SignedTransaction
from tests.bif_vectors import load

BLOBS = load("blobs")
PUBLISHED = load("transactions")
SDK_KEY = PrivateKey.parse("priSPKkWVk418PKAS66q4bsiE2c4dKuSSafZvNWyGGp2sJVtXL")
ADDRESS = SDK_KEY.address()
OTHER = PrivateKey.from_seed("1", "other")


def read_vector(vector) -> SignedTransaction:
    item = {
        "transaction_blob": vector["blob"],
        "signatures": [
            {"sign_data": vector["signature"], "public_key": vector["public_key"]}
        ],
    }
    return transactions.read_item(item)


def refusal(item) -> RefusedError:
    with pytest.raises(RefusedError) as raised:
        transactions.read_item(item)
    return raised.value


@pytest.mark.parametrize("vector", BLOBS, ids=lambda v: v["call"][:30])
def test_a_blob_of_the_official_sdk_has_its_hash_and_its_signer(vector):
    transaction = read_vector(vector)
    assert transaction.hash.hex() == vector["hash"]
    assert transaction.signers == {transaction.content.source_address}
    assert len(transaction.envelope) > len(transaction.blob) + 130


@pytest.mark.parametrize("vector", BLOBS[:7], ids=lambda v: v["call"][:30])
def test_the_sdk_s_signature_is_made_again_from_its_key(vector):
    assert SDK_KEY.sign(bytes.fromhex(vector["blob"])).hex() == vector["signature"]


@pytest.mark.parametrize("vector", BLOBS, ids=lambda v: v["call"][:30])
def test_a_blob_comes_back_from_its_json(vector):
    transaction = read_vector(vector)
    data = json.loads(json.dumps(json_form.to_json(transaction.content)))
    blob = transactions.content_of_json(data).SerializeToString()
    explicit_default = "createContract" in vector["call"]
    assert (blob == transaction.blob) != explicit_default


def test_an_explicit_default_counts_in_hash_and_size_unless_it_is_refused():
    # bif notes §1.5, item 8: the JavaScript SDK writes a contract's type 0.
    vector = next(v for v in BLOBS if "createContract" in v["call"])
    transaction = read_vector(vector)
    again = transaction.content.SerializeToString()
    assert len(again) == len(transaction.blob) - 2
    assert sha256(again).hexdigest() != vector["hash"]
    assert transaction.blob in transaction.envelope
    with pytest.raises(RefusedError, match="canonical"):
        transactions.check_canonical(transaction)
    transactions.check_canonical(read_vector(BLOBS[0]))


@pytest.mark.parametrize("shown", PUBLISHED, ids=lambda v: v["hash"][:8])
def test_a_transaction_of_a_live_chain_has_its_hash_size_and_fee(shown):
    content = transactions.content_of_json(shown["transaction"])
    signatures = [
        Signature(entry["public_key"], bytes.fromhex(entry["sign_data"]))
        for entry in shown.get("signatures", [])
    ]
    transaction = transactions.read(content.SerializeToString(), signatures)
    assert transaction.hash.hex() == shown["hash"]
    assert len(transaction.envelope) == shown["tx_size"]
    if signatures:
        assert transaction.signers == {content.source_address}
        gas = fees.gas_of(content, len(transaction.envelope))
        assert gas * content.gas_price == shown["actual_fee"]
    assert json_form.to_json(content) == shown["transaction"]


@pytest.mark.parametrize(
    ("nonce", "remark", "amounts", "gas", "fee"),
    [
        (37, "", [(10, "ef2CENizhXm2VJYmHV1a8HULb2Xg32QcU")], 406, 40600),
        (
            39,
            "30313233343536373839616263646566",
            [
                (10, "did:bid:zf6LBRqPHfXjg46JqkCTqGb8QM9GTFB78"),
                (12, "did:bid:ef2CENizhXm2VJYmHV1a8HULb2Xg32QcU"),
            ],
            484,
            48400,
        ),
    ],
)
def test_a_published_evaluation_comes_out(nonce, remark, amounts, gas, fee):
    # BIF-Core-SDK-C, doc/SDK_design_for_C.md, §1.5.3 and §1.5.5: two signatures.
    content = transactions.content_of_json(
        {
            "source_address": "did:bid:ef2AuAJid1dB22rk3M6vB6cUc1ENnpfEe",
            "nonce": nonce,
            "gas_price": 100,
            "metadata": remark,
            "operations": [
                {"type": 6, "pay_coin": {"amount": amount, "dest_address": address}}
                for amount, address in amounts
            ],
        }
    )
    assert fees.evaluate(content, 2, lambda _: 0) == (gas, fee)
    assert content.fee_limit == fee


def test_what_contracts_trigger_is_part_of_an_evaluation():
    content = transactions.content_of_json({"source_address": ADDRESS, "gas_price": 2})
    gas, fee = fees.evaluate(content, 0, lambda _: 1000)
    assert gas == 1000 + 20 + chain_pb2.TransactionEnv(transaction=content).ByteSize()
    assert fee == content.fee_limit == 2 * gas


# JSON


def test_json_leaves_defaults_out_and_writes_numbers_and_hexadecimal():
    content = Transaction(
        source_address=ADDRESS,
        metadata=b"\xab\x01",
        fee_limit=2**53 + 1,
        operations=[Operation(type=Operation.LOG, log={"topic": "t", "datas": ["d"]})],
    )
    assert json_form.to_json(content) == {
        "source_address": ADDRESS,
        "metadata": "ab01",
        "fee_limit": 9007199254740993,
        "operations": [{"type": 8, "log": {"topic": "t", "datas": ["d"]}}],
    }


def test_json_is_read_as_the_sdks_write_it():
    # bif notes §1.5: numbers as text, enums by name, bytes as text, unknown names.
    data = {
        "source_address": ADDRESS,
        "nonce": "5",
        "fee_limit": 1000000,
        "metadata": "转账",
        "domain_id": None,
        "something": {"new": True},
        "operations": [
            {"type": "PAY_COIN", "pay_coin": {"dest_address": "x", "amount": "10"}},
            {"type": "4", "set_metadata": {"key": "k", "delete_flag": "true"}},
            {"type": 9, "set_privilege": {"master_weight": 10}},
        ],
    }
    content = transactions.content_of_json(data)
    assert content.nonce == 5
    assert content.metadata == "转账".encode()
    assert [operation.type for operation in content.operations] == [7, 4, 9]
    assert content.operations[0].pay_coin.amount == 10
    assert content.operations[1].set_metadata.delete_flag
    assert content.operations[2].set_privilege.master_weight == "10"


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "x",
        {"nonce": "five"},
        {"nonce": 1.5},
        {"nonce": True},
        {"nonce": 2**63},
        {"nonce": "9" * 20},
        {"nonce": "9" * 10_000},
        {"nonce": "\uff15"},
        {"nonce": "--5"},
        {"nonce": []},
        {"domain_id": 2**31},
        {"source_address": ["a"]},
        {"source_address": "\ud800"},
        {"metadata": 5},
        {"metadata": "\ud800"},
        {"operations": {}},
        {"operations": "pay"},
        {"operations": [5]},
        {"operations": [{"type": "PAY"}]},
        {"operations": [{"type": 7, "pay_coin": []}]},
        {"operations": [{"set_metadata": {"delete_flag": "maybe"}}]},
        {"operations": [{"set_metadata": {"delete_flag": {}}}]},
    ],
)
def test_what_is_no_transaction_in_json_is_refused(data):
    with pytest.raises(RefusedError) as raised:
        transactions.content_of_json(data)
    assert raised.value.code is ErrorCode.INVALID_PARAMETER


# Items of /submitTransaction


def item_of(blob: bytes, **signature: str) -> dict:
    given = {"sign_data": "00", "public_key": SDK_KEY.public.text}
    return {"transaction_blob": blob.hex(), "signatures": [given | signature]}


BLOB = bytes.fromhex(BLOBS[0]["blob"])


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ({"transaction_blob": "0g"}, "'transaction_blob' value must be Hex"),
        ({"transaction_blob": 5}, "'transaction_blob' value must be Hex"),
        ({}, "'transaction_blob' value must be Hex"),
        (item_of(BLOB, sign_data="xx"), "'sign_data' value must be Hex"),
        (item_of(BLOB, public_key="b065"), "Invalid public key(b065)"),
        ("text", "request must be in json format"),
        (
            {"transaction_blob": "ff"},
            "'transaction_blob' value must be a transaction",
        ),
    ],
)
def test_an_item_that_cannot_be_read_is_refused_in_the_node_s_words(item, text):
    refused = refusal(item)
    assert (refused.code, refused.text) == (ErrorCode.INVALID_PARAMETER, text)


def test_a_signature_that_does_not_hold_is_passed_over():
    good = OTHER.sign(BLOB)
    wrong = Signature(SDK_KEY.public.text, good)
    short = Signature(SDK_KEY.public.text, b"")
    transaction = transactions.read(
        BLOB, [wrong, short, Signature(OTHER.public.text, good)]
    )
    assert transaction.signers == {OTHER.address()}
    assert len(transaction.signatures) == 3


def test_ed25519_and_sm2_sign_side_by_side():
    sm2 = PrivateKey.from_seed("1", "sm2", KeyType.SM2)
    transaction = transactions.sign(BLOB, [SDK_KEY, sm2])
    assert transaction.signers == {ADDRESS, sm2.address()}


def test_the_node_signs_what_comes_as_json():
    data = {"source_address": ADDRESS, "nonce": 1}
    transaction = transactions.read_item(
        {"transaction_json": data, "private_keys": [SDK_KEY.text]}
    )
    assert transaction.signers == {ADDRESS}
    assert transaction.content.nonce == 1


def test_a_wrong_private_key_is_not_repeated():
    secret = SDK_KEY.text[:-1] + "2"
    refused = refusal({"transaction_json": {}, "private_keys": [secret + "0"]})
    assert refused.code is ErrorCode.INVALID_PRIVATE_KEY
    assert secret[4:12] not in str(refused)


def test_too_many_signatures_are_refused_before_any_is_checked():
    signature = Signature(SDK_KEY.public.text, bytes(64))
    with pytest.raises(RefusedError, match=r"101.*limit\(100\)"):
        transactions.read(BLOB, [signature] * 101)
    refusal(item_of(BLOB) | {"signatures": [{}] * 101})


def test_unknown_fields_are_kept():
    # Operation.coin_destroyed, field 16, and a field that nobody has yet.
    operation = Operation(type=Operation.DESTROYED).SerializeToString()
    operation += bytes.fromhex("8201020801")
    blob = b"\x22" + bytes([len(operation)]) + operation + bytes.fromhex("f80701")
    transaction = transactions.read(blob, [])
    assert transaction.content.SerializeToString() == blob


# The generated module


def test_the_generated_module_is_the_one_that_the_proto_gives(tmp_path):
    protoc = pytest.importorskip("grpc_tools.protoc")
    package = chain_pb2.__file__.rpartition("/chain_anchor/")[0]
    status = protoc.main(
        [
            "protoc",
            f"-I{package}",
            f"--descriptor_set_out={tmp_path}/set",
            "chain_anchor/bif/chain.proto",
        ]
    )
    assert status == 0
    (file,) = FileDescriptorSet.FromString((tmp_path / "set").read_bytes()).file
    for message in file.message_type:
        for part in (message, *message.nested_type):
            for field in part.field:
                field.ClearField("json_name")
    assert file.SerializeToString() == chain_pb2.DESCRIPTOR.serialized_pb


def test_the_stub_names_every_message_of_the_module():
    assert importlib.util.find_spec("chain_anchor.bif.chain_pb2")
    with open(chain_pb2.__file__ + "i") as stub:  # noqa: PTH123
        text = stub.read()
    for name in chain_pb2.DESCRIPTOR.message_types_by_name:
        assert f"class {name}(_message.Message)" in text
