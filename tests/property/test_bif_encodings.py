import pytest
from hypothesis import given, strategies as st

from chain_anchor.bif import addresses, base58
from chain_anchor.bif.errors import EncodingError
from chain_anchor.bif.keys import PrivateKey, PublicKey

suffixes = st.binary(min_size=22, max_size=22)
codes = st.one_of(st.just(""), st.from_regex("[a-z0-9]{4}", fullmatch=True))


@given(st.binary(max_size=100))
def test_octets_come_back_from_base58(octets):
    assert base58.decode(base58.encode(octets)) == octets


@given(st.text(base58.ALPHABET, max_size=100))
def test_base58_comes_back_from_octets(text):
    assert base58.encode(base58.decode(text)) == text


@given(st.text(max_size=40))
def test_any_text_is_base58_or_refused(text):
    try:
        assert base58.encode(base58.decode(text)) == text
    except EncodingError:
        assert set(text) - set(base58.ALPHABET)


def test_too_much_base58_is_refused_at_once():
    with pytest.raises(EncodingError, match="256"):
        base58.decode("2" * 10_000_000)


@given(codes, st.sampled_from(["ef", "zf"]), suffixes)
def test_an_address_comes_back_from_its_text(ac, kind, suffix):
    address = addresses.Address(ac, kind, suffix)
    assert addresses.parse(address.text) == address


@given(st.text(max_size=60), st.booleans())
def test_any_text_is_an_address_or_refused(text, prefixed):
    text = "did:bid:" + text if prefixed else text
    try:
        assert addresses.parse(text).text == text
    except EncodingError:
        return


@given(st.text(max_size=60))
def test_any_text_is_a_key_or_refused(text):
    for kind in (PrivateKey, PublicKey):
        with pytest.raises(EncodingError):
            kind.parse(text)
