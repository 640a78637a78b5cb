"""Keys that are believed: those of the arguments, and where rotations lead."""

import base64
import json

import pytest

from chain_anchor.buckets import PlainEngine
from chain_anchor.errors import SignatureError
from registry.store.lmdb import LmdbStore
from resolver.commands.pinned import Pins, log_keys
from resolver.errors import SetupError
from resolver.keys import SeededKeys
from resolver.log_keys import LogKeys
from resolver.sealing import Sealing


@pytest.fixture
def rotated(tmp_path):
    """Give the key of a log that was rotated twice, and the answer of its rotations."""
    store = LmdbStore(tmp_path / "store")
    sealing = Sealing(LogKeys("n.idis.test/log", SeededKeys(1)), PlainEngine(), store)
    sealing.open()
    first = sealing.log.signer.key
    sealing.rotate()
    sealing.rotate()
    answer = {
        "rotations": [
            {"entry_base64": base64.b64encode(entry).decode(), "proof": proof.decode()}
            for entry, proof in sealing.rotations()
        ]
    }
    yield first, answer, sealing.log.signer.key
    sealing.release()
    store.close()


def written(tmp_path, answer):
    file = tmp_path / "rotations.json"
    file.write_text(json.dumps(answer))
    return file


def test_a_key_is_followed_to_the_one_that_signs_now(tmp_path, rotated):
    first, answer, now = rotated
    pins = Pins(keys=[first.encode()], rotations=[written(tmp_path, answer)])
    assert log_keys(pins) == [first, now]


def test_a_rotation_of_which_a_signature_was_changed_leads_nowhere(tmp_path, rotated):
    first, answer, _ = rotated
    entry = bytearray(base64.b64decode(answer["rotations"][0]["entry_base64"]))
    entry[-1] ^= 1
    answer["rotations"][0]["entry_base64"] = base64.b64encode(entry).decode()
    pins = Pins(keys=[first.encode()], rotations=[written(tmp_path, answer)])
    with pytest.raises(Exception, match=r"root|signature") as refused:
        log_keys(pins)
    assert not isinstance(refused.value, SetupError)


def test_a_rotation_under_a_checkpoint_of_somebody_else_is_refused(tmp_path, rotated):
    first, answer, _ = rotated
    proof = answer["rotations"][0]["proof"]
    answer["rotations"][0]["proof"] = proof.replace("— n.idis", "— m.idis")
    pins = Pins(keys=[first.encode()], rotations=[written(tmp_path, answer)])
    with pytest.raises(SignatureError):
        log_keys(pins)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"rotations": [{}]}', "\x00"])
def test_what_is_no_answer_of_rotations_is_told(tmp_path, rotated, text):
    file = tmp_path / "rotations.json"
    file.write_text(text)
    with pytest.raises(SetupError, match=r"--rotations .*rotations\.json"):
        log_keys(Pins(keys=[rotated[0].encode()], rotations=[file]))
