import pytest

from chain_anchor import sm2_signing
from chain_anchor.bif import addresses, base58, hexadecimal, keys, sm2
from chain_anchor.bif.errors import EncodingError
from chain_anchor.bif.keys import KeyType, PrivateKey, PublicKey
from chain_anchor.errors import SignatureError
from chain_anchor.sm2_curve import ORDER
from tests.bif_vectors import load

KEYS = load("keys")
CONTRACTS = load("contracts")
ED25519 = PrivateKey.parse(KEYS[0]["private"])
SM2 = PrivateKey.parse(KEYS[4]["private"])


def by_private(vector) -> str:
    return vector["private"][:8] + vector["address"][-4:]


@pytest.mark.parametrize("vector", KEYS, ids=by_private)
def test_a_published_private_key_gives_its_public_key_and_address(vector):
    key = PrivateKey.parse(vector["private"])
    assert key.type.name == vector["type"]
    assert key.text == vector["private"]
    assert key.address() == vector["address"]
    if vector["public"]:
        assert key.public.text == vector["public"]
    if vector["raw_private"]:
        assert key.octets.hex() == vector["raw_private"]


@pytest.mark.parametrize("vector", [v for v in KEYS if v["public"]], ids=by_private)
def test_a_published_public_key_is_read_and_written(vector):
    key = PublicKey.parse(vector["public"])
    assert key.text == vector["public"]
    assert key.address() == vector["address"]


@pytest.mark.parametrize("vector", CONTRACTS["created"], ids=lambda v: v["address"])
def test_a_published_contract_address_follows_from_its_transaction(vector):
    source, nonce, index = vector["source"], vector["nonce"], vector["operation_index"]
    assert addresses.of_contract(source, nonce, index) == vector["address"]


@pytest.mark.parametrize("vector", CONTRACTS["system"], ids=lambda v: v["number"])
def test_a_published_system_contract_address_follows_from_its_number(vector):
    assert addresses.of_system_contract(vector["number"]) == vector["address"]


def test_an_address_on_a_sub_chain_names_its_code():
    address = ED25519.address("hany")
    assert address == ED25519.address().replace("did:bid:", "did:bid:hany:")
    assert addresses.parse(address).ac == "hany"


def test_addresses_that_differ_anywhere_lie_apart_in_the_state():
    plain = ED25519.address()
    others = [plain, plain.replace(":ef", ":zf"), ED25519.address("hany")]
    assert len({addresses.parse(text).state_key for text in others}) == len(others)
    assert addresses.parse(plain).state_key[:2] == b"ef"
    assert len(addresses.parse(plain).state_key) == 24


@pytest.mark.parametrize(
    "text",
    [
        "",
        "did:bid:",
        "did:bid:ef",
        "did:bid:ef0Q69GRtQUDR9SngdFKAv4owYyx5Fnko",
        "did:bid:xfQ69GRtQUDR9SngdFKAv4owYyx5Fnko",
        "did:bid:esQ69GRtQUDR9SngdFKAv4owYyx5Fnko",
        "did:bid:efQ69GRtQUDR9SngdFKAv4owYyx5",
        "did:bid:ef1Q69GRtQUDR9SngdFKAv4owYyx5Fnko",
        "did:bid::efQ69GRtQUDR9SngdFKAv4owYyx5Fnko",
        "did:bid:HANY:efQ69GRtQUDR9SngdFKAv4owYyx5Fnko",
        "did:bid:hanyx:efQ69GRtQUDR9SngdFKAv4owYyx5Fnko",
        "did:bid:a:b:efQ69GRtQUDR9SngdFKAv4owYyx5Fnko",
        "did:bid:hany\n:efQ69GRtQUDR9SngdFKAv4owYyx5Fnko",
        "did:web:efQ69GRtQUDR9SngdFKAv4owYyx5Fnko",
        "efQ69GRtQUDR9SngdFKAv4owYyx5Fnko",
    ],
)
def test_what_is_no_address_is_refused(text):
    assert not addresses.is_address(text)


@pytest.mark.parametrize("key", [ED25519, SM2], ids=["ed25519", "sm2"])
def test_a_signature_holds_for_its_message_and_key_only(key):
    signature = key.sign(b"message")
    assert key.sign(b"message") == signature
    assert len(signature) == keys.SIGNATURE_OCTETS
    key.public.verify(b"message", signature)
    with pytest.raises(SignatureError):
        key.public.verify(b"messagE", signature)
    with pytest.raises(SignatureError):
        PrivateKey.from_seed("1", "other", key.type).public.verify(
            b"message", signature
        )
    for place in (0, 31, 32, 63):
        changed = bytearray(signature)
        changed[place] ^= 1
        with pytest.raises(SignatureError):
            key.public.verify(b"message", bytes(changed))
    for wrong in (b"", signature[:-1], signature + b"\0"):
        with pytest.raises(SignatureError):
            key.public.verify(b"message", wrong)


def test_an_sm2_signature_made_elsewhere_holds():
    # GB/T 32918.5-2017 annex A gives key and nonce; the digest of "message digest"
    # with the default user id, and r and s, follow from them.
    private = "3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8"
    nonce = "59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21"
    key = PrivateKey(KeyType.SM2, bytes.fromhex(private))
    digest = sm2._digest(key.public.octets, b"message digest")
    assert f"{digest:X}" == (
        "F0B43E94BA45ACCAACE692ED534382EB17E6AB5A19CE7B31F4486FDFC0D28640"
    )
    r, s = sm2_signing.sign_with(int(private, 16), digest, int(nonce, 16)) or (0, 0)
    assert f"{r:X}" == (
        "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"
    )
    key.public.verify(b"message digest", r.to_bytes(32) + s.to_bytes(32))


N = ORDER


@pytest.mark.parametrize(("r", "s"), [(0, 5), (5, 0), (N, 5), (5, N), (5, N - 5)])
def test_sm2_numbers_out_of_range_are_no_signature(r, s):
    with pytest.raises(SignatureError, match="out of range"):
        SM2.public.verify(b"message", r.to_bytes(32) + s.to_bytes(32))


def test_sm2_signatures_that_lead_to_infinity_or_a_double_do_not_crash():
    # With P = dG the point is (s + td)G; the signer may choose s = -td or s = td.
    d, t = int.from_bytes(SM2.octets), 12345
    for s in (-t * d % N, t * d % N):
        r = (t - s) % N
        with pytest.raises(SignatureError):
            SM2.public.verify(b"message", r.to_bytes(32) + s.to_bytes(32))


def test_an_sm2_public_key_that_begins_with_04_is_not_shortened():
    # Others strip zeros and fours from the left of a key's hexadecimal.
    key = next(
        key
        for key in (PrivateKey.from_seed("1", str(n), KeyType.SM2) for n in range(400))
        if key.public.octets.hex()[2] in "04"
    )
    key.public.verify(b"message", key.sign(b"message"))


@pytest.mark.parametrize("type_", list(KeyType))
def test_a_seed_gives_the_same_key_and_each_name_another(type_):
    key = PrivateKey.from_seed("1", "genesis", type_)
    assert key == PrivateKey.from_seed("1", "genesis", type_)
    assert key != PrivateKey.from_seed("2", "genesis", type_)
    assert key != PrivateKey.from_seed("1", "genesi", type_)
    assert key != PrivateKey.from_seed("1g", "enesis", type_)


def test_a_private_key_is_not_shown():
    assert repr(ED25519) == "PrivateKey(ED25519, ...)"
    with pytest.raises(EncodingError) as raised:
        PrivateKey.parse(ED25519.text + "0")
    assert ED25519.text[8:20] not in str(raised.value)


def encode_private(octets: str) -> str:
    return base58.encode(bytes.fromhex(octets))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "priSPK",
        encode_private("189e996566" + 31 * "01"),
        encode_private("189e996566" + 33 * "01"),
        encode_private("189e996673" + 32 * "01"),
        encode_private("189e9a6566" + 32 * "01"),
        encode_private("189e997366" + 32 * "01"),
        encode_private("189e99ff66" + 32 * "01"),
        encode_private("189e997a66" + 32 * "ff"),
        encode_private("189e997a66" + 32 * "00"),
    ],
)
def test_what_is_no_private_key_is_refused(text):
    with pytest.raises(EncodingError):
        PrivateKey.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "b0",
        "b06566",
        "b06566" + 31 * "01",
        "b06566" + 33 * "01",
        "b0 6566" + 32 * "01",
        "b06566" + 31 * "01" + "0",
        "b07366" + 32 * "01",
        "b16566" + 32 * "01",
        "b06573" + 32 * "01",
        "b07a6604" + 64 * "01",
        "b07a6603" + SM2.public.octets[1:].hex(),
    ],
)
def test_what_is_no_public_key_is_refused(text):
    with pytest.raises(EncodingError):
        PublicKey.parse(text)


@pytest.mark.parametrize("text", ["0", "0g", " 00", "00 ", "00 00", "\n", "\uff100"])
def test_what_is_no_hexadecimal_is_refused(text):
    with pytest.raises(EncodingError):
        hexadecimal.decode(text)


def test_hexadecimal_is_taken_in_either_case():
    assert hexadecimal.decode("0aFF") == b"\x0a\xff"
    assert hexadecimal.decode("") == b""
