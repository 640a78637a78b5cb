"""The Digital Link face without sockets: each requirement of the notes, R1 to R18.

The requirements are those of GS1's resolver test suite (GS1-Conformant Resolver Standard
1.2); R2's HTTPS and the real network are in tests/e2e/test_digital_link.py.
"""

import json

import jsonschema
import pytest

from registry.model.codes import ResponseCode
from registry.schemes import gs1
from resolver.chain import failure
from resolver.faces.digital_link_memory import (
    MAX_ENTRIES,
    MAX_OCTETS,
    RememberedRedirects,
)
from resolver.faces.exchange import Response
from resolver.wire.codes import OpFlag
from tests.digital_links import (
    CLASS,
    CODE_PREFIX,
    DESCRIPTION_SCHEMA,
    GTIN,
    ITEM,
    LOT,
    ROOT,
    VOC,
    Resolver,
    assert_linkset,
    link,
    record,
)

SHOP = "https://shop.example"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
LINKSET = "application/linkset+json"
RECORDS = {
    CLASS: record(
        link("gs1:pip", f"{SHOP}/en", hreflang="en", type="text/html", default=True),
        link("gs1:pip", f"{SHOP}/zh", hreflang="zh", type="text/html", default=True),
        link("gs1:certificationInfo", f"{SHOP}/ce.pdf", type="application/pdf"),
        link("gs1:instructions", f"{SHOP}/manual?edition=2#page"),
        link("gs1:support", f"{SHOP}/a", title="By telephone"),
        link("gs1:support", f"{SHOP}/b", title="By letter"),
        link("gs1:promotion", f"{SHOP}/us", context="us"),
        link("gs1:promotion", f"{SHOP}/cn", context=["cn", "hk"]),
        alias=["88.100.1/MODEL/A"],
        description="A pressure sensor",
    ),
    LOT: record(
        link("gs1:certificationInfo", f"{SHOP}/lot7.pdf"), alias=["88.100.1/LOT7"]
    ),
    ITEM: record(
        link("gs1:traceability", f"{SHOP}/sn42"),
        alias=["88.100.1/SN42"],
        description="Sensor 42",
    ),
}


@pytest.fixture
def resolver():
    return Resolver(RECORDS)


@pytest.mark.parametrize(
    "path",
    [
        CLASS,
        f"{CLASS}/22/2A",
        f"{CLASS}/10/ABC",
        f"{CLASS}/21/99",
        f"{CLASS}/10/ABC/21/99",
        f"{CLASS}/22/2A/10/ABC/21/99",
        f"{CLASS}/235/TP1",
    ],
)
async def test_r1_all_qualifiers_of_a_key_are_supported(resolver, path):
    answer = await resolver.get(f"/{path}", accept=BROWSER)
    assert (answer.status, answer.location) == (307, f"{SHOP}/en")


KEYS = {
    "00": "00/095210001000000015",
    "01": CLASS,
    "253": "253/9521000100015X",
    "255": "255/9521000100015123",
    "401": "401/95210001A",
    "402": "402/95210001000000015",
    "410": "410/9521000100015",
    "411": "411/9521000100015",
    "412": "412/9521000100015",
    "413": "413/9521000100015",
    "414": "414/9521000100015",
    "415": "415/9521000100015",
    "416": "416/9521000100015",
    "417": "417/9521000100015",
    "8003": "8003/09521000100015A",
    "8004": "8004/95210001A",
    "8006": "8006/095210001000150102",
    "8010": "8010/95210001A",
    "8013": "8013/95210001AM",
    "8017": "8017/952100010000000017",
    "8018": "8018/952100010000000017",
}
VALUES = {"7040": "1ABC"}


def test_r1_there_is_a_vector_for_each_key():
    assert KEYS.keys() == gs1.KEYS.keys()


@pytest.mark.parametrize("key", gs1.KEYS)
async def test_r1_each_key_is_resolved_with_all_its_qualifiers(key):
    path = KEYS[key]
    resolver = Resolver({path: record(link("gs1:pip", SHOP))})
    for qualifiers in ((), *gs1.KEYS[key]):
        end = "".join(f"/{ai}/{VALUES.get(ai, '1')}" for ai in qualifiers)
        answer = await resolver.get(f"/{path}{end}")
        assert (answer.status, answer.location) == (307, SHOP), (end, answer.body)


async def test_r2_head_is_answered_as_get(resolver):
    got = await resolver.get(f"/{CLASS}")
    head = await resolver.get(f"/{CLASS}", method="HEAD")
    assert (head.status, head.headers) == (got.status, got.headers)


async def test_r2_options_lists_the_methods_and_lets_pages_ask(resolver):
    answer = await resolver.get(
        f"/{CLASS}", method="OPTIONS", origin="https://a.example"
    )
    assert answer.status == 200
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
    assert "Accept" in answer.headers["access-control-allow-headers"]


@pytest.mark.parametrize("query", ["", "linkType=linkset", "linkType=gs1:nosuch"])
async def test_r2_pages_of_other_sites_may_read_every_answer(resolver, query):
    answer = await resolver.get(f"/{CLASS}", query)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"
    assert answer.headers["access-control-expose-headers"] == "Link, Location"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_r2_other_methods_are_not_allowed(resolver, method):
    answer = await resolver.get(f"/{CLASS}", method=method)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (f"/{CLASS}/foo", ""),
        ("/01/09521000100014", ""),
        ("/01/0952100010001", ""),
        (f"/01/{GTIN.removeprefix('0')}", ""),
        (f"/21/SN42/{CLASS}", ""),
        ("/01/0952100010001A", ""),
        ("/01", ""),
        ("/99/ABC", ""),
        (f"/{CLASS}/17/261231", ""),
        (f"/{CLASS}/21/S1/10/L1", ""),
        (f"/{CLASS}/21/{'9' * 21}", ""),
        (f"/{CLASS}/21/a%20b", ""),
        (f"/{CLASS}//21/a", ""),
        (f"/{CLASS}/10/%C3%A4", ""),
        (f"/{CLASS}", "17=269931"),
        (f"/{CLASS}", "linkType=gs1:pip&linkType=gs1:support"),
        ("/abcdefghijklmnop", ""),
        ("/____________", ""),
    ],
)
async def test_r3_what_is_no_digital_link_uri_is_400(resolver, path, query):
    answer = await resolver.get(path, query)
    assert answer.status == 400, answer.body
    assert answer.json["message"]


async def test_r3_an_error_says_where_and_what_was_expected(resolver):
    answer = await resolver.get("/01/09521000100014")
    assert "5" in answer.json["expected"]
    assert answer.json["position"] is not None


async def test_r3_a_short_gtin_is_told_with_its_fourteen_digits(resolver):
    answer = await resolver.get(f"/01/{GTIN.removeprefix('0')}")
    assert answer.json["expected"] == f"14 digits: {GTIN}"
    assert answer.json["position"] == len(f"{ROOT}/01/")


async def test_r3_a_damaged_compressed_uri_is_told_as_one(resolver, compressed):
    answer = await resolver.get(compressed[:-2])
    assert answer.status == 400
    assert "compressed" in answer.json["message"]


async def test_r3_a_code_that_nobody_registered_is_404(resolver):
    answer = await resolver.get("/01/09506000134352")
    assert answer.status == 404
    assert "(01)09506000134352" in answer.json["message"]


@pytest.fixture
def compressed():
    (reading, *_) = gs1.read(f"{ROOT}/{ITEM}")
    uri = gs1.compressed_uri(reading, ROOT)
    assert uri.startswith(ROOT)
    return uri.removeprefix(ROOT)


async def test_r4_a_compressed_uri_is_redirected_to_its_link_at_once(
    resolver, compressed
):
    answer = await resolver.get(compressed, "linkType=gs1:traceability")
    assert answer.status == 307
    assert answer.location.startswith(f"{SHOP}/sn42?")


@pytest.mark.parametrize("query", ["", "linkType=linkset", "linkType=gs1:support"])
async def test_r4_the_uncompressed_uri_is_told(resolver, compressed, query):
    answer = await resolver.get(compressed, query)
    assert f'<{ROOT}/{ITEM}>; rel="owl:sameAs"' in answer.headers["link"]


@pytest.mark.parametrize(
    ("path", "uncompressed"),
    [
        # SGTIN-96 of the tyre information service's documentation (GDSO), both ways
        ("/eh301854aac1493d023119400a", "01/00866993371400/21/9413672970"),
        ("/exMBhUqsFJPQIxGUAK", "01/00866993371400/21/9413672970"),
    ],
)
async def test_r4_an_epc_binary_string_is_decompressed(path, uncompressed):
    below = {"01/00866993371400": record(link("gs1:pip", SHOP))}
    resolver = Resolver(below, code_prefix="88.GS1.086699")
    answer = await resolver.get(path)
    assert (answer.status, answer.location) == (307, SHOP)
    assert f'<{ROOT}/{uncompressed}>; rel="owl:sameAs"' in answer.headers["link"]


@pytest.mark.parametrize("path", ["/ehffffffffffff", "/ex__________", "/eh301854aac1"])
async def test_r4_an_epc_binary_string_that_is_none_is_400(resolver, path):
    assert (await resolver.get(path)).status == 400


async def test_r4_an_uncompressed_uri_is_the_same_as_nothing_else(resolver):
    assert "sameAs" not in (await resolver.get(f"/{ITEM}")).headers["link"]


async def test_r4_another_resolver_gets_the_uncompressed_uri(compressed):
    resolver = Resolver(
        {"RULES": record(link("gs1:handledBy", "https://id.a.example"))}
    )
    answer = await resolver.get(compressed)
    assert answer.location == f"https://id.a.example/{ITEM}"


@pytest.mark.parametrize(
    ("query", "accept", "kind"),
    [
        ("linkType=linkset", "", LINKSET),
        ("linkType=linkset", "*/*", LINKSET),
        ("linkType=all", "", LINKSET),
        ("linkType=linkset", "application/json", "application/json"),
        ("", LINKSET, LINKSET),
        ("", f"{LINKSET}, */*;q=0.1", LINKSET),
        ("", f"text/html;q=0.5, {LINKSET};q=0.9", LINKSET),
        ("linkType=gs1:pip", LINKSET, LINKSET),
        ("linkType=linkset", f"text/html, {LINKSET};q=0.9", "text/html; charset=utf-8"),
        ("linkType=linkset", BROWSER, "text/html; charset=utf-8"),
        ("linkType=linkset", "application/ld+json", "application/ld+json"),
    ],
)
async def test_r5_a_linkset_is_given_without_redirect(resolver, query, accept, kind):
    answer = await resolver.get(f"/{ITEM}", query, accept=accept)
    assert (answer.status, answer.kind) == (200, kind)


@pytest.mark.parametrize(
    "accept",
    [
        "application/json",
        "*/*",
        BROWSER,
        f"{LINKSET};q=0",
        f"{BROWSER},{LINKSET};q=0.5",
    ],
)
async def test_r5_who_asks_for_other_things_is_redirected(resolver, accept):
    assert (await resolver.get(f"/{ITEM}", accept=accept)).status == 307


async def test_r5_a_linkset_in_a_type_that_there_is_not_is_406(resolver):
    answer = await resolver.get(f"/{ITEM}", "linkType=linkset", accept="image/png")
    assert answer.status == 406


@pytest.mark.parametrize("path", [CLASS, LOT, ITEM, f"{CLASS}/10/LOT7/21/SN42"])
async def test_r5_linksets_validate_with_the_published_schemas(resolver, path):
    assert_linkset((await resolver.get(f"/{path}", accept=LINKSET)).json)


async def test_r5_json_ld_is_the_linkset_with_its_context(resolver):
    plain = (await resolver.get(f"/{CLASS}", accept=LINKSET)).json
    linked = (
        await resolver.get(
            f"/{CLASS}", "linkType=linkset", accept="application/ld+json"
        )
    ).json
    assert linked.pop("@context").startswith("https://ref.gs1.org/")
    assert linked == plain


async def test_r5_the_page_for_people_has_the_links_and_nothing_that_runs():
    title = "</script><script>alert(1)</script>"
    resolver = Resolver({CLASS: record(link("gs1:pip", f"{SHOP}/'x", title=title))})
    answer = await resolver.get(f"/{CLASS}", "linkType=linkset", accept=BROWSER)
    page = answer.body.decode()
    assert "<script>" not in page
    assert f"href='{SHOP}/&#x27;x'" in page
    data = page.partition("ld+json'>")[2].partition("</script>")[0]
    assert json.loads(data)["linkset"][0][VOC + "pip"][0]["title"] == title
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_r6_a_linkset_has_every_level_down_to_the_key(resolver):
    path = f"/{CLASS}/10/LOT7/21/SN42"
    linkset = (await resolver.get(path, accept=LINKSET)).json["linkset"]
    anchors = [item["anchor"] for item in linkset]
    assert anchors == [f"{ROOT}/{ITEM}", f"{ROOT}/{LOT}", f"{ROOT}/{CLASS}"]
    assert linkset[0][VOC + "traceability"][0]["href"] == f"{SHOP}/sn42"


async def test_r6_anchors_are_uncompressed(resolver, compressed):
    linkset = (await resolver.get(compressed, accept=LINKSET)).json["linkset"]
    assert [item["anchor"] for item in linkset] == [f"{ROOT}/{ITEM}", f"{ROOT}/{CLASS}"]


async def test_r6_anchors_follow_the_name_that_the_client_uses(resolver):
    answer = await resolver.get(f"/{CLASS}", accept=LINKSET, host="localhost:3000")
    assert answer.json["linkset"][0]["anchor"] == f"http://localhost:3000/{CLASS}"


@pytest.mark.parametrize("host", ["", "a b", "evil.example/x", "a:b:c", '"><'])
async def test_r6_a_host_that_is_none_is_not_repeated(resolver, host):
    answer = await resolver.get(f"/{CLASS}", accept=LINKSET, host=host)
    assert answer.json["linkset"][0]["anchor"] == f"{ROOT}/{CLASS}"


async def test_r7_each_link_has_target_type_and_title(resolver):
    (item,) = (await resolver.get(f"/{CLASS}", accept=LINKSET)).json["linkset"]
    assert item[VOC + "pip"][1] == {
        "href": f"{SHOP}/zh",
        "title": "A link",
        "hreflang": ["zh"],
        "type": "text/html",
    }
    assert item[VOC + "promotion"][1]["context"] == ["cn", "hk"]


async def test_r8_there_is_one_default_link_with_a_title_only(resolver):
    (item,) = (await resolver.get(f"/{CLASS}", accept=LINKSET)).json["linkset"]
    assert item[VOC + "defaultLink"] == [{"href": f"{SHOP}/en", "title": "A link"}]


async def test_r8_default_links_have_a_descriptive_type_too(resolver):
    (item,) = (await resolver.get(f"/{CLASS}", accept=LINKSET)).json["linkset"]
    assert item[VOC + "defaultLinkMulti"] == item[VOC + "pip"]


async def test_r9_a_linkset_names_the_json_ld_context(resolver):
    answer = await resolver.get(f"/{CLASS}", accept=LINKSET)
    assert (
        "<https://ref.gs1.org/standards/resolver/linkset-context>; "
        'rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'
    ) in answer.headers["link"]


@pytest.mark.parametrize(
    ("language", "target"),
    [("", "en"), ("zh-CN,zh;q=0.9", "zh"), ("fr", "en"), ("en,zh;q=0.5", "en")],
)
async def test_r10_the_default_answers_unless_the_request_knows_better(
    resolver, language, target
):
    answer = await resolver.get(f"/{CLASS}", accept_language=language)
    assert (answer.status, answer.location) == (307, f"{SHOP}/{target}")


async def test_r10_a_level_without_default_takes_the_one_above(resolver):
    assert (await resolver.get(f"/{ITEM}")).location == f"{SHOP}/en"


async def test_r10_a_code_without_links_leads_to_its_record():
    resolver = Resolver({ITEM: record(alias=["88.100.1/SN 42"])})
    answer = await resolver.get(f"/{ITEM}")
    assert answer.location == f"{ROOT}/api/handles/88.100.1/SN%2042"
    (item,) = (await resolver.get(f"/{ITEM}", accept=LINKSET)).json["linkset"]
    assert item[VOC + "defaultLink"] == [
        {"href": answer.location, "title": "IDIS record of 88.100.1/SN 42"}
    ]
    assert_linkset({"linkset": [item]})


async def test_r10_a_declared_rule_makes_a_level_of_an_identifier_that_exists():
    below = {
        CLASS: RECORDS[CLASS],
        "RULES": record(rules=["gs1 01 21 -> 88.100.1/SN{21}"]),
    }
    resolver = Resolver(below)
    resolver.node.responder.records["88.100.1/SN7"] = ()
    levels = (await resolver.get(f"/{CLASS}/21/7", accept=LINKSET)).json["linkset"]
    assert levels[0][VOC + "masterData"][0]["href"].endswith("/88.100.1/SN7")
    assert len(levels) == 2
    levels = (await resolver.get(f"/{CLASS}/21/8", accept=LINKSET)).json["linkset"]
    assert len(levels) == 1


@pytest.mark.parametrize("kind", ["gs1:instructions", VOC + "instructions"])
async def test_r11_a_link_type_that_there_is_gets_a_redirect(resolver, kind):
    answer = await resolver.get(f"/{ITEM}", f"linkType={kind}")
    assert answer.location.startswith(f"{SHOP}/manual")


async def test_r11_the_finest_level_with_the_link_type_counts(resolver):
    query = "linkType=gs1:certificationInfo"
    assert f"{SHOP}/lot7.pdf" in (await resolver.get(f"/{LOT}", query)).location
    assert f"{SHOP}/ce.pdf" in (await resolver.get(f"/{ITEM}", query)).location


async def test_r11_a_link_type_that_there_is_not_is_404_and_says_which_there_are(
    resolver,
):
    answer = await resolver.get(f"/{LOT}", "linkType=gs1:nosuch")
    assert answer.status == 404
    assert answer.json["linkTypes"][:2] == ["gs1:certificationInfo", "gs1:pip"]


@pytest.mark.parametrize(
    ("query", "target"),
    [
        ("foo=bar", f"{SHOP}/en?foo=bar"),
        ("17=261231&a=%20b&flag", f"{SHOP}/en?17=261231&a=%20b&flag"),
        (
            "linkType=gs1:instructions&x=1",
            f"{SHOP}/manual?edition=2&linkType=gs1:instructions&x=1#page",
        ),
    ],
)
async def test_r12_the_query_string_is_passed_on_as_it_came(resolver, query, target):
    assert (await resolver.get(f"/{CLASS}", query)).location == target


async def test_r12_a_link_may_decline_the_query_string():
    resolver = Resolver({CLASS: record(link("gs1:pip", SHOP, fwqs=False))})
    assert (await resolver.get(f"/{CLASS}", "foo=bar")).location == SHOP


@pytest.mark.parametrize(
    ("query", "headers", "target"),
    [
        ("linkType=gs1:pip", {"accept_language": "zh"}, "zh"),
        ("linkType=gs1:pip", {"accept_language": "en-GB"}, "en"),
        ("linkType=gs1:promotion&context=CN", {}, "cn"),
        ("linkType=gs1:promotion&context=us", {}, "us"),
    ],
)
async def test_r13_language_and_context_decide(resolver, query, headers, target):
    answer = await resolver.get(f"/{CLASS}", query, **headers)
    assert answer.location == f"{SHOP}/{target}?{query}"


async def test_r13_the_media_type_decides():
    resolver = Resolver(
        {
            CLASS: record(
                link("gs1:epil", f"{SHOP}/l.pdf", type="application/pdf"),
                link("gs1:epil", f"{SHOP}/l.html", type="text/html"),
            )
        }
    )
    query = "linkType=gs1:epil"
    for accept, name in (("application/pdf", "l.pdf"), (BROWSER, "l.html")):
        answer = await resolver.get(f"/{CLASS}", query, accept=accept)
        assert answer.location == f"{SHOP}/{name}?{query}"


async def test_r13_answers_say_on_what_they_depend(resolver):
    answer = await resolver.get(f"/{CLASS}")
    assert answer.headers["vary"] == "accept, accept-language"


async def test_r14_the_description_file_validates_and_names_root_and_keys(resolver):
    answer = await resolver.get("/.well-known/gs1resolver")
    assert (answer.status, answer.kind) == (200, "application/json")
    jsonschema.Draft7Validator(DESCRIPTION_SCHEMA).validate(answer.json)
    assert answer.json["resolverRoot"] == ROOT
    assert answer.json["supportedPrimaryKeys"] == ["all"]
    assert answer.json["jsonLdContextLocation"]


async def test_r15_a_prefix_handled_elsewhere_is_redirected_and_annotated():
    handled = record(link("gs1:handledBy", "https://id.a.example/"))
    resolver = Resolver({"RULES": handled, CLASS: RECORDS[CLASS]})
    answer = await resolver.get(f"/{ITEM}", "linkType=linkset", accept=LINKSET)
    assert answer.status == 307
    target = f"https://id.a.example/{ITEM}"
    assert answer.location == f"{target}?linkType=linkset"
    assert answer.headers["link"] == f'<{target}>; rel="gs1:handledBy"'


async def test_r16_a_trailing_slash_changes_nothing(resolver):
    for query in ("", "linkType=linkset"):
        with_slash = await resolver.get(f"/{ITEM}/", query)
        without = await resolver.get(f"/{ITEM}", query)
        assert (with_slash.status, with_slash.headers) == (
            without.status,
            without.headers,
        )


@pytest.mark.parametrize("query", ["", "linkType=gs1:support", "linkType=gs1:nosuch"])
async def test_r17_answers_point_to_the_linkset_and_list_no_other_links(
    resolver, query
):
    answer = await resolver.get(f"/{ITEM}", query)
    expected = f'<{ROOT}/{ITEM}?linkType=linkset>; rel="linkset"; type="{LINKSET}"'
    assert expected in answer.headers["link"]
    assert 'rel="gs1:' not in answer.headers["link"]


async def test_r18_links_that_fit_equally_well_are_listed_with_300(resolver):
    answer = await resolver.get(f"/{ITEM}", "linkType=gs1:support", accept="*/*")
    assert (answer.status, answer.kind) == (300, LINKSET)
    assert_linkset(answer.json)
    (item,) = answer.json["linkset"]
    assert item["anchor"] == f"{ROOT}/{CLASS}"
    assert [one["title"] for one in item[VOC + "support"]] == [
        "By telephone",
        "By letter",
    ]
    assert set(item) == {"anchor", "itemDescription", VOC + "support"}


async def test_r18_people_get_the_list_as_a_page(resolver):
    answer = await resolver.get(f"/{CLASS}", "linkType=gs1:support", accept=BROWSER)
    assert answer.status == 300
    assert "By letter" in answer.body.decode()


async def test_values_that_are_no_links_are_told_in_a_header():
    values = record(link("gs1:pip", SHOP), link("gs1:pip", "ftp://a.example/ä"))
    answer = await Resolver({CLASS: values}).get(f"/{CLASS}")
    assert answer.status == 307
    told = answer.headers["idis-unreadable-links"]
    assert told.startswith(f"1; first: {CODE_PREFIX}/{CLASS} 2: href 'ftp://a.example/")


async def test_a_known_code_prefix_is_not_asked_about_again(resolver):
    await resolver.get(f"/{CLASS}")
    resolver.asked.clear()
    await resolver.get(f"/{CLASS}")
    assert resolver.asked == [f"{CODE_PREFIX}/RULES", f"{CODE_PREFIX}/{CLASS}"]


async def test_a_redirect_is_given_again_until_its_records_are_too_old(resolver):
    resolver.node.responder.expires = resolver.now + 60
    first = await resolver.get(f"/{CLASS}")
    resolver.asked.clear()
    again = await resolver.get(f"/{CLASS}")
    assert (again.location, again.headers) == (first.location, first.headers)
    assert resolver.asked == []
    resolver.now += 60
    resolver.node.responder.expires = resolver.now
    await resolver.get(f"/{CLASS}")
    assert resolver.asked


@pytest.mark.parametrize(
    "other",
    [
        {"path": f"/{CLASS}/"},
        {"query": "a=b"},
        {"accept": "application/pdf"},
        {"accept_language": "zh"},
        {"host": "localhost:3000"},
        {"cache_control": "no-cache"},
    ],
)
async def test_a_redirect_is_not_given_to_another_request(resolver, other):
    resolver.node.responder.expires = resolver.now + 60
    await resolver.get(f"/{CLASS}")
    resolver.asked.clear()
    await resolver.get(**{"path": f"/{CLASS}", **other})
    assert resolver.asked


@pytest.mark.parametrize("query", ["linkType=linkset", "linkType=gs1:nosuch", "17=2"])
async def test_only_redirects_are_remembered(resolver, query):
    resolver.node.responder.expires = resolver.now + 60
    await resolver.get(f"/{CLASS}", query)
    assert len(resolver.face._remembered) == 0


def test_remembered_redirects_are_bounded():
    remembered = RememberedRedirects()
    response = Response(307, b"x")
    for number in range(MAX_ENTRIES + 10):
        key = (b"%d" % number, b"", b"", b"", b"", False)
        remembered.put(key, response, 10.0)
    assert len(remembered) == MAX_ENTRIES
    assert remembered.get((b"9", b"", b"", b"", b"", False), 1.0) is None
    long = (b"a", b"x" * MAX_OCTETS, b"", b"", b"", False)
    remembered.put(long, response, 10.0)
    assert remembered.get(long, 1.0) is None


async def test_no_cache_asks_past_what_is_remembered(resolver):
    await resolver.get(f"/{CLASS}")
    assert not resolver.node.responder.flags & OpFlag.AUTHORITATIVE
    await resolver.get(f"/{CLASS}", cache_control="max-age=0, no-cache")
    assert resolver.node.responder.flags & OpFlag.AUTHORITATIVE


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (ResponseCode.ERROR, 502),
        (ResponseCode.SERVER_TOO_BUSY, 503),
        (ResponseCode.INSUFFICIENT_PERMISSIONS, 404),
    ],
)
async def test_a_tree_that_does_not_answer_is_no_404(resolver, code, status):
    resolver.node.responder.failing = failure(code, "nobody is there")
    answer = await resolver.get(f"/{CLASS}")
    assert answer.status == status
    if status > 500:
        assert "nobody is there" in answer.json["message"]


async def test_a_uri_that_is_too_long_is_refused(resolver):
    assert (await resolver.get(f"/{CLASS}", "x=" + "y" * 4096)).status == 414


async def test_answers_are_counted_by_status(resolver):
    await resolver.get(f"/{CLASS}")
    await resolver.get(f"/{CLASS}/foo")
    assert resolver.node.telemetry.link_requests == {307: 1, 400: 1}


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api/handles/88.100.1/A",
        "/log/checkpoint",
        "/docs",
        "/openapi.json",
        "/healthz",
        "/readyz",
        "/metrics",
        f"/gtin/{GTIN}",
        "/favicon.ico",
    ],
)
def test_other_pages_of_a_node_are_left_alone(resolver, path):
    assert not resolver.face.serves(path.encode())
