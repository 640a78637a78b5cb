"""What a node counts, as Prometheus text (exposition format 0.0.4).

Names start with `idis_` and end with their unit. Labels are node, role, transport,
operation and code, all of them closed sets: an identifier is never one. Nothing is
kept here; a scrape reads the node's own counters.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from resolver.faces.exchange import Response
from resolver.wire.codes import OpCode

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from chain_anchor.log import Head
    from resolver.anchoring.progress import Progress
    from resolver.node import Node
    from resolver.statistics import Report

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_COMMON = ("node", "role")
_TELEMETRY = {
    "malformed": "Messages that were none.",
    "shed": "Requests turned away as too many.",
    "connections_refused": "Connections turned away as too many.",
    "connections_aborted": "Connections cut: slow, stalled or oversized.",
    "duplicates": "Writes sent again and done once.",
    "cache_hits": "Answers given from the cache.",
    "cache_misses": "Questions not in the cache.",
    "upstream_requests": "Requests sent to other nodes.",
    "upstream_failures": "Requests to other nodes without an answer.",
}
"""Counters of `resolver.telemetry` and what they count."""

_FAST = {
    "hits": "Questions answered by the fast path.",
    "misses": "Questions that the fast path has handed over.",
    "shed": "Of those, the ones for which there was no room.",
    "evicted": "Answers that gave way to others before their time.",
}
"""Counters of the fast path and what they count."""

_ANCHORING = {
    "submitted": "Checkpoints of the log that were sent to a chain.",
    "confirmed": "Of those, the ones that are in a block.",
    "abandoned": "Of those, the ones that were signed anew.",
    "retries": "Attempts to send a checkpoint that did not succeed.",
}
"""Counters of `resolver.anchoring.progress` and what they count."""

_OPERATIONS = {int(code): code.name.lower() for code in OpCode if code}

_Plain = tuple[str, str, float]


def metrics_response(node: "Node") -> Response:
    """Answer a scrape of one node."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(NodeCollector(node))
    return Response(200, generate_latest(registry), CONTENT_TYPE)


class NodeCollector(Collector):
    """Reads the counters of one node."""

    def __init__(self, node: "Node") -> None:
        self._node = node
        self._labels = (node.settings.name, node.settings.role)

    def collect(self) -> "Iterator[Metric]":
        """Give every metric with its value now."""
        statistics = self._node.statistics
        report = statistics.report() if statistics else None
        self._node.telemetry.update()
        yield self._requests()
        yield self._answers()
        if self._node.dns_face is not None:
            yield self._dns_requests()
            yield self._dns_answers()
        yield self._link_requests()
        if self._node.sealing is not None:
            yield self._log_requests()
        for name, text, value in (*self._counted(), *self._kept(report)):
            counter = CounterMetricFamily(name, text, labels=_COMMON)
            counter.add_metric(self._labels, value)
            yield counter
        for name, text, value in self._gauges(report):
            gauge = GaugeMetricFamily(name, text, labels=_COMMON)
            gauge.add_metric(self._labels, value)
            yield gauge

    def _requests(self) -> "Metric":
        labels = (*_COMMON, "transport", "operation")
        text = "Requests received, by transport and operation."
        metric = CounterMetricFamily("idis_requests", text, labels=labels)
        for (transport, opcode), count in list(self._node.telemetry.requests.items()):
            operation = _OPERATIONS.get(opcode, "unknown")
            metric.add_metric((*self._labels, transport, operation), count)
        return metric

    def _answers(self) -> "Metric":
        text = "Answers given, by response code."
        metric = CounterMetricFamily("idis_answers", text, labels=(*_COMMON, "code"))
        for code, count in list(self._node.telemetry.answers.items()):
            metric.add_metric((*self._labels, str(int(code))), count)
        return metric

    def _dns_requests(self) -> "Metric":
        labels = (*_COMMON, "transport", "type")
        text = "DNS queries received, by transport and type."
        metric = CounterMetricFamily("idis_dns_requests", text, labels=labels)
        for key, count in list(self._node.telemetry.dns_requests.items()):
            metric.add_metric((*self._labels, *key), count)
        return metric

    def _dns_answers(self) -> "Metric":
        labels = (*_COMMON, "rcode")
        text = "DNS replies sent, by rcode."
        metric = CounterMetricFamily("idis_dns_answers", text, labels=labels)
        for rcode, count in list(self._node.telemetry.dns_answers.items()):
            metric.add_metric((*self._labels, rcode), count)
        return metric

    def _link_requests(self) -> "Metric":
        labels = (*_COMMON, "status")
        text = "Digital Link requests answered, by HTTP status."
        metric = CounterMetricFamily("idis_link_requests", text, labels=labels)
        for status, count in list(self._node.telemetry.link_requests.items()):
            metric.add_metric((*self._labels, str(status)), count)
        return metric

    def _log_requests(self) -> "Metric":
        labels = (*_COMMON, "kind")
        text = "Parts and proofs of the log that were given, by kind."
        metric = CounterMetricFamily("idis_log_requests", text, labels=labels)
        for kind, count in list(self._node.telemetry.log_requests.items()):
            metric.add_metric((*self._labels, kind), count)
        return metric

    def _counted(self) -> Iterator[_Plain]:
        counted = self._node.telemetry
        for name, text in _TELEMETRY.items():
            yield f"idis_{name}", text, getattr(counted, name)

    def _kept(self, report: "Report | None") -> Iterator[_Plain]:
        node = self._node
        if report is not None:
            text = "Identifiers resolved with the node's own authority."
            yield "idis_resolutions", text, report.resolutions
            text = "Identifiers registered ever."
            yield "idis_registrations", text, report.registrations
        if node.registry is not None:
            text = "Changes turned away because the write queue was full."
            yield "idis_registry_refused", text, node.registry.refused
            text = "Write transactions committed."
            yield "idis_registry_groups", text, node.registry.groups
        if node.sealing is not None:
            text = "Groups of changes that were sealed into the log, ever."
            yield "idis_log_groups", text, node.sealing.log.head.header.height
            text = "Questions about the log that met damage or a failing disk."
            yield "idis_log_failures", text, node.telemetry.log_failures
        progress = node.anchoring()
        if progress is not None:
            for name, text in _ANCHORING.items():
                yield f"idis_anchor_{name}", text, getattr(progress, name)
        if node.cache is not None:
            text = "Cached answers that gave way before their time."
            yield "idis_cache_evictions", text, node.cache.evicted
        for name, text in _FAST.items():
            value = sum(getattr(face.counts(), name) for face in node.fast_faces)
            yield f"idis_fastpath_{name}", text, value
        if node.responder is not None:
            text = "Challenges given up for newer ones."
            yield "idis_challenges_evicted", text, node.responder.challenges.evicted

    def _gauges(self, report: "Report | None") -> Iterator[_Plain]:
        node = self._node
        text = "Client connections open, TCP and HTTP."
        yield "idis_connections_open", text, node.telemetry.connections_open
        if report is not None:
            yield "idis_identifiers", "Identifiers registered now.", report.identifiers
        if node.registry is not None:
            text = "1 while the registry takes writes."
            yield "idis_registry_writable", text, float(node.registry.stopped is None)
        if node.sealing is not None:
            yield from _log_gauges(node.sealing.log.head)
        progress = node.anchoring()
        if progress is not None:
            yield from _anchor_gauges(progress)
        text = "1 while the fast path answers."
        yield "idis_fastpath_active", text, float(bool(node.fast_faces))
        entries = sum(face.counts().entries for face in node.fast_faces)
        yield "idis_fastpath_entries", "Answers in the packet cache.", entries
        if node.cache is not None:
            yield "idis_cache_entries", "Answers in the cache.", len(node.cache)
        if node.responder is not None:
            text = "Challenges waiting for their answer."
            yield "idis_challenges_pending", text, len(node.responder.challenges)


def _anchor_gauges(progress: "Progress") -> Iterator[_Plain]:
    text = "Entries of the log that are on a chain."
    yield "idis_anchor_size", text, progress.size
    text = "Entries of the log that are on no chain yet."
    yield "idis_anchor_behind_entries", text, progress.behind
    text = "For how long the first of them has waited."
    yield "idis_anchor_behind_seconds", text, progress.behind_seconds
    text = "1 while the chain takes checkpoints."
    yield "idis_anchor_working", text, float(not progress.problem)


def _log_gauges(head: "Head") -> Iterator[_Plain]:
    yield "idis_log_size", "Entries in the log.", head.size
    yield "idis_log_map_keys", "Keys in the log's state map.", head.header.map_keys
    text = "When the last group was sealed, seconds since the epoch."
    yield "idis_log_checkpoint_time_seconds", text, head.header.time_ms / 1000
