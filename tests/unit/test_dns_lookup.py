"""What a name is answered with, against a tree that is a dictionary."""

import dns.message
import dns.name
import dns.rdatatype
import pytest
from dns.edns import EDECode
from dns.rcode import Rcode
from hypothesis import given, strategies as st

from registry.model.codes import ResponseCode
from registry.model.identifier import canonical
from registry.model.value import Value
from resolver.dns.asking import Found
from resolver.dns.cnri import MAX_LABELS
from resolver.dns.lookup import look_up
from resolver.dns.message import read_query, write_reply
from resolver.dns.zones import parse_zone, serve, zones_of
from resolver.errors import SetupError

NOW = 1_800_000_000.0
SERVED = serve(
    zones_of(["example.com=20.500/DNS", "sub.example.com=20.500/SUB", "idis.test"]),
    ["127.0.0.1", "::1"],
    2,
)
URL = Value(1, "URL", b"https://example.com/1", ttl=600)
NAME = Value(2, "NAME", b"pump", ttl=300)


class Tree:
    """Identifiers and their values; or the code and text with which asking fails."""

    def __init__(self, records=None, expires=NOW + 100):
        self.records = {canonical(k.encode()): v for k, v in (records or {}).items()}
        self.expires = expires
        self.asked = []

    def find(self, ask) -> Found:
        self.asked.append(ask.identifier.decode())
        record = self.records.get(canonical(ask.identifier))
        if record is None:
            return Found(ResponseCode.HANDLE_NOT_FOUND, expires=self.expires)
        if isinstance(record, Found):
            return record
        if ask.types:
            record = tuple(v for v in record if v.type.upper().startswith("DNS."))
        if not record:
            return Found(ResponseCode.VALUES_NOT_FOUND, expires=self.expires)
        return Found(ResponseCode.SUCCESS, tuple(record), expires=self.expires)


def answer(tree, name, kind="TXT", *, klass="IN", **options):
    """Give the reply as a client reads it, and until when it may be copied."""
    message = dns.message.make_query(name, kind, klass, use_edns=0, **options)
    query = read_query(message.to_wire())
    lookup = look_up(SERVED, query, NOW)
    try:
        ask = next(lookup)
        while True:
            ask = lookup.send(tree.find(ask))
    except StopIteration as done:
        given = done.value
    reply = dns.message.from_wire(write_reply(query, given, 65535))
    assert message.is_response(reply)
    return reply, given.expires


def ask(tree, name, kind="TXT", **options):
    return answer(tree, name, kind, **options)[0]


def lines(rrsets):
    return [line for rrset in rrsets for line in rrset.to_text().splitlines()]


def why(reply):
    return [(option.code, option.text) for option in reply.extended_errors()]


PREFIXES = {"0.NA/88": [NAME], "0.NA/88.118": [NAME], "0.NA/88.118.7": [NAME]}
TREE = {**PREFIXES, "88.118.7/SN1": [URL, NAME], "88.118.7/MODEL/W5": [URL]}


def test_an_identifier_answers_with_its_values():
    reply = ask(Tree(TREE), "sn1.7.118.88.idis.test.")
    assert lines(reply.answer) == [
        'sn1.7.118.88.idis.test. 300 IN TXT "idx=1;type=URL;data=https://example.com/1"',
        'sn1.7.118.88.idis.test. 300 IN TXT "idx=2;type=NAME;data=pump"',
    ]
    assert reply.flags & dns.flags.AA


def test_all_types_of_an_identifier_come_of_one_question():
    tree = Tree(TREE)
    reply = ask(tree, "sn1.7.118.88.idis.test.", "ANY")
    kinds = [dns.rdatatype.to_text(rrset.rdtype) for rrset in reply.answer]
    assert kinds == ["TXT", "NAPTR", "URI"]
    assert tree.asked == ["88.118.7/SN1"]


@pytest.mark.parametrize("name", ["sn1.7.118.88", "_hdl._tcp.sn1.7.118.88"])
def test_an_address_is_a_uri_at_the_name_and_at_its_service(name):
    reply = ask(Tree(TREE), f"{name}.idis.test.", "URI")
    assert lines(reply.answer) == [
        f'{name}.idis.test. 600 IN URI 10 1 "https://example.com/1"'
    ]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sn1.7.118.88", "A"),  # no such record
        ("_hdl._tcp.sn1.7.118.88", "TXT"),
        ("_tcp.sn1.7.118.88", "URI"),  # between two names
        ("model_.7.118.88", "TXT"),
        ("_at.118.88", "TXT"),
        ("7.118.88", "URI"),
        ("", "TXT"),
    ],
)
def test_a_name_without_such_records_is_there_but_empty(name, kind):
    reply = ask(Tree(TREE), f"{name}.idis.test." if name else "idis.test.", kind)
    assert reply.rcode() == Rcode.NOERROR
    assert not reply.answer
    assert lines(reply.authority) == [SOA]


SOA = "idis.test. 2 IN SOA ns-1.idis.test. hostmaster.idis.test. 1 3600 600 86400 2"


@pytest.mark.parametrize(
    "name",
    [
        "nix.7.118.88",
        "_hdl._tcp.nix.7.118.88",
        "_tcp.nix.7.118.88",
        "9.118.88",
        "model_.9.118.88",
        "_at.9.88",
        "x.ns-1",
    ],
)
def test_what_is_not_registered_is_no_name(name):
    reply, expires = answer(Tree(TREE), f"{name}.idis.test.")
    assert reply.rcode() == Rcode.NXDOMAIN
    assert lines(reply.authority) == [SOA]
    assert expires == NOW + 100


def test_a_name_that_stands_for_nothing_is_told_why_and_asks_nobody():
    tree = Tree(TREE)
    reply, expires = answer(tree, "_zz.7.118.88.idis.test.")
    assert reply.rcode() == Rcode.NXDOMAIN
    assert why(reply) == [(EDECode.OTHER, "label '_zz' has an escape that is none")]
    assert (tree.asked, expires) == ([], 0.0)


def test_an_address_too_long_for_a_rule_is_pointed_out():
    long = URL._replace(data=b"https://example.com/" + b"a" * 240)
    tree = Tree({"88.118.7/SN1": [long]})
    reply = ask(tree, "sn1.7.118.88.idis.test.", "NAPTR")
    assert not reply.answer
    assert "ask for URI or TXT" in why(reply)[0][1]
    assert ask(tree, "sn1.7.118.88.idis.test.", "URI").answer


def test_the_apex_has_soa_and_ns_and_the_server_addresses():
    tree = Tree()
    (soa,) = lines(ask(tree, "idis.test.", "SOA").answer)
    assert soa == SOA.replace(" 2 IN", " 3600 IN")
    (ns,) = lines(ask(tree, "idis.test.", "NS").answer)
    assert ns == "idis.test. 3600 IN NS ns-1.idis.test."
    assert len(ask(tree, "idis.test.", "ANY").answer) == 2
    (a,) = lines(ask(tree, "ns-1.idis.test.", "A").answer)
    assert a == "ns-1.idis.test. 3600 IN A 127.0.0.1"
    (aaaa,) = lines(ask(tree, "NS-1.idis.test.", "AAAA").answer)
    assert aaaa == "NS-1.idis.test. 3600 IN AAAA ::1"
    assert tree.asked == []


@pytest.mark.parametrize(
    ("code", "text", "told"),
    [
        (ResponseCode.ERROR, "nobody answers", EDECode.NO_REACHABLE_AUTHORITY),
        (ResponseCode.SERVER_NOT_RESP, "stopped", EDECode.NO_REACHABLE_AUTHORITY),
        (ResponseCode.SERVER_TOO_BUSY, "busy", EDECode.OTHER),
        (ResponseCode.RECURSION_COUNT_TOO_HIGH, "", EDECode.OTHER),
    ],
)
def test_when_nobody_can_tell_the_server_has_failed(code, text, told):
    failed = Found(code, (), text, NOW + 50)
    for name in ("sn1.7.118.88.idis.test.", "www.example.com."):
        tree = Tree({"88.118.7/SN1": failed, "20.500/DNS/www": failed})
        reply, expires = answer(tree, name)
        assert reply.rcode() == Rcode.SERVFAIL
        assert why(reply)[0][0] == told
        assert text in why(reply)[0][1]
        assert expires == 0.0


@pytest.mark.parametrize(
    "code", [ResponseCode.VALUES_NOT_FOUND, ResponseCode.INSUFFICIENT_PERMISSIONS]
)
def test_values_that_nobody_may_see_leave_the_name_empty(code):
    reply = ask(Tree({"88.118.7/SN1": Found(code)}), "sn1.7.118.88.idis.test.")
    assert (reply.rcode(), reply.answer) == (Rcode.NOERROR, [])


def test_an_identifier_that_the_tree_refuses_is_no_name():
    refused = Found(ResponseCode.INVALID_HANDLE, (), "not UTF-8")
    reply = ask(Tree({"88.118.7/SN1": refused}), "sn1.7.118.88.idis.test.")
    assert reply.rcode() == Rcode.NXDOMAIN
    assert why(reply) == [(EDECode.OTHER, "not UTF-8")]


def test_a_copy_may_be_given_as_long_as_the_answer_is_known():
    assert answer(Tree(TREE), "sn1.7.118.88.idis.test.")[1] == NOW + 100


def test_an_answer_that_ages_is_not_copied():
    dated = NAME._replace(ttl_type=1, ttl=int(NOW) + 50)
    tree = Tree({"88.118.7/SN1": [URL, dated], "20.500/DNS": [A._replace(ttl_type=1)]})
    reply, expires = answer(tree, "sn1.7.118.88.idis.test.")
    assert reply.answer[0].ttl == 50
    assert expires == 0.0
    assert answer(tree, "example.com.", "A")[1] == 0.0


@pytest.mark.parametrize(
    ("name", "kind", "options", "rcode", "code"),
    [
        ("example.org.", "A", {}, Rcode.REFUSED, EDECode.NOT_AUTHORITATIVE),
        ("test.", "A", {}, Rcode.REFUSED, EDECode.NOT_AUTHORITATIVE),
        (".", "NS", {}, Rcode.REFUSED, EDECode.NOT_AUTHORITATIVE),
        ("idis.test.", "AXFR", {}, Rcode.REFUSED, EDECode.NOT_SUPPORTED),
        ("idis.test.", "IXFR", {}, Rcode.REFUSED, EDECode.NOT_SUPPORTED),
        ("idis.test.", "SOA", {"klass": "CH"}, Rcode.REFUSED, EDECode.NOT_SUPPORTED),
        ("idis.test.", "SOA", {"klass": "ANY"}, Rcode.REFUSED, EDECode.NOT_SUPPORTED),
        ("idis.test.", "OPT", {}, Rcode.FORMERR, EDECode.INVALID_QUERY_TYPE),
        ("idis.test.", "TYPE0", {}, Rcode.FORMERR, EDECode.INVALID_QUERY_TYPE),
        ("idis.test.", "TYPE128", {}, Rcode.FORMERR, EDECode.INVALID_QUERY_TYPE),
    ],
)
def test_what_cannot_be_answered_is_refused_and_explained(
    name, kind, options, rcode, code
):
    tree = Tree()
    reply, expires = answer(tree, name, kind, **options)
    assert reply.rcode() == rcode
    assert why(reply)[0][0] == code
    assert not reply.flags & dns.flags.AA
    assert (tree.asked, expires) == ([], 0.0)


def test_a_newer_edns_is_told_our_version():
    message = dns.message.make_query("idis.test.", "SOA", use_edns=1)
    query = read_query(message.to_wire())
    with pytest.raises(StopIteration) as done:
        next(look_up(SERVED, query, NOW))
    reply = dns.message.from_wire(write_reply(query, done.value.value, 512))
    assert (reply.rcode(), reply.edns) == (Rcode.BADVERS, 0)


# Zones of CNRI's convention.

A = Value(1, "DNS.A", b"192.0.2.1", ttl=60)


def test_a_typed_value_is_a_record_of_its_zone():
    tree = Tree({"20.500/DNS": [], "20.500/DNS/www": [A, URL]})
    reply = ask(tree, "WWW.example.com.", "A")
    assert lines(reply.answer) == ["WWW.example.com. 60 IN A 192.0.2.1"]
    assert reply.flags & dns.flags.AA
    assert ask(tree, "www.example.com.", "URI").answer == []


def test_the_deepest_zone_has_the_name():
    tree = Tree({"20.500/SUB/www": [A], "20.500/DNS/sub/www": []})
    assert ask(tree, "www.sub.example.com.", "A").answer


def test_a_zone_without_soa_and_ns_gets_them():
    reply = ask(Tree(), "example.com.", "SOA")
    assert lines(reply.answer) == [
        (
            "example.com. 3600 IN SOA ns-1.idis.test. hostmaster.example.com. "
            "1 3600 600 86400 2"
        )
    ]
    assert ask(Tree(), "example.com.", "NS").answer


def test_a_zones_own_soa_goes_with_its_negative_answers():
    soa = Value(1, "DNS.SOA", b"ns.example.com. me.example.com. 7 1 2 3 30", ttl=900)
    tree = Tree({"20.500/DNS": [soa]})
    assert ask(tree, "example.com.", "SOA").answer[0].ttl == 900
    reply = ask(tree, "nix.example.com.", "A")
    assert reply.rcode() == Rcode.NXDOMAIN
    assert lines(reply.authority) == [
        "example.com. 30 IN SOA ns.example.com. me.example.com. 7 1 2 3 30"
    ]


def test_registered_without_such_records_is_no_data():
    tree = Tree({"20.500/DNS/www": [URL], "20.500/DNS/ftp": [A]})
    for name in ("www", "ftp"):
        reply = ask(tree, f"{name}.example.com.", "MX")
        assert (reply.rcode(), reply.answer) == (Rcode.NOERROR, [])
        assert reply.authority[0].rdtype == dns.rdatatype.SOA


def test_any_gives_all_records():
    mx = Value(2, "DNS.MX", b"10 mail", ttl=60)
    reply = ask(Tree({"20.500/DNS/www": [mx, A]}), "www.example.com.", "ANY")
    assert sorted(lines(reply.answer)) == [
        "www.example.com. 60 IN A 192.0.2.1",
        "www.example.com. 60 IN MX 10 mail.",
    ]


def test_a_star_stands_for_what_is_not_there():
    tree = Tree({"20.500/DNS/*": [A], "20.500/DNS/b": [URL]})
    for name in ("x", "x.y"):
        reply = ask(tree, f"{name}.example.com.", "A")
        assert lines(reply.answer) == [f"{name}.example.com. 60 IN A 192.0.2.1"]
    # What exists keeps the star away from itself and from what is below it.
    assert ask(tree, "b.example.com.", "A").rcode() == Rcode.NOERROR
    assert ask(tree, "b.example.com.", "A").answer == []
    assert ask(tree, "x.b.example.com.", "A").rcode() == Rcode.NXDOMAIN


def test_a_star_nearer_to_the_name_counts():
    other = A._replace(data=b"192.0.2.2")
    tree = Tree({"20.500/DNS/*": [A], "20.500/DNS/a/*": [other]})
    reply = ask(tree, "x.a.example.com.", "A")
    assert lines(reply.answer) == ["x.a.example.com. 60 IN A 192.0.2.2"]


def cname(target, ttl=60):
    return [Value(1, "DNS.CNAME", target.encode(), ttl=ttl)]


def test_an_alias_is_followed_through_all_zones_here():
    tree = Tree(
        {
            **TREE,
            "20.500/DNS/www": cname("p.sub.example.com"),
            "20.500/SUB/p": cname("sn1.7.118.88.idis.test."),
        }
    )
    reply = ask(tree, "www.example.com.", "URI")
    assert lines(reply.answer) == [
        "www.example.com. 60 IN CNAME p.sub.example.com.",
        "p.sub.example.com. 60 IN CNAME sn1.7.118.88.idis.test.",
        'sn1.7.118.88.idis.test. 600 IN URI 10 1 "https://example.com/1"',
    ]
    assert ask(tree, "www.example.com.", "CNAME").answer[0].to_text() == (
        "www.example.com. 60 IN CNAME p.sub.example.com."
    )


def test_the_rcode_is_that_of_the_last_name():
    tree = Tree({"20.500/DNS/www": cname("nix.example.com.")})
    reply = ask(tree, "www.example.com.", "A")
    assert reply.rcode() == Rcode.NXDOMAIN
    assert reply.answer
    assert reply.authority[0].rdtype == dns.rdatatype.SOA


def test_an_alias_that_leads_out_ends_the_answer():
    tree = Tree({"20.500/DNS/www": cname("www.example.org.")})
    reply = ask(tree, "www.example.com.", "A")
    assert reply.rcode() == Rcode.NOERROR
    assert len(reply.answer) == 1


def test_aliases_that_go_round_end():
    tree = Tree(
        {"20.500/DNS/a": cname("b.example.com"), "20.500/DNS/b": cname("a.example.com")}
    )
    assert len(ask(tree, "a.example.com.", "A").answer) == 2
    chain = {f"20.500/DNS/a{n}": cname(f"a{n + 1}.example.com") for n in range(50)}
    assert len(ask(Tree(chain), "a0.example.com.", "A").answer) == 8


def test_an_alias_for_a_whole_tree_makes_aliases():
    dname = Value(1, "DNS.DNAME", b"other.example.com", ttl=60)
    tree = Tree({"20.500/DNS/old": [dname], "20.500/DNS/other/x": [A]})
    reply = ask(tree, "X.old.example.com.", "A")
    assert lines(reply.answer) == [
        "old.example.com. 60 IN DNAME other.example.com.",
        "X.old.example.com. 60 IN CNAME x.other.example.com.",
        "x.other.example.com. 60 IN A 192.0.2.1",
    ]
    assert ask(tree, "old.example.com.", "DNAME").answer
    long = "a" * 60
    far = f"{long}.{long}.{long}.{long}"
    tree = Tree({"20.500/DNS/o": [dname._replace(data=f"{far}.".encode())]})
    reply = ask(tree, f"{long}.o.example.com.", "A")
    assert reply.rcode() == Rcode.YXDOMAIN


CUT = Value(1, "DNS.NS", b"ns.down.example.com", ttl=60)


def test_a_cut_below_the_apex_is_a_referral_with_glue():
    tree = Tree({"20.500/DNS/down": [CUT, A], "20.500/DNS/down/ns": [A]})
    for name in ("down.example.com.", "x.y.down.example.com."):
        reply = ask(tree, name, "A")
        assert (reply.rcode(), reply.answer) == (Rcode.NOERROR, [])
        assert not reply.flags & dns.flags.AA
        assert lines(reply.authority) == [
            "down.example.com. 60 IN NS ns.down.example.com."
        ]
        assert lines(reply.additional) == ["ns.down.example.com. 60 IN A 192.0.2.1"]


def test_the_apexs_ns_are_no_cut_and_ds_is_answered_above_one():
    tree = Tree({"20.500/DNS": [CUT], "20.500/DNS/down": [CUT]})
    assert ask(tree, "example.com.", "NS").answer
    reply = ask(tree, "down.example.com.", "DS")
    assert reply.authority[0].rdtype == dns.rdatatype.SOA


def test_data_that_is_no_record_is_a_fault_of_the_zone():
    tree = Tree({"20.500/DNS/www": [A._replace(data=b"nonsense")]})
    reply = ask(tree, "www.example.com.", "A")
    assert reply.rcode() == Rcode.SERVFAIL
    assert why(reply)[0][0] == EDECode.INVALID_DATA
    assert "value 1, DNS.A" in why(reply)[0][1]
    assert ask(tree, "www.example.com.", "MX").rcode() == Rcode.NOERROR


@pytest.mark.parametrize("name", ["a b", "hx--a-zz", ".".join("a" * 17)])
def test_labels_that_cannot_be_looked_up_are_no_name(name):
    name = name.replace(" ", r"\032")
    reply = ask(Tree(), f"{name}.example.com.")
    assert reply.rcode() == Rcode.NXDOMAIN
    assert why(reply)


def test_a_long_name_costs_few_questions():
    tree = Tree()
    ask(tree, ".".join("a" * MAX_LABELS) + ".example.com.")
    assert len(tree.asked) == 2 * MAX_LABELS + 1
    assert len(set(tree.asked)) == len(tree.asked)


def test_an_answer_is_copied_only_while_all_its_parts_are_known():
    tree = Tree({"20.500/DNS/www": Found(1, (A,), "", NOW + 5)})
    assert answer(tree, "www.example.com.", "A")[1] == NOW + 5


NAMES = st.sampled_from(
    [
        "sn1.7.118.88.idis.test.",
        "nix.7.118.88.idis.test.",
        "7.118.88.idis.test.",
        "idis.test.",
        "ns-1.idis.test.",
        "_zz.88.idis.test.",
        "example.org.",
        "www.example.com.",
        "x.star.example.com.",
        "y.old.example.com.",
        "example.com.",
    ]
)
ZONE = {
    **TREE,
    "20.500/DNS/www": cname("sn1.7.118.88.idis.test."),
    "20.500/DNS/star/*": [A, URL],
    "20.500/DNS/old": [Value(1, "DNS.DNAME", b"star.example.com")],
}


@given(NAMES, st.sampled_from(["A", "TXT", "URI", "ANY", "SOA"]), st.randoms())
def test_only_id_and_case_of_a_reply_depend_on_more_than_its_question(
    name, kind, chance
):
    other = "".join(chance.choice((c.upper(), c.lower())) for c in name)
    octets = []
    for spelled in (name, other):
        message = dns.message.make_query(spelled, kind, use_edns=0, id=1)
        query = read_query(message.to_wire())
        lookup, tree = look_up(SERVED, query, NOW), Tree(ZONE)
        try:
            asked = next(lookup)
            while True:
                asked = lookup.send(tree.find(asked))
        except StopIteration as done:
            octets.append(write_reply(query, done.value, 65535))
    end = 12 + len(dns.name.from_text(name).to_wire())
    assert octets[0][:12] == octets[1][:12]
    assert octets[0][end:] == octets[1][end:]


# Zones as people write them.


def test_zones_are_read_as_they_are_written():
    zone = parse_zone("Lab.Test")
    assert (zone.name, zone.prefix) == ("lab.test.", None)
    mapped = parse_zone("example.com.=88.118.7/DNS")
    assert (mapped.name, mapped.prefix) == ("example.com.", b"88.118.7/DNS")
    assert parse_zone("电.test").name == "xn--wny.test."


def test_there_is_always_a_zone_of_identifiers():
    assert [zone.name for zone in zones_of([])] == ["idis.test."]
    names = [zone.name for zone in zones_of(["example.com=88.1"])]
    assert names == ["idis.test.", "example.com."]
    assert [zone.name for zone in zones_of(["lab.test"])] == ["lab.test."]


@pytest.mark.parametrize(
    "texts",
    [
        [""],
        ["."],
        ["a..b"],
        ["a" * 64 + ".test"],
        [".".join(["a" * 60] * 3)],
        ["lab.test="],
        ["lab.test=/x"],
        ["lab.test=88.\x01"],
        ["lab.test", "LAB.test."],
    ],
)
def test_zones_that_are_none_are_refused(texts):
    with pytest.raises(SetupError):
        zones_of(texts)
