"""Which of the types that there are a client gets (RFC 9110 §12.5.1)."""

from collections.abc import Sequence

from resolver.links.accepting import quality_of, read_ranges


def chosen_type(accept: str, types: Sequence[str]) -> str:
    """Choose among the types that there are; the first where the client does not care.

    A client that takes none of them gets the first, too: better than nothing.
    """
    ranges = read_ranges(accept)
    return max(types, key=lambda one: quality_of(one, ranges))
