"""Handlers in order: who is asked about what."""

from types import SimpleNamespace

from resolver.chain import Chain, Reply


class Handler:
    """Takes note of what it is asked about."""

    def __init__(self, name, asked, answer=None):
        self.name, self.asked, self.answer = name, asked, answer

    def __call__(self, query):
        self.asked.append(self.name)
        return self.answer


class Named(Handler):
    """Names its operations."""

    operations = frozenset({1, 100})


def asked_about(opcode, *kinds):
    asked = []
    handlers = tuple(
        kind(name, asked) for name, kind in zip("abcdef", kinds, strict=False)
    )
    reply = Chain(handlers)(SimpleNamespace(opcode=opcode))
    assert reply.code != 1
    return "".join(asked)


def test_handlers_are_asked_in_their_order_about_what_they_name():
    for opcode in (1, 100):
        assert asked_about(opcode, Named, Handler, Named) == "abc"
    assert asked_about(2, Named, Handler, Named, Handler) == "bd"
    assert asked_about(2, Named) == ""


def test_the_first_answer_counts():
    asked = []
    first, second = Reply(1, b"first"), Reply(1, b"second")
    chain = Chain(
        (
            Handler("a", asked),
            Named("b", asked, first),
            Handler("c", asked, second),
        )
    )
    assert chain(SimpleNamespace(opcode=100)) is first
    assert chain(SimpleNamespace(opcode=2)) is second
    assert asked == ["a", "b", "a", "c"]


def test_a_chain_may_stand_in_another():
    asked = []
    inner = Chain((Named("a", asked, Reply(1)),))
    assert Chain((Handler("first", asked), inner))(SimpleNamespace(opcode=1)).code == 1
    assert asked == ["first", "a"]
