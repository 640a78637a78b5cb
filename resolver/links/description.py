"""The resolver description file at `/.well-known/gs1resolver` (§3 of the standard).

By it a client tells a GS1-Conformant resolver from any other server.
"""

from typing import Any

from resolver.links.link import VOCABULARY
from resolver.links.linkset import CONTEXT_URL

WELL_KNOWN_PATH = "/.well-known/gs1resolver"


def description(root: str, name: str) -> dict[str, Any]:
    """Describe a resolver; `root` is where its URIs begin, without a slash at the end."""
    return {
        "name": name,
        "resolverRoot": root,
        "supportedPrimaryKeys": ["all"],
        "supportedLinkType": [{"namespace": VOCABULARY, "prefix": "gs1:"}],
        "linkTypeDefaultCanBeLinkset": False,
        "jsonLdContextLocation": CONTEXT_URL,
        "contact": {"fn": name},
    }
