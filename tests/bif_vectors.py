"""Reads what was published of the 星火·链网 chain: `tests/vectors/bif`."""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "vectors" / "bif"


def load(name: str) -> Any:
    return json.loads((HERE / f"{name}.json").read_text())
