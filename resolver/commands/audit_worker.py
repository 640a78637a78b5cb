"""The process that reads a data directory for `idis verify --data`.

Damaged pages of the storage engine may end whoever reads them: by a signal, or by a
walk that never ends. So reading has a process of its own. It takes jobs from stdin and
answers on stdout, a JSON object a line:

    {"do": "audit", "name": NODE, "directory": DIR, "seed": N, "pinned": [VKEY, ...]}
    {"do": "compare", ..., "seen": [[WHO, TEXT], ...]}
        ─▶ {"total": N} once, {"done": N} as it goes on, {"result": {...}} at the end
"""

import json
import resource
import sys
from pathlib import Path
from typing import Any

from chain_anchor.note import VerifierKey
from registry.errors import StoreError
from registry.store.lmdb import LmdbStore
from registry.store.lmdb_snapshot import LmdbSnapshot
from resolver.auditing.findings import Finding, Findings
from resolver.auditing.log_meta import check_seen
from resolver.auditing.node import audit_node, parts_of
from resolver.auditing.searched import Searched
from resolver.keys import SeededKeys
from resolver.log_keys import LogKeys, log_origin

FILE = "data.mdb"

Job = dict[str, Any]


def main() -> None:
    """Do jobs until there are no more."""
    # A process that is meant to survive damage elsewhere leaves no file of its own.
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    for line in sys.stdin:
        _reply({"result": _do(json.loads(line))})


def _do(job: Job) -> dict[str, Any]:
    try:
        store = LmdbStore(Path(job["directory"]), read_only=True)
    except StoreError as error:
        return {"findings": [Finding(FILE, "", str(error))._asdict()]}
    try:
        with store.snapshot() as snapshot:
            keys = LogKeys(log_origin(job["name"]), SeededKeys(int(job["seed"])))
            return _JOBS[job["do"]](snapshot, keys, job)
    except StoreError as error:
        return {"findings": [Finding(FILE, "", str(error))._asdict()]}
    finally:
        store.close()


def _audit(snapshot: LmdbSnapshot, keys: LogKeys, job: Job) -> dict[str, Any]:
    _reply({"total": parts_of(snapshot)})
    pinned = [VerifierKey.parse(text) for text in job["pinned"]]
    audited = audit_node(snapshot, keys, pinned, lambda more: _reply({"done": more}))
    findings = [found._asdict() for found in audited.findings]
    return {**audited._asdict(), "findings": findings}


def _compare(snapshot: LmdbSnapshot, keys: LogKeys, job: Job) -> dict[str, Any]:
    findings = Findings()
    check_seen(Searched(snapshot), keys, job["seen"], findings)
    return {"findings": [found._asdict() for found in findings.found]}


_JOBS = {"audit": _audit, "compare": _compare}


def _reply(told: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
