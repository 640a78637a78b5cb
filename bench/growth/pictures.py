"""Which plots the report has, and what they show."""

# ruff: noqa: RUF001 (Chinese punctuation)

from collections.abc import Callable, Iterator

from bench.growth import plan as mixes
from bench.growth.findings import of_series
from bench.growth.plots import Line, Plot
from bench.growth.summary import (
    FLAT_WITHIN,
    MAX_START_SECONDS,
    Json,
)
from bench.growth.words import MIX_NAMES, SERIES_NAMES, Words

_COLOURS = {mix: number for number, mix in enumerate(mixes.SEARCHED, 1)}
_BAND = (100 * (1 - FLAT_WITHIN), 100 * (1 + FLAT_WITHIN))
_PER_SECOND = Words("次/秒", "per second")
_PERCENT = Words("起点 = 100 %", "first step = 100 %")
_MICROSECONDS = Words("微秒", "µs")

Value = Callable[[Json], float | None]


def pictures(found: Json) -> list[tuple[Plot, Words]]:
    """List the plots, each with a line that says how to read it."""
    return [picture for picture in _pictures(found) if picture[0].lines]


def _pictures(found: Json) -> Iterator[tuple[Plot, Words]]:
    for series in ("same", "growing"):
        lines = _relative(found, series)
        yield (
            Plot(
                Words("吞吐量", "Throughput") + _of(series),
                _PERCENT,
                lines,
                band=_BAND,
            ),
            Words(
                "绿色带是目标：与起点相差不超过 10 %。",
                "The green band is the goal: within 10 % of the first step.",
            ),
        )
    yield (
        Plot(
            Words("每种场景的最高吞吐量", "Highest throughput of each mix"),
            _PER_SECOND,
            _lines(found, "same", lambda mix: mix["qps"]),
            logarithmic=True,
        ),
        Words(
            "标识总数不变；纵轴为对数。p99 不超过限值的最高速率。",
            "Same identifiers, logarithmic. The highest rate whose p99 keeps the limit.",
        ),
    )
    yield (
        Plot(
            Words("相同负载下的 p99", "p99 at the same load"),
            _MICROSECONDS,
            _lines(found, "same", lambda mix: mix.get("steady", {}).get("p99_us")),
            logarithmic=True,
        ),
        Words(
            "每一步的负载都是起点能力的一半。",
            "At every step half of what the first step carried.",
        ),
    )
    yield (
        Plot(
            Words("每次应答的 CPU", "CPU per answer"),
            _MICROSECONDS,
            _lines(found, "same", lambda mix: mix["cpu_us_per_query"]),
            logarithmic=True,
        ),
        Words(
            "服务进程的全部 CPU，含同时进行的注册和被询问的各节点。",
            "All CPU of the server: asked nodes and concurrent registrations included.",
        ),
    )
    yield _memory(found)
    yield _starts(found)
    yield _registrations(found)


def _of(series: str) -> Words:
    name = SERIES_NAMES[series]
    return Words(f"（{name.zh}）", f", {name.en}")


def _lines(found: Json, series: str, value: Value) -> tuple[Line, ...]:
    steps = of_series(found, series)
    lines = []
    for mix, colour in _COLOURS.items():
        measured = [
            (step["secondaries"], value(step["mixes"][mix]))
            for step in steps
            if step["mixes"].get(mix)
        ]
        points = tuple((x, y) for x, y in measured if y)
        if points:
            lines.append(Line(MIX_NAMES[mix], points, colour))
    return tuple(lines)


def _relative(found: Json, series: str) -> tuple[Line, ...]:
    lines = _lines(found, series, lambda mix: mix["qps"])
    return tuple(
        line._replace(
            points=tuple((x, 100 * y / line.points[0][1]) for x, y in line.points)
        )
        for line in lines
    )


def _by_series(found: Json, value: Value) -> tuple[Line, ...]:
    lines = []
    for colour, series in enumerate(("same", "growing"), 1):
        measured = [
            (step["secondaries"], value(step)) for step in of_series(found, series)
        ]
        points = tuple((x, y) for x, y in measured if y)
        if points:
            dashed = series == "growing"
            lines.append(Line(SERIES_NAMES[series], points, colour, dashed))
    return tuple(lines)


def _memory(found: Json) -> tuple[Plot, Words]:
    lines = _by_series(found, lambda step: step["resident_mib"])
    plot = Plot(Words("就绪时的内存", "Memory when ready"), Words("MiB", "MiB"), lines)
    return plot, Words(
        "整个网络一个进程；标识尚未登记。",
        "The whole network is one process; no identifiers registered yet.",
    )


def _starts(found: Json) -> tuple[Plot, Words]:
    lines = _by_series(found, lambda step: step["start_seconds"])
    plot = Plot(
        Words("启动时间", "Time to start"),
        Words("秒", "s"),
        lines,
        bound=MAX_START_SECONDS,
    )
    return plot, Words(
        "从启动进程到所有节点可应答；红线是目标。",
        "From starting the process until every node answers; the red line is the goal.",
    )


def _registrations(found: Json) -> tuple[Plot, Words]:
    lines = _by_series(found, lambda step: step["registrations_per_second"])
    plot = Plot(Words("批量注册速率", "Bulk registration"), _PER_SECOND, lines)
    return plot, Words(
        "所有企业同时注册，逐条落盘后确认。",
        "All enterprises at once; each durable before it is acknowledged.",
    )
