"""What a network does about its logs, beside writing them.

At the start it asks whoever has seen the logs before whether they go on from there:
the memory of this account (`resolver.last_seen`) and the witnesses. An older copy of a
data directory would sign what contradicts signed checkpoints; it is refused, unless the
operator accepts it, and then the log itself says so.

While it runs, every second: what has grown is remembered, told to the parents
(`resolver.children`) from the bottom up, and fed to the witnesses. With a quorum the
witnesses are asked before each acknowledgement instead.
"""

import asyncio
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from chain_anchor.bundle import Bundle
from chain_anchor.checkpoint import Checkpoint
from chain_anchor.continuity import check_continuity
from chain_anchor.entries import Restart, encode_restart
from chain_anchor.errors import AnchorError, ForkError, RollbackError
from chain_anchor.note import Signature
from registry.errors import RegistryError
from registry.service import Registry
from resolver.children import ChildReport
from resolver.errors import SetupError
from resolver.last_seen import LastSeen
from resolver.sealing import Sealing
from resolver.witnesses import WitnessAddress, Witnesses

INTERVAL_SECONDS = 1.0
"""Between two looks at what has grown: what a parent's log may be behind."""

_MEMORY = "this account"
_NOT_TOLD = "the log above is not told of this one"
_NOT_COSIGNED = "a witness does not cosign"


@dataclass(slots=True)
class Overseen:
    """One node's log, and all who have to do with it."""

    name: str
    sealing: Sealing
    registry: Registry
    witnesses: Witnesses | None = None
    report: ChildReport | None = None
    ancestors: tuple[ChildReport, ...] = ()
    """Reports from this log upwards, the own one first."""

    fed: int = 0
    """Size that the witnesses have."""

    problems: dict[str, str] = field(default_factory=dict)
    """What does not work now, by what it is about."""

    def lead_up(self, bundle: Bundle) -> Bundle:
        """Let a bundle of the published head reach into the logs above."""
        if not self.ancestors:
            return bundle
        first, *further = self.ancestors
        return first.extend(bundle, tuple(further))


class Oversight:
    """Watches over the logs of one network."""

    def __init__(
        self,
        logs: Mapping[str, Overseen],
        parents: Mapping[str, str | None],
        memory: LastSeen | None,
        say: Callable[[str], None],
    ) -> None:
        """Take the logs by node, who is whose parent, and where to complain."""
        self.logs = logs
        self._memory = memory
        self._say = say
        self._complaint = ""
        self._watching: asyncio.Task[None] | None = None
        for name, overseen in logs.items():
            parent = logs.get(parents.get(name) or "")
            if parent is not None:
                overseen.report = ChildReport(
                    overseen.sealing, parent.sealing, parent.registry
                )
        for name, overseen in logs.items():
            overseen.ancestors = tuple(_ancestors(name, logs, parents))
            overseen.sealing.lead_up = overseen.lead_up
        self._bottom_up = sorted(
            logs.values(), key=lambda overseen: len(overseen.ancestors), reverse=True
        )

    def ask_witnesses(self, addresses: Sequence[WitnessAddress], quorum: int) -> None:
        """Have checkpoints cosigned from now on; by `quorum` before acknowledgement.

        Raises:
            SetupError: The quorum is more than there are witnesses.
        """
        for overseen in self.logs.values():
            overseen.witnesses = Witnesses(addresses, quorum)

    async def check(self, now: dt.datetime, *, accept: bool) -> None:
        """Make sure that every log goes on from what was seen of it.

        Raises:
            SetupError: One does not, and that is not accepted.
        """
        seen = self._memory.read() if self._memory is not None else {}
        for overseen in self.logs.values():
            origin = overseen.sealing.log.origin
            found = [(seen[origin], _MEMORY)] if origin in seen else []
            found += await self._witnessed(overseen)
            for checkpoint, witness in found:
                self._check(overseen, checkpoint, witness, now if accept else None)

    def start(self) -> None:
        """Ask the witnesses that must be asked, and begin to watch."""
        for overseen in self.logs.values():
            witnesses = overseen.witnesses
            if witnesses is not None and witnesses.quorum:
                overseen.registry.confirm = partial(_cosign, overseen, witnesses)
        self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Remember the last heads, and stop."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
            await self._remember()
        for overseen in self.logs.values():
            if overseen.witnesses is not None:
                await overseen.witnesses.close()

    async def _witnessed(self, overseen: Overseen) -> list[tuple[Checkpoint, str]]:
        if overseen.witnesses is None:
            return []
        log = overseen.sealing.log
        keys = overseen.sealing.last_keys
        latest = await overseen.witnesses.latest(log.origin, keys)
        for name, reason in latest.missing.items():
            self._say(f"witness {name} has not said what it saw: {reason}")
        return [(found.checkpoint, found.witness.name) for found in latest.witnessed]

    def _check(
        self,
        overseen: Overseen,
        seen: Checkpoint,
        witness: str,
        accepted: dt.datetime | None,
    ) -> None:
        try:
            check_continuity(overseen.sealing.log_view, seen, witness)
        except (RollbackError, ForkError) as error:
            if accepted is None:
                hint = (
                    "put the newest copy of the data directory back; or go on from this "
                    "one with --accept-rollback, and the log will say so for ever"
                )
                raise SetupError(f"{overseen.name}: {error}", hint) from error
            self._say(f"{overseen.name}: {error}; accepted and logged")
            restart = Restart(
                seen.origin,
                seen.size,
                seen.root,
                f"{witness} had seen more; the operator accepted the rollback",
                int(accepted.timestamp() * 1000),
            )
            overseen.sealing.write_notice(encode_restart(restart))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            await self._remember()
            # Children first: so in one round what is new below is in the top's log.
            for overseen in self._bottom_up:
                await self._report(overseen)
            for overseen in self._bottom_up:
                await self._feed(overseen)

    async def _remember(self) -> None:
        if self._memory is None:
            return
        heads = [overseen.sealing.log.head for overseen in self.logs.values()]
        try:
            await asyncio.to_thread(self._memory.write, heads)
        except OSError as error:
            self._complain_once(f"{self._memory.file}: {error}")
        else:
            self._complaint = ""

    async def _report(self, overseen: Overseen) -> None:
        if overseen.report is None:
            return
        try:
            await overseen.report.report()
        except (RegistryError, AnchorError) as error:
            self._note(overseen, _NOT_TOLD, str(error))
        else:
            self._note(overseen, _NOT_TOLD, "")

    async def _feed(self, overseen: Overseen) -> None:
        witnesses, size = overseen.witnesses, overseen.sealing.log.head.size
        if witnesses is None or overseen.fed == size:
            return
        if witnesses.quorum and overseen.fed:
            return  # each group has been cosigned since the first time
        try:
            signatures = await _cosign(overseen, witnesses)
        except (RegistryError, AnchorError) as error:
            self._note(overseen, _NOT_COSIGNED, str(error))
            return
        signed = {signature.name for signature in signatures}
        missing = [each for each in witnesses.watchers if each.key.name not in signed]
        why = "; ".join(f"{each.key.name}: {each.reason}" for each in missing)
        self._note(overseen, _NOT_COSIGNED, why)
        if not missing:
            overseen.fed = size

    def _note(self, overseen: Overseen, what: str, why: str) -> None:
        """Tell people when something stops working, and when all of it does again.

        Once for all logs: what one has the others often have too.
        """
        before = self._is_noted(what)
        if why:
            overseen.problems[what] = why
        else:
            overseen.problems.pop(what, None)
        if why and not before:
            self._say(f"{overseen.name}: {what}: {why}")
        elif before and not self._is_noted(what):
            self._say(f"no longer: {what}")

    def _is_noted(self, what: str) -> bool:
        return any(what in overseen.problems for overseen in self.logs.values())

    def _complain_once(self, problem: str) -> None:
        if problem != self._complaint:
            self._say(f"how far the logs are is not remembered: {problem}")
        self._complaint = problem


async def _cosign(overseen: Overseen, witnesses: Witnesses) -> list[Signature]:
    sealing = overseen.sealing
    head = sealing.log.head

    def consistency(old_size: int) -> list[bytes]:
        return sealing.log_view.consistency(old_size, head.size)

    signatures = await witnesses.cosign(head.note, consistency)
    sealing.log.cosigned(head.size, signatures)
    return signatures


def _ancestors(
    name: str, logs: Mapping[str, Overseen], parents: Mapping[str, str | None]
) -> list[ChildReport]:
    found = []
    current: str | None = name
    while current is not None and current in logs:
        report = logs[current].report
        if report is not None:
            found.append(report)
        current = parents.get(current)
    return found
