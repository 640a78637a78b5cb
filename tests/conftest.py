"""What all tests share: the loop that the product runs on."""

import pytest
import uvloop


@pytest.fixture(params=[uvloop.EventLoopPolicy], ids=["uvloop"], scope="session")
def event_loop_policy(request):
    return request.param()
