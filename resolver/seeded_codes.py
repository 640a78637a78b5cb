"""The product codes that exist after boot, for each enterprise of a topology.

A code is the suffix of an *alias record* below the enterprise's code prefix, in the
scheme's canonical form; the record names the identifier that the code stands for
(emulator convention). For the enterprise 88.100.1 with its first product:

    88.GS1.95210001/01/09521000100015             its class      88.100.1/MODEL/SMF-652D
    88.GS1.95210001/01/09521000100015/10/LOT0001  a lot          88.100.1/LOT0001
    88.GS1.95210001/01/09521000100015/21/SN0042   an item        88.100.1/SN0042
    88.GS1.95210001/00/095210001000000015         a pallet       88.100.1/LOT0001
    88.GS1.95210001/414/9521000190016             its works      0.NA/88.100.1
    88.OID.2.999.100.1/2.999.100.1.1              its class      88.100.1/MODEL/SMF-652D
    88.ECODE.11001/110010001                      its class      88.100.1/MODEL/SMF-652D

Values are `HS_ALIAS`, the identifier; `GS1.DESCRIPTION`; `GS1.LINK`, a Digital Link in
JSON; `DNS.NAPTR`, a record in presentation form. Rules for codes without a record of
their own stand in `CODE.RULE` values of `<code prefix>/RULES` (of the enterprise's own
codes in `<prefix>/CODE_RULES`). Like the identifiers they follow from the topology alone.
"""

import json
from collections.abc import Iterator
from typing import NamedTuple

from registry.schemes.gs1 import check_digit
from resolver.code_prefixes import code_prefixes
from resolver.seeded import SeededIdentifier, SeededValue
from resolver.topology import Enterprise, Product, is_gtin_of

ALIAS_TTL_SECONDS = 60
"""Links are edited while they are in use: an answer is not kept for longer."""

BATCH = "LOT0001"
_SERIALS = ("SN0001", "SN0042")
_SHOWN_SERIAL, _SHOWN_NUMBER = "SN0042", 42
_GTIN_8 = 8
_PDF = "application/pdf"
_DATA_SERVICE = "http://www.ons.gs1.org/tsd/servicetype-aaqi"
"""ServiceType of trusted product data (resolvers notes §2.1)."""


class SeededCode(NamedTuple):
    """A code that resolves after boot, as people write it, and what it stands for."""

    scheme: str
    code: str
    identifier: str


def code_records(enterprise: Enterprise) -> dict[str, tuple[SeededIdentifier, ...]]:
    """Return the records of codes and rules that exist after boot.

    They are grouped by the prefix with which they are seeded: code prefixes, or the
    enterprise's own for one without codes. The rules of its own codes come with the
    first, so that a data directory of an earlier version gets them too.
    """
    records = {
        code.prefix: tuple(_MAKERS[code.scheme](enterprise, code.prefix))
        for code in code_prefixes(enterprise)
    }
    first = next(iter(records), enterprise.prefix)
    return {**records, first: (*records.get(first, ()), _own_rules(enterprise))}


def seeded_codes(enterprise: Enterprise) -> tuple[SeededCode, ...]:
    """Return codes of an enterprise that resolve: by record, by rule, or as they are."""
    return (*_gs1_codes(enterprise), *_other_codes(enterprise))


def _gs1_codes(enterprise: Enterprise) -> Iterator[SeededCode]:
    company, prefix = enterprise.gs1_company_prefix, enterprise.prefix
    if company is None:
        return
    for product, gtin in _trade_items(enterprise):
        yield SeededCode("gs1", product.gtin or gtin, _class_of(enterprise, product))
    for gtin in _first_trade_item(enterprise):
        item = f"(01){gtin}(10){BATCH}(21){_SHOWN_SERIAL}"
        yield SeededCode("gs1", f"(01){gtin}(10){BATCH}", f"{prefix}/{BATCH}")
        yield SeededCode("gs1", f"(01){gtin}(21)SN0001", f"{prefix}/SN0001")
        yield SeededCode("gs1", item, f"{prefix}/{_SHOWN_SERIAL}")
        by_rule = f"(01){gtin}(21){_SHOWN_SERIAL[2:]}"
        yield SeededCode("gs1", by_rule, f"{prefix}/{_SHOWN_SERIAL}")
    yield SeededCode("gs1", f"(00){_pallet(company)}", f"{prefix}/{BATCH}")
    yield SeededCode("gs1", f"(414){_works(company)}", f"0.NA/{prefix}")


def _other_codes(enterprise: Enterprise) -> Iterator[SeededCode]:
    prefix = enterprise.prefix
    if enterprise.oid is not None:
        yield SeededCode("oid", enterprise.oid, f"0.NA/{prefix}")
    for number, product in enumerate(enterprise.products, 1):
        its_class = _class_of(enterprise, product)
        if enterprise.oid is not None:
            yield SeededCode("oid", f"{enterprise.oid}.{number}", its_class)
        if enterprise.ecode is not None:
            yield SeededCode("ecode", f"{enterprise.ecode}{number:04d}", its_class)
    shown = f"{prefix}/{_SHOWN_SERIAL}"
    if enterprise.ecode is not None and enterprise.products:
        yield SeededCode("ecode", f"{enterprise.ecode}0001{_SHOWN_NUMBER:010d}", shown)
    national, industry, own = prefix.rsplit(".", 2)
    if national == "88" and len(industry) == 3:
        # Three digits of the country, three of the industry (idis notes §2.1).
        yield SeededCode("vaa", f"VAA088{industry}{own}/{_SHOWN_SERIAL}", shown)
    own_code = f"{enterprise.name.upper()}-{_SHOWN_NUMBER:04d}"
    yield SeededCode("company", own_code, shown)


def _gs1_records(enterprise: Enterprise, prefix: str) -> Iterator[SeededIdentifier]:
    company, own = enterprise.gs1_company_prefix, enterprise.prefix
    assert company is not None
    for product, gtin in _trade_items(enterprise):
        links = _class_links(enterprise, product)
        name = f"{prefix}/01/{gtin}"
        yield _alias(name, _class_of(enterprise, product), product.name, *links)
    for gtin in _first_trade_item(enterprise):
        first = enterprise.products[0].name
        lot, item = f"{first} {BATCH}", f"{first} {{}}"
        name = f"{prefix}/01/{gtin}"
        yield _alias(f"{name}/10/{BATCH}", f"{own}/{BATCH}", lot)
        for serial in _SERIALS:
            link = _trace(enterprise, serial)
            title = item.format(serial)
            yield _alias(f"{name}/21/{serial}", f"{own}/{serial}", title, link)
    pallet = f"{enterprise.title} {BATCH}"
    yield _alias(f"{prefix}/00/{_pallet(company)}", f"{own}/{BATCH}", pallet)
    works = f"{prefix}/414/{_works(company)}"
    yield _alias(works, f"0.NA/{own}", enterprise.title, _home_page(enterprise))
    yield _rules(f"{prefix}/RULES", f"gs1 01 21 -> {own}/SN{{21}}")


def _oid_records(enterprise: Enterprise, prefix: str) -> Iterator[SeededIdentifier]:
    oid = enterprise.oid
    children = SeededValue(
        "DNS.NAPTR",
        f'100 10 "u" "ORS+CINF" "!^.*$!{_address(enterprise)}/oid/{oid}.xml!" .',
    )
    home = _home_page(enterprise, service="ORS+UINF")
    arc = _alias(f"{prefix}/{oid}", f"0.NA/{enterprise.prefix}", enterprise.title, home)
    yield arc._replace(values=(*arc.values, children))
    for number, product in enumerate(enterprise.products, 1):
        page = _page(enterprise, product, service="ORS+UINF")
        name = f"{prefix}/{oid}.{number}"
        yield _alias(name, _class_of(enterprise, product), product.name, page)


def _ecode_records(enterprise: Enterprise, prefix: str) -> Iterator[SeededIdentifier]:
    for number, product in enumerate(enterprise.products, 1):
        name = f"{prefix}/{enterprise.ecode}{number:04d}"
        yield _alias(name, _class_of(enterprise, product), product.name)
    if enterprise.products:
        name = f"{prefix}/{enterprise.ecode}0001{_SHOWN_NUMBER:010d}"
        title = f"{enterprise.products[0].name} {_SHOWN_SERIAL}"
        yield _alias(name, f"{enterprise.prefix}/{_SHOWN_SERIAL}", title)


_MAKERS = {"GS1": _gs1_records, "OID": _oid_records, "ECODE": _ecode_records}


def _own_rules(enterprise: Enterprise) -> SeededIdentifier:
    own, name = enterprise.prefix, enterprise.name.upper()
    rule = f"code {name}-{{serial:4d}} -> {own}/SN{{serial}}"
    return _rules(f"{own}/CODE_RULES", rule)


def _trade_items(enterprise: Enterprise) -> Iterator[tuple[Product, str]]:
    """List the products with a GTIN of the company prefix, which is made 14 digits."""
    company = enterprise.gs1_company_prefix or ""
    for product in enterprise.products:
        gtin = product.gtin or ""
        if len(gtin) > _GTIN_8 and is_gtin_of(gtin, company):
            yield product, gtin.zfill(14)


def _first_trade_item(enterprise: Enterprise) -> list[str]:
    """Give the GTIN of the product that the seeded items are; none without one."""
    return [
        gtin
        for product, gtin in _trade_items(enterprise)
        if product is enterprise.products[0]
    ]


def _pallet(company: str) -> str:
    """Give an SSCC: extension digit 0, company prefix, serial reference 1."""
    digits = "0" + company + "1".zfill(16 - len(company))
    return digits + check_digit(digits)


def _works(company: str) -> str:
    """Give a GLN: company prefix, location reference all nines but the last digit."""
    digits = (company + "9" * 12)[:11] + "0" if len(company) < 12 else company
    return digits + check_digit(digits)


def _class_links(enterprise: Enterprise, product: Product) -> Iterator[SeededValue]:
    """Give what people and machines may want to know of a product class.

    Two links differ in their language, two in nothing but their address.
    """
    address = f"{_address(enterprise)}/MODEL/{product.model}"
    yield _page(enterprise, product, "en")
    yield _page(enterprise, product, "zh")
    certificate = {"title": f"{product.name_en}, certificate", "type": _PDF}
    yield _link("gs1:certificationInfo", f"{address}/certificate.pdf", **certificate)
    for part in (1, 2):
        manual = {"title": f"{product.name_en}, manual part {part}", "type": _PDF}
        yield _link("gs1:instructions", f"{address}/manual-{part}.pdf", **manual)
    data = {"title": product.name_en, "type": "application/json"}
    yield _link("gs1:masterData", f"{address}.json", **data, service=_DATA_SERVICE)


def _page(
    enterprise: Enterprise, product: Product, language: str = "zh", **more: object
) -> SeededValue:
    title = product.name_en if language == "en" else product.name
    address = f"{_address(enterprise)}/MODEL/{product.model}?lang={language}"
    page = {"title": title, "hreflang": [language], "type": "text/html"}
    return _link("gs1:pip", address, **page, default=True, **more)


def _trace(enterprise: Enterprise, serial: str) -> SeededValue:
    address = f"{_address(enterprise)}/trace/{serial}"
    page = {"title": f"{enterprise.title_en}, {serial}", "type": "text/html"}
    return _link("gs1:traceability", address, **page)


def _home_page(enterprise: Enterprise, **more: object) -> SeededValue:
    page = {"title": enterprise.title, "hreflang": ["zh"], "type": "text/html"}
    return _link("gs1:pip", _address(enterprise), **page, default=True, **more)


def _address(enterprise: Enterprise) -> str:
    return f"https://{enterprise.name}.example.com"


def _link(kind: str, href: str, **attributes: object) -> SeededValue:
    link = {"linkType": kind, "href": href, **attributes}
    return SeededValue("GS1.LINK", json.dumps(link, ensure_ascii=False))


def _alias(
    name: str, identifier: str, description: str, *links: SeededValue
) -> SeededIdentifier:
    alias = SeededValue("HS_ALIAS", identifier)
    described = SeededValue("GS1.DESCRIPTION", description)
    return SeededIdentifier(name, (alias, described, *links))


def _rules(name: str, *rules: str) -> SeededIdentifier:
    values = tuple(SeededValue("CODE.RULE", rule) for rule in rules)
    return SeededIdentifier(name, values)


def _class_of(enterprise: Enterprise, product: Product) -> str:
    return f"{enterprise.prefix}/MODEL/{product.model}"
