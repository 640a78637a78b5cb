"""The TLS side of HTTPS: one context, which the nodes of a network share.

TLS 1.2 at least, as RFC 8446 §D.5 and RFC 9325 §3.1.1 ask. A client may show a
certificate; one that the network's own authority did not sign ends the handshake, so
whatever arrives here was issued to the user it names (`resolver.certificates`).
"""

import ssl
from pathlib import Path

from resolver.errors import SetupError


def server_context(
    certificate: Path, private_key: Path, authority: Path | None = None
) -> ssl.SSLContext:
    """Read PEM files of the server and of the authority that signs its clients.

    Without an authority no client is asked for a certificate.

    Raises:
        SetupError: A file cannot be read, or certificate and key do not fit.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Compression leaks, and renegotiation lets a client ask for work (RFC 9325 §3.3-3.5).
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, private_key)
        if authority is not None:
            context.load_verify_locations(authority)
            context.verify_mode = ssl.CERT_OPTIONAL
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        message = f"TLS files {certificate}, {private_key}: {error}"
        hint = "remove them, so that they are made again"
        raise SetupError(message, hint) from error
    return context
