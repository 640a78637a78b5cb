"""The report's words, in Chinese and in English."""

# ruff: noqa: RUF001 (Chinese punctuation)

from typing import NamedTuple

from bench.growth import plan as mixes


class Words(NamedTuple):
    """One text in both languages, plain: whoever shows it escapes it."""

    zh: str
    en: str

    def __add__(self, other: "Words") -> "Words":  # type: ignore[override]
        """Put one text after another."""
        return Words(self.zh + other.zh, self.en + other.en)


MIX_NAMES = {
    mixes.CACHED: Words("缓存命中", "cached"),
    mixes.WITH_REGISTRATIONS: Words("缓存命中并同时注册", "cached, registering"),
    mixes.PREFIX_WARM: Words("前缀已知", "prefix known"),
    mixes.COLD: Words("冷启动", "cold"),
    mixes.AUTHORITATIVE: Words("直接查询二级节点", "authoritative"),
    mixes.NATURAL: Words("从空缓存开始", "from empty caches"),
    mixes.NODE_LOST: Words("失去一个二级节点", "node lost"),
    mixes.NODE_REGAINED: Words("恢复该节点", "node regained"),
}

MIX_MEANINGS = {
    mixes.CACHED: Words(
        "递归节点自己就有答案，不问任何节点（0 跳）。",
        "The recursive node has the answer and asks nobody (0 hops).",
    ),
    mixes.WITH_REGISTRATIONS: Words(
        "同上，同时每秒有固定数量的标识在各企业注册，逐条落盘后才确认。",
        "The same, while identifiers are registered at a set rate, each on disk "
        "before it is acknowledged.",
    ),
    mixes.PREFIX_WARM: Words(
        "递归节点知道前缀在哪里，只问最后一个节点（1 跳）。",
        "The recursive node knows where the prefix is served and asks one node (1 hop).",
    ),
    mixes.COLD: Words(
        "递归节点什么都不知道：先问国家顶级节点，再问二级节点，最后问企业节点（3 跳）。",
        "The recursive node knows nothing: it asks the top node, the secondary node, "
        "then the enterprise's (3 hops).",
    ),
    mixes.AUTHORITATIVE: Words(
        "绕过递归节点，直接向一个二级节点查询它自己保存的标识，每次都从存储中读取。",
        "Past the recursive node: a secondary node is asked for what it keeps itself, "
        "and reads it from its store each time.",
    ),
}

SERIES_NAMES = {
    "same": Words("标识总数不变", "same identifiers"),
    "growing": Words("标识随节点增长", "identifiers grow"),
}

GOAL_NAMES = {
    "throughput": Words("吞吐量，与起点之比", "throughput, of the first step's"),
    "p99": Words(
        "相同负载下的 p99，与起点之比", "p99 at the same load, of the first step's"
    ),
    "memory": Words("每增加一个二级节点的内存", "memory for each secondary node added"),
    "start": Words("全部节点就绪的时间", "all nodes ready"),
    "registering": Words(
        "注册同时进行时的吞吐量，与仅解析之比",
        "throughput while registering, of that without",
    ),
}

UNITS = {
    "ratio": Words("", ""),
    "MiB": Words(" MiB", " MiB"),
    "s": Words(" 秒", " s"),
}
