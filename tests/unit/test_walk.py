"""The walk down the tree: whom it asks, what it follows, where it stops."""

import hashlib

import pytest
from hypothesis import given, strategies as st

from registry.errors import InvalidIdentifierError
from registry.model.octets import blob
from registry.model.typed import Interface, Protocol, Server, Site
from registry.model.value import Value
from resolver.errors import (
    BadAnswerError,
    ReferralLoopError,
    TimedOutError,
    UnreachableError,
)
from resolver.session.exchange import ServerAddress
from resolver.session.sites import addresses, server_of
from resolver.session.walk import MAX_STEPS, Ask, Question, Walk
from resolver.wire.message import decode_message
from resolver.wire.request import decode_request
from resolver.wire.response import Failure, Referral, Values
from tests.nano import respond, site_at

TOP, SECONDARY, ENTERPRISE = 1001, 1002, 1003
HOST = "127.0.0.1"
HINTS = {b"88": (site_at(HOST, TOP),)}
NAME = b"88.118.7/SN1"


def at(port):
    return ServerAddress(HOST, port, port)


def site_values(*ports, kind="HS_SITE", ttl=60):
    return tuple(
        Value(n + 1, kind, site_at(HOST, port).encode(), ttl)
        for n, port in enumerate(ports)
    )


class Tree:
    """What each server answers: (port, handle) to code and values or body."""

    def __init__(self):
        self.answers = {
            (TOP, b"0.NA/88.118"): (1, site_values(SECONDARY)),
            (SECONDARY, b"0.NA/88.118.7"): (1, site_values(ENTERPRISE)),
            (ENTERPRISE, NAME): (1, (Value(1, "URL", b"https://x"),)),
        }
        self.asked = []
        self.dead = {}

    def walk(self, handle=NAME, hints=None, lookup=None, question=None):
        walk = Walk(question or Question(handle), hints or HINTS, lookup)
        now = 100.0
        step = walk.start(now)
        while isinstance(step, Ask):
            assert len(self.asked) < 50
            now += 0.25
            port = step.server.tcp_port
            message = step.draft.message(1, 0.0)
            request = decode_request(message.header.opcode, message.body)
            self.asked.append((port, request.handle))
            if port in self.dead:
                step = walk.failed(self.dead[port], now)
            else:
                step = walk.receive(self.answer(port, request.handle, message), now)
        return step

    def answer(self, port, handle, message):
        code, content = self.answers.get(
            (port, handle.replace(b"na", b"NA")), (100, ())
        )
        if isinstance(content, bytes):
            body = content
        elif code == 1:
            body = Values(handle, content).encode()
        else:
            body = Failure("").encode()
        return decode_message(respond(message, code, body))


@pytest.fixture
def tree():
    return Tree()


def test_a_cold_walk_asks_top_secondary_and_enterprise(tree):
    outcome = tree.walk()
    assert tree.asked == [
        (TOP, b"0.NA/88.118"),
        (SECONDARY, b"0.NA/88.118.7"),
        (ENTERPRISE, NAME),
    ]
    assert outcome.code == 1
    assert outcome.response.header.response_code == 1


def test_a_walk_tells_its_hops(tree):
    hops = tree.walk().hops
    assert [(hop.role, hop.node, hop.question) for hop in hops] == [
        ("top", "88", "0.NA/88.118"),
        ("secondary", "88.118", "0.NA/88.118.7"),
        ("enterprise", "88.118.7", NAME.decode()),
    ]
    assert [hop.server for hop in hops] == [at(TOP), at(SECONDARY), at(ENTERPRISE)]
    assert {hop.elapsed_seconds for hop in hops} == {0.25}
    assert {hop.code for hop in hops} == {1}
    assert not any(hop.from_cache for hop in hops)


def test_a_walk_tells_what_it_learned_for_the_next(tree):
    learned = {d.prefix: d for d in tree.walk().delegations}
    assert set(learned) == {b"88.118", b"88.118.7"}
    assert learned[b"88.118.7"].sites == (site_at(HOST, ENTERPRISE),)
    assert learned[b"88.118.7"].ttl_seconds == 60


@pytest.mark.parametrize(("known", "count"), [(b"88.118", 2), (b"88.118.7", 1)])
def test_known_prefixes_are_skipped(tree, known, count):
    learned = {d.prefix: d.sites for d in tree.walk().delegations}
    tree.asked.clear()
    outcome = tree.walk(lookup={known: learned[known]}.get)
    assert outcome.code == 1
    assert len(tree.asked) == count
    cached = outcome.hops[0]
    assert cached.from_cache
    assert cached.server is None
    assert cached.question == f"0.NA/{known.decode()}"


@pytest.mark.parametrize("handle", [b"0.NA/88.118.7", b"88.118.7", b"0.na/88.118.7"])
def test_a_prefix_is_asked_of_the_node_of_its_parent(tree, handle):
    outcome = tree.walk(handle)
    assert [port for port, _ in tree.asked] == [TOP, SECONDARY]
    assert tree.asked[-1][1].upper() == b"0.NA/88.118.7"
    assert outcome.code == 1


def test_the_top_level_prefix_is_asked_of_the_top_level_node(tree):
    tree.answers[TOP, b"0.NA/88"] = (1, site_values(TOP))
    assert tree.walk(b"88").code == 1
    assert tree.asked == [(TOP, b"0.NA/88")]


def test_the_question_reaches_only_the_last_node_as_it_was_put(tree):
    question = Question(b"88.118.7/sn1", (3,), (b"URL",), b"token", flags=4)
    walk = Walk(question, {b"88.118.7": (site_at(HOST, ENTERPRISE),)})
    ask = walk.start(0.0)
    body = decode_request(1, ask.draft.body)
    assert body == (b"88.118.7/sn1", (3,), (b"URL",), b"token")
    assert ask.draft.flags == 4
    above = Walk(question, HINTS).start(0.0)
    assert decode_request(1, above.draft.body).token is None
    assert above.draft.flags == 0x0100_0000


@pytest.mark.parametrize("code", [100, 200, 301, 2, 402])
def test_the_answer_of_the_last_node_is_the_outcome_whatever_it_is(tree, code):
    tree.answers[ENTERPRISE, NAME] = (code, b"" if code == 402 else ())
    outcome = tree.walk()
    assert outcome.code == code
    assert outcome.response.header.response_code == code


@pytest.mark.parametrize("code", [100, 200, 301, 7])
def test_a_prefix_nobody_delegated_ends_the_walk_with_the_servers_code(tree, code):
    tree.answers[TOP, b"0.NA/88.118"] = (code, ())
    outcome = tree.walk()
    assert outcome.code == code
    assert outcome.response is None
    assert "0.NA/88.118" in outcome.text
    assert len(outcome.hops) == 1


@pytest.mark.parametrize(
    "values", [(), (Value(1, "URL", b"x"),), (Value(1, "HS_SITE", b"broken"),)]
)
def test_a_prefix_without_a_usable_site_ends_the_walk_with_200(tree, values):
    tree.answers[TOP, b"0.NA/88.118"] = (1, values)
    outcome = tree.walk()
    assert outcome.code == 200
    assert "no HS_SITE" in outcome.text


def test_a_broken_site_value_does_not_hide_a_right_one(tree):
    broken = Value(9, "HS_SITE", b"broken")
    tree.answers[TOP, b"0.NA/88.118"] = (1, (broken, *site_values(SECONDARY)))
    assert tree.walk().code == 1


def test_a_prefix_of_a_country_nobody_knows_ends_the_walk(tree):
    outcome = tree.walk(b"99.1/x")
    assert outcome.code == 301
    assert outcome.hops == ()


def test_a_root_is_asked_for_countries_nobody_knows(tree):
    root = {b"0.NA": (site_at(HOST, 1000),)}
    tree.answers[1000, b"0.NA/88"] = (1, site_values(TOP))
    assert tree.walk(hints=root).code == 1
    assert [port for port, _ in tree.asked] == [1000, TOP, SECONDARY, ENTERPRISE]


@pytest.mark.parametrize(
    ("code", "kind"),
    [(302, "HS_SITE"), (303, "HS_SITE.PREFIX"), (303, "HS_SITE")],
)
@pytest.mark.parametrize("handle", [b"", b"0.NA/88.118.7"])
def test_a_referral_with_sites_is_followed(tree, code, kind, handle):
    body = Referral(handle, site_values(ENTERPRISE, kind=kind)).encode()
    tree.answers[SECONDARY, NAME] = (code, body)
    outcome = tree.walk(hints={b"88.118.7": (site_at(HOST, SECONDARY),)})
    assert outcome.code == 1
    assert tree.asked == [(SECONDARY, NAME), (ENTERPRISE, NAME)]
    assert [hop.code for hop in outcome.hops] == [code, 1]


def test_a_referral_on_the_way_down_is_followed(tree):
    body = Referral(b"", site_values(1010)).encode()
    tree.answers[TOP, b"0.NA/88.118"] = (303, body)
    tree.answers[1010, b"0.NA/88.118"] = (1, site_values(SECONDARY))
    assert tree.walk().code == 1
    assert len(tree.asked) == 4


def test_a_referral_to_a_prefix_handle_is_followed_through_the_tree(tree):
    tree.answers[1010, b"88.9/x"] = (303, blob(b"0.NA/88.118.7"))
    hints = HINTS | {b"88.9": (site_at(HOST, 1010),)}
    tree.answers[ENTERPRISE, b"88.9/x"] = (1, (Value(1, "URL", b"y"),))
    assert tree.walk(b"88.9/x", hints).code == 1
    assert tree.asked[-1] == (ENTERPRISE, b"88.9/x")


@pytest.mark.parametrize("form", ["handle", "value"])
def test_a_referral_to_a_service_handle_is_resolved(tree, form):
    service = b"88.118.7/service"
    body = blob(service)
    if form == "value":
        body = Referral(b"", (Value(1, "HS_SERV", service),)).encode()
    tree.answers[1010, b"88.9/x"] = (302, body)
    tree.answers[ENTERPRISE, service] = (1, site_values(1011))
    tree.answers[1011, b"88.9/x"] = (1, ())
    hints = HINTS | {b"88.9": (site_at(HOST, 1010),)}
    assert tree.walk(b"88.9/x", hints).code == 1
    assert tree.asked[-2:] == [(ENTERPRISE, service), (1011, b"88.9/x")]


@pytest.mark.parametrize("body", [blob(b""), Referral(b"", ()).encode()])
def test_a_referral_to_nowhere_ends_the_walk_with_its_code(tree, body):
    tree.answers[ENTERPRISE, NAME] = (303, body)
    outcome = tree.walk()
    assert outcome.code == 303
    assert outcome.response is None


def test_referrals_in_a_circle_are_found_out(tree):
    for here, there in ((ENTERPRISE, 1010), (1010, ENTERPRISE)):
        body = Referral(b"", site_values(there)).encode()
        tree.answers[here, NAME] = (302, body)
    with pytest.raises(ReferralLoopError, match="again"):
        tree.walk()
    assert len(tree.asked) == 4


def test_referrals_without_end_are_given_up(tree):
    for port in range(2000, 2100):
        body = Referral(b"", site_values(port + 1)).encode()
        tree.answers[port, NAME] = (302, body)
    with pytest.raises(ReferralLoopError, match=f"{MAX_STEPS} steps"):
        tree.walk(hints={b"88.118.7": (site_at(HOST, 2000),)})
    assert len(tree.asked) == MAX_STEPS


def test_a_prefix_with_too_many_labels_is_given_up(tree):
    labels = b".".join(b"%d" % n for n in range(40))
    for n in range(1, 41):
        prefix = b".".join(labels.split(b".")[:n])
        tree.answers[TOP, b"0.NA/" + prefix] = (1, site_values(TOP))
    with pytest.raises(ReferralLoopError, match="steps"):
        tree.walk(labels + b"/x", hints={b"0": (site_at(HOST, TOP),)})


def test_a_malformed_referral_breaks_the_protocol(tree):
    tree.answers[ENTERPRISE, NAME] = (302, b"\xff\xff\xff\xff")
    with pytest.raises(BadAnswerError):
        tree.walk()


@pytest.mark.parametrize("error", [UnreachableError("x"), BadAnswerError("x")])
def test_the_next_site_is_asked_when_one_does_not_answer(tree, error):
    tree.answers[SECONDARY, b"0.NA/88.118.7"] = (1, site_values(1010, ENTERPRISE))
    tree.dead[1010] = error
    outcome = tree.walk()
    assert outcome.code == 1
    assert [port for port, _ in tree.asked] == [TOP, SECONDARY, 1010, ENTERPRISE]
    assert outcome.hops[2].code == error.code


def test_when_nobody_answers_the_last_error_is_raised(tree):
    tree.dead[ENTERPRISE] = TimedOutError("no answer")
    with pytest.raises(TimedOutError, match="no answer"):
        tree.walk()


def test_sites_without_udp_and_tcp_cannot_be_reached(tree):
    web = Site(1, True, (Server(1, HOST, b"", (Interface(2, Protocol.HTTP, 80),)),))
    with pytest.raises(UnreachableError, match="no UDP or TCP"):
        tree.walk(hints={b"88": (web,)})


@pytest.mark.parametrize("how", ["answers 301", "is gone"])
@pytest.mark.parametrize("known", [b"88.118", b"88.118.7"])
def test_a_delegation_out_of_date_is_looked_for_again(tree, how, known):
    if how == "is gone":
        tree.dead[1099] = UnreachableError("gone")
    else:
        tree.answers[1099, NAME] = (301, ())
        tree.answers[1099, b"0.NA/88.118.7"] = (301, ())
    outcome = tree.walk(lookup={known: (site_at(HOST, 1099),)}.get)
    assert outcome.code == 1
    assert [port for port, _ in tree.asked] == [1099, TOP, SECONDARY, ENTERPRISE]


def test_a_silent_server_is_not_waited_for_twice(tree):
    tree.dead[ENTERPRISE] = TimedOutError("no answer")
    with pytest.raises(TimedOutError):
        tree.walk(lookup={b"88.118.7": (site_at(HOST, ENTERPRISE),)}.get)
    assert [port for port, _ in tree.asked].count(ENTERPRISE) == 1


def test_what_is_no_identifier_is_refused():
    with pytest.raises(InvalidIdentifierError):
        Walk(Question(b"88.118.7/"), HINTS)


def many_servers(count, option=2):
    servers = tuple(
        Server(n, HOST, b"", (Interface(2, Protocol.TCP, 100 + n),))
        for n in range(count)
    )
    return Site(1, True, servers, hash_option=option)


@given(
    st.binary(min_size=1, max_size=20), st.integers(1, 9), st.sampled_from([0, 1, 2])
)
def test_the_server_is_picked_by_the_hash_of_the_upper_cased_part(
    suffix, count, option
):
    name = b"88.118.7/" + suffix
    part = [b"88.118.7", suffix, name][option].upper()
    number = int.from_bytes(hashlib.md5(part).digest()[-4:], "big", signed=True)
    picked = server_of(many_servers(count, option), name)
    assert picked.server_id == abs(number) % count


def test_a_site_gives_one_server_and_no_address_comes_twice():
    site = many_servers(3)
    assert len(list(addresses((site, site), NAME))) == 1
    assert list(addresses((Site(1, True, ()),), NAME)) == []
