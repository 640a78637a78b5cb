"""Which link a request means (GS1-Conformant Resolver Standard 1.2 §2.6).

    no link type     the default, unless the request speaks for another default link
    a link type      the finest level that has such links; the best of them
    several equal    300, with those that are equally good
    none             404

Links are compared by media type, then language, then context (§2.6.3). A link that does
not say what it is comes after one that fits and before one that does not.
"""

from typing import NamedTuple

from resolver.links.accepting import (
    Fit,
    Range,
    fit_of_contexts,
    fit_of_languages,
    fit_of_media_type,
)
from resolver.links.level import Level, Levels
from resolver.links.link import DEFAULT_LINK, DEFAULT_LINK_MULTI, Link


class Wanted(NamedTuple):
    """What a request says about the link it would like."""

    link_type: str = ""
    """Expanded; empty for whatever is the default."""

    media_types: tuple[Range, ...] = ()
    languages: tuple[Range, ...] = ()
    contexts: tuple[str, ...] = ()


class Chosen(NamedTuple):
    """The links that fit best, of one level: one, or several that are equally good."""

    level: Level
    links: tuple[Link, ...]


def choose(wanted: Wanted, levels: Levels) -> Chosen | None:
    """Choose among the links of an item; None when there is none such."""
    if wanted.link_type in ("", DEFAULT_LINK, DEFAULT_LINK_MULTI):
        return _choose_default(wanted, levels)
    for level in levels:
        links = tuple(one for one in level.links if one.type == wanted.link_type)
        if links:
            return Chosen(level, _best(wanted, links))
    return None


def link_types(levels: Levels) -> tuple[str, ...]:
    """List the link types that an item has, the finest level first."""
    return tuple(dict.fromkeys(link.type for level in levels for link in level.links))


def _choose_default(wanted: Wanted, levels: Levels) -> Chosen | None:
    level = next((one for one in levels if one.default is not None), None)
    if level is None or level.default is None:
        return None
    several = tuple(link for link in level.links if link.default)
    if len(several) == 1 or wanted.link_type == DEFAULT_LINK:
        return Chosen(level, (level.default,))
    best = _best(wanted, several)
    speaks = any(fit.rank > 1 for fit in _fits(wanted, best[0]))
    if len(best) > 1 or not speaks:
        return Chosen(level, (level.default,))
    return Chosen(level, best)


def _best(wanted: Wanted, links: tuple[Link, ...]) -> tuple[Link, ...]:
    """Give the links that fit best; those with the same target count once."""
    if len(links) == 1:
        return links
    fits = [_fits(wanted, link) for link in links]
    best = max(fits)
    found = {
        link.href: link
        for link, fit in zip(reversed(links), reversed(fits), strict=True)
        if fit == best
    }
    return tuple(reversed(found.values()))


def _fits(wanted: Wanted, link: Link) -> tuple[Fit, Fit, Fit]:
    return (
        fit_of_media_type(link.media_type, wanted.media_types),
        fit_of_languages(link.languages, wanted.languages),
        fit_of_contexts(link.contexts, wanted.contexts),
    )
