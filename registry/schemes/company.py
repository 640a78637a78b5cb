"""An enterprise's own codes, read by the rules that it declares (emulator convention).

    code HC-{year:4d}-{serial:1-6d} -> 88.118.7/{year}/{serial}

Such a code means nothing by itself: whoever reads it says whose it is, and gives the rules
(the enterprise's `CODE_RULES` record, see `registry.schemes.rules`).
"""

from collections.abc import Sequence

from registry.schemes.mapping import IDENTIFIER_PART
from registry.schemes.reading import CodeError, Part, Reading, Rejection
from registry.schemes.rules import Mismatch, Rule, filled, match_code

_SCHEME = "company"


def read(text: str, rules: Sequence[Rule]) -> tuple[Reading, ...]:
    """Read a code by every rule that it follows.

    Raises:
        CodeError: It follows none; says of each rule where it stopped doing so.
    """
    readings: list[Reading] = []
    rejections: list[Rejection] = []
    for rule in rules:
        if rule.scheme != "code":
            continue
        fields = match_code(rule, text)
        if isinstance(fields, Mismatch):
            rejections.append(_rejection(rule, fields))
            continue
        identifier = filled(rule, fields)
        if identifier is None:
            mismatch = Mismatch(0, "a code whose identifier is one")
            rejections.append(_rejection(rule, mismatch))
            continue
        readings.append(_reading(text, rule, fields, identifier))
    if not readings:
        if not rejections:
            reason = "no rule for an enterprise's own codes"
            rejections = [Rejection(_SCHEME, "rule", reason, None, "a code rule")]
        # The rule that the code follows furthest says most.
        raise CodeError(*sorted(rejections, key=lambda r: -(r.position or 0)))
    return tuple(readings)


def _reading(text: str, rule: Rule, fields: dict[str, str], identifier: str) -> Reading:
    parts = [Part(name, value, "field") for name, value in fields.items()]
    parts.append(Part(IDENTIFIER_PART, identifier, "identifier", rule.text))
    return Reading(_SCHEME, "rule", text, tuple(parts))


def _rejection(rule: Rule, mismatch: Mismatch) -> Rejection:
    reason = f"does not follow {rule.text[:120]!r}"
    return Rejection(_SCHEME, "rule", reason, mismatch.position, mismatch.expected)
