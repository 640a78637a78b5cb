"""Links, what clients would like, and which link they get: tables, no sockets."""

import json

import pytest

from registry.model.value import Value
from resolver.links.accepting import (
    fit_of_languages,
    fit_of_media_type,
    quality_of,
    read_ranges,
)
from resolver.links.choosing import Wanted, choose
from resolver.links.level import Level, record_of, with_default
from resolver.links.link import Link, LinkError, expand, read_link, shorten
from resolver.links.linkset import linkset
from resolver.links.target import with_query
from tests.digital_links import ROOT, VOC, assert_linkset, link, record

PIP = VOC + "pip"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def read(**members):
    document = {"linkType": "gs1:pip", "href": "https://a.example/", "title": "A"}
    return read_link(json.dumps(document | members).encode())


@pytest.mark.parametrize(
    "spelling",
    [
        "gs1:pip",
        "https://ref.gs1.org/voc/pip",
        "https://gs1.org/voc/pip",
        "https://www.gs1.org/voc/pip",
        "http://gs1.org/voc/pip",
    ],
)
def test_the_vocabulary_has_one_spelling(spelling):
    assert expand(spelling) == PIP
    assert shorten(expand(spelling)) == "gs1:pip"


@pytest.mark.parametrize("kind", ["alternate", "related", "https://schema.org/image"])
def test_link_types_of_others_are_kept(kind):
    assert read(linkType=kind).type == kind


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"linkType": "gs1:defaultLink"}, "descriptive type expected"),
        ({"linkType": "gs1:"}, "linkType"),
        ({"linkType": "schema:image"}, "linkType 'schema:image'"),
        ({"linkType": "https://a.example/terms#x"}, "linkType"),
        ({"linkType": "anchor"}, "linkType"),
        ({"linkType": ""}, "member linkType: text expected"),
        ({"href": "/relative"}, "absolute http"),
        ({"href": "javascript:alert(1)"}, "absolute http"),
        ({"href": "https://a.example/\r\nset-cookie: a"}, "absolute http"),
        ({"href": "https://a.example/ b"}, "absolute http"),
        ({"href": "https://例.example/"}, "absolute http"),
        ({"href": "https://a.example/" + "x" * 2048}, "at most 2048"),
        ({"title": None}, "member title: text expected, got nothing"),
        ({"title": "a\nb"}, "title"),
        ({"hreflang": "english language"}, "BCP 47"),
        ({"hreflang": ["en"] * 33}, "up to 32 texts"),
        ({"type": "html"}, "IANA media type"),
        ({"type": "funny/type"}, "IANA media type"),
        ({"context": [1]}, "member context"),
        ({"default": "yes"}, "true or false expected, got 'yes'"),
        ({"rel": "x"}, "member 'rel': one of"),
    ],
)
def test_what_is_no_link_is_refused_with_the_reason(members, reason):
    with pytest.raises(LinkError, match=reason.replace("(", r"\(")):
        read(**members)


@pytest.mark.parametrize(
    "octets", [b"", b"[]", b"{", b"\xff", b"[" * 5000, b" " * 9000]
)
def test_what_is_no_json_object_is_refused(octets):
    with pytest.raises(LinkError):
        read_link(octets)


def test_a_target_that_http_cannot_carry_is_escaped():
    assert read(href="HTTPS://a.example/产品?名=值").href == (
        "https://a.example/%E4%BA%A7%E5%93%81?%E5%90%8D=%E5%80%BC"
    )


def test_one_text_stands_for_a_list():
    found = read(hreflang="zh-CN", context="cn")
    assert (found.languages, found.contexts) == (("zh-CN",), ("cn",))


def test_values_that_are_no_links_are_told_and_the_others_kept():
    values = (
        *record(link("gs1:pip", "https://a.example/")),
        Value(9, "gs1.link", b"{"),
    )
    found = record_of(values)
    assert len(found.links) == 1
    assert [index for index, _ in found.unreadable] == [9]


@pytest.mark.parametrize(
    ("header", "tag", "rank"),
    [
        ("en", "en", 2),
        ("en-GB", "en", 2),
        ("en", "en-GB", 2),
        ("EN-gb", "en-GB", 2),
        ("zh-Hans-CN", "zh-Hans", 2),
        ("zh-Hans-CN", "zh-CN", 0),
        ("en", "enm", 0),
        ("de", "en", 0),
        ("*", "en", 0),
        ("", "en", 0),
        ("en;q=0", "en", -1),
        ("en;q=0", "en-GB", -1),
        ("en;q=0,en-GB", "en-GB", 2),
        ("en,en-GB;q=0", "en-GB", -1),
        ("de", "", 1),
    ],
)
def test_languages_are_looked_up(header, tag, rank):
    tags = (tag,) if tag else ()
    assert fit_of_languages(tags, read_ranges(header)).rank == rank


@pytest.mark.parametrize(
    ("header", "better", "worse"),
    [
        ("zh-CN,zh;q=0.9", "zh-CN", "zh"),
        ("zh-CN,en;q=0.9", "zh", "en"),
        ("en,zh;q=0.9", "en", "zh"),
        ("zh-Hans-CN", "zh-Hans", "zh"),
        ("en", "en", "en-GB"),
        ("en;q=0.2,fr;q=0.1", "en-GB", "fr"),
        ("de", "", "fr"),
        ("*;q=0.5,fr;q=0.1", "fr", "en"),
    ],
)
def test_the_language_that_fits_best_wins(header, better, worse):
    ranges = read_ranges(header)
    first, second = ((tag,) if tag else () for tag in (better, worse))
    assert fit_of_languages(first, ranges) > fit_of_languages(second, ranges)


@pytest.mark.parametrize(
    ("header", "better", "worse"),
    [
        (BROWSER, "text/html", "application/pdf"),
        ("application/pdf", "application/pdf", "text/html"),
        ("text/*", "text/plain", "application/pdf"),
        ("text/html;q=0.5,text/*", "text/plain", "text/html"),
        ("*/*", "", "text/html"),
        ("application/json,*/*", "", "text/html"),
        ("text/html;q=0,*/*", "application/pdf", "text/html"),
    ],
)
def test_the_media_type_that_fits_best_wins(header, better, worse):
    ranges = read_ranges(header)
    assert fit_of_media_type(better, ranges) > fit_of_media_type(worse, ranges)


@pytest.mark.parametrize(
    ("header", "quality"),
    [
        ("", 1.0),
        ("*/*", 1.0),
        ("text/html;q=0.3", 0.3),
        ("text/html;q=0.3,text/*;q=0.9,*/*", 0.3),
        ("text/*;q=0.9,*/*;q=0.1", 0.9),
        ("text/html;q=2", 0.0),
        ("image/png", 0.0),
    ],
)
def test_the_closest_range_gives_the_weight(header, quality):
    assert quality_of("text/html", read_ranges(header)) == quality


def html(language, **more):
    href = f"https://a.example/{language or 'any'}"
    tags = (language,) if language else ()
    return Link(PIP, href, "Page", tags, "text/html", **more)


EN, ZH, ANY = html("en"), html("zh"), html("")
PDF = Link(PIP, "https://a.example/pdf", "Leaflet", ("en",), "application/pdf")
CHINA = html("en", contexts=("cn",))._replace(href="https://a.example/cn")
ROUGH = Link(PIP, "https://a.example/rough", "Any")


@pytest.mark.parametrize(
    ("links", "accept", "language", "contexts", "expected"),
    [
        ([EN], "", "", (), [EN]),
        ([EN], "image/png", "de", ("us",), [EN]),
        ([EN, ZH], "", "zh", (), [ZH]),
        ([EN, ZH], "", "zh-CN,en;q=0.9", (), [ZH]),
        ([EN, ZH], "", "en;q=0.9,zh;q=0.8", (), [EN]),
        ([EN, ZH], "", "", (), [EN, ZH]),
        ([EN, ZH], "", "de", (), [EN, ZH]),
        ([EN, ZH, ANY], "", "de", (), [ANY]),
        ([EN, ZH, ANY], "", "", (), [ANY]),
        ([EN, ZH], "", "en,zh", (), [EN, ZH]),
        ([EN, PDF], BROWSER, "en", (), [EN]),
        ([EN, PDF], "application/pdf", "en", (), [PDF]),
        ([ZH, PDF], BROWSER, "en", (), [ZH]),
        ([EN, PDF], "*/*", "en", (), [EN, PDF]),
        ([EN, PDF, ROUGH], "*/*", "", (), [ROUGH]),
        ([EN, CHINA], BROWSER, "en", ("CN",), [CHINA]),
        ([EN, CHINA], BROWSER, "en", (), [EN]),
        ([EN, CHINA], BROWSER, "en", ("us",), [EN]),
        ([EN, EN._replace(title="Twice")], "", "", (), [EN]),
        ([EN, html("en")._replace(href="https://b.example/")], "", "en", (), None),
    ],
)
def test_links_of_one_type_are_told_apart(links, accept, language, contexts, expected):
    wanted = Wanted(PIP, read_ranges(accept), read_ranges(language), contexts)
    found = choose(wanted, (Level("01/1", (), tuple(links), ""),))
    assert list(found.links) == (links if expected is None else expected)


MULTI = (EN._replace(default=True), ZH._replace(default=True), ANY)


@pytest.mark.parametrize(
    ("language", "expected"),
    [("", EN), ("zh", ZH), ("zh-TW", ZH), ("en", EN), ("de", EN), ("*", EN)],
)
def test_the_default_is_left_only_for_one_that_the_request_speaks_for(
    language, expected
):
    wanted = Wanted("", read_ranges(BROWSER), read_ranges(language), ())
    (found,) = choose(wanted, (Level("01/1", (), MULTI, ""),)).links
    assert found.href == expected.href


def test_the_default_can_be_asked_for_by_name():
    wanted = Wanted(VOC + "defaultLink", (), read_ranges("zh"), ())
    (found,) = choose(wanted, (Level("01/1", (), MULTI, ""),)).links
    assert found.href == EN.href


def test_the_finest_level_with_such_a_link_answers():
    levels = (Level("01/1/21/2", (), (PDF,), ""), Level("01/1", (), MULTI, ""))
    assert choose(Wanted(PIP), levels).links == (PDF,)
    assert choose(Wanted(), levels).links == (MULTI[0],)


def test_an_item_without_a_default_gets_one_at_its_coarsest_level():
    levels = (Level("01/1/21/2", (), (PDF,), ""), Level("01/1", (), (EN, ZH), ""))
    assert [level.default for level in with_default(levels)] == [
        None,
        EN._replace(default=True),
    ]
    assert with_default(()) == ()


@pytest.mark.parametrize(
    ("href", "query", "expected"),
    [
        ("https://a.example/", "", "https://a.example/"),
        ("https://a.example/", "a=1&b", "https://a.example/?a=1&b"),
        ("https://a.example/?x=y", "a=1", "https://a.example/?x=y&a=1"),
        ("https://a.example/?", "a=1", "https://a.example/?a=1"),
        ("https://a.example/#top", "a=1", "https://a.example/?a=1#top"),
        ("https://a.example/?x#top", "a;b=%20", "https://a.example/?x&a;b=%20#top"),
    ],
)
def test_a_query_string_is_added_as_it_came(href, query, expected):
    assert with_query(href, query) == expected


def test_a_linkset_is_valid_whatever_its_records_say():
    links = (
        EN._replace(default=True, languages=("zh-Hans-CN", "es-419", "fil", "x-a")),
        ZH._replace(default=True, forwards_query=False, contexts=("cn", "产品")),
        Link("alternate", "https://a.example/%E4", "Ä"),
        Link(
            "https://schema.org/image",
            "http://127.0.0.1:8080/",
            "Picture",
            (),
            "image/png",
        ),
    )
    levels = (Level("01/1/21/2", (), (), ""), Level("01/1", (), links, "Ware"))
    document = linkset(ROOT, levels)
    assert_linkset(document)
    pips = document["linkset"][1][PIP]
    assert pips[0]["hreflang"] == ["zh-CN", "es"]
    assert pips[1]["fwqs"] is False
    assert document["linkset"][0]["itemDescription"] == "Ware"
