"""Links and requests for them: whatever comes, a link or its error; linksets are valid."""

import contextlib
import json

from hypothesis import given, settings, strategies as st

from resolver.links.accepting import (
    fit_of_languages,
    fit_of_media_type,
    quality_of,
    read_ranges,
)
from resolver.links.epc_path import epc_in
from resolver.links.level import Level, with_default
from resolver.links.link import LinkError, read_link
from resolver.links.linkset import linkset
from resolver.links.page import write_page
from tests.digital_links import CLASS, ROOT, Resolver, assert_linkset, link, record

TEXTS = st.text(max_size=30)
LANGUAGES = st.sampled_from(["en", "zh-CN", "zh-Hans-CN", "es-419", "fil", "x", ""])
MEMBERS = st.fixed_dictionaries(
    {
        "linkType": st.sampled_from(["gs1:pip", "alternate", "https://a.example/b"])
        | TEXTS.map("gs1:{}".format)
        | TEXTS,
        "href": TEXTS.map("https://a.example/{}".format) | TEXTS,
        "title": TEXTS,
    },
    optional={
        "hreflang": st.lists(LANGUAGES, max_size=3) | TEXTS,
        "type": st.sampled_from(["text/html", "application/ld+json"]) | TEXTS,
        "context": st.lists(TEXTS, max_size=2) | TEXTS,
        "default": st.booleans(),
        "fwqs": st.booleans() | TEXTS,
    },
)
RESOLVER = Resolver(
    {CLASS: record(link("gs1:pip", "https://a.example/", default=True, hreflang="en"))}
)


@given(st.binary(max_size=200))
def test_any_octets_are_a_link_or_its_error(octets):
    with contextlib.suppress(LinkError):
        read_link(octets)


@given(st.lists(MEMBERS, max_size=5))
def test_whatever_is_taken_as_a_link_makes_a_valid_linkset(documents):
    links = []
    for document in documents:
        try:
            links.append(read_link(json.dumps(document).encode()))
        except LinkError:
            continue
    levels = with_default((Level(CLASS, (), tuple(links), ""),))
    document = linkset(ROOT, levels)
    assert_linkset(document)
    assert all(one.href.isascii() and one.href.isprintable() for one in links)
    assert "<script>" not in write_page(ROOT, levels, document)


@given(st.text(max_size=100), st.text(max_size=20))
def test_any_header_gives_weights_from_0_to_1(header, name):
    ranges = read_ranges(header)
    assert all(0 <= one.quality <= 1 for one in ranges)
    assert 0 <= quality_of(name, ranges) <= 1
    fit_of_media_type(name, ranges)
    fit_of_languages((name,), ranges)


@given(st.binary(min_size=12, max_size=40))
def test_an_epc_is_the_same_in_both_alphabets(octets):
    octets = octets[: len(octets) // 6 * 6]  # whole words, and whole characters
    spelt = "".join(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[int(bits, 2)]
        for bits in _sixes(octets)
    )
    assert epc_in(f"ex{spelt}") == epc_in(f"eh{octets.hex()}") == octets.hex().upper()


def _sixes(octets):
    bits = "".join(f"{octet:08b}" for octet in octets)
    return [bits[at : at + 6] for at in range(0, len(bits), 6)]


def run(coroutine):
    """Run what never waits, without a loop for each time."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits for something")


PATHS = st.text("0123456789/%ABaz-_.", max_size=40)
HEADERS = st.text(st.characters(max_codepoint=255), max_size=40)


@settings(max_examples=200)
@given(PATHS, st.binary(max_size=30), st.tuples(HEADERS, HEADERS, HEADERS))
def test_any_request_gets_an_answer_that_http_can_carry(end, query, headers):
    accept, language, host = headers
    query = query.decode("latin-1")
    asked = {"accept": accept, "accept_language": language, "host": host}
    for path in (f"/{CLASS}/{end}", f"/{CLASS}"):
        answer = run(RESOLVER.get(path, query, **asked))
        assert answer.status in (200, 300, 307, 400, 404, 406)
        for text in answer.headers.values():
            assert text.isascii()
            assert text.isprintable()
