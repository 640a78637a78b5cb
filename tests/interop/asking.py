"""Asks a library of others about a log or about proofs.

A library is (program, name), as the fixtures of `conftest.py` give it.
"""

import json

import pytest

from tests.interop import programs
from tests.interop.sites import LOG_KEY


def read(reader, log, key=LOG_KEY, *witnesses):
    """Have a library read and check a whole log; what it says of it."""
    program, library = reader
    return json.loads(program.run("log", library, str(log), key, *witnesses))


def assert_refused(reader, log, key=LOG_KEY, *witnesses):
    """Have a library refuse a log."""
    with pytest.raises(programs.RefusedError):
        read(reader, log, key, *witnesses)


def judge(proof_judge, cases):
    """Have a library judge proofs; its reasons to refuse each, empty if it does not."""
    program, library = proof_judge
    asked = json.dumps([case.encode() for case in cases]).encode()
    reasons = json.loads(program.run("proofs", library, stdin=asked))
    assert len(reasons) == len(cases)
    return reasons
