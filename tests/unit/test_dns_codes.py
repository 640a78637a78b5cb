"""Names of product codes in DNS: GS1 keys below a root of ONS, object identifiers in ORS.

Vectors of ONS by source: resolvers notes §2.1 (notes on ONS 2.0.1; GDSO, KAIST; the demo
GTINs of GS1's resolver). Vectors of ORS: resolvers notes §2.2 (a query in the wild; the
deployed node of 1.3; labels of the OID repository).
"""

import json

import dns.message
import pytest
from dns.edns import EDECode
from dns.rcode import Rcode
from hypothesis import given, strategies as st

from registry.model.codes import ResponseCode
from registry.model.value import Value
from registry.schemes import gs1
from resolver.dns.asking import Found
from resolver.dns.labels import LabelError
from resolver.dns.lookup import look_up
from resolver.dns.message import read_query, write_reply
from resolver.dns.names import NoNameError
from resolver.dns.ons import KEYS, ons_name, read_ons_name
from resolver.dns.ors import MAX_ARCS, ors_name
from resolver.dns.zones import code_zones, parse_zone, serve, zones_of
from resolver.errors import SetupError
from tests.unit.test_dns_lookup import NOW, Tree, lines, why

SERVED = serve(zones_of((), codes=code_zones()), ["127.0.0.1"], 2)
PEER = serve(zones_of((), codes=code_zones("ons.epcglobal.cn", "86")), ["127.0.0.1"], 2)

ONS_VECTORS = {
    "00614141322602": "0.0.6.2.2.3.1.4.1.4.1.6.0",
    "00866993371400": "0.0.4.1.7.3.3.9.9.6.6.8.0",
    "08801000651528": "0.2.5.1.5.6.0.0.0.1.0.8.8",
    "00866999882290": "0.9.2.2.8.8.9.9.9.6.6.8.0",
    "09506000134352": "0.5.3.4.3.1.0.0.0.6.0.5.9",
    "09506000134376": "0.7.3.4.3.1.0.0.0.6.0.5.9",
}
GTIN = "09506000134352"
DATA_SERVICE = "http://www.ons.gs1.org/tsd/servicetype-aaqi"
NAME = f"{ONS_VECTORS[GTIN]}.gtin.gs1.id.onsepc.com."


def link(kind="gs1:pip", href="https://example.com/p", index=2, **more):
    document = {"linkType": kind, "href": href, "title": "page", **more}
    return Value(index, "GS1.LINK", json.dumps(document).encode(), 60)


ALIAS = Value(1, "HS_ALIAS", b"88.118.7/MODEL/X", 60)
SITE = Value(1, "HS_SITE", b"site")
GS1 = {"0.NA/88.GS1.950600013": [SITE]}
CLASS = f"88.GS1.950600013/01/{GTIN}"


class Codes(Tree):
    """Names and values, filtered by type as a node does."""

    def find(self, ask):
        found = super().find(ask._replace(types=()))
        if not ask.types or found.code != ResponseCode.SUCCESS:
            return found
        kinds = {kind.decode() for kind in ask.types}
        values = tuple(value for value in found.values if value.type in kinds)
        code = ResponseCode.SUCCESS if values else ResponseCode.VALUES_NOT_FOUND
        return Found(code, values, expires=found.expires)


def answer(tree, name, kind="NAPTR", served=SERVED):
    message = dns.message.make_query(name, kind, use_edns=0)
    query = read_query(message.to_wire())
    lookup = look_up(served, query, NOW)
    try:
        ask = next(lookup)
        while True:
            ask = lookup.send(tree.find(ask))
    except StopIteration as done:
        given = done.value
    reply = dns.message.from_wire(write_reply(query, given, 65535))
    return reply, given.expires


def ask(tree, name, kind="NAPTR", served=SERVED):
    return answer(tree, name, kind, served)[0]


def is_empty(reply):
    """NODATA: the name is there, or something below it."""
    return (reply.rcode(), reply.answer) == (Rcode.NOERROR, []) and reply.authority


def is_missing(reply):
    return reply.rcode() == Rcode.NXDOMAIN and reply.authority


# Names of ONS.


@pytest.mark.parametrize(("gtin", "labels"), ONS_VECTORS.items())
def test_a_gtin_has_the_name_that_its_source_gives(gtin, labels):
    assert ons_name(f"||gtin|{gtin}") == f"{labels}.gtin.gs1.id.onsepc.com."


@pytest.mark.parametrize(("gtin", "labels"), ONS_VECTORS.items())
def test_a_name_is_read_as_the_gtin_of_its_source(gtin, labels):
    below = (*labels.encode().split(b"."), b"gtin", b"gs1", b"id")
    reading = read_ons_name(below)
    assert (reading.scheme, reading.code) == ("gs1", f"(01){gtin}")


def test_reversing_a_whole_gtin_13_is_not_the_rule():
    """It gives the right name only where the check digit equals the first digit."""
    assert ons_name("||gtin|09506000134352").startswith("0.5.3.4.")
    reversed_whole = ".".join(reversed("9506000134352"))
    assert not ons_name("||gtin|09506000134352").startswith(reversed_whole)
    assert ons_name("||gtin|00866999882290").startswith(".".join("0922889996680"))


def test_a_peer_root_and_shorter_gtins_are_taken():
    name = ons_name("||gtin|9506000134352", "ons.epcglobal.cn")
    assert name == f"{ONS_VECTORS[GTIN]}.gtin.gs1.id.ons.epcglobal.cn."
    assert ons_name("cn|zh|gtin|9506000134352") == NAME


@pytest.mark.parametrize(
    ("text", "why_not"),
    [
        ("gtin|9506000134352", "key expected"),
        ("||gtin|9506000134353", "check digit"),
        ("||gtin|950600013435x", "expected"),
        ("||gtin|", "expected"),
        ("||isbn|9506000134352", "key type 'isbn': one of gtin"),
        ("china||gtin|9506000134352", "two letters"),
        ("|1a|gtin|9506000134352", "two letters"),
        ("||gtin|9506000134352|21", "key expected"),
    ],
)
def test_what_is_no_unique_string_has_no_name(text, why_not):
    with pytest.raises(NoNameError, match=why_not):
        ons_name(text)


@given(kind=st.sampled_from(sorted(KEYS)), data=st.data())
def test_every_key_is_read_back_from_its_name(kind, data):
    key = KEYS[kind]
    drawn = data.draw(st.text("0123456789", min_size=key.digits, max_size=key.digits))
    payload = key.filler + drawn
    value = payload + gs1.check_digit(payload)
    try:
        name = ons_name(f"||{kind}|{value}")
    except NoNameError:
        return  # restricted numbers, which GS1 keys do not begin with
    below = tuple(name.removesuffix(".onsepc.com.").encode().split(b"."))
    reading = read_ons_name(below)
    assert reading.code == f"({key.application_identifier}){value}"


@given(st.lists(st.binary(min_size=1, max_size=12), min_size=1, max_size=20))
def test_any_labels_are_a_key_or_refused(labels):
    with_branch = (*labels, b"gtin", b"gs1", b"id")
    for tried in (tuple(labels), with_branch):
        try:
            reading = read_ons_name(tried)
        except LabelError:
            continue
        assert reading is None or reading.scheme == "gs1"


# Answers of ONS.


def test_links_of_a_class_are_naptr_records():
    links = [
        ALIAS,
        link(),
        link(
            "gs1:masterData",
            index=3,
            service=DATA_SERVICE,
        ),
        link("https://example.com/voc/x", "https://example.com/a!b", 4),
    ]
    reply, expires = answer(Codes({**GS1, CLASS: links}), NAME)
    made = [
        line.removeprefix(f'{NAME} 60 IN NAPTR 0 0 "u" ')
        for line in lines(reply.answer)
    ]
    assert made == [
        '"https://ref.gs1.org/voc/pip" "!^.*$!https://example.com/p!" .',
        f'"{DATA_SERVICE}" "!^.*$!https://example.com/p!" .',
        '"https://example.com/voc/x" "!^.*$!https://example.com/a\\\\!b!" .',
    ]
    assert reply.flags & dns.flags.AA
    assert expires == NOW + 100


def test_a_record_that_no_link_expresses_is_given_as_it_is():
    given = Value(3, "DNS.NAPTR", b'0 0 "" "GetTireBySgtin" "" example.net.', 30)
    reply = ask(Codes({**GS1, CLASS: [ALIAS, link(), given]}), NAME)
    assert len(lines(reply.answer)) == 2
    assert f'{NAME} 30 IN NAPTR 0 0 "" "GetTireBySgtin" "" example.net.' in lines(
        reply.answer
    )


def test_the_owner_of_a_gtin_is_found_whatever_its_company_prefix_has():
    for length in (6, 7, 8, 9, 10, 11, 12):
        prefix = f"88.GS1.{GTIN[1 : 1 + length]}"
        tree = Codes({f"0.NA/{prefix}": [SITE], f"{prefix}/01/{GTIN}": [link()]})
        assert len(ask(tree, NAME).answer) == 1


def test_a_class_without_links_is_there_and_empty():
    for values in ([ALIAS], [Value(1, "GS1.DESCRIPTION", b"pump")]):
        assert is_empty(ask(Codes({**GS1, CLASS: values}), NAME))


@pytest.mark.parametrize("kind", ["A", "TXT", "SOA", "DS"])
def test_other_types_of_a_class_are_empty(kind):
    assert is_empty(ask(Codes({**GS1, CLASS: [link()]}), NAME, kind))


def test_any_type_is_the_naptr_records():
    reply = ask(Codes({**GS1, CLASS: [link()]}), NAME, "ANY")
    assert len(lines(reply.answer)) == 1


def test_a_class_that_nobody_registered_is_missing():
    assert is_missing(ask(Codes(GS1), NAME))
    reply, expires = answer(Codes({}), NAME)
    assert is_missing(reply)
    assert expires == NOW + 100


@pytest.mark.parametrize(
    "below", ["", "id.", "gs1.id.", "gtin.gs1.id.", "6.0.5.9.gtin.gs1.id."]
)
def test_names_above_a_key_are_empty_and_ask_nobody(below):
    tree = Codes({**GS1, CLASS: [link()]})
    assert is_empty(ask(tree, f"{below}onsepc.com."))
    assert tree.asked == []


@pytest.mark.parametrize(
    "below",
    [
        f"1.{ONS_VECTORS[GTIN]}.gtin.gs1.id",
        f"{ONS_VECTORS[GTIN][:-1]}x.gtin.gs1.id",
        f"{ONS_VECTORS[GTIN]}.isbn.gs1.id",
        "025102.0073796.sgtin.id",
        "12.gtin.gs1.id",
        "www",
    ],
)
def test_names_that_stand_for_nothing_are_missing_and_say_why(below):
    reply = ask(Codes({**GS1, CLASS: [link()]}), f"{below}.onsepc.com.")
    assert is_missing(reply)
    assert why(reply)[0][0] == EDECode.OTHER


def test_the_apex_of_a_root_has_what_a_zone_has():
    for kind in ("SOA", "NS"):
        (line,) = lines(ask(Codes(), "onsepc.com.", kind).answer)
        assert line.startswith("onsepc.com. 3600 IN")


def test_an_address_too_long_for_a_record_is_left_out_and_said():
    long = link(href="https://example.com/" + "x" * 300, index=3)
    reply = ask(Codes({**GS1, CLASS: [link(), long]}), NAME)
    assert len(lines(reply.answer)) == 1
    alone = ask(Codes({**GS1, CLASS: [long]}), NAME)
    assert is_empty(alone)
    assert why(alone) == [
        (
            EDECode.OTHER,
            "no link fits into a NAPTR record: ask the Digital Link resolver",
        )
    ]


@pytest.mark.parametrize(
    "value",
    [
        Value(7, "GS1.LINK", b"{"),
        Value(7, "GS1.LINK", b'{"href": "https://example.com"}'),
        link(index=7, service=3),
        link(index=7, service="电"),
        Value(7, "DNS.NAPTR", b"0 0 u"),
    ],
)
def test_a_value_that_is_no_record_is_told_by_its_index(value):
    reply = ask(Codes({**GS1, CLASS: [value]}), NAME)
    assert reply.rcode() == Rcode.SERVFAIL
    ((code, text),) = why(reply)
    assert code == EDECode.INVALID_DATA
    assert text.startswith(f"value 7, {value.type}:")


def test_a_tree_that_does_not_answer_is_no_missing_name():
    tree = Codes({"0.NA/88.GS1.950600013": Found(ResponseCode.ERROR, text="lost")})
    tree.records |= {
        f"0.NA/88.GS1.{GTIN[1 : 1 + n]}".encode(): tree.records[
            b"0.NA/88.GS1.950600013"
        ]
        for n in (6, 7, 8, 10, 11, 12)
    }
    assert ask(tree, NAME).rcode() == Rcode.SERVFAIL


def test_a_peer_root_has_the_codes_below_its_own_prefix():
    tree = Codes(
        {"0.NA/86.GS1.950600013": [SITE], CLASS.replace("88", "86", 1): [link()]}
    )
    name = NAME.replace("onsepc.com", "ons.epcglobal.cn")
    assert len(lines(ask(tree, name, served=PEER).answer)) == 1
    assert ask(tree, NAME, served=PEER).rcode() == Rcode.REFUSED


# ORS.

OID = "2.16.156.101818.102.1"
ARCS = {f"0.NA/88.OID.{'.'.join(OID.split('.')[:n])}": [SITE] for n in range(1, 5)}
NODE = f"88.OID.2.16.156.101818/{OID}"
ORS = {**ARCS, NODE: [ALIAS, link(service="ORS+UINF"), link(index=3)]}
ORS_NAME = "1.102.101818.156.16.2.oid-res.org."


def test_a_dotted_identifier_has_the_name_seen_in_the_wild():
    assert ors_name(OID) == ORS_NAME


@pytest.mark.parametrize("owner", [ORS_NAME, f"ors-dummy.{ORS_NAME}"])
def test_a_node_answers_at_its_name_and_at_its_dummy(owner):
    reply = ask(Codes(ORS), owner)
    assert lines(reply.answer) == [
        f'{owner} 60 IN NAPTR 100 10 "u" "ORS+UINF" "!^.*$!https://example.com/p!" .'
    ]


def test_a_node_two_labels_below_the_root_answers_at_its_dummy():
    given = Value(1, "DNS.NAPTR", b'100 10 "u" "ORS+COID" "!^.*$!1.3!" .', 60)
    tree = Codes({"0.NA/88.OID.1": [SITE], "88.OID.1/1.3": [given]})
    owner = "ors-dummy.3.1.oid-res.org."
    assert lines(ask(tree, owner).answer) == [
        f'{owner} 60 IN NAPTR 100 10 "u" "ORS+COID" "!^.*$!1.3!" .'
    ]


@pytest.mark.parametrize(
    "name",
    ["2", "16.2", "156.16.2", "101818.156.16.2"],
)
def test_an_arc_that_was_delegated_is_there_and_its_dummy_is_not(name):
    assert is_empty(ask(Codes(ORS), f"{name}.oid-res.org."))
    assert is_missing(ask(Codes(ORS), f"ors-dummy.{name}.oid-res.org."))


@pytest.mark.parametrize(
    "name",
    [
        "1",
        "840.2.1",
        "102.101818.156.16.2",
        "2.102.101818.156.16.2",
        "ors-dummy.840.2.1",
        "ors-dummy",
        "3",
        "40.1",
        "01.16.2",
        "1.ors-dummy.16.2",
        "www",
        ".".join(["1"] * (MAX_ARCS + 1)),
    ],
)
def test_what_is_no_arc_or_nobodys_is_missing(name):
    assert is_missing(ask(Codes(ORS), f"{name}.oid-res.org."))


def test_an_arc_that_nobody_has_costs_one_question():
    tree = Codes(ORS)
    ask(tree, "1.2.3.4.5.6.7.8.1.oid-res.org.")
    assert tree.asked == ["0.NA/88.OID.1"]


def test_a_label_is_redirected_to_its_number():
    """The IRI /Joint-ISO-ITU-T/16/156, and the node below it."""
    reply = ask(Codes(ORS), "1.102.101818.156.16.joint-iso-itu-t.oid-res.org.")
    dname, cname, naptr = lines(reply.answer)
    assert dname == "joint-iso-itu-t.oid-res.org. 3600 IN DNAME 2.oid-res.org."
    assert cname.endswith("3600 IN CNAME 1.102.101818.156.16.2.oid-res.org.")
    assert naptr.startswith(f"{ORS_NAME} 60 IN NAPTR")


def test_labels_are_redirected_one_at_a_time():
    reply = ask(Codes(ORS), "156.country.joint-iso-itu-t.oid-res.org.")
    dnames = [line for line in lines(reply.answer) if " DNAME " in line]
    assert dnames == [
        "joint-iso-itu-t.oid-res.org. 3600 IN DNAME 2.oid-res.org.",
        "country.2.oid-res.org. 3600 IN DNAME 16.2.oid-res.org.",
    ]
    assert reply.rcode() == Rcode.NOERROR
    assert reply.authority


def test_the_dummy_of_a_label_is_the_dummy_of_its_number():
    tree = Codes({"0.NA/88.OID.1": [SITE], "88.OID.1/1.3": [link()]})
    reply = ask(tree, "ors-dummy.identified-organization.iso.oid-res.org.")
    assert lines(reply.answer)[-1].startswith("ors-dummy.3.1.oid-res.org. 60 IN NAPTR")


def test_a_label_itself_has_its_redirection_only():
    name = "iso.oid-res.org."
    assert lines(ask(Codes(), name, "DNAME").answer) == [
        f"{name} 3600 IN DNAME 1.oid-res.org."
    ]
    assert is_empty(ask(Codes(), name))


def test_a_long_arc_is_redirected_from_the_root():
    (line,) = lines(ask(Codes(), "example.oid-res.org.", "DNAME").answer)
    assert line.endswith("DNAME 999.2.oid-res.org.")


@pytest.mark.parametrize("label", ["nobody", "x" * 63, "xn--wny"])
def test_an_unknown_label_is_missing_and_says_what_is_known(label):
    reply = ask(Codes(ORS), f"1.{label}.oid-res.org.")
    assert is_missing(reply)
    assert "itu-t, iso, joint-iso-itu-t" in why(reply)[0][1]


@given(
    st.lists(
        st.sampled_from(["0", "1", "2", "16", "999", "iso", "ors-dummy", "x", "00"]),
        max_size=8,
    )
)
def test_any_name_of_such_labels_gets_an_answer(labels):
    name = ".".join((*labels, "oid-res.org."))
    reply = ask(Codes(ORS), name)
    assert reply.rcode() in (Rcode.NOERROR, Rcode.NXDOMAIN)


# Zones.


def test_zones_of_codes_come_after_those_that_were_asked_for():
    names = [zone.name for zone in zones_of(("lab.test",), codes=code_zones())]
    assert names == ["lab.test.", "onsepc.com.", "oid-res.org."]


def test_a_zone_that_was_asked_for_takes_the_place_of_one_of_codes():
    zones = zones_of(("onsepc.com=88.118.7/DNS",), codes=code_zones())
    assert [zone.name for zone in zones] == [
        "idis.test.",
        "onsepc.com.",
        "oid-res.org.",
    ]
    assert zones[1] == parse_zone("onsepc.com=88.118.7/DNS")


@pytest.mark.parametrize("root", ["", ".", "a..b", "x" * 64])
def test_a_root_that_is_no_domain_name_is_refused(root):
    with pytest.raises(SetupError):
        code_zones(root)
