"""`python -m bench simulate`: the tree past what this machine can hold.

A queueing model, fed with what `python -m bench growth` measured. First it predicts the
measured networks and says how far off it is; when that is more than 15 % anywhere, it
stops with code 1, unless --unvalidated. Then it says what the nation's load would ask
of the tree: which tier is full first, what must be added when, what fails when a node
does.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

from bench.machine import describe_machine
from bench.simulate import validation
from bench.simulate.answers import answer
from bench.simulate.assumptions import Nation
from bench.simulate.measured import Json, costs_of, read_growth, steps_of
from bench.simulate.tables import show_answers, show_validation
from resolver.commands.console import fail, say
from resolver.errors import SetupError

DEFAULT_GROWTH = Path("growth.json")


def main(arguments: Iterable[str] | None = None) -> int:
    """Validate, then answer; 1 when the model does not predict the measurement."""
    options = _parser().parse_args(list(arguments) if arguments is not None else None)
    try:
        growth = read_growth(options.growth)
        options.out.mkdir(parents=True, exist_ok=True)
    except SetupError as error:
        fail(str(error), error.hint)
        return 2
    except OSError as error:
        fail(f"--out {options.out}: {error.strerror or error}")
        return 2
    rows = validation.validate(growth, options.seed)
    show_validation(rows)
    valid = validation.holds(rows)
    _say_verdict(rows, growth, valid=valid)
    found = _document(growth, rows, options.seed, valid=valid)
    code = 0 if valid else 1
    if valid or options.unvalidated:
        nation = replace(Nation(), peak_factor=options.peak_factor)
        first = steps_of(growth, "same")[0]
        found |= answer(nation, costs_of(first), first, options.seed)
        show_answers(found)
        code = 0
    else:
        fail(
            "the model does not predict the measurement, so it answers nothing",
            "measure again on a quiet machine, or see what it says with --unvalidated",
        )
    text = json.dumps(found, ensure_ascii=False, indent=1) + "\n"
    (options.out / "simulate.json").write_text(text)
    say(str(options.out / "simulate.json"))
    return code


def _document(
    growth: Json, rows: list[validation.Row], seed: int, *, valid: bool
) -> Json:
    return {
        "version": 1,
        "seed": seed,
        "machine": describe_machine(),
        "growth": {
            name: growth[name]
            for name in ("commit", "machine", "seed", "quick", "date")
        },
        "validation": {
            "within": validation.WITHIN,
            "valid": valid,
            "rows": [row.as_dict() for row in rows],
        },
        "costs": asdict(costs_of(steps_of(growth, "same")[0])),
    }


def _say_verdict(rows: list[validation.Row], growth: Json, *, valid: bool) -> None:
    judged = [row for row in rows if not row.not_judged]
    agree = sum(row.agrees for row in judged)
    say(
        f"{agree} of {len(judged)} predictions are within {validation.WITHIN:.0%} of "
        f"the measurement; {len(rows) - len(judged)} are not judged"
        + ("" if valid else ": the model is not valid here")
    )
    disturbed = growth["summary"].get("disturbed", 0.0)
    if disturbed > 0.1:
        say(
            f"beware: {disturbed:.0%} of the measurement's saturated runs were disturbed"
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench simulate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--growth", type=Path, default=DEFAULT_GROWTH, help="default growth.json")
    add("--out", type=Path, default=Path(), help="directory for simulate.json")
    add("--seed", type=int, default=1)
    add("--peak-factor", type=float, default=Nation().peak_factor)
    add("--unvalidated", action="store_true", help="answer even if the model is off")
    return parser


if __name__ == "__main__":
    sys.exit(main())
