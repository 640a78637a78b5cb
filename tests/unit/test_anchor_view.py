"""A view of a log lets go of its snapshot."""

import gc
import weakref

from chain_anchor.view import LogView


class Tables:
    """A snapshot that nobody reads."""

    def get(self, table, key):
        raise AssertionError


def test_a_view_keeps_its_snapshot_no_longer_than_it_lives():
    tables = Tables()
    kept = weakref.ref(tables)
    gc.disable()
    try:
        view = LogView(tables, None)
        del tables, view
        assert kept() is None
    finally:
        gc.enable()
