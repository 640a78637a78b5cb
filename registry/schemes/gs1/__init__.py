"""GS1 codes: element strings, bare numbers, Digital Link URIs, EPC URIs and binaries."""

from registry.schemes.gs1.application_identifiers import TABLE, ApplicationIdentifier
from registry.schemes.gs1.check_digits import check_digit
from registry.schemes.gs1.element_strings import pairs_in_symbol_order, plain
from registry.schemes.gs1.epc import (
    company_prefix_of,
    epc_hexadecimal,
    epc_tag_uri,
    epc_uri,
)
from registry.schemes.gs1.fields import bracketed
from registry.schemes.gs1.forms import read
from registry.schemes.gs1.links import (
    DEFAULT_STEM,
    compressed_uri,
    digital_link_uri,
    level_paths,
    pairs_of,
)
from registry.schemes.gs1.pairs import KEYS

__all__ = [
    "DEFAULT_STEM",
    "KEYS",
    "TABLE",
    "ApplicationIdentifier",
    "bracketed",
    "check_digit",
    "company_prefix_of",
    "compressed_uri",
    "digital_link_uri",
    "epc_hexadecimal",
    "epc_tag_uri",
    "epc_uri",
    "level_paths",
    "pairs_in_symbol_order",
    "pairs_of",
    "plain",
    "read",
]
