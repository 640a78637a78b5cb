"""The recursive node: walks the tree for its clients and remembers (idis notes §3)."""

from resolver.handlers.cached import Cached
from resolver.handlers.forward import Forward
from resolver.handlers.site import SiteInfo

HANDLERS = (SiteInfo, Cached, Forward)
FACES = ("handle_udp", "handle_tcp", "http", "https", "dns")
