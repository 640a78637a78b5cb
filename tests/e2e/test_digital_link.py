"""Digital Links over HTTP and HTTPS in a whole network, and links edited while it runs."""

import base64
import http.client
import json
import os
import ssl
import subprocess
import sys
from urllib.parse import quote, urlsplit

import jsonschema
import pytest

from bench.links import paths_of
from registry.schemes import gs1
from resolver.running import run_network
from tests.digital_links import (
    DESCRIPTION_SCHEMA,
    LINKSET_SCHEMA,
    assert_linkset,
    link,
    schema_of_1_2,
)

LINKSET = "application/linkset+json"
PREFIX, CODE_PREFIX = "88.100.1", "88.GS1.95210001"
CLASS = "01/09521000100015"
DEADLINE_SECONDS = 20


@pytest.fixture(scope="module")
def network():
    arguments = ("--port-base", "0", "--secondaries", "2", "--fast-path", "off")
    with run_network(*arguments, "--no-chains") as running:
        yield running


class Node:
    """Asks one node as curl would."""

    def __init__(self, network, role=None, prefix=None):
        nodes = network.ready["nodes"]
        self.entry = next(
            node for node in nodes if node["role"] == role or prefix in node["prefixes"]
        )
        self.tls = ssl.create_default_context(cafile=network.ready["tls_ca"])

    @property
    def http(self):
        return self.entry["http"]

    def send(self, target, *, method="GET", secure=False, body=None, **headers):
        address = urlsplit(self.entry["https" if secure else "http"]).netloc
        if secure:
            connection = http.client.HTTPSConnection(
                address, timeout=DEADLINE_SECONDS, context=self.tls
            )
        else:
            connection = http.client.HTTPConnection(address, timeout=DEADLINE_SECONDS)
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        try:
            connection.request(method, target, body=body, headers=named)
            response = connection.getresponse()
            response.octets = response.read()
        finally:
            connection.close()
        return response


@pytest.fixture
def top(network):
    return Node(network, role="top")


@pytest.fixture
def recursive(network):
    return Node(network, role="recursive")


@pytest.fixture
def enterprise(network):
    return Node(network, prefix=PREFIX)


def test_every_seeded_gs1_code_has_a_default_and_a_valid_linkset(network, top):
    paths = paths_of(network.ready)
    assert len(paths) > 10
    for path in paths:
        assert top.send(f"/{path}").status == 307, path
        answer = top.send(f"/{path}", accept=LINKSET)
        assert answer.status == 200, path
        assert_linkset(json.loads(answer.octets))


def test_r2_https_is_supported_and_names_itself(top):
    answer = top.send(f"/{CLASS}", secure=True, accept=LINKSET)
    (item,) = json.loads(answer.octets)["linkset"]
    assert item["anchor"].startswith(f"{top.entry['https']}/01/")


def test_r2_head_has_the_headers_of_get_and_no_body(top):
    got, head = top.send(f"/{CLASS}"), top.send(f"/{CLASS}", method="HEAD")
    assert (head.status, head.octets) == (307, b"")
    assert head.getheader("location") == got.getheader("location")
    assert head.getheader("content-length") == got.getheader("content-length")


def test_r2_options_and_cors(top):
    answer = top.send(f"/{CLASS}", method="OPTIONS", origin="https://a.example")
    assert (answer.status, answer.getheader("allow")) == (200, "GET, HEAD, OPTIONS")
    answer = top.send(f"/{CLASS}", sec_fetch_site="cross-site")
    assert answer.getheader("access-control-allow-origin") == "*"


def test_r2_other_methods_are_405(top):
    assert top.send(f"/{CLASS}", method="POST", body=b"x").status == 405


def test_r3_and_r11_say_what_is_wrong(top):
    assert top.send(f"/{CLASS}/foo").status == 400
    assert top.send("/01/09521000100014").status == 400
    assert top.send("/01/09506000134352").status == 404
    assert top.send(f"/{CLASS}?linkType=gs1:nosuch").status == 404


def test_r4_a_compressed_uri_resolves(top):
    (reading, *_) = gs1.read(f"{top.http}/{CLASS}/21/SN0042")
    target = gs1.compressed_uri(reading, top.http).removeprefix(top.http)
    answer = top.send(target)
    assert answer.status == 307
    expected = f'<{top.http}/{CLASS}/21/SN0042>; rel="owl:sameAs"'
    assert expected in answer.getheader("link")


def test_r13_the_language_decides(top):
    english = top.send(f"/{CLASS}", accept_language="en-GB,en;q=0.9")
    chinese = top.send(f"/{CLASS}", accept_language="zh-CN,zh;q=0.9,en;q=0.8")
    assert english.getheader("location").endswith("lang=en")
    assert chinese.getheader("location").endswith("lang=zh")


def test_r14_the_description_file_is_at_every_node(top, recursive, enterprise):
    for node in (top, recursive, enterprise):
        answer = node.send("/.well-known/gs1resolver")
        document = json.loads(answer.octets)
        jsonschema.Draft7Validator(DESCRIPTION_SCHEMA).validate(document)
        assert document["resolverRoot"] == node.http


def test_r18_equally_good_links_are_300(top):
    answer = top.send(f"/{CLASS}?linkType=gs1:instructions")
    assert answer.status == 300
    assert_linkset(json.loads(answer.octets))


def test_a_code_without_links_leads_to_a_record_that_is_there(network, top, recursive):
    location = top.send("/00/095210001000000015").getheader("location")
    assert location.startswith(recursive.http)
    answer = recursive.send(location.removeprefix(recursive.http))
    assert json.loads(answer.octets)["handle"] == f"{PREFIX}/LOT0001"


def test_other_pages_of_a_node_still_answer(top):
    assert top.send("/healthz").status == 200
    assert top.send("/docs").status == 200
    assert top.send("/nothing").status == 404


def test_nodes_answer_for_what_they_keep(network, enterprise):
    other = Node(network, prefix="88.118.1")
    assert enterprise.send(f"/{CLASS}").status == 307
    assert other.send(f"/{CLASS}").status == 404


def test_requests_are_counted_by_status(top):
    top.send(f"/{CLASS}/foo")
    told = top.send("/metrics").octets.decode()
    assert 'idis_link_requests_total{node="wuhan",role="top",status="400"}' in told


def register(network, path, *links):
    """Register links with the command that people use."""
    texts = [f"GS1.LINK={octets.decode()}" for octets in links]
    command = [
        sys.executable,
        "-m",
        "resolver.cli",
        "register",
        f"{CODE_PREFIX}/{path}",
    ]
    environment = {**os.environ, "IDIS_READY_FILE": str(network.ready_file)}
    subprocess.run([*command, *texts], check=True, capture_output=True, env=environment)


def put(node, credential, path, *links):
    """Change links over the Handle JSON API."""
    user = quote(f"{credential['index']}:{credential['handle']}", safe="/")
    secret = f"{user}:{credential['secret']}".encode()
    values = [
        {
            "index": index,
            "type": "GS1.LINK",
            "ttl": 60,
            "data": {"format": "string", "value": octets.decode()},
        }
        for index, octets in enumerate(links, 1)
    ]
    answer = node.send(
        f"/api/handles/{CODE_PREFIX}/{path}?overwrite=true",
        method="PUT",
        secure=True,
        body=json.dumps({"values": values}).encode(),
        authorization="Basic " + base64.b64encode(secret).decode(),
    )
    assert answer.status in (200, 201), answer.octets


def test_links_are_edited_like_any_value_and_served_at_once(network, top, enterprise):
    path = f"{CLASS}/21/EDITED"
    target = f"/{path}?linkType=gs1:traceability"

    def served(node, **headers):
        location = node.send(target, **headers).getheader("location")
        return location and location.partition("?")[0]

    # An item that nobody registered yet has only what its class has.
    assert enterprise.send(target).status == 404
    register(network, path, link("gs1:traceability", "https://a.example/1"))
    assert served(enterprise) == "https://a.example/1"
    # What the recursive node remembers lasts as long as its TTL says ...
    assert served(top, cache_control="no-cache") == "https://a.example/1"
    credential = network.credential("secret", PREFIX)
    put(enterprise, credential, path, link("gs1:traceability", "https://a.example/2"))
    assert served(enterprise) == "https://a.example/2"
    # ... unless the client wants no copy.
    assert served(top, cache_control="no-cache") == "https://a.example/2"


def test_the_tree_gives_what_it_remembers_until_the_ttl_is_over(network, top):
    path = f"{CLASS}/21/REMEMBERED"
    target = f"/{path}?linkType=gs1:traceability"
    register(network, path, link("gs1:traceability", "https://a.example/1"))
    first = top.send(target).getheader("location")
    credential = network.credential("secret", PREFIX)
    node = Node(network, prefix=PREFIX)
    put(node, credential, path, link("gs1:traceability", "https://a.example/2"))
    assert top.send(target).getheader("location") == first


def test_the_schemas_refuse_what_they_should():
    wrong = {"linkset": [{"anchor": "https://a.example/", "gs1:pip": []}]}
    for schema in (LINKSET_SCHEMA, schema_of_1_2()):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft7Validator(schema).validate(wrong)
