"""Records of a Digital Link resolver made by hand, a node that has them, GS1's schemas."""

import copy
import json
from types import SimpleNamespace

import jsonschema

from registry.model.codes import ResponseCode
from registry.model.octets import blob
from registry.model.value import Value, encode_values
from resolver.chain import Reply, failure
from resolver.faces.digital_link import DigitalLinkFace
from resolver.faces.exchange import Request
from resolver.telemetry import Telemetry
from resolver.wire.codes import OpFlag
from tests.vectors.read import HERE

GTIN = "09521000100015"
CODE_PREFIX = "88.GS1.95210001"
CLASS = f"01/{GTIN}"
LOT = f"{CLASS}/10/LOT7"
ITEM = f"{CLASS}/21/SN42"
ROOT = "http://127.0.0.1:3000"
VOC = "https://ref.gs1.org/voc/"

LINKSET_SCHEMA = json.loads((HERE / "gs1" / "linkset-schema.json").read_text())


def schema_of_1_2():
    """What changed in the schema published with release 1.2.0 of the standard.

    `description` beside `itemDescription`, which is no longer required; facts read at
    ref.gs1.org/standards/resolver/1.2.0/linkset-schema.
    """
    schema = copy.deepcopy(LINKSET_SCHEMA)
    items = schema["properties"]["linkset"]["items"]
    items["properties"]["description"] = {"type": "string"}
    items["required"] = ["anchor"]
    ((_, links),) = items["patternProperties"].items()
    pattern = (
        r"(?!(anchor|itemDescription|description))^([a-z-]+$)"
        r"|(^https?:\/\/[a-zA-z0-9./]+$)"
    )
    items["patternProperties"] = {pattern: links}
    return schema


KEYS = "01 8006 8013 8010 410 411 412 413 414 415 417 8017 8018 255 00 253 401 402"
DESCRIPTION_SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "required": ["resolverRoot", "supportedPrimaryKeys"],
    "properties": {
        "resolverRoot": {"type": "string", "pattern": "^https?://[^/]+$"},
        "supportedPrimaryKeys": {
            "type": "array",
            "items": {"enum": ["all", *KEYS.split(), "8003", "8004"]},
        },
        "name": {"type": "string"},
        "supportedLinkType": {
            "type": "array",
            "items": {
                "properties": {
                    "namespace": {"type": "string"},
                    "prefix": {
                        "type": "string",
                        "pattern": "^[a-zA-Z_][A-Za-z0-9_-]*?:$",
                    },
                }
            },
        },
        "linkTypeDefaultCanBeLinkset": {"type": "boolean"},
        "jsonLdContextLocation": {"type": "string"},
        "contact": {"type": "object", "properties": {"fn": {"type": "string"}}},
    },
}
"""Facts of ref.gs1.org/standards/resolver/1.2.0/description-file-schema."""


def assert_linkset(document) -> None:
    """Validate with the schema of GS1's test suite, and with that of release 1.2.0."""
    for schema in (LINKSET_SCHEMA, schema_of_1_2()):
        jsonschema.Draft7Validator(schema).validate(document)


def link(kind, href, **more) -> bytes:
    document = {"linkType": kind, "href": href, "title": more.pop("title", "A link")}
    return json.dumps(document | more).encode()


def record(*links, alias=(), description="", rules=()):
    """The values of an alias record."""
    names = [("HS_ALIAS", name.encode()) for name in alias]
    texts = [("GS1.DESCRIPTION", description.encode())] if description else []
    listed = [("GS1.LINK", octets) for octets in links]
    written = [("CODE.RULE", rule.encode()) for rule in rules]
    kinds = [*names, *texts, *listed, *written]
    return tuple(Value(at, kind, data) for at, (kind, data) in enumerate(kinds, 1))


class Asked:
    """Answers resolutions of records made by hand, as a recursive node's chain does."""

    def __init__(self, records):
        self.records = {name.upper(): values for name, values in records.items()}
        self.names = []
        self.flags = OpFlag(0)
        self.failing = None
        self.expires = 0.0

    def ask(self, query):
        name = query.request.handle.decode()
        self.names.append(name)
        self.flags = query.flags
        if self.failing is not None:
            return self.failing
        values = self.records.get(name.upper())
        if values is None:
            missing = failure(ResponseCode.HANDLE_NOT_FOUND)
            return missing._replace(expires=self.expires)
        body = blob(query.request.handle) + encode_values(values)
        return Reply(ResponseCode.SUCCESS, body, expires=self.expires)


def node_with(records, code_prefix):
    """A node that answers from the tree, as far as its Digital Link face can tell."""
    known = {f"0.NA/{code_prefix}": (), **records}
    return SimpleNamespace(
        responder=Asked(known),
        registry=None,
        tree=None,
        telemetry=Telemetry(),
        http=SimpleNamespace(port=3000),
        settings=SimpleNamespace(hosts=("127.0.0.1", "::1"), name="recursive"),
    )


class Resolver:
    """Asks the face of a node that has some records below one code prefix."""

    def __init__(self, records, code_prefix=CODE_PREFIX):
        below = {f"{code_prefix}/{path}": values for path, values in records.items()}
        self.node = node_with(below, code_prefix)
        self.now = 1_800_000_000.0
        self.face = DigitalLinkFace(self.node, clock=lambda: self.now)

    @property
    def asked(self):
        """Names that the face has asked for."""
        return self.node.responder.names

    async def get(self, path, query="", *, method="GET", **headers):
        octets = {
            name.replace("_", "-").encode(): text.encode("latin-1")
            for name, text in {"host": "127.0.0.1:3000", **headers}.items()
        }
        target = path.encode()
        assert self.face.serves(target), path
        request = Request(method, target, query.encode(), octets, "client", False)
        return Answer(await self.face.answer(request))


class Answer:
    """A response, its parts by name."""

    def __init__(self, response):
        self.status = int(response.status)
        self.kind = response.content_type
        self.body = response.body
        self.headers = {
            name.decode(): value.decode("latin-1") for name, value in response.headers
        }

    @property
    def location(self):
        return self.headers.get("location")

    @property
    def json(self):
        return json.loads(self.body)
