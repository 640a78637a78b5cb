"""`python -m bench.primes`: find the primes of the default network's keys once for all.

Writes `resolver/data/seed-1-primes.txt`, which spares the first start the search. To be
run again when the built-in topology gets other prefixes; a test compares.
"""

import sys
from pathlib import Path

import resolver
from resolver.identities import key_label
from resolver.keys import DEFAULT_SEED, SeededKeys
from resolver.network import SERVER_KEY_LABEL
from resolver.topology import BUILTIN_SECONDARIES, builtin_topology

FILE = Path(resolver.__file__).parent / "data" / "seed-1-primes.txt"


def main() -> int:
    """Search and write."""
    keys = SeededKeys(DEFAULT_SEED)
    lines = []
    prefixes = builtin_topology(BUILTIN_SECONDARIES).prefixes
    for label in (SERVER_KEY_LABEL, *map(key_label, prefixes)):
        first, second = keys.search_offsets(label)
        lines.append(f"{label} {first} {second}\n")
    FILE.write_text("".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
