"""What the tests of whole networks share."""

import pytest


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    """Give where seeded keys are remembered, so that each is searched for once."""
    return tmp_path_factory.getbasetemp() / "keys"
