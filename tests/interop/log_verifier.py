"""Asks Python libraries that others wrote what they think of a log.

    log_verifier.py log tlog-scales LOG KEY [QUORUM WITNESS_KEY...]
        checkpoint, cosignatures, the root over the top tiles, then entries with
        inclusion paths made of all tiles on their way: every entry of a log up to
        ENTRIES_MAX, so many of a larger one
    log_verifier.py proofs tlog-scales|tamperlog < CASES

Arguments, input, output and exit status are those of log_verifier/main.go, which is
the same for Go. The libraries are on PYTHONPATH; nothing of ours is imported.
"""

import base64
import json
import sys

ENTRIES_MAX = 2000
REFUSED, MISUSE = 1, 2


class RefusedError(Exception):
    """What the library read is not what it must be."""


def check_log(log, key, quorum="0", *witness_keys):
    """Read a whole log with tlog-scales; give what it says of it."""
    from tlog_scales import signing
    from tlog_scales.backend import make_backend
    from tlog_scales.reader import TilesReader
    from tlog_scales.tiles import leaf_hash

    reader = TilesReader(make_backend(log))
    head = reader.get_checkpoint()
    known = signing.Vkey.from_string(key)
    head.verify(known)
    if head.origin != known.name:
        raise RefusedError(f"origin {known.name} expected, got {head.origin}")
    witnesses = signing.VkeySet(*map(signing.Vkey.from_string, witness_keys))
    cosigned = witnesses.verify(head.signatures, head)
    if len(cosigned) < int(quorum):
        raise RefusedError(f"{quorum} cosignatures expected, got {len(cosigned)}")
    if reader.calculate_root_hash() != head.root_hash:
        raise RefusedError("the tiles have another root")
    for index in range(0, head.size, max(1, head.size // ENTRIES_MAX)):
        path = reader.get_inclusion_proof(index, head.size)
        path.check(leaf_hash(reader.get_entry(index)), head.root_hash)
    return {
        "origin": head.origin,
        "size": head.size,
        "root": base64.b64encode(head.root_hash).decode(),
        "cosigners": [
            {
                "name": vkey.name,
                "time_seconds": vkey.get_verifier().get_timestamp(found.payload),
            }
            for vkey, found in cosigned
        ],
    }


def judge_by_tlog_scales(case):
    """Check a proof with tlog-scales; raises what it raises."""
    from tlog_scales.tlog import ConsistencyProof, InclusionProof

    size, root, path = case["size"], octets(case["root"]), hashes(case["path"])
    if case["leaf"] is not None:
        InclusionProof(case["index"], size, path).check(octets(case["leaf"]), root)
    else:
        proof = ConsistencyProof(case["old_size"], size, path)
        proof.check(octets(case["old_root"]), root)


def judge_by_tamperlog(case):
    """Check a proof with tamperlog; raises what it raises."""
    from tamperlog.merkle import verify_consistency, verify_inclusion

    size, root, path = case["size"], octets(case["root"]), hashes(case["path"])
    if case["leaf"] is not None:
        verify_inclusion(case["index"], size, octets(case["leaf"]), path, root)
    else:
        old_root = octets(case["old_root"])
        verify_consistency(case["old_size"], old_root, size, root, path)


PROOF_JUDGES = {"tlog-scales": judge_by_tlog_scales, "tamperlog": judge_by_tamperlog}


def judge_proofs(judge):
    """Read the cases; give the reasons to refuse each, empty where accepted."""
    reasons = []
    for case in json.load(sys.stdin):
        try:
            judge(case)
            reasons.append("")
        # Whatever the library raises is its way to refuse.
        except Exception as problem:  # noqa: BLE001
            reasons.append(f"{type(problem).__name__}: {problem}")
    return reasons


def octets(text):
    """Decode base64."""
    return base64.b64decode(text)


def hashes(texts):
    """Decode a path."""
    return [octets(text) for text in texts]


def main(arguments):
    """Run one command; give the exit status."""
    match arguments:
        case ["log", "tlog-scales", _, _, *_]:
            try:
                found = check_log(*arguments[2:])
            except Exception as problem:  # noqa: BLE001 (as above)
                sys.stderr.write(f"{type(problem).__name__}: {problem}\n")
                return REFUSED
        case ["proofs", library] if library in PROOF_JUDGES:
            found = judge_proofs(PROOF_JUDGES[library])
        case _:
            sys.stderr.write(__doc__)
            return MISUSE
    json.dump(found, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
