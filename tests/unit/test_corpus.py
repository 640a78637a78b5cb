"""The corpus: what each number is called, and what is registered under it."""

import statistics
from collections import Counter

import numpy as np
import pytest

from bench.corpus import Corpus, corpus_of, enterprise_prefixes, in_order
from bench.distribution import MAX_COUNT, draw
from bench.questions import computed_reply
from registry.model.identifier import canonical
from resolver.errors import SetupError
from resolver.seeded import seeded_identifiers
from resolver.session.fragments import MAX_DATAGRAM_OCTETS
from resolver.topology import BUILTIN_SECONDARIES, builtin_topology

ENTERPRISES = builtin_topology(BUILTIN_SECONDARIES).enterprises
PREFIXES = tuple(each.prefix for each in ENTERPRISES)
CORPUS = Corpus(PREFIXES, 5_000_000)
SOME = range(0, CORPUS.count, 997)


def test_an_identifier_follows_from_its_number_alone():
    other = Corpus(PREFIXES, 400_000)
    numbers = [399_999, 0, 7, 123_456]
    assert [CORPUS.identifier(n) for n in numbers] == [
        other.identifier(n) for n in numbers
    ]
    assert [CORPUS.values(n) for n in numbers] == [other.values(n) for n in numbers]


def test_identifiers_are_unique_even_without_case():
    folded = {canonical(name.encode()) for name in CORPUS.names(0, 200_000)}
    assert len(folded) == 200_000


def test_far_numbers_name_other_identifiers_than_near_ones():
    """Widths that run out, or days that come again, would show here."""
    far = set(CORPUS.names(4_900_000, 5_000_000))
    assert len(far) == 100_000
    assert far.isdisjoint(CORPUS.names(0, 100_000))


def test_few_makers_have_unique_identifiers_too():
    names = set(Corpus(PREFIXES[:2], 300_000).names(0, 300_000))
    assert len(names) == 300_000


def test_no_identifier_is_seeded_or_left_to_users():
    taken = {
        canonical(seeded.identifier.encode())
        for enterprise in ENTERPRISES
        for seeded in seeded_identifiers(enterprise)
    }
    taken |= {canonical(f"{prefix}/SN0002".encode()) for prefix in PREFIXES}
    taken |= {canonical(f"{prefix}/admin".encode()) for prefix in PREFIXES}
    names = {canonical(name.encode()) for name in CORPUS.names(0, 100_000)}
    assert taken.isdisjoint(names)


@pytest.mark.parametrize(
    "style",
    ["/REEL/2025", "/L00CVEB2", "/W26K", "/HEAT26", "/LOT2026", "/SN1", "/MODEL/"],
)
def test_suffixes_have_the_styles_of_the_industries(style):
    assert sum(style in CORPUS.identifier(number) for number in SOME) > 20


def test_makers_take_turns():
    turns = CORPUS.names(0, 7 * len(PREFIXES))
    makers = Counter(name.partition("/")[0] for name in turns)
    assert makers == dict.fromkeys(PREFIXES, 7)


def test_the_numbers_of_a_prefix_are_those_of_its_identifiers():
    corpus = Corpus(PREFIXES[:3], 100)
    for prefix in corpus.prefixes:
        names = {corpus.identifier(number) for number in corpus.numbers_of(prefix)}
        assert names == {n for n in corpus.names(0, 100) if n.startswith(f"{prefix}/")}
    with pytest.raises(ValueError, match="not in tuple"):
        corpus.numbers_of("88.999.9")


def test_values_have_about_160_octets_of_data():
    sizes = [sum(len(v.data) for v in CORPUS.values(number)) for number in SOME]
    assert 140 <= statistics.mean(sizes) <= 180


def test_values_are_those_of_a_product():
    for number in SOME:
        found = {value.type: value.text for value in CORPUS.values(number)}
        assert {"URL", "NAME", "MODEL"} <= found.keys()
        assert found["URL"].startswith("https://")
        assert found["URL"].isascii()
        item = "/MODEL/" not in CORPUS.identifier(number)
        assert ("BATCH" in found) == ("MADE" in found) == item


def test_values_have_the_indexes_from_1_and_no_time():
    for number in range(100):
        values = CORPUS.values(number)
        assert [value.index for value in values] == list(range(1, len(values) + 1))
        assert {value.timestamp for value in values} == {0}


def test_every_answer_fits_one_datagram():
    longest = max(len(computed_reply(CORPUS, number)) for number in SOME)
    assert longest <= MAX_DATAGRAM_OCTETS


def test_another_seed_gives_the_same_identifiers_with_other_values():
    other = Corpus(PREFIXES, CORPUS.count, seed=2)
    assert list(other.names(0, 500)) == list(CORPUS.names(0, 500))
    differ = sum(other.values(n) != CORPUS.values(n) for n in range(500))
    assert differ > 250


def test_a_prefix_that_is_not_built_in_has_serial_numbers():
    corpus = Corpus(("99.1.2",), 40)
    assert corpus.identifier(0) == "99.1.2/SN100001"
    assert corpus.values(0)[0].text == "https://maker-99-1-2.example.com/SN100001"


@pytest.mark.parametrize("number", [-1, 10])
def test_a_number_outside_is_an_error(number):
    with pytest.raises(IndexError, match=f"number {number} in a corpus of 10"):
        Corpus(PREFIXES, 10).identifier(number)


def test_a_corpus_needs_prefixes_and_a_count():
    with pytest.raises(SetupError, match="at least one"):
        Corpus((), 10)
    with pytest.raises(SetupError, match="at least 1"):
        Corpus(PREFIXES, 0)


def test_a_corpus_lies_under_enterprises_only():
    ready = {
        "nodes": [
            {"role": "recursive", "prefixes": []},
            {"role": "top", "prefixes": ["88"]},
            {"role": "secondary", "prefixes": ["88.118", "88.118.20", "88.118.7"]},
            {"role": "enterprise", "prefixes": ["88.118.1"]},
        ]
    }
    prefixes = ("88.118.1", "88.118.7", "88.118.20")
    assert enterprise_prefixes(ready) == prefixes
    assert corpus_of(ready, 10, seed=3) == Corpus(prefixes, 10, 3)


def test_prefixes_are_in_order_of_their_labels():
    assert in_order(["88.9.10", "88.118.7", "88.9.2"]) == (
        "88.9.2",
        "88.9.10",
        "88.118.7",
    )


def test_zipf_asks_in_proportion_to_the_rank():
    drawn = draw("zipf", 1000, 400_000, exponent=1.0, seed=5)
    counts = np.bincount(drawn, minlength=1000)
    assert counts[0] / counts[1] == pytest.approx(2, rel=0.1)
    assert counts[0] / counts[9] == pytest.approx(10, rel=0.1)
    whole = sum(1 / rank for rank in range(1, 1001))
    assert counts[0] / len(drawn) == pytest.approx(1 / whole, rel=0.05)


def test_a_larger_exponent_is_more_skewed_and_zero_is_not():
    firsts = [
        (draw("zipf", 100, 50_000, exponent=exponent) == 0).mean()
        for exponent in (0.0, 0.8, 1.2)
    ]
    assert firsts[0] == pytest.approx(0.01, rel=0.2)
    assert firsts == sorted(firsts)


def test_every_rank_of_a_zipf_distribution_can_be_drawn():
    assert set(draw("zipf", 20, 20_000)) == set(range(20))


def test_uniform_asks_all_alike():
    counts = np.bincount(draw("uniform", 50, 100_000), minlength=50)
    assert counts.min() > 1700
    assert counts.max() < 2300


def test_each_once_asks_each_once_in_another_order():
    drawn = draw("each-once", 1000, 5000)
    assert sorted(drawn) == list(range(1000))
    assert list(drawn) != list(range(1000))
    assert len(draw("each-once", 1000, 10)) == 10


@pytest.mark.parametrize("distribution", ["zipf", "uniform", "each-once"])
def test_a_sequence_follows_from_its_seed(distribution):
    first, again, other = (draw(distribution, 500, 300, seed=s) for s in (1, 1, 2))
    assert list(first) == list(again)
    assert list(first) != list(other)


def test_a_draw_that_makes_no_sense_is_misuse():
    for count in (0, MAX_COUNT + 1):
        with pytest.raises(SetupError, match="expected"):
            draw("uniform", count, 10)
    with pytest.raises(SetupError, match="exponent"):
        draw("zipf", 10, 10, exponent=-1)
