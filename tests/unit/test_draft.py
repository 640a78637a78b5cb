"""Requests before they are sent."""

from hypothesis import given, strategies as st

from resolver.session.draft import Draft
from tests.strategies import U8, U32

DRAFTS = st.builds(
    Draft,
    opcode=U32,
    body=st.binary(max_size=40),
    flags=U32,
    session_id=U32,
    credential=st.none() | st.binary(max_size=20),
    recursion_count=U8,
)


@given(DRAFTS, U32, st.floats(0, 2**31))
def test_a_request_written_in_one_stroke_is_the_message(draft, request_id, now):
    message = draft.message(request_id, now)
    assert draft.encode(request_id, now) == message.encode()
