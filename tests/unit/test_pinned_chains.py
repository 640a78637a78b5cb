"""Chains that are believed, as files name them."""

import pytest

from resolver.client.known_chains import chains_of
from resolver.errors import SetupError

CHAIN = {"name": "main", "genesis": "ab" * 32, "validators": ["did:bid:efA"]}


def test_chains_of_a_ready_file_are_read():
    [found] = chains_of({"chains": [CHAIN | {"http": "http://127.0.0.1:1"}]})
    assert found == ("main", bytes.fromhex("ab" * 32), ("did:bid:efA",))


def test_a_network_without_chains_pins_none():
    assert chains_of({"nodes": []}) == []


@pytest.mark.parametrize(
    "chains",
    [
        5,
        ["main"],
        [{}],
        [CHAIN | {"genesis": "ab"}],
        [CHAIN | {"genesis": 7}],
        [CHAIN | {"validators": []}],
        [CHAIN | {"validators": "did:bid:efA"}],
    ],
)
def test_what_describes_no_chain_is_refused(chains):
    with pytest.raises(SetupError, match="does not describe chains"):
        chains_of({"chains": chains})
