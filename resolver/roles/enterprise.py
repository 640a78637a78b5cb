"""An enterprise node: serves the identifiers of its own prefix (idis notes §2.2)."""

from resolver.handlers.authentication import Authentication
from resolver.handlers.listing import Listing
from resolver.handlers.local import Local
from resolver.handlers.referral import Referral
from resolver.handlers.site import SiteInfo
from resolver.handlers.writes import Writes

HANDLERS = (SiteInfo, Authentication, Local, Writes, Listing, Referral)
FACES = ("handle_udp", "handle_tcp", "http", "https")
