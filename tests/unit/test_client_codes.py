"""Both clients resolve codes against a scripted server: one by one, and in streams."""

import pytest

from registry.model.value import Value
from resolver.client import AsyncClient, Client, ClientSettings, RetryPolicy
from resolver.client.code_memory import CodeMemory
from resolver.client.flow import MAX_OCTETS, Flow
from resolver.client.products import Asking, resolve_code
from resolver.errors import (
    AmbiguousCodeError,
    BadAnswerError,
    CodeNotFoundError,
    NotFoundError,
    ServerError,
    UnreachableError,
    UnreadableCodeError,
)
from resolver.wire.codes import OpFlag
from resolver.wire.response import Failure, Referral
from tests.client_twin import Twin
from tests.nano import NanoServer

PREFIX = "88.GS1.95210001"
GTIN = "9521000100015"
CLASS, ITEM = "88.100.1/CLASS", "88.100.1/SN42"
ITEM_CODE = f"(01)0{GTIN}(21)SN42"
URL = Value(1, "URL", b"https://example.org/1")


@pytest.fixture(params=[AsyncClient, Client], ids=["async", "blocking"])
async def twin(request):
    twin = Twin(request.param)
    yield twin
    await twin.close()


def records(server):
    alias, rule = "HS_ALIAS", "CODE.RULE"
    return {
        f"0.NA/{PREFIX}": (server.site_value(),),
        f"{PREFIX}/01/0{GTIN}": (Value(1, alias, CLASS.encode(), 60), URL),
        f"{PREFIX}/01/0{GTIN}/21/SN42": (Value(1, alias, ITEM.encode(), 60),),
        f"{PREFIX}/RULES": (Value(1, rule, b"gs1 01 21 -> 88.100.1/R{21}", 60),),
        "88.100.1/CODE_RULES": (Value(1, rule, b"code HC{n:2d} -> 88.100.1/SN{n}"),),
        CLASS: (URL,),
        ITEM: (URL,),
        "88.100.1/R7": (URL,),
    }


@pytest.fixture
def server():
    with NanoServer() as server:
        for name, values in records(server).items():
            server.records[name.encode()] = values
        yield server


def names(server):
    return [name.decode() for name in server.asked()]


# ---- one by one --------------------------------------------------------------------


async def test_a_product_code_leads_to_its_record(twin, server):
    product = await twin.call(twin.client(server), "resolve_product", ITEM_CODE)
    assert product.identifier == ITEM
    assert product.answer.first("URL") == "https://example.org/1"
    assert [one.name for one in product.asked] == names(server)


async def test_a_trace_has_the_hops_to_the_record(twin, server):
    client = twin.client(server)
    product = await twin.call(client, "resolve_product", ITEM_CODE, trace=True)
    assert product.answer.hops[0].question == ITEM


async def test_fresh_questions_pass_the_cache(twin, server):
    client = twin.client(server)
    await twin.call(client, "resolve_product", ITEM_CODE)
    before = len(server.seen)
    await twin.call(client, "resolve_product", ITEM_CODE, fresh=True)
    flags = [seen.message.header.flags for seen in server.seen]
    assert not any(one & OpFlag.AUTHORITATIVE for one in flags[:before])
    assert all(one & OpFlag.AUTHORITATIVE for one in flags[before:])
    assert len(flags) > before * 1.5


async def test_errors_of_a_code_say_what_is_wrong(twin, server):
    client = twin.client(server)
    for code, error in (
        ("9521000100016", UnreadableCodeError),
        ("9521999900011", UnreadableCodeError),
        ("(01)09521999900012", UnreadableCodeError),
        ("(00)095210001000000015", CodeNotFoundError),
        ("88.100.1/NOPE", NotFoundError),
    ):
        with pytest.raises(error):
            await twin.call(client, "resolve_product", code)


def test_decoding_asks_nobody():
    for kind in (Client, AsyncClient):
        decoded = kind("127.0.0.1:1").decode(GTIN)
        assert decoded.readings[0].code == f"(01)0{GTIN}"


# ---- streams -----------------------------------------------------------------------

MIXED = [
    (GTIN, CLASS, "gs1"),
    (ITEM_CODE, ITEM, "gs1"),
    (f"(01)0{GTIN}(21)7", "88.100.1/R7", "gs1"),
    (ITEM, ITEM, "handle"),
    ("VAA0881001/SN42", ITEM, "vaa"),
    ("HC42", ITEM, "company"),
]


@pytest.mark.parametrize("ordered", [True, False])
async def test_a_stream_takes_codes_in_any_mix(twin, server, ordered):
    lines = [f"{text}\n" for text, _, _ in MIXED * 20]
    client = twin.client(server)
    results = await twin.many(
        client, lines, ordered=ordered, company="88.100.1", concurrency=16
    )
    found = [(r.text, r.identifier, r.scheme) for r in results]
    assert found == MIXED * 20 if ordered else sorted(found) == sorted(MIXED * 20)
    assert all(r.answer.values == (URL,) for r in results)
    assert all(r.code and r.trace for r in results)


async def test_a_bad_line_is_a_result_and_does_not_end_a_stream(twin, server):
    lines = ["", "9521000100016", GTIN, "(01)", "88.100.1/NOPE", ITEM_CODE]
    results = await twin.many(twin.client(server), lines)
    outcomes = [type(r.outcome).__name__ for r in results]
    assert outcomes == [
        "UnreadableCodeError",
        "UnreadableCodeError",
        "Answer",
        "UnreadableCodeError",
        "NotFoundError",
        "Answer",
    ]
    assert [r.text for r in results] == lines
    assert results[1].identifier == "9521000100016"
    assert results[1].product is None
    assert results[1].scheme == results[1].code == ""
    assert results[1].trace == ()


async def test_an_alias_record_that_names_what_is_not_there_is_named(twin, server):
    alias = f"{PREFIX}/01/0{GTIN}/21/GONE"
    server.records[alias.encode()] = (Value(1, "HS_ALIAS", b"88.100.1/NOPE", 60),)
    code = f"(01)0{GTIN}(21)GONE"
    with pytest.raises(NotFoundError, match=f"{alias} names it") as caught:
        await twin.call(twin.client(server), "resolve_product", code)
    assert "88.100.1/NOPE" in str(caught.value)


async def test_an_enterprise_without_rules_is_named_as_the_reason(twin, server):
    client = twin.client(server)
    with pytest.raises(UnreadableCodeError, match=r"88\.NOPE declares no rules"):
        await twin.call(client, "resolve_product", "XY-1", company="88.NOPE")


async def test_a_code_that_leads_nowhere_still_says_what_it_is(twin, server):
    (result,) = await twin.many(twin.client(server), ["095210001000000015"])
    assert isinstance(result.outcome, CodeNotFoundError)
    assert (result.scheme, result.code) == ("gs1", "(00)095210001000000015")


async def test_a_code_that_leads_nowhere_is_told_what_may_have_happened_to_it(
    twin, server
):
    for code, expected in (
        ("95210001000000015", "expected 095210001000000015"),
        ("9521000100O15", "expected '0'"),
        ("9521000100015.0", f"expected {GTIN}"),
    ):
        with pytest.raises(CodeNotFoundError, match=expected):
            await twin.call(twin.client(server), "resolve_product", code)


async def test_cells_that_are_no_text_do_not_end_a_stream(twin, server):
    lines = [None, 9521000100015, float("nan"), b"9521000100015", GTIN]
    results = await twin.many(twin.client(server), lines)
    outcomes = [type(result.outcome) for result in results[:-1]]
    assert outcomes == [UnreadableCodeError] * 4
    assert "int '9521000100015' is no text" in str(results[1].outcome)
    assert results[-1].identifier == CLASS


async def test_a_stream_shares_what_is_asked_once(twin, server):
    await twin.many(twin.client(server), [ITEM_CODE] * 50, concurrency=1)
    asked = names(server)
    assert asked.count(f"0.NA/{PREFIX}") == 1
    assert asked.count(ITEM) == 50


async def test_an_ambiguous_line_gives_its_choices(twin, server):
    two = (Value(1, "HS_ALIAS", b"88.1/A"), Value(2, "HS_ALIAS", b"88.1/B"))
    server.records[f"{PREFIX}/01/0{GTIN}".encode()] = two
    (result,) = await twin.many(twin.client(server), [GTIN])
    assert isinstance(result.outcome, AmbiguousCodeError)
    assert result.outcome.choices == ("88.1/A", "88.1/B")


async def test_a_stream_uses_one_connection(twin, server):
    await twin.many(twin.client(server), [ITEM_CODE] * 30)
    assert {(seen.via, seen.connection) for seen in server.seen} == {("tcp", 1)}


async def test_a_server_that_closes_after_each_answer_costs_time_only(twin, server):
    server.faults.close_after_answer = True
    results = await twin.many(twin.client(server), [ITEM_CODE] * 20, concurrency=8)
    assert all(r.answer for r in results)


async def test_a_server_without_tcp_is_asked_over_udp(twin, server):
    server.faults.close_before_answer = True
    results = await twin.many(twin.client(server), [ITEM_CODE] * 5, concurrency=4)
    assert all(r.answer for r in results)
    assert {seen.via for seen in server.seen} == {"udp"}


async def test_a_server_that_falls_silent_holds_up_a_window_once(twin, server):
    server.faults.silent = True
    settings = ClientSettings(retry=RetryPolicy((0.05,), 0.2))
    client = twin.client(server, settings)
    results = await twin.many(client, [ITEM] * 30, concurrency=30)
    assert [type(r.outcome) for r in results] == [type(results[0].outcome)] * 30
    assert isinstance(results[0].outcome, UnreachableError)
    assert len([seen for seen in server.seen if seen.via == "udp"]) == 1


async def test_an_error_of_the_server_belongs_to_its_line(twin, server):
    server.script = lambda seen: (
        (2, Failure("broken").encode())
        if seen.request.handle == ITEM.encode()
        else None
    )
    results = await twin.many(twin.client(server), [GTIN, ITEM, GTIN])
    assert [isinstance(r.outcome, ServerError) for r in results] == [False, True, False]
    assert "broken" in str(results[1].outcome)


async def test_an_answer_that_breaks_its_layout_belongs_to_its_line(twin, server):
    server.script = lambda seen: (
        (1, b"\xff") if seen.request.handle == ITEM.encode() else None
    )
    results = await twin.many(twin.client(server), [ITEM, GTIN])
    assert isinstance(results[0].outcome, BadAnswerError)
    assert results[1].answer


async def test_answers_nobody_waits_for_are_ignored(twin, server):
    server.faults.wrong_id = True
    settings = ClientSettings(retry=RetryPolicy((0.05,), 0.2))
    (result,) = await twin.many(twin.client(server, settings), [ITEM])
    assert isinstance(result.outcome, UnreachableError)


async def test_a_code_follows_referrals(twin, server):
    with NanoServer() as other:
        body = Referral(b"", (server.site_value(),)).encode()
        other.script = lambda seen: (302, body)
        results = await twin.many(twin.client(other), [ITEM_CODE, ITEM])
        assert [r.identifier for r in results] == [ITEM, ITEM]


async def test_a_source_that_fails_ends_the_stream_with_its_error(twin, server):
    def lines():
        yield ITEM
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")

    with pytest.raises(UnicodeDecodeError):
        await twin.many(twin.client(server), lines())


# ---- the flow itself ---------------------------------------------------------------


def flow(lines, size=4, **options):
    asking = Asking(CodeMemory())
    return Flow(
        iter(lines),
        lambda text: resolve_code(text, asking, 0.0, 0.0),
        size,
        1,
        ordered=True,
        **options,
    )


def test_a_flow_keeps_what_is_without_answer_within_the_buffers():
    long = "88.1/" + "x" * 2000
    many = flow([long] * 1000, size=1000)
    octets = many.fill(0.0)
    assert MAX_OCTETS <= len(octets) < MAX_OCTETS + 3000
    assert many.fill(0.0) == b""


def test_a_flow_reads_no_line_beyond_its_window():
    taken = []

    def lines():
        for number in range(100):
            taken.append(number)
            yield f"88.1/{number}"

    some = flow(lines(), size=4)
    some.fill(0.0)
    some.fill(0.0)
    assert len(taken) == 4
    some.lost()
    some.fill(0.0)
    assert len(taken) == 4


def test_request_ids_of_a_flow_wrap_and_never_meet():
    some = flow([f"88.1/{n}" for n in range(8)], size=8)
    some._next_id = 0x7FFF_FFFE
    some.fill(0.0)
    assert sorted(some._flying) == [0, 1, 2, 3, 4, 5, 0x7FFF_FFFE, 0x7FFF_FFFF]
