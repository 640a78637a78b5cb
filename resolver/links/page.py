"""A linkset as a page for people, with the same as JSON-LD inside (§2.10).

The page has no script that runs and loads nothing.
"""

import html
import json

from resolver.links.level import Levels, description_at
from resolver.links.link import Link, shorten
from resolver.links.linkset import Document, as_json_ld

HTML_TYPE = "text/html"

_STYLE = "body{font-family:sans-serif;max-width:50em;margin:2em auto}code{color:#555}"


def write_page(root: str, levels: Levels, document: Document) -> str:
    """Write the page of an item's levels; `document` is their linkset."""
    title = html.escape(description_at(levels, 0))
    # Nothing in a title or URL may end the element in which the data stands.
    data = json.dumps(as_json_ld(document), ensure_ascii=False).replace("<", "\\u003c")
    sections = "".join(_section(root, levels, at) for at in range(len(levels)))
    return (
        "<!DOCTYPE html>\n<html lang='en'><meta charset='utf-8'>"
        f"<title>{title}</title><style>{_STYLE}</style><h1>{title}</h1>\n{sections}"
        f"<script type='application/ld+json'>{data}</script></html>\n"
    )


def _section(root: str, levels: Levels, at: int) -> str:
    level = levels[at]
    anchor = html.escape(f"{root}/{level.path}", quote=True)
    lines = "".join(_line(link) for link in level.links)
    heading = html.escape(description_at(levels, at))
    return f"<h2>{heading}</h2><p><code>{anchor}</code></p><ul>{lines}</ul>\n"


def _line(link: Link) -> str:
    about = [shorten(link.type), *link.languages, link.media_type, *link.contexts]
    if link.default:
        about.append("default")
    href, title = html.escape(link.href, quote=True), html.escape(link.title)
    shown = html.escape(", ".join(filter(None, about)))
    return f"<li><a href='{href}'>{title}</a> <code>{shown}</code></li>"
