"""Where a redirect leads: the link's URL with the request's query string (§2.12)."""


def with_query(href: str, query: str) -> str:
    """Add a query string, as it came, to a URL that may have one already."""
    if not query:
        return href
    url, mark, fragment = href.partition("#")
    joint = "&" if "?" in url else "?"
    if url.endswith(("?", "&")):
        joint = ""
    return f"{url}{joint}{query}{mark}{fragment}"
