"""Arguments that say which chain the log is anchored on, and from whose account."""

import pytest

from resolver.commands.anchor_account import anchor_key, anchor_url
from resolver.errors import SetupError
from tests.bif_chains import ALICE

URL = "http://127.0.0.1:27003"


def test_without_a_url_it_is_the_networks_own():
    assert anchor_url(None, None) == ""
    assert anchor_key(None) is None


def test_a_url_is_taken_with_a_key(tmp_path):
    file = tmp_path / "key"
    file.write_text(f"{ALICE.text}\n")
    assert anchor_url(f"{URL}/", file) == URL
    assert anchor_key(file).address() == ALICE.address()


def test_a_url_without_a_key_is_misuse():
    with pytest.raises(SetupError, match="whose account") as refused:
        anchor_url(URL, None)
    assert "--anchor-key FILE" in refused.value.hint


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:1", "ftp://host", "http://", "http://h?q"]
)
def test_what_is_no_url_of_a_node_is_misuse(tmp_path, url):
    with pytest.raises(SetupError, match="--anchor-url"):
        anchor_url(url, tmp_path)


@pytest.mark.parametrize("octets", [b"", b"priSPKsecret", b"\xff\xfe", b"pri" * 4000])
def test_what_is_no_key_is_misuse_and_not_repeated(tmp_path, octets):
    file = tmp_path / "key"
    file.write_bytes(octets)
    with pytest.raises(SetupError, match="it has no key") as refused:
        anchor_key(file)
    assert "secret" not in str(refused.value)
    assert "pri..." in refused.value.hint


def test_a_key_file_that_is_missing_is_misuse(tmp_path):
    with pytest.raises(SetupError, match="No such file"):
        anchor_key(tmp_path / "none")
