"""The corpus as a master file, for other DNS servers (RFC 1035 §5).

Names and data of records are those that our DNS face gives, octet for octet, written
in the form for any type (RFC 3597 §5), so that every server has the same to send.
"""

from collections.abc import Iterator
from pathlib import Path

import dns.rdatatype

from bench.corpus import Corpus
from bench.peers.dns_servers import Zone
from resolver.dns.names import DEFAULT_ZONE, name_of
from resolver.dns.records import records_of

_HEAD = """\
$ORIGIN {zone}
$TTL 86400
@ IN SOA ns-1 hostmaster 1 86400 3600 604800 3600
@ IN NS ns-1
ns-1 IN A 127.0.0.1
"""


def write_zone(
    file: Path, corpus: Corpus, kind: str = "TXT", zone: str = DEFAULT_ZONE
) -> Zone:
    """Write the records of one type of every identifier.

    Raises:
        OSError: The file cannot be written.
    """
    with file.open("w", encoding="ascii") as out:
        out.write(_HEAD.format(zone=zone))
        for number in range(corpus.count):
            out.writelines(record_lines(corpus, number, kind, zone))
    return Zone(zone, file)


def record_lines(corpus: Corpus, number: int, kind: str, zone: str) -> Iterator[str]:
    """Write the records of one identifier, each a line."""
    owner = name_of(corpus.identifier(number), zone)
    code = dns.rdatatype.from_text(kind)
    # The owner is spelled here; records want it only to compress what they send.
    for record in records_of(b"", corpus.values(number), (code,), 0.0):
        data = record.data
        yield f"{owner} {record.ttl} IN {kind} \\# {len(data)} {data.hex()}\n"
