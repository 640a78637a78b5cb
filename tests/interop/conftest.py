"""Libraries of others, each in the program that asks it, or the reason to skip."""

import pytest

from tests.interop import programs

GO, PYTHON = "go_program", "python_program"
READERS = {"tessera": GO, "torchwood": GO, "tlog-scales": PYTHON}
COSIGNATURE_READERS = {"torchwood": GO, "tlog-scales": PYTHON}
PROOF_JUDGES = {"merkle": GO, "sumdb": GO, "tlog-scales": PYTHON, "tamperlog": PYTHON}


def _ready(make):
    try:
        return make()
    except programs.UnavailableError as problem:
        return pytest.skip(f"no verifier of others to be had: {problem}")


@pytest.fixture(scope="session")
def go_program():
    return _ready(programs.go_program)


@pytest.fixture(scope="session")
def python_program():
    return _ready(programs.python_program)


def _one_of(libraries):
    """Make a fixture that gives each library in turn: (program, name)."""

    def fixture(request):
        return request.getfixturevalue(libraries[request.param]), request.param

    return pytest.fixture(fixture, params=libraries)


reader = _one_of(READERS)
cosignature_reader = _one_of(COSIGNATURE_READERS)
proof_judge = _one_of(PROOF_JUDGES)
