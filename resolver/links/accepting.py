"""What a client says it would like: Accept and Accept-Language, with their weights.

RFC 9110 §12.4.2 and §12.5.1 for the headers, RFC 4647 §3 for languages. A header that is
not well formed says nothing, as far as it is not: nobody is refused for it.
"""

import functools
import re
from typing import NamedTuple

MAX_RANGES = 32
"""Ranges of one header that are looked at."""

MAX_HEADER_CHARACTERS = 2048

_QUALITY = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")
_KEPT_HEADERS = 1024
_KEPT_FITS = 4096


class Range(NamedTuple):
    """A media or language range, in lower case, and its weight from 0 to 1."""

    name: str
    quality: float


class Fit(NamedTuple):
    """How well something fits what a client asked for; the larger the better.

    `rank` is 2 for what was asked for, 1 for what does not say, 0 for what was not asked
    for, -1 for what was refused.
    """

    rank: int
    quality: float = 0.0
    closeness: int = 0


SILENT = Fit(1)
"""Of something that does not say what it is."""

_NOT_ASKED = Fit(0)
_REFUSED = Fit(-1)
_EXACT, _TRUNCATED, _NARROWER = 300, 200, 100


@functools.lru_cache(maxsize=_KEPT_HEADERS)
def read_ranges(header: str) -> tuple[Range, ...]:
    """Read a header of ranges with weights."""
    items = header[:MAX_HEADER_CHARACTERS].split(",")[:MAX_RANGES]
    return tuple(_read(item) for item in items if item.strip())


def _read(item: str) -> Range:
    name, *parameters = (part.strip().lower() for part in item.split(";"))
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            text = value.strip()
            return Range(name, float(text) if _QUALITY.fullmatch(text) else 0.0)
    return Range(name, 1.0)


def quality_of(media_type: str, ranges: tuple[Range, ...]) -> float:
    """Give the weight of a media type: that of the range that fits it most closely.

    Without any ranges everything is welcome.
    """
    if not ranges:
        return 1.0
    family = media_type.partition("/")[0]
    for wanted in (media_type, f"{family}/*", "*/*"):
        found = [one.quality for one in ranges if one.name == wanted]
        if found:
            return max(found)
    return 0.0


@functools.lru_cache(maxsize=_KEPT_FITS)
def fit_of_media_type(media_type: str, ranges: tuple[Range, ...]) -> Fit:
    """Tell how well a link of a media type fits; `*/*` asks for nothing in particular."""
    if not media_type:
        return SILENT
    family = media_type.partition("/")[0]
    for closeness, wanted in ((_EXACT, media_type), (_TRUNCATED, f"{family}/*")):
        found = [one.quality for one in ranges if one.name == wanted]
        if found:
            quality = max(found)
            return Fit(2, quality, closeness) if quality else _REFUSED
    return _NOT_ASKED._replace(quality=_any(ranges, "*/*"))


@functools.lru_cache(maxsize=_KEPT_FITS)
def fit_of_languages(tags: tuple[str, ...], ranges: tuple[Range, ...]) -> Fit:
    """Tell how well a link in some languages fits: the best of them counts."""
    if not tags:
        return SILENT
    return max(_fit_of_language(tag.lower(), ranges) for tag in tags)


def _fit_of_language(tag: str, ranges: tuple[Range, ...]) -> Fit:
    """Look up (RFC 4647 §3.4), and take what a shorter range includes as well (§3.3.1).

    `zh-CN` is best served by zh-CN, then by zh (lookup); `en` takes en-US, too, because
    the standard wants the closest match and not a precise one.
    """
    best = _NOT_ASKED._replace(quality=_any(ranges, "*"))
    longest, refused = 0, False
    for one in ranges:
        closeness = _closeness(tag, one.name)
        if not closeness:
            continue
        # Of the ranges that include the tag the most precise one may refuse it.
        includes = not _TRUNCATED <= closeness < _EXACT
        if includes and len(one.name) > longest:
            longest, refused = len(one.name), not one.quality
        if one.quality:
            best = max(best, Fit(2, one.quality, closeness))
    return _REFUSED if refused else best


def _closeness(tag: str, wanted: str) -> int:
    if tag == wanted:
        return _EXACT
    if wanted.startswith(tag + "-"):
        return _TRUNCATED + len(tag)
    if tag.startswith(wanted + "-"):
        return _NARROWER + len(wanted)
    return 0


def _any(ranges: tuple[Range, ...], star: str) -> float:
    return max((one.quality for one in ranges if one.name == star), default=0.0)


def fit_of_contexts(contexts: tuple[str, ...], wanted: tuple[str, ...]) -> Fit:
    """Tell how well a link for some contexts fits; they compare without case."""
    if not contexts:
        return SILENT
    asked = {text.casefold() for text in wanted}
    return Fit(2, 1.0) if any(c.casefold() in asked for c in contexts) else _NOT_ASKED
