"""What the peers' benchmark computes, writes and reads, without any server."""

import os

import dns.rdatatype
import dns.zone
import numpy as np
import pytest

from bench.blast import Prepared
from bench.corpus import Corpus
from bench.peers import http_client
from bench.peers.asking import read_dnsperf
from bench.peers.contender import Contender, Round, Tally, measure, measure_rounds
from bench.peers.dns_servers import Zone, knot_configuration, nsd_configuration
from bench.peers.echo_server import typical_reply
from bench.peers.redis_server import command, redis_arguments
from bench.peers.report import GOALS, contenders_table, document, ratios_of
from bench.peers.zones import write_zone
from bench.questions import Flat
from bench.serving import choose_cores
from resolver.commands.console import output

CORPUS = Corpus(("88.118.7", "88.118.2"), 40)


def a_round(cpu: float, qps: float = 1000.0, wrong: int = 0) -> Round:
    return Round(cpu, qps, busy=0.5, wrong=wrong, lost=0)


def test_a_ratio_is_taken_within_each_round_and_the_median_counts():
    found = {
        ("udp", "fast"): [a_round(1.0), a_round(30.0), a_round(2.0)],
        ("udp", "echo"): [a_round(1.0), a_round(20.0), a_round(1.0)],
    }
    (ratio,) = ratios_of(found)
    assert ratio.goal.title == "udp_fast_to_echo_cpu"
    assert ratio.rounds == (1.0, 1.5, 2.0)
    assert ratio.median == 1.5
    assert not ratio.met


def test_throughput_goals_are_met_from_below():
    found = {
        ("tcp64", "fast"): [a_round(1.0, 2_100.0)],
        ("tcp64", "redis"): [a_round(1.0, 1_000.0)],
    }
    ratio, cpu_time = ratios_of(found)
    assert cpu_time.met is None
    assert ratio.goal.at_least
    assert ratio.median == pytest.approx(2.1)
    assert ratio.met


def test_no_ratio_to_somebody_who_was_not_there():
    assert ratios_of({("udp", "fast"): [a_round(1.0)]}) == []


def test_every_goal_has_a_title_of_its_own():
    assert len({goal.title for goal in GOALS}) == len(GOALS)


def test_peers_json_has_the_agreed_members():
    found = {
        ("tcp1", "redis"): [a_round(9.0, 7.0)],
        ("udp", "echo"): [a_round(4.0, 10.0), a_round(6.0, 30.0, wrong=2)],
    }
    about = {"machine": {"cores": 2}, "commit": "c", "quick": True}
    made = document(found, {"knot": "not installed"}, about)
    assert made["version"] == 1
    assert made["absent"] == {"knot": "not installed"}
    assert (made["machine"], made["commit"], made["quick"]) == ({"cores": 2}, "c", True)
    assert made["tcp64"] == {}
    echo = made["udp"]["echo"]
    assert echo["cpu_us_per_query"] == 5.0
    assert echo["qps"] == 20.0
    assert echo["cpu_us_rounds"] == [4.0, 6.0]
    assert echo["qps_rounds"] == [10.0, 30.0]
    assert echo["wrong"] == 2


def test_tables_show_sections_in_order_whatever_was_measured_first():
    found = {("tcp1", "redis"): [a_round(9.0)], ("udp", "knot"): [a_round(4.0)]}
    console = output()
    with console.capture() as captured:
        console.print(contenders_table(found, "here"))
    text = captured.get()
    assert text.index("knot") < text.index("redis")


def test_rounds_are_interleaved_and_every_other_one_goes_backwards():
    told = []

    def contender(name: str) -> Contender:
        def ask(seconds: float) -> Tally:
            return Tally(1, 0, 0, seconds)

        return Contender("udp", name, os.getpid(), ask)

    contenders = [contender("a"), contender("b")]
    found = measure_rounds(contenders, 2, 0.1, lambda n, c: told.append((n, c.name)))
    assert told == [(0, "a"), (0, "b"), (1, "b"), (1, "a")]
    assert [len(rounds) for rounds in found.values()] == [2, 2]


def test_a_server_that_answers_nothing_right_is_an_error_not_a_zero():
    contender = Contender(
        "udp", "dead", os.getpid(), lambda seconds: Tally(0, 3, 4, seconds)
    )
    with pytest.raises(RuntimeError, match="udp dead: no right answer, 3 wrong and 4"):
        measure(contender, 0.1)


def test_knot_is_told_to_serve_one_zone_on_loopback_with_one_worker(tmp_path):
    zone = Zone("idis.test.", tmp_path / "zone")
    text = knot_configuration(tmp_path, zone, 5301)
    assert "listen: 127.0.0.1@5301" in text
    assert "udp-workers: 1" in text
    assert "journal-content: none" in text
    assert f'file: "{tmp_path / "zone"}"' in text


def test_nsd_is_told_to_serve_one_zone_on_loopback_without_rate_limits(tmp_path):
    zone = Zone("idis.test.", tmp_path / "zone")
    text = nsd_configuration(tmp_path, zone, 5302)
    assert "ip-address: 127.0.0.1@5302" in text
    assert "server-count: 1" in text
    assert "rrl-ratelimit: 0" in text
    assert "minimal-responses: yes" in text


def test_redis_is_told_to_keep_to_loopback_and_off_the_disk(tmp_path):
    arguments = redis_arguments(tmp_path, 6400)
    pairs = dict(zip(arguments[::2], arguments[1::2], strict=True))
    assert pairs["--bind"] == "127.0.0.1"
    assert pairs["--port"] == "6400"
    assert pairs["--save"] == ""
    assert pairs["--appendonly"] == "no"


def test_redis_commands_are_arrays_of_bulk_strings():
    assert (
        command(b"GET", b"88.118.7/\r\n")
        == b"*2\r\n$3\r\nGET\r\n$11\r\n88.118.7/\r\n\r\n"
    )


def test_the_zone_holds_every_value_of_every_identifier(tmp_path):
    zone = write_zone(tmp_path / "zone", CORPUS)
    read = dns.zone.from_file(str(zone.file), origin=zone.name, relativize=False)
    records = [
        record.to_text() for _, _, record in read.iterate_rdatas(dns.rdatatype.TXT)
    ]
    values = [CORPUS.values(number) for number in range(CORPUS.count)]
    assert len(records) == sum(map(len, values))
    assert any(f"type=URL;data={values[3][0].text}" in text for text in records)


def test_the_echo_answers_with_a_reply_of_mean_size():
    answers = Flat.of([bytes(10), bytes(100), bytes(30)])
    sequence = np.array([0, 1, 0, 0])  # a mean of 32.5
    prepared = Prepared(np.arange(3), sequence, Flat.of([b"q"] * 3), answers)
    assert len(typical_reply(prepared)) == 30


def test_dnsperf_counts_only_noerror_as_right():
    tally = read_dnsperf(
        "  Queries sent:         110\n"
        "  Queries completed:    100 (90.91%)\n"
        "  Response codes:       NOERROR 98 (98.00%), NXDOMAIN 2 (2.00%)\n"
        "  Run time (s):         2.000000\n"
    )
    assert tally == Tally(right=98, wrong=2, lost=10, seconds=2.0)


def test_what_dnsperf_does_not_say_is_an_error():
    with pytest.raises(RuntimeError, match="statistics of dnsperf expected"):
        read_dnsperf("Unable to connect")


def test_an_http_date_does_not_make_a_reply_another_one():
    first = b"HTTP/1.1 200 OK\r\ndate: Mon\r\nserver: x\r\n\r\n{}"
    second = b"HTTP/1.1 200 OK\r\nDate: Tue\r\nserver: x\r\n\r\n{}"
    assert http_client.without_date(first) == http_client.without_date(second)
    assert http_client.without_date(first) != first


def test_a_handle_is_quoted_in_its_request():
    request = http_client.handle_request("http://127.0.0.1:8000", "88.118.7/合格证 1")
    line, host, *_ = request.split(b"\r\n")
    path = b"/api/handles/88.118.7/%E5%90%88%E6%A0%BC%E8%AF%81%201"
    assert line == b"GET " + path + b" HTTP/1.1"
    assert host == b"Host: 127.0.0.1:8000"


def alone(core: int) -> set[int]:
    return {core}


def pairs_of_threads(core: int) -> set[int]:
    return {core & ~1, core | 1}


def test_server_and_generator_get_a_core_each():
    cores = choose_cores([0, 1], alone)
    assert (cores.server, cores.generator) == ({0}, {1})


def test_one_core_is_shared_and_it_is_said():
    cores = choose_cores([3], alone)
    assert cores.server == cores.generator == cores.company == {3}
    assert "one core" in cores.text


def test_two_threads_of_one_core_are_avoided_where_there_are_others():
    cores = choose_cores([0, 1, 2, 3], pairs_of_threads)
    assert (cores.server, cores.generator) == ({0}, {2})
    assert cores.company == {1, 3}
    assert "2 more" in cores.text


def test_two_threads_of_one_core_are_used_where_there_is_nothing_else_and_it_is_said():
    cores = choose_cores([0, 1], pairs_of_threads)
    assert (cores.server, cores.generator) == ({0}, {1})
    assert "one physical core" in cores.text
