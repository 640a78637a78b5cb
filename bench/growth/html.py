"""The report: one HTML page for who has to decide, in Chinese and English.

Nothing is loaded from anywhere. The language is switched by two radio buttons and the
style sheet alone, so the page works without scripts, offline, and printed. It is
well-formed XML too, so that a test can read it.
"""

# ruff: noqa: RUF001 (Chinese punctuation)

from collections.abc import Iterable
from html import escape

from bench.growth import plan as mixes
from bench.growth.findings import findings, headline, of_series
from bench.growth.pictures import pictures
from bench.growth.plots import draw
from bench.growth.style import STYLE
from bench.growth.summary import Json
from bench.growth.words import (
    GOAL_NAMES,
    MIX_MEANINGS,
    MIX_NAMES,
    SERIES_NAMES,
    UNITS,
    Words,
)


def page(found: Json) -> str:
    """Make the page from what `growth.json` holds."""
    title = _title(found)
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="zh-CN"><head><meta charset="utf-8"/>',
            '<meta name="viewport" content="width=device-width, initial-scale=1"/>',
            f"<title>{escape(title.zh)} · {escape(title.en)}</title>",
            f"<style>{STYLE}</style></head><body>",
            '<input type="radio" name="language" id="show-zh" checked="checked"/>',
            '<label for="show-zh">中文</label>',
            '<input type="radio" name="language" id="show-en"/>',
            '<label for="show-en">English</label>',
            "<main>",
            f"<h1>{both(title)}</h1>",
            f'<p class="lead">{both(headline(found))}</p>',
            _about(found),
            *_goals(found),
            *_findings(found),
            *_plots(found),
            *_tables(found),
            *_lost(found),
            *_method(found),
            "</main></body></html>",
            "",
        ]
    )


def both(words: Words) -> str:
    """Write a text in both languages, one of which is hidden."""
    zh, en = escape(words.zh), escape(words.en)
    if zh == en:
        return zh
    return f'<span class="zh" lang="zh-CN">{zh}</span><span class="en" lang="en">{en}</span>'


def _title(found: Json) -> Words:
    steps = of_series(found, "same")
    first, last = steps[0]["secondaries"], steps[-1]["secondaries"]
    return Words(
        f"标识解析网络的增长：{first} 到 {last} 个二级节点",
        f"An identifier resolution network growing from {first} to {last} secondary "
        "nodes",
    )


def _about(found: Json) -> str:
    machine = found["machine"]
    where = (
        f"{machine['processor']}, {machine['cores']} × CPU, Linux {machine['kernel']}, "
        f"Python {machine['python']}"
    )
    commit, seed, date = found["commit"], found["seed"], found["date"]
    quick = Words("，快速测量", ", quick") if found["quick"] else Words("", "")
    words = Words(
        f"{date}{quick.zh}；机器：{where}；版本 {commit}；种子 {seed}",
        f"{date}{quick.en}; machine: {where}; commit {commit}; seed {seed}",
    )
    return f'<p class="soft">{both(words)}</p>'


def _goals(found: Json) -> Iterable[str]:
    yield f"<h2>{both(Words('目标是否达到', 'Goals'))}</h2>"
    rows = []
    for goal in found["summary"]["goals"]:
        mix = MIX_NAMES.get(goal["mix"])
        name = GOAL_NAMES[goal["name"]]
        if mix:
            name = Words(f"{mix.zh}：{name.zh}", f"{mix.en}: {name.en}")
        unit = UNITS[goal["unit"]]
        relation = "≥" if goal["relation"] == ">=" else "≤"
        met = Words("达到", "met") if goal["met"] else Words("未达到", "not met")
        rows.append(
            [
                both(name),
                f"{relation} {goal['bound']:.2f}{both(unit)}",
                f"{goal['measured']:.2f}{both(unit)}",
                f'<span class="{"good" if goal["met"] else "bad"}">{both(met)}</span>',
            ]
        )
    heads = (
        Words("目标", "goal"),
        Words("要求", "bound"),
        Words("测得", "measured"),
        Words("", ""),
    )
    yield _table(heads, rows)


def _findings(found: Json) -> Iterable[str]:
    yield f"<h2>{both(Words('结论：什么持平，什么没有', 'What is flat, what is not'))}</h2>"
    yield "<ul>"
    for finding in findings(found):
        yield f"<li>{both(finding)}</li>"
    yield "</ul>"
    noise = found["summary"]["noise"]
    if noise:
        zh = "，".join(
            f"{MIX_NAMES[mix].zh} {share:.0%}" for mix, share in noise.items()
        )
        en = ", ".join(
            f"{MIX_NAMES[mix].en} {share:.0%}" for mix, share in noise.items()
        )
        words = Words(
            f"同一步骤各轮之间的差别（判断时请对照）：{zh}。",
            f"How far rounds of one and the same step lie apart, to compare with: {en}.",
        )
        yield f'<p class="soft">{both(words)}</p>'


def _plots(found: Json) -> Iterable[str]:
    yield f"<h2>{both(Words('图', 'Plots'))}</h2>"
    yield '<dl class="soft">'
    for mix, meaning in MIX_MEANINGS.items():
        yield f"<dt>{both(MIX_NAMES[mix])}</dt><dd>{both(meaning)}</dd>"
    yield '</dl><div class="plots">'
    for plot, reading in pictures(found):
        yield (
            f"<figure><figcaption>{both(plot.title)}</figcaption>"
            f"<p>{both(reading)}</p>{draw(plot)}</figure>"
        )
    yield "</div>"


def _tables(found: Json) -> Iterable[str]:
    yield f"<h2>{both(Words('各步骤的数字', 'The figures of each step'))}</h2>"
    limit = found["p99_limit_us"] / 1000
    words = Words(
        f"吞吐量：p99 ≤ {limit:g} 毫秒的最高速率（* 没有速率满足限值，给出闭环速率）。"
        "p50 和 p99：相同负载下。CPU：服务进程每次应答。",
        f"Throughput: the highest rate with p99 ≤ {limit:g} ms (* none kept it, the "
        "closed loop's rate). p50 and p99: at the same load. CPU: the server's, for "
        "one answer.",
    )
    yield f'<p class="soft">{both(words)}</p>'
    for series in ("same", "growing"):
        steps = of_series(found, series)
        if len(steps) > 1 or series == "same":
            yield f"<h3>{both(SERIES_NAMES[series])}</h3>"
            yield _step_table(steps)


def _step_table(steps: list[Json]) -> str:
    heads = (
        Words("场景", "mix"),
        Words("二级节点 / 全部节点", "secondary / all nodes"),
        Words("标识", "identifiers"),
        Words("吞吐量 /秒", "throughput /s"),
        Words("p50 µs", "p50 µs"),
        Words("p99 µs", "p99 µs"),
        Words("p99.9 µs", "p99.9 µs"),
        Words("CPU µs", "CPU µs"),
        Words("上游/次", "hops"),
        Words("丢失", "lost"),
        Words("错误", "wrong"),
    )
    rows = [
        _mix_row(step, mix)
        for mix in mixes.SEARCHED
        for step in steps
        if step["mixes"].get(mix)
    ]
    return _table(heads, rows)


def _mix_row(step: Json, mix: str) -> list[str]:
    measured = step["mixes"][mix]
    steady = measured.get("steady", measured)
    star = " *" if measured["offered_qps"] is None else ""
    return [
        both(MIX_NAMES[mix]),
        f"{step['secondaries']} / {step['nodes']}",
        f"{step['identifiers']:,}",
        f"{measured['qps']:,.0f}{star}",
        f"{steady['p50_us']:,.0f}",
        f"{steady['p99_us']:,.0f}",
        f"{steady['p999_us']:,.0f}",
        f"{measured['cpu_us_per_query']:,.1f}",
        f"{measured['upstream_per_query']:.2f}",
        f"{steady['lost']:,}",
        f"{measured['wrong'] + steady['wrong']:,}",
    ]


def _lost(found: Json) -> Iterable[str]:
    steps = [step for step in found["steps"] if mixes.NODE_LOST in step["mixes"]]
    if not steps:
        return
    yield f"<h2>{both(Words('失去并恢复一个二级节点', 'A secondary node lost and regained'))}</h2>"
    words = Words(
        "负载不停，停掉一个二级节点再启动。它托管的标识应当失败，其余标识应当照常；"
        "下面把失败数与发往该节点标识的请求数相比。",
        "Under load, a secondary node is stopped and started again. What it hosts should "
        "fail and nothing else: failures are compared with the requests that were sent "
        "for identifiers of that node.",
    )
    yield f"<p>{both(words)}</p>"
    heads = (
        Words("二级节点", "secondary nodes"),
        Words("系列", "series"),
        Words("失败 / 应失败 / 全部", "failed / expected / all"),
        Words("失败的响应码", "codes of failures"),
        Words("失败用时 ms", "a failure takes ms"),
        Words("其他节点失败", "failed elsewhere"),
        Words("恢复用时 s", "regained in s"),
    )
    yield _table(heads, [_lost_row(step) for step in steps])


def _lost_row(step: Json) -> list[str]:
    lost = step["mixes"][mixes.NODE_LOST]
    back = step["mixes"][mixes.NODE_REGAINED]
    seconds = back["regained_seconds"]
    codes = sorted(code for code in lost["codes"] if code != "1")
    return [
        str(step["secondaries"]),
        both(SERIES_NAMES[step["series"]]),
        f"{lost['failed']:,} / {lost['failures_expected']:,} / {lost['sent']:,}",
        ", ".join(codes) or "–",
        f"{lost['own_failed_ms']:.1f}",
        f"{back['others_failed']:,}",
        f"{seconds:.2f}" if seconds is not None else "–",
    ]


def _method(found: Json) -> Iterable[str]:
    plan = found["plan"]
    yield f"<h2>{both(Words('方法与局限', 'Method and limits'))}</h2><ul>"
    fast = all(step["fast_path"] for step in found["steps"])
    for words in (
        Words(
            "每一步是一个全新的网络，独立进程；服务在一个核上，负载发生器在另一个核上："
            f"{found['machine'].get('pinning', '')}。不测量的网络被操作系统暂停。",
            "Each step is a fresh network in a process of its own; the server has one "
            f"core, the generator another: {found['machine'].get('pinning', '')}. "
            "Networks that are not measured are stopped by the operating system.",
        ),
        Words(
            f"快速通路：{'开' if fast else '关'}。标识热度服从 Zipf 分布，指数 "
            f"{plan['exponent']}。每个应答都核对内容。",
            f"Fast path: {'on' if fast else 'off'}. Popularity follows a Zipf "
            f"distribution with exponent {plan['exponent']}. The content of every reply "
            "is checked.",
        ),
        Words(
            "吞吐量用二分法寻找：开环发送（延迟从应发送的时刻算起），p99 不超过限值、"
            f"无丢失、无错误的最高速率；每轮 {plan['probes']} 次试探，每次 "
            f"{plan['probe_seconds']} 秒，共 {plan['rounds']} 轮，取中位轮。",
            "Throughput is searched for by bisection in an open loop (latency counts from "
            "when a request should have been sent): the highest rate that keeps the p99 "
            f"limit with nothing lost or wrong; {plan['probes']} probes of "
            f"{plan['probe_seconds']} s a round, {plan['rounds']} rounds, the middle one "
            "is shown.",
        ),
        Words(
            "“前缀已知”和“冷启动”的请求带权威标志（绕过答案缓存），因此跳数是精确的；"
            "“冷启动”在每次遍历之后立即清空递归节点的前缀缓存。",
            "Requests of “prefix known” and “cold” carry the authoritative flag, which "
            "passes the answer cache by, so hops are exact; for “cold” the recursive node "
            "forgets what it learnt of prefixes as soon as a walk is done.",
        ),
        Words(
            "所有节点在同一台机器、同一进程、同一个核上：这里测的是软件本身随节点数的变化，"
            "不是广域网或多机部署的能力。推算到真实规模见 docs/growth.md。",
            "All nodes share one machine, one process, one core: this measures how the "
            "software changes with the number of nodes, not what wide-area links or many "
            "machines carry. docs/growth.md goes on from here to the real scale.",
        ),
        Words(
            "二级节点的行业与企业是虚构的；热度分布和负载大小是我们的假设。",
            "Industries and enterprises are fictional; popularity and load are our "
            "assumptions.",
        ),
    ):
        yield f"<li>{both(words)}</li>"
    yield "</ul>"


def _table(heads: Iterable[Words], rows: Iterable[list[str]]) -> str:
    head = "".join(f"<th>{both(words)}</th>" for words in heads)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows
    )
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )
