"""What `idis resolve --proof` adds: nothing is printed that the log does not prove.

Each value of an answer must stand in the proven record, octet for octet; that there is
none must be proven, too.
"""

from collections.abc import Sequence
from typing import Any

from chain_anchor.errors import ProofError
from chain_anchor.verified import Verified
from registry.model.value import Value, encode_value, spans
from resolver.client.answer import Answer
from resolver.client.known_logs import KnownLogs
from resolver.client.proofs import prove
from resolver.commands.proven import proven_line


def prove_answer(answer: Answer, logs: KnownLogs, *, whole: bool) -> Verified:
    """Prove an answer's values; `whole` if it should have all that everybody may read.

    Raises:
        ProofError: One is not in the proven record, or left out of the answer.
        AnchorError: There is no proof that holds.
        ResolverError: The log cannot be asked.
    """
    verified = prove(logs, answer.identifier)
    check_values(answer.values, verified, whole=whole)
    return verified


def prove_absence(identifier: str, logs: KnownLogs) -> Verified:
    """Prove that nothing is registered under an identifier.

    Raises:
        ProofError: Something is.
        AnchorError: There is no proof that holds.
        ResolverError: The log cannot be asked.
    """
    verified = prove(logs, identifier)
    if verified.standing == "present":
        raise ProofError(
            f"the answer is that {identifier} is not registered, but it is: "
            f"{proven_line(verified)}"
        )
    return verified


def check_values(values: Sequence[Value], verified: Verified, *, whole: bool) -> None:
    """Check that values are in a proven record, or that they are the `whole` of it.

    Raises:
        ProofError: One is not, one is missing, or there is no record.
    """
    octets = verified.record
    if octets is None:
        raise ProofError(
            f"the answer has values, but the record is {verified.standing}: "
            f"{proven_line(verified)}"
        )
    proven = {octets[span.start : span.stop] for span in spans(octets)}
    for value in values:
        if encode_value(value) not in proven:
            raise ProofError(
                f"value {value.index} ({value.type}) of the answer is not in the "
                f"record that is {proven_line(verified)}"
            )
    if whole and len(values) != len(proven):
        raise ProofError(
            f"the answer has {len(values)} values, the record {len(proven)}: "
            f"{proven_line(verified)}"
        )


def proof_dict(verified: Verified) -> dict[str, Any]:
    """Give what proved an answer as JSON members."""
    state = verified.state
    return {
        "origin": verified.origin,
        "size": verified.size,
        "root": verified.root.hex(),
        "standing": verified.standing,
        "entry": state and state.index,
        "version": state and state.version,
        "covered_by": list(verified.origins[1:]),
        "checkpoint": verified.checkpoint.decode(),
    }
