"""What the measurement says, in sentences, by rule: nothing is said that was not found."""

# ruff: noqa: RUF001 (Chinese punctuation)

from collections.abc import Iterator, Sequence

from bench.growth import plan as mixes
from bench.growth.summary import FLAT_WITHIN, JUDGED, Json
from bench.growth.words import MIX_NAMES, SERIES_NAMES, Words

_BUSY_SHARE = 0.9


def of_series(found: Json, series: str) -> list[Json]:
    """Give the steps of a series, in their order."""
    return [step for step in found["steps"] if step["series"] == series]


def headline(found: Json) -> Words:
    """Say the result in one sentence."""
    steps = of_series(found, "same")
    first, last = steps[0]["secondaries"], steps[-1]["secondaries"]
    ratios = found["summary"]["compared"].get("same", {})
    judged = [mix for mix in JUDGED if mix in ratios]
    if not judged:
        return Words(
            f"测量了 {first} 个二级节点的网络。",
            f"A network of {first} secondary nodes was measured.",
        )
    parts = [
        Words(
            f"{MIX_NAMES[mix].zh} {ratios[mix]['qps']:.0%}",
            f"{MIX_NAMES[mix].en} {ratios[mix]['qps']:.0%}",
        )
        for mix in judged
    ]
    return Words(
        f"二级节点从 {first} 个增加到 {last} 个，标识总数不变时，吞吐量为起点的："
        + "，".join(part.zh for part in parts)
        + "。",
        f"From {first} to {last} secondary nodes with the same identifiers, throughput "
        "is, of what it was: " + ", ".join(part.en for part in parts) + ".",
    )


def findings(found: Json) -> list[Words]:
    """List what was found, most important first."""
    return [
        *_flatness(found, "same"),
        *_flatness(found, "growing"),
        *_memory(found),
        *_registrations(found),
        *_hit_rate(found),
        *_disturbed(found),
    ]


def _flatness(found: Json, series: str) -> Iterator[Words]:
    ratios = found["summary"]["compared"].get(series)
    if not ratios:
        return
    flat = [mix for mix in mixes.SEARCHED if ratios.get(mix, {}).get("flat")]
    bent = [mix for mix in mixes.SEARCHED if mix in ratios and mix not in flat]
    name = SERIES_NAMES[series]
    within = f"{FLAT_WITHIN:.0%}"
    if flat:
        zh, en = _listed(flat)
        yield Words(
            f"{name.zh}：持平（吞吐量、延迟、每次应答的 CPU 都在 ±{within} 以内）的有{zh}。",
            f"With {name.en}, flat (throughput, latency and CPU within ±{within}): {en}.",
        )
    for mix in bent:
        moved = ratios[mix]
        zh, en = _moved(moved)
        yield Words(
            f"{name.zh}，{MIX_NAMES[mix].zh}：没有持平。{zh}。",
            f"With {name.en}, {MIX_NAMES[mix].en}: not flat. {en}.",
        )


_MEASURES = {
    "qps": Words("吞吐量", "throughput"),
    "cpu": Words("每次应答的 CPU", "CPU per answer"),
    "p50": Words("相同负载下的 p50", "p50 at the same load"),
    "p99": Words("相同负载下的 p99", "p99 at the same load"),
}


def _moved(ratios: Json) -> tuple[str, str]:
    outside = {
        name: words
        for name, words in _MEASURES.items()
        if name in ratios and abs(ratios[name] - 1) > FLAT_WITHIN
    }
    zh = "，".join(f"{words.zh} ×{ratios[name]:.2f}" for name, words in outside.items())
    en = ", ".join(f"{words.en} ×{ratios[name]:.2f}" for name, words in outside.items())
    return zh, en[:1].upper() + en[1:]


def _listed(chosen: Sequence[str]) -> tuple[str, str]:
    zh = "、".join(MIX_NAMES[mix].zh for mix in chosen)
    return zh, "; ".join(MIX_NAMES[mix].en for mix in chosen)


def _memory(found: Json) -> Iterator[Words]:
    steps = of_series(found, "same")
    first, last = steps[0], steps[-1]
    if first is last:
        return
    added = last["secondaries"] - first["secondaries"]
    each = (last["resident_mib"] - first["resident_mib"]) / added
    nodes = (last["nodes"] - first["nodes"]) / added
    yield Words(
        f"每增加一个二级节点，连同其下自建的企业节点（平均共 {nodes:.1f} 个节点），"
        f"内存增加 {each:.2f} MiB；{last['secondaries']} 个二级节点的网络共 "
        f"{last['nodes']} 个节点，就绪时占 {last['resident_mib']:.0f} MiB，"
        f"用时 {last['start_seconds']:.2f} 秒。",
        f"Each secondary node, with the self-run enterprise nodes below it ({nodes:.1f} "
        f"nodes on average), adds {each:.2f} MiB; the network of "
        f"{last['secondaries']} has {last['nodes']} nodes, takes "
        f"{last['resident_mib']:.0f} MiB when ready, and is ready in "
        f"{last['start_seconds']:.2f} s.",
    )


def _registrations(found: Json) -> Iterator[Words]:
    steps = of_series(found, "same")
    rates = [step["registrations_per_second"] for step in steps]
    if None in rates or len(rates) < 2:
        return
    first, last = rates[0], rates[-1]
    yield Words(
        f"批量注册（逐条落盘后确认，经认证的连接）：{steps[0]['secondaries']} 个二级节点时"
        f"每秒 {first:,.0f} 条，{steps[-1]['secondaries']} 个时每秒 {last:,.0f} 条。"
        "每个节点有自己的日志和落盘，同样多的注册分到更多节点，每次落盘合并的就更少。",
        f"Bulk registration (durable before acknowledged, on authenticated "
        f"connections): {first:,.0f}/s with {steps[0]['secondaries']} secondary nodes, "
        f"{last:,.0f}/s with {steps[-1]['secondaries']}. Every node has a journal and "
        "syncs of its own, so the same registrations over more nodes share fewer syncs.",
    )


def _hit_rate(found: Json) -> Iterator[Words]:
    for series in ("same", "growing"):
        steps = of_series(found, series)
        if len(steps) < 2:
            continue
        ends = steps[0], steps[-1]
        if any(mixes.NATURAL not in step["mixes"] for step in ends):
            continue
        rates = [step["mixes"][mixes.NATURAL]["cache_hit_rate"] for step in ends]
        name = SERIES_NAMES[series]
        counts = [f"{step['identifiers']:,}" for step in ends]
        yield Words(
            f"{name.zh}：从空缓存开始，命中率为 {rates[0]:.0%}（{counts[0]} 个标识）和 "
            f"{rates[1]:.0%}（{counts[1]} 个标识）。",
            f"With {name.en}, from empty caches the hit rate is {rates[0]:.0%} "
            f"({counts[0]} identifiers) and {rates[1]:.0%} ({counts[1]}).",
        )


def _disturbed(found: Json) -> Iterator[Words]:
    disturbed = found["summary"].get("disturbed", 0.0)
    if disturbed > 0.1:
        yield Words(
            f"注意：{disturbed:.0%} 的饱和测量中，服务进程和负载发生器都没有得到完整的 CPU，"
            "说明机器上还有别的负载；绝对数字偏低，10% 以内的比较不可靠。",
            f"Beware: in {disturbed:.0%} of the saturated runs neither server nor "
            "generator got a whole core, so something else ran on this machine. Absolute "
            "figures are too low and comparisons within 10 % not reliable.",
        )
