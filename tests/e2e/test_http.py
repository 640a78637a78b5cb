"""The HTTP face over real sockets: reading, writing, limits, management."""

import asyncio
import base64
import hashlib
import ssl
from random import Random

import pytest
from prometheus_client.parser import text_string_to_metric_families

from registry.errors import StoreError
from registry.journal import Operation
from registry.model.identity import Identity
from registry.model.typed import ALL_ADMIN_BITS, Admin
from registry.model.value import Value
from resolver.errors import SetupError
from resolver.faces import http_connection
from resolver.faces.http_connection import MAX_AHEAD, MAX_HEAD_OCTETS, Connection
from resolver.faces.tls import server_context
from resolver.session.signature import SecretCredential, answer
from resolver.settings import NodeSettings
from tests.e2e.http_support import (
    ADMIN,
    ADMIN_BASIC,
    ADMINISTRATOR,
    DEADLINE_SECONDS,
    PREFIX,
    basic,
    end,
    raw,
    read_all,
    request,
    run,
    serve,
    submit,
)
from tests.sockets import exchange_tcp
from tests.vectors.read import golden_pairs

P1 = f"/api/handles/{PREFIX}/P1"
NEW = f"/api/handles/{PREFIX}/NEW"
ONE = {"index": 1, "type": "URL", "data": "https://example.org"}
TWO = {"index": 2, "type": "EMAIL", "data": "a@example.org"}
CERTIFIED = {"Authorization": 'Handle clientCert="true"'}
MESSAGE = {"Content-Type": "application/x-hdl-message"}


@pytest.fixture
async def served(tmp_path):
    async with serve(tmp_path) as served:
        yield served


@pytest.fixture
async def operated(tmp_path):
    operator = Identity(ADMIN.upper().encode(), 302)
    async with serve(tmp_path, operators=(operator,)) as served:
        await submit(served.node, Operation.HOME, "0.NA")
        yield served


async def put(served, target, body, **headers):
    sent = ADMIN_BASIC | {name.replace("_", "-"): v for name, v in headers.items()}
    return await request(served, "PUT", target, body, headers=sent)


async def delete(served, target, **headers):
    sent = ADMIN_BASIC | {name.replace("_", "-"): v for name, v in headers.items()}
    return await request(served, "DELETE", target, headers=sent)


async def indexes(served, target, **more):
    answer = await request(served, "GET", target, **more)
    return [value["index"] for value in answer.json["values"]]


@pytest.mark.parametrize("secure", [True, False])
async def test_a_record_is_resolved(served, secure):
    answer = await request(served, "GET", P1, secure=secure)
    assert answer.status == 200
    assert answer.json["responseCode"] == 1
    assert answer.json["handle"] == f"{PREFIX}/P1"
    value = answer.json["values"][0]
    assert value.pop("timestamp").endswith("Z")
    assert value == {
        "index": 1,
        "type": "URL",
        "data": {"format": "string", "value": "https://example.com"},
        "ttl": 86400,
    }
    assert answer.headers["content-type"] == "application/json;charset=UTF-8"
    assert answer.headers["date"].endswith("GMT")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?index=2", [2]),
        ("?index=1&index=3", [1, 3]),
        ("?type=url", [1]),
        ("?type=URL.", [1, 3]),
        ("?type=EMAIL&index=1", [1, 2]),
        ("?type=URL&publicOnly=true&auth&cert=true&doNotRefer=false", [1]),
    ],
)
async def test_values_are_chosen_by_index_and_type(served, query, found):
    assert await indexes(served, P1 + query) == found


async def test_no_matching_value_is_no_failure(served):
    answer = await request(served, "GET", f"{P1}?type=NAME")
    assert answer.status == 200
    assert answer.json == {
        "responseCode": 200,
        "handle": f"{PREFIX}/P1",
        "values": [],
    }


async def test_a_name_is_echoed_as_it_was_written(served):
    answer = await request(served, "GET", f"/api/handles/{PREFIX}/p1")
    assert answer.json["handle"] == f"{PREFIX}/p1"


@pytest.mark.parametrize(
    ("path", "handle"),
    [
        (f"{PREFIX}%2FA%2FB%20C", "A/B C"),
        (f"{PREFIX}/A/B%20C", "A/B C"),
        (f"{PREFIX}/%E6%AD%A6+", "武+"),
        (f"{PREFIX}/a%253Fb", "a%3Fb"),
    ],
)
async def test_names_are_percent_decoded_once(served, path, handle):
    name = f"{PREFIX}/{handle}"
    await submit(served.node, Operation.CREATE, name, [Value(1, "URL", b"x")])
    answer = await request(served, "GET", f"/api/handles/{path}")
    assert (answer.status, answer.json["handle"]) == (200, name)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"{PREFIX}/NO", 404, 100),
        ("88.999/X", 400, 301),
        (f"{PREFIX}/%0A", 400, 102),
        (f"{PREFIX}/%FF", 400, 102),
        ("/", 400, 102),
        ("a" * 3000, 400, 102),
    ],
)
async def test_refusals_carry_code_and_status(served, path, status, code):
    answer = await request(served, "GET", f"/api/handles/{path}")
    assert (answer.status, answer.json["responseCode"]) == (status, code)
    assert "etag" not in answer.headers


@pytest.mark.parametrize(
    "query",
    [
        "?index=x",
        "?index=",
        "?index=4294967296",
        "?index=-1",
        "?pretty=perhaps",
        "?callback=alert(1)",
        "?callback=",
        "?type=%FF",
        "?" + "&".join(["type=A"] * 4300),
    ],
)
async def test_parameters_that_make_no_sense_are_refused(served, query):
    answer = await request(served, "GET", P1 + query)
    assert (answer.status, answer.json["responseCode"]) == (400, 4)
    assert answer.json["message"]


async def test_json_comes_pretty_or_as_a_script(served):
    pretty = await request(served, "GET", f"{P1}?pretty=true")
    assert b'\n  "responseCode": 1' in pretty.body
    script = await request(served, "GET", f"{P1}?callback=app.show")
    assert script.headers["content-type"].startswith("application/javascript")
    assert script.body.startswith(b'/**/app.show({"responseCode":1,')
    assert script.body.isascii()


async def test_a_script_shows_only_what_everybody_may_see(served):
    target = f"/api/handles/{ADMIN}?callback=show"
    script = await request(served, "GET", target, headers=ADMIN_BASIC)
    assert b'"index":300' in script.body
    assert b'"index":302' not in script.body


@pytest.mark.parametrize("target", [NEW, "/api/prefixes/88.5", "/", "/x"])
async def test_pages_of_other_sites_change_nothing(served, target):
    headers = ADMIN_BASIC | {"Sec-Fetch-Site": "cross-site"}
    method = "PUT" if target == NEW else "POST"
    refused = await request(served, method, target, [ONE], headers=headers)
    assert refused.status == 403
    headers["Sec-Fetch-Site"] = "same-origin"
    allowed = await request(served, method, target, [ONE], headers=headers)
    assert allowed.body != refused.body


async def test_a_head_has_no_body(served):
    answer = await request(served, "HEAD", P1)
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["content-length"]) > 100


async def test_restricted_values_are_for_their_administrators(served):
    target = f"/api/handles/{ADMIN}"
    assert await indexes(served, target) == [100, 300, 301]
    assert await indexes(served, target, headers=ADMIN_BASIC) == [100, 300, 301, 302]
    public = await indexes(served, f"{target}?publicOnly", headers=ADMIN_BASIC)
    assert 302 in public  # as for a client that logged in (handle notes §2.4)


async def test_whoever_asks_for_more_than_is_public_is_challenged(served):
    answer = await request(served, "GET", f"/api/handles/{ADMIN}?publicOnly=false")
    assert (answer.status, answer.json["responseCode"]) == (401, 402)
    assert answer.headers["www-authenticate"] == 'Basic realm="handle"'
    assert len(served.node.responder.challenges) == 0


async def test_a_record_is_created_replaced_and_deleted(served):
    made = await put(served, f"{NEW}?overwrite=false", {"values": [ONE, TWO]})
    assert made.status == 201
    assert made.json == {"responseCode": 1, "handle": f"{PREFIX}/NEW"}
    again = await put(served, f"{NEW}?overwrite=false", {"values": [ONE]})
    assert (again.status, again.json["responseCode"]) == (409, 101)
    replaced = await put(served, NEW, ONE)
    assert replaced.status == 200
    assert await indexes(served, NEW) == [1]
    gone = await delete(served, NEW)
    assert (gone.status, gone.json["responseCode"]) == (200, 1)
    missing = await delete(served, NEW)
    assert (missing.status, missing.json["responseCode"]) == (404, 100)


async def test_values_are_added_replaced_and_removed(served):
    await put(served, NEW, [ONE])
    added = await put(served, f"{NEW}?index=2&overwrite=false", [TWO])
    assert added.status == 201
    conflict = await put(served, f"{NEW}?index=2&overwrite=false", [TWO])
    assert (conflict.status, conflict.json["responseCode"]) == (409, 201)
    various = [ONE | {"data": "changed"}, TWO | {"index": 3}]
    assert (await put(served, f"{NEW}?index=various", various)).status == 200
    answer = await request(served, "GET", NEW)
    assert [v["index"] for v in answer.json["values"]] == [1, 2, 3]
    assert answer.json["values"][0]["data"]["value"] == "changed"
    assert (await delete(served, f"{NEW}?index=2&index=3")).status == 200
    missing = await delete(served, f"{NEW}?index=2")
    assert (missing.status, missing.json["responseCode"]) == (400, 200)
    assert await indexes(served, NEW) == [1]


async def test_one_value_takes_its_index_from_the_query(served):
    await put(served, NEW, [ONE])
    assert (
        await put(served, f"{NEW}?index=9", {"type": "A", "data": "b"})
    ).status == 200
    assert await indexes(served, NEW) == [1, 9]


async def test_values_that_the_query_does_not_name_are_refused(served):
    await put(served, NEW, [ONE])
    answer = await put(served, f"{NEW}?index=3", [TWO])
    assert (answer.status, answer.json["responseCode"]) == (400, 202)
    assert await indexes(served, NEW) == [1]


@pytest.mark.parametrize("query", ["?index=", "?index=various", "?index=1&index=x"])
async def test_a_bad_index_never_deletes_the_record(served, query):
    assert (await delete(served, P1 + query)).status == 400
    assert await indexes(served, P1) == [1, 2, 3]


async def test_a_suffix_is_minted(served):
    answer = await put(served, f"/api/handles/{PREFIX}/M-?mintNewSuffix=true", [ONE])
    assert answer.status == 201
    name = answer.json["handle"]
    assert name.startswith(f"{PREFIX}/M-")
    assert await indexes(served, f"/api/handles/{name}") == [1]


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (b"{", 4, "JSON"),
        (b"", 4, "JSON"),
        ([ONE | {"index": "x"}], 202, "$[0].index"),
        ({"values": [{"index": 1, "data": "x"}]}, 202, "$.values[0].type"),
        ([], 202, "empty"),
        ([ONE, ONE], 201, "conflict"),
        ([ONE | {"index": 0}], 202, "positive"),
        (
            [{"index": 1, "type": "HS_ADMIN", "data": "x"}],
            202,
            "HS_ADMIN",
        ),
    ],
)
async def test_what_cannot_be_written_is_refused_with_a_reason(
    served, body, code, message
):
    answer = await put(served, NEW, body)
    assert answer.json["responseCode"] == code
    assert answer.status == (409 if code == 201 else 400)
    assert message in answer.json["message"]


async def test_a_write_needs_credentials(served):
    answer = await request(served, "PUT", NEW, [ONE])
    assert (answer.status, answer.json["responseCode"]) == (401, 402)
    assert answer.headers["www-authenticate"] == 'Basic realm="handle"'
    assert len(served.node.responder.challenges) == 0


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_credentials_over_plain_http_are_refused_with_a_hint(served, method):
    answer = await request(served, method, P1, [ONE], headers=ADMIN_BASIC, secure=False)
    assert answer.status == 403
    assert "HTTPS" in answer.json["message"]


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        (basic(f"302%3A{ADMIN}", "wrong"), "secret is wrong"),
        (basic(f"302%3A{ADMIN}", ""), "secret is wrong"),
        (basic(f"302:{ADMIN}", ADMINISTRATOR.secret), "%3A"),
        (basic(ADMIN, ADMINISTRATOR.secret), "%3A"),
        (basic(f"300%3A{ADMIN}", ADMINISTRATOR.secret), "HS_SECKEY expected"),
        (basic(f"9%3A{ADMIN}", ADMINISTRATOR.secret), "has no key"),
        (basic(f"300%3A{PREFIX}/nobody", "x"), "has no key"),
        (basic("300%3A88.999/admin", "x"), "does not live here"),
        ({"Authorization": "Basic ???"}, "base64"),
        (CERTIFIED, "none was shown"),
    ],
)
async def test_wrong_credentials_are_refused(served, headers, message):
    answer = await request(served, "PUT", NEW, [ONE], headers=headers)
    assert answer.status == 403
    assert message in answer.json["message"]


@pytest.mark.parametrize("value", ["Bearer x", 'Handle version="0", sessionId="1"'])
async def test_other_schemes_are_not_supported(served, value):
    answer = await request(served, "GET", P1, headers={"Authorization": value})
    assert (answer.status, answer.json["responseCode"]) == (501, 5)


async def test_a_secret_may_be_kept_hashed_and_its_user_be_no_administrator(served):
    hashed = hashlib.sha1(b"open sesame").hexdigest().encode()
    value = Value(300, "HS_SECKEY", hashed, permissions=0x0C)
    await submit(served.node, Operation.CREATE, f"{PREFIX}/guest", [value])
    guest = basic(f"300%3A{PREFIX}/guest", "open sesame")
    answer = await request(served, "PUT", NEW, [ONE], headers=guest)
    assert (answer.status, answer.json["responseCode"]) == (403, 400)


@pytest.mark.parametrize("headers", [{}, CERTIFIED])
async def test_a_client_certificate_proves_who_writes(served, headers):
    client = served.files.client
    answer = await request(served, "PUT", NEW, [ONE], headers=headers, client=client)
    assert answer.status == 200


async def test_a_certificate_reads_restricted_values_when_it_says_so(served):
    target, client = f"/api/handles/{ADMIN}", served.files.client
    assert 302 not in await indexes(served, target, client=client)
    assert 302 in await indexes(served, target, client=client, headers=CERTIFIED)


async def test_a_certificate_with_another_key_proves_nothing(served):
    impostor = served.files.impostor
    answer = await request(served, "PUT", NEW, [ONE], client=impostor)
    assert answer.status == 403
    assert "key" in answer.json["message"]


async def test_a_certificate_of_another_authority_ends_the_connection(served):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await request(served, "GET", P1, client=served.files.stranger)


async def test_tls_1_1_is_refused(served):
    context = ssl.create_default_context(cafile=served.files.authority)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("127.0.0.1", served.node.https.port, ssl=context)


def test_tls_files_that_do_not_fit_are_a_setup_error(tmp_path):
    with pytest.raises(SetupError):
        server_context(tmp_path / "none.pem", tmp_path / "none.key")


@pytest.fixture
async def top(served, tmp_path):
    """A node above `served`, which refers to it."""
    settings = NodeSettings("top", "top", directory=tmp_path / "top")
    async with run(settings, served.files) as top:
        own = [Value(1, "HS_SITE", top.node.sites[0])]
        below = [Value(1, "HS_SITE", served.node.sites[0])]
        await submit(top.node, Operation.HOME, "88")
        await submit(top.node, Operation.HOME, "88.100")
        await submit(top.node, Operation.CREATE, "0.NA/88.100", own)
        await submit(top.node, Operation.CREATE, f"0.NA/{PREFIX}", below)
        yield top


@pytest.fixture
async def other(top, tmp_path):
    """A node whose administrator lives at `served`, as the tree tells."""
    settings = NodeSettings("other", "enterprise", directory=tmp_path / "other")
    async with run(settings, top.files, top.node.sites) as other:
        admin = Value(100, "HS_ADMIN", Admin(ALL_ADMIN_BITS, ADMIN, 0).encode())
        await submit(other.node, Operation.HOME, "88.200.1", [admin])
        yield other


async def test_a_user_of_another_node_proves_a_secret_there(other):
    target = "/api/handles/88.200.1/X"
    assert (await put(other, target, [ONE])).status == 200
    wrong = basic(f"302%3A{ADMIN}", "wrong")
    refused = await request(other, "PUT", target, [ONE], headers=wrong)
    assert refused.status == 403
    assert "wrong" in refused.json["message"]


async def test_a_user_of_another_node_writes_with_a_certificate(other):
    target, client = "/api/handles/88.200.1/X", other.files.client
    assert (await request(other, "PUT", target, [ONE], client=client)).status == 200
    impostor = other.files.impostor
    assert (await request(other, "PUT", target, [ONE], client=impostor)).status == 403


async def test_a_node_refers_to_the_one_below(top):
    told = await request(top, "GET", P1)
    assert (told.status, told.json["responseCode"]) == (300, 302)
    assert told.json["referral"] == f"0.NA/{PREFIX}"
    assert told.json["values"][0]["data"]["format"] == "site"
    told = await request(top, "GET", f"{P1}?doNotRefer=true")
    assert (told.status, told.json["responseCode"]) == (400, 301)


async def test_the_recursive_node_resolves_through_the_tree(served, top):
    settings = NodeSettings("wuhan", "recursive")
    async with run(settings, served.files, top.node.sites) as recursive:
        told = await request(recursive, "GET", P1)
        assert (told.status, told.json) == (
            200,
            (await request(served, "GET", P1)).json,
        )
        assert "etag" not in told.headers
        missing = await request(recursive, "GET", f"{P1}/no")
        assert (missing.status, missing.json["responseCode"]) == (404, 100)
        listed = await request(recursive, "GET", f"/api/handles?prefix={PREFIX}")
        assert (listed.status, listed.json["responseCode"]) == (501, 5)
        conditional = {"If-Match": "*"}
        written = await request(recursive, "PUT", P1, [ONE], headers=conditional)
        assert written.status == 501
        for target in ("/api/v1/journal", "/api/v1/prefixes/88"):
            assert (await request(recursive, "GET", target)).status == 501
        for target in ("/readyz", "/metrics", "/api/v1/statistics", "/api/site"):
            assert (await request(recursive, "GET", target)).status == 200


async def test_with_open_writes_nobody_has_to_prove_anything(tmp_path):
    async with serve(tmp_path, authentication=False) as served:
        wrong = basic("x", "y")
        made = await request(served, "PUT", NEW, [ONE], headers=wrong, secure=False)
        assert made.status == 200


async def tag(served, target=P1):
    return (await request(served, "GET", target)).headers["etag"]


async def test_a_conditional_write_is_done_only_while_the_tag_matches(served):
    first = await tag(served)
    changed = await put(served, P1, [ONE], if_match=first)
    assert changed.status == 200
    assert changed.headers["etag"] == await tag(served) != first
    stale = await put(served, P1, [TWO], if_match=first)
    assert stale.status == 412
    assert (await delete(served, P1, if_match=first)).status == 412
    assert (await delete(served, f"{P1}?index=1", if_match=first)).status == 412
    assert await indexes(served, P1) == [1]
    assert (await delete(served, P1, if_match=await tag(served))).status == 200
    assert (await put(served, P1, [ONE], if_match="*")).status == 412


async def test_conditions_cover_values_lists_and_new_records(served):
    listed = f'"999", {await tag(served)}'
    added = await put(served, f"{P1}?index=9", TWO | {"index": 9}, if_match=listed)
    assert added.status == 200
    assert (await delete(served, f"{P1}?index=9", if_match="*")).status == 200
    assert (await put(served, P1, [ONE], if_none_match="*")).status == 412
    assert (await put(served, NEW, [ONE], if_none_match="*")).status == 200
    for weak in (f"W/{await tag(served)}", "x", '""', ""):
        assert (await put(served, P1, [ONE], if_match=weak)).status == 412


async def test_of_many_writers_with_one_tag_one_wins(served):
    current = await tag(served)
    answers = await asyncio.gather(
        *(put(served, P1, [ONE], if_match=current) for _ in range(8))
    )
    assert sorted(answer.status for answer in answers) == [200] + [412] * 7


async def test_a_condition_is_no_way_around_authorisation(served):
    headers = {"If-Match": await tag(served)}
    answer = await request(served, "PUT", P1, [ONE], headers=headers)
    assert answer.status == 401
    answer = await request(served, "DELETE", P1, headers=headers, secure=False)
    assert answer.status == 401


async def test_the_same_write_reads_alike_by_http_and_tcp(served):
    await put(served, NEW, [ONE])
    listed = await request(
        served, "GET", f"/api/handles?prefix={PREFIX}", headers=ADMIN_BASIC
    )
    assert f"{PREFIX}/NEW" in listed.json["handles"]
    assert served.node.telemetry.requests["http", 100] == 1
    assert served.node.telemetry.requests["http", 105] == 1


async def test_identifiers_are_listed_by_the_page(served):
    for number in range(5):
        name = f"{PREFIX}/L{number}"
        await submit(served.node, Operation.CREATE, name, [Value(1, "URL", b"x")])
    target = f"/api/handles?prefix=0.NA/{PREFIX}&pageSize=3"
    pages = [
        (await request(served, "GET", f"{target}&page={n}", headers=ADMIN_BASIC)).json
        for n in range(4)
    ]
    assert [page["totalCount"] for page in pages] == ["7"] * 4
    assert pages[1]["page"] == 1
    assert pages[1]["pageSize"] == 3
    names = [page["handles"] for page in pages]
    assert [len(each) for each in names] == [3, 3, 1, 0]
    created = [f"{PREFIX}/L{number}" for number in range(5)]
    assert [*names[0], *names[1], *names[2]] == [
        ADMIN.upper(),
        *created,
        f"{PREFIX}/P1",
    ]


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        (f"?prefix={PREFIX}", {}, 401),
        ("?prefix=88.999", ADMIN_BASIC, 400),
        ("", ADMIN_BASIC, 400),
        ("?prefix=a/b", ADMIN_BASIC, 400),
        (f"?prefix={PREFIX}&pageSize=200000", ADMIN_BASIC, 400),
        (f"?prefix={PREFIX}&page=-2", ADMIN_BASIC, 400),
    ],
)
async def test_lists_are_refused_with_a_reason(served, query, headers, status):
    answer = await request(served, "GET", f"/api/handles{query}", headers=headers)
    assert answer.status == status


async def test_prefixes_are_homed_listed_and_unhomed(operated):
    target = "/api/prefixes"
    refused = await request(operated, "POST", f"{target}/88.5")
    assert refused.status == 401
    homed = await request(operated, "POST", f"{target}/0.NA/88.5", headers=ADMIN_BASIC)
    # The record of 88.5 is at another node, which cannot be asked here.
    assert homed.status in (200, 500)
    await submit(operated.node, Operation.HOME, "88.6")
    listed = await request(operated, "GET", target)
    assert "0.NA/88.6" in listed.json["prefixes"]
    gone = await request(
        operated, "DELETE", f"{target}?prefix=88.6", headers=ADMIN_BASIC
    )
    assert gone.status == 200
    listed = await request(operated, "GET", target)
    assert "0.NA/88.6" not in listed.json["prefixes"]


async def test_the_site_tells_the_ports(served):
    answer = await request(served, "GET", "/api/site")
    interfaces = answer.json["site"]["servers"][0]["interfaces"]
    ports = {each["protocol"]: each["port"] for each in interfaces}
    assert ports["HTTP"] == served.node.http.port
    assert ports["HTTPS"] == served.node.https.port


@pytest.mark.parametrize(
    ("secret", "right"), [(ADMINISTRATOR.secret, True), ("x", False)]
)
async def test_a_proof_by_secret_is_verified(served, secret, right):
    nonce, digest = b"n" * 16, b"d" * 32
    credential = SecretCredential(ADMIN, 302, secret.encode())
    _, proof = answer(credential, nonce, digest, salt=b"s" * 16)
    shown = {"nonce": nonce, "digest": digest, "signedResponse": proof}
    body = {name: base64.b64encode(value).decode() for name, value in shown.items()}
    body |= {"handle": ADMIN, "index": 302}
    told = await request(served, "POST", "/api/verifications", body)
    assert told.json == {"responseCode": 1, "verified": right}


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_sessions_are_not_supported(served, method):
    told = await request(served, method, "/api/sessions/this", b"{}")
    assert (told.status, told.json["responseCode"]) == (501, 5)
    assert "Basic" in told.json["message"]


@pytest.mark.parametrize(
    ("method", "target", "allowed"),
    [
        ("POST", P1, "GET, HEAD, PUT, DELETE"),
        ("PUT", "/api/handles", "GET, HEAD"),
        ("PATCH", "/api/prefixes", "GET, HEAD, POST, DELETE"),
        ("DELETE", "/api/site", "GET, HEAD"),
        ("GET", "/api/verifications", "POST"),
    ],
)
async def test_other_methods_are_refused_with_those_allowed(
    served, method, target, allowed
):
    told = await request(served, method, target)
    assert (told.status, told.headers["allow"]) == (405, allowed)


async def test_metrics_name_no_identifier(served):
    await request(served, "GET", P1)
    await request(served, "GET", f"/api/handles/{PREFIX}/NO")
    told = await request(served, "GET", "/metrics", secure=False)
    families = {f.name: f for f in text_string_to_metric_families(told.body.decode())}
    samples = [s for family in families.values() for s in family.samples]
    allowed = {"node", "role", "transport", "operation", "code"}
    assert all(set(sample.labels) <= allowed for sample in samples)
    assert all(name.startswith("idis_") for name in families)
    assert PREFIX.encode() not in told.body
    requests = families["idis_requests"].samples[0]
    assert (requests.labels["operation"], requests.value) == ("resolution", 2)
    answers = {s.labels["code"]: s.value for s in families["idis_answers"].samples}
    assert answers == {"1": 1, "100": 1}
    assert families["idis_identifiers"].samples[0].value == 2
    assert families["idis_connections_open"].samples[0].value >= 1


async def test_a_node_says_that_it_lives_and_is_ready(served):
    assert (await request(served, "GET", "/healthz")).json == {"status": "alive"}
    ready = await request(served, "GET", "/readyz")
    assert (ready.status, ready.json) == (200, {"ready": True, "waiting": []})


async def test_a_node_says_what_is_not_ready(served):
    served.node.registry.stopped = StoreError("the disk is gone")
    served.node.network_readiness = lambda: ["wuhan: starting"]
    ready = await request(served, "GET", "/readyz")
    assert ready.status == 503
    waiting = ["http-test: registry: the disk is gone", "wuhan: starting"]
    assert ready.json == {"ready": False, "waiting": waiting}
    assert (await request(served, "GET", P1)).status == 200
    assert (await request(served, "GET", "/healthz")).status == 200
    assert (await put(served, NEW, [ONE])).status == 503


async def test_statistics_are_reported(served):
    await request(served, "GET", P1)
    told = await request(served, "GET", "/api/v1/statistics")
    assert told.json["total"] == {
        "identifiers": 2,
        "registrations": 2,
        "resolutions": 1,
    }


async def test_the_journal_is_for_operators(served):
    target = "/api/v1/journal"
    assert (await request(served, "GET", target)).status == 401
    assert (await request(served, "GET", target, headers=ADMIN_BASIC)).status == 403


async def test_the_journal_is_read_by_the_page(operated):
    entries, after, more = [], 0, True
    while more:
        target = f"/api/v1/journal?after={after}&limit=2"
        told = (await request(operated, "GET", target, headers=ADMIN_BASIC)).json
        entries += told["entries"]
        after, more = told["next"], told["more"]
    assert [entry["serial"] for entry in entries] == [1, 2, 3, 4]
    assert [entry["operation"] for entry in entries] == ["home", "create"] * 1 + [
        "create",
        "home",
    ]
    assert entries[2]["name"] == f"{PREFIX}/P1"
    assert entries[2]["time"].endswith("Z")


@pytest.mark.parametrize("query", ["?limit=0", "?limit=1001", "?after=-1", "?after=x"])
async def test_the_journal_checks_its_parameters(operated, query):
    target = f"/api/v1/journal{query}"
    told = await request(operated, "GET", target, headers=ADMIN_BASIC)
    assert told.status == 422


async def operate(served, prefix, operation, body=None, headers=ADMIN_BASIC):
    target = f"/api/v1/prefixes/{prefix}/{operation}"
    sent = headers | {"Content-Type": "application/json"}
    return await request(served, "POST", target, body, headers=sent)


async def test_a_prefix_lives_from_allocation_to_its_end(operated):
    prefix, target = "88", "/api/v1/prefixes/88"
    owner = {"administrator": {"handle": ADMIN, "index": 302}}
    anonymous = await operate(operated, prefix, "allocate", owner, headers={})
    assert (anonymous.status, anonymous.json["responseCode"]) == (401, 402)
    assert "www-authenticate" in anonymous.headers
    assert (await request(operated, "GET", target)).status == 404
    assert (await operate(operated, prefix, "allocate", owner)).status == 200
    assert (await operate(operated, prefix, "allocate", owner)).status == 409
    assert (await request(operated, "GET", target)).json["state"] == "allocated"
    site = (await request(operated, "GET", "/api/site")).json["site"]
    sites = {"sites": [site]}
    assert (await operate(operated, prefix, "delegate", sites)).status == 200
    told = (await request(operated, "GET", target)).json
    assert (told["state"], told["hosted"]) == ("enabled", False)
    assert (await operate(operated, prefix, "host")).status == 200
    assert (await request(operated, "GET", target)).json["hosted"] is True
    assert (await operate(operated, prefix, "stop")).status == 200
    told = (await request(operated, "GET", target)).json
    assert (told["state"], told["hosted"]) == ("stopped", False)


@pytest.mark.parametrize(
    ("operation", "body", "status"),
    [
        ("delegate", {"sites": [{"serialNumber": 1}]}, 400),
        ("delegate", {"sites": "x"}, 422),
        ("delegate", {"sites": []}, 404),
        ("allocate", {}, 422),
        ("allocate", b"{", 422),
        ("paint", {}, 404),
    ],
)
async def test_prefix_operations_check_what_they_get(operated, operation, body, status):
    assert (await operate(operated, "88.7", operation, body)).status == status


async def test_the_operations_are_described_without_the_internet(served):
    described = await request(served, "GET", "/openapi.json")
    paths = described.json["paths"]
    assert {"get", "put", "delete"} == set(paths["/api/handles/{handle}"])
    assert "/healthz" in paths
    page = await request(served, "GET", "/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert b"/api/handles/{handle}" in page.body
    assert b"http://" not in page.body
    assert b"https://" not in page.body


async def test_other_paths_are_not_found(served):
    for target in ("/nothing", "/api", "/api/none", "/api/handlesX", "//", "/%2e"):
        assert (await request(served, "GET", target)).status == 404


async def test_the_tunnel_answers_as_tcp_does(served):
    pair = next(p for p in golden_pairs() if p.request[20:24] == b"\0\0\0\x01")
    told = await request(served, "POST", "/", pair.request, headers=MESSAGE)
    assert told.headers["content-type"] == "application/x-hdl-message"
    assert told.body == await exchange_tcp(served.node.handle.port, pair.request)


async def test_the_tunnel_takes_nothing_but_messages(served):
    told = await request(served, "POST", "/", b"{}", headers={"Content-Type": "a/b"})
    assert told.status == 415
    told = await request(served, "POST", "/", b"nonsense", headers=MESSAGE)
    assert told.status == 400


@pytest.mark.parametrize("target", [NEW, "/", "/api/v1/prefixes/88/allocate", "/x"])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_is_too_long_is_refused(served, target, chunked):
    method = "PUT" if target == NEW else "POST"
    octets = b"x" * ((1 << 20) + 1)
    head = f"{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n".encode()
    if chunked:
        octets = b"%x\r\n%s\r\n0\r\n\r\n" % (len(octets), octets)
        head += b"Transfer-Encoding: chunked\r\n\r\n"
    else:
        head += b"Content-Length: %d\r\n\r\n" % len(octets)
    assert (await raw(served, head + octets)).startswith(b"HTTP/1.1 413 ")


async def test_a_head_that_is_too_long_is_refused(served):
    filler = b"x" * MAX_HEAD_OCTETS
    told = await raw(served, b"GET / HTTP/1.1\r\nA: " + filler + b"\r\n\r\n")
    assert told.startswith(b"HTTP/1.1 431 ") or told == b""


async def test_a_head_without_an_end_is_cut(served):
    told = await raw(served, b"GET / HTTP/1.1\r\nA: " + b"x" * 4_000_000)
    assert told == b""
    assert served.node.telemetry.connections_aborted == 1


async def test_requests_sent_ahead_are_answered_in_order(served):
    one = f"GET {P1}?index=%d HTTP/1.1\r\nHost: x\r\n\r\n"
    told = await raw(served, "".join(one % n for n in (1, 2, 3)).encode())
    found = [told.index(b'"index":%d' % n) for n in (1, 2, 3)]
    assert found == sorted(found)


async def test_too_many_requests_sent_ahead_end_the_connection(served):
    one = f"GET {P1} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    told = await raw(served, one * (MAX_AHEAD + 10))
    assert told.count(b"HTTP/1.1 200") <= MAX_AHEAD
    assert served.node.telemetry.malformed == 1


async def test_connections_beyond_the_limit_are_refused_and_counted(
    served, monkeypatch
):
    monkeypatch.setattr(http_connection, "MAX_CONNECTIONS", 1)
    port = served.node.http.port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(DEADLINE_SECONDS):
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        assert await raw(served, b"GET /healthz HTTP/1.1\r\n\r\n") == b""
    assert served.node.telemetry.connections_refused == 1
    assert served.node.telemetry.connections_open == 1
    await end(writer)


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HT",
        b"GET /healthz HTTP/1.1\r\nA: b\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nab",
    ],
)
async def test_a_request_that_does_not_arrive_is_cut(served, monkeypatch, octets):
    monkeypatch.setattr(http_connection, "REQUEST_SECONDS", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", served.node.http.port)
    writer.write(octets)
    async with asyncio.timeout(DEADLINE_SECONDS):
        assert await read_all(reader) == b""
    assert served.node.telemetry.connections_aborted == 1
    await end(writer)


async def test_a_client_that_does_not_read_is_cut(served, monkeypatch):
    monkeypatch.setattr(http_connection, "SLOW_SECONDS", 0.05)
    big = [Value(n, "URL", b"x" * (1 << 20)) for n in range(1, 12)]
    await submit(served.node, Operation.CREATE, f"{PREFIX}/BIG", big)
    reader, writer = await asyncio.open_connection("127.0.0.1", served.node.http.port)
    writer.transport.pause_reading()
    lost, abort = asyncio.Event(), Connection.abort

    def cut(connection):
        abort(connection)
        lost.set()

    monkeypatch.setattr(Connection, "abort", cut)
    writer.write(f"GET /api/handles/{PREFIX}/BIG HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    async with asyncio.timeout(DEADLINE_SECONDS):
        await lost.wait()
    assert served.node.telemetry.connections_aborted == 1
    writer.transport.resume_reading()
    assert len(await read_all(reader)) < 11 << 20
    await end(writer)


async def test_a_connection_without_a_request_ends(served, monkeypatch):
    monkeypatch.setattr(http_connection, "IDLE_SECONDS", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", served.node.http.port)
    async with asyncio.timeout(DEADLINE_SECONDS):
        assert await read_all(reader) == b""
    assert served.node.telemetry.connections_aborted == 0
    await end(writer)


WHOLE = f"PUT {NEW} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n[]".encode()
HOSTILE = [
    b"",
    b"\r\n" * 1000,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"CONNECT example.com:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://other/healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /healthz HTTP/1.0\r\n\r\n",
    b"GET \xff\xfe HTTP/1.1\r\n\r\n",
    b"GET /api/handles/%zz HTTP/1.1\r\n\r\n",
    b"GET /api/handles/%00%00 HTTP/1.1\r\n\r\n",
    b"GET /api/handles/a?\xff=1 HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nabc",
    b"GET / HTTP/1.1\r\nAuthorization: \xff\r\n\r\n",
    b"GET /a HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc",
    b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
    WHOLE + b"\x00garbage",
    golden_pairs()[0].request,
]


@pytest.mark.parametrize("octets", HOSTILE)
async def test_any_octets_give_an_answer_or_the_end(served, octets):
    told = await raw(served, octets)
    assert told == b"" or told.startswith(b"HTTP/1.1 ")
    assert (await request(served, "GET", "/healthz", secure=False)).status == 200


async def test_mutated_requests_give_an_answer_or_the_end(served):
    random = Random(1)
    for _ in range(150):
        octets = bytearray(WHOLE)
        for _ in range(random.randrange(1, 8)):
            octets[random.randrange(len(octets))] = random.randrange(256)
        told = await raw(served, bytes(octets))
        assert told == b"" or told.startswith(b"HTTP/1.1 ")
    assert (await request(served, "GET", "/healthz", secure=False)).status == 200


async def test_octets_that_are_no_tls_end_the_connection(served):
    port = served.node.https.port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(DEADLINE_SECONDS):
        assert not (await read_all(reader)).startswith(b"HTTP/1.1 200")
    await end(writer)


@pytest.mark.parametrize("secure", [False, True])
async def test_closing_ends_idle_connections_at_once(served, secure):
    bound = served.node.https if secure else served.node.http
    context = ssl.create_default_context(cafile=served.files.authority)
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", bound.port, ssl=context if secure else None
    )
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(DEADLINE_SECONDS):
        await reader.readuntil(b"alive")
        async with asyncio.timeout(1):
            await served.face.close()
        await read_all(reader)
    assert served.node.telemetry.connections_open == 0
    await end(writer)


async def test_closing_lets_a_running_write_finish(served, monkeypatch):
    started, ask = asyncio.Event(), served.node.responder.ask

    def begin(query):
        started.set()
        return ask(query)

    monkeypatch.setattr(served.node.responder, "ask", begin)
    running = asyncio.create_task(put(served, NEW, [ONE]))
    async with asyncio.timeout(DEADLINE_SECONDS):
        await started.wait()
        await served.face.close()
        assert (await running).status == 200


async def test_closing_does_not_wait_for_a_body_that_does_not_come(served):
    reader, writer = await asyncio.open_connection("127.0.0.1", served.node.http.port)
    writer.write(
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"
        b"Expect: 100-continue\r\n\r\n"
    )
    async with asyncio.timeout(DEADLINE_SECONDS):
        assert b" 100 " in await reader.readuntil(b"\r\n\r\n")
        async with asyncio.timeout(1):
            await served.face.close()
        assert await read_all(reader) == b""
    await end(writer)
