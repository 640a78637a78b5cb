"""The network's certificates on disk: an authority, a server's, and users'.

Made anew at each start from the network's seed, so the keys stay the same and a client
that pinned the authority's certificate file has to read it again.
"""

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from resolver.certificates import (
    Authority,
    issue_client,
    issue_server,
    make_authority,
)
from resolver.data_directory import DataDirectory, write_atomically
from resolver.identities import RSA_INDEX, Administrator, write_private
from resolver.keys import SeededKeys

SERVER_NAMES = ("localhost", "127.0.0.1", "::1")


class TlsFiles(NamedTuple):
    """Where the certificates are."""

    authority: Path
    certificate: Path
    private_key: Path


def write_tls_files(
    directory: DataDirectory, keys: SeededKeys, hosts: tuple[str, ...], now: datetime
) -> tuple[TlsFiles, Authority]:
    """Make the authority and the certificate that all servers of a network share.

    Raises:
        OSError: They cannot be written.
    """
    files = TlsFiles(
        directory.tls / "ca.pem",
        directory.tls / "server.pem",
        directory.tls / "server-key.pem",
    )
    authority = make_authority(keys, now)
    if not directory.read_only:
        names = tuple(dict.fromkeys((*SERVER_NAMES, *hosts)))
        server = issue_server(authority, names, now)
        write_atomically(files.authority, authority.certificate_pem.decode())
        write_atomically(files.certificate, server.certificate_pem.decode())
        write_private(files.private_key, server.private_key_pem)
    return files, authority


def client_certificate(
    authority: Authority, administrator: Administrator, now: datetime
) -> bytes:
    """Make the certificate, in PEM, by which an administrator's RSA key is known."""
    return issue_client(
        authority, RSA_INDEX, administrator.handle, administrator.rsa.public_key(), now
    )
