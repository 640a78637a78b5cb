"""Locust users while the network grows from 14 to 35 secondary nodes.

    locust -f bench/locustfile.py,bench/growing_locustfile.py

No `idis up` is needed: the shape starts the network, with 14, 21, 28 and 35 secondary
nodes, a minute each. See docs/load-testing.md.
"""

from resolver.load import GrowingNetwork


class FromFourteenToThirtyFive(GrowingNetwork):
    """One minute for each size."""

    step_seconds = 60.0
