"""Linksets: every link of an item, for programs (RFC 9264 §4.2) and for JSON-LD.

Their shape is that of GS1's schema (GS1-Conformant Resolver Standard 1.2 §2.10): one
object a level with its anchor, a description, and a list of links by type. The schema
takes language tags of the forms `xx` and `xx-XX` only, so longer tags are cut to what it
takes; which link is chosen goes by the whole tag.

`itemDescription` is the older name of `description`; 1.2 takes both, and GS1's test suite
wants the older one.
"""

from typing import Any

from resolver.links.choosing import Chosen
from resolver.links.level import Levels, description_at
from resolver.links.link import DEFAULT_LINK, DEFAULT_LINK_MULTI, Link

MEDIA_TYPE = "application/linkset+json"
JSON_TYPE = "application/json"
JSON_LD_TYPE = "application/ld+json"
CONTEXT_URL = "https://ref.gs1.org/standards/resolver/linkset-context"
"""Turns a linkset into JSON-LD."""

_SHORT = 2

Document = dict[str, Any]


def linkset(root: str, levels: Levels) -> Document:
    """Write all links of an item; `root` is the resolver's, without a slash at its end."""
    return {"linkset": [_context_object(root, levels, at) for at in range(len(levels))]}


def choices(root: str, levels: Levels, chosen: Chosen) -> Document:
    """Write the links between which the resolver cannot choose."""
    at = levels.index(chosen.level)
    links = [link._replace(default=False) for link in chosen.links]
    level = chosen.level._replace(links=tuple(links))
    shown = (*levels[:at], level, *levels[at + 1 :])
    return {"linkset": [_context_object(root, shown, at)]}


def as_json_ld(document: Document) -> Document:
    """Give a linkset with its context, which makes it JSON-LD."""
    return {"@context": CONTEXT_URL, **document}


def _context_object(root: str, levels: Levels, at: int) -> Document:
    level = levels[at]
    written: Document = {
        "anchor": f"{root}/{level.path}",
        "itemDescription": description_at(levels, at),
    }
    for link in level.links:
        written.setdefault(link.type, []).append(_target_object(link))
    defaults = [link for link in level.links if link.default]
    if defaults:
        # R8: exactly one, with its title and nothing else.
        first = defaults[0]
        written[DEFAULT_LINK] = [{"href": first.href, "title": first.title}]
    if len(defaults) > 1:
        written[DEFAULT_LINK_MULTI] = [_target_object(link) for link in defaults]
    return written


def _target_object(link: Link) -> Document:
    written: Document = {"href": link.href, "title": link.title}
    tags = list(dict.fromkeys(filter(None, map(_schema_tag, link.languages))))
    if tags:
        written["hreflang"] = tags
    if link.media_type:
        written["type"] = link.media_type
    if link.contexts:
        written["context"] = list(link.contexts)
    if not link.forwards_query:
        written["fwqs"] = False
    return written


def _schema_tag(tag: str) -> str:
    """Cut a language tag to a form of the schema: `zh-Hans-CN` to `zh-CN`, `es-419` to `es`."""
    language, *rest = tag.split("-")
    if len(language) != _SHORT:
        return ""
    regions = (part for part in rest if len(part) == _SHORT)
    return "-".join((language, *list(regions)[:1]))
