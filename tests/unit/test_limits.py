"""What the benchmark of limits computes and sends, without any network."""

import itertools
import math
import os
import sys

import pytest

from bench import serving
from bench.corpus import Corpus
from bench.limits.command import FULL, QUICK, _storing
from bench.limits.flood import datagrams, main
from bench.limits.storing import Filled, memory_of_a_million
from bench.serving import cpu_seconds, wait_until
from registry.errors import MalformedError
from resolver.wire.message import decode_message
from resolver.wire.request import Resolution

CORPUS = Corpus(("88.118.7", "88.118.2"), 50)


def test_memory_of_a_million_is_what_was_measured_with_a_million():
    half, whole = Filled(500_000, 180.0), Filled(1_000_000, 350.0)
    assert memory_of_a_million(half, whole) == 350.0


def test_what_entries_do_not_take_is_not_drawn_on():
    # 30 MiB whatever is cached, and 300 octets for each entry.
    each = 300 / (1 << 20)
    points = (Filled(n, 30 + n * each) for n in (50_000, 100_000))
    assert memory_of_a_million(*points) == pytest.approx(30 + 1e6 * each)


def test_a_cache_that_takes_no_more_entries_has_no_memory_of_a_million():
    assert memory_of_a_million(Filled(9, 1.0), Filled(9, 2.0)) == math.inf


@pytest.mark.parametrize("effort", [QUICK, FULL])
@pytest.mark.parametrize("stored", [20_000, 300_000, 9_000_000])
def test_no_more_is_asked_for_than_is_stored(effort, stored):
    chosen = _storing(effort, stored)
    assert chosen.stored == stored
    assert chosen.cached <= stored
    assert chosen.rounds * chosen.uncached_queries <= stored


def asked(octets: bytes) -> str:
    return Resolution.decode(decode_message(octets).body).handle.decode()


def test_a_flood_of_unknown_names_asks_for_another_one_each_time():
    sent = [asked(o) for o in itertools.islice(datagrams("unknown", CORPUS, 1), 100)]
    assert len(set(sent)) == 100
    assert set(sent).isdisjoint(CORPUS.names(0, CORPUS.count))
    assert {name.partition("/")[0] for name in sent} == set(CORPUS.prefixes)


def test_a_flood_of_misses_asks_for_what_there_is():
    sent = {asked(o) for o in itertools.islice(datagrams("missing", CORPUS, 1), 100)}
    assert sent <= set(CORPUS.names(0, CORPUS.count))


def test_a_flood_of_octets_is_no_messages():
    sent = list(itertools.islice(datagrams("octets", CORPUS, 1), 200))
    assert {len(octets) > 200 for octets in sent} == {False}
    for octets in sent:
        with pytest.raises(MalformedError):
            decode_message(octets)


def test_only_loopback_is_flooded(capsys):
    with pytest.raises(SystemExit) as ended:
        main(
            [
                "octets",
                "--host",
                "192.0.2.1",
                "--port",
                "9",
                "--rate",
                "1",
                "--seconds",
                "1",
            ]
        )
    assert ended.value.code == 2
    assert "only loopback is flooded" in capsys.readouterr().err


def test_cpu_time_of_a_process_never_falls():
    before = cpu_seconds(os.getpid())
    assert sum(range(200_000))
    assert cpu_seconds(os.getpid()) > before > 0


def test_a_server_that_ends_before_it_answers_is_named_with_its_code():
    command = [sys.executable, "-c", "raise SystemExit(3)"]
    with (
        pytest.raises(RuntimeError, match="ended with code 3 before it answered"),
        serving.serving(command, lambda: False),
    ):
        pytest.fail("it did not answer")


def test_a_server_that_never_answers_is_stopped(monkeypatch):
    started = []
    start = serving.subprocess.Popen

    def remember(*arguments, **options):
        started.append(start(*arguments, **options))
        return started[0]

    monkeypatch.setattr(serving.subprocess, "Popen", remember)
    monkeypatch.setattr(serving.wait_until, "__defaults__", (0.05,))
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    with (
        pytest.raises(RuntimeError, match=r"not ready within 0.05 s"),
        serving.serving(command, lambda: False),
    ):
        pytest.fail("it did not answer")
    assert started[0].poll() is not None


def test_waiting_ends_as_soon_as_it_is_true():
    answers = iter([False, True])
    wait_until(lambda: next(answers), "it", seconds=10)
    assert list(answers) == []
