"""The client library pyhandle, unmodified, against a node's HTTPS."""

import asyncio
import contextlib
import warnings

import pytest
import urllib3
from pyhandle.client.resthandleclient import RESTHandleClient
from pyhandle.clientcredentials import PIDClientCredentials
from pyhandle.handleexceptions import (
    GenericHandleError,
    HandleAlreadyExistsException,
    HandleNotFoundException,
)

from tests.e2e.http_support import (
    ADMIN,
    ADMINISTRATOR,
    DEADLINE_SECONDS,
    PREFIX,
    serve,
)

USER = f"302:{ADMIN}"
NEW = f"{PREFIX}/pyhandle-Test"


@pytest.fixture
async def served(tmp_path):
    async with serve(tmp_path) as served:
        yield served


def address(served) -> str:
    return f"https://127.0.0.1:{served.node.https.port}"


@contextlib.contextmanager
def used(client):
    """Close the sessions that pyhandle leaves open."""
    try:
        yield client
    finally:
        connector = client._RESTHandleClient__handlesystemconnector
        connector._HandleSystemConnector__session.close()
        searcher = client._RESTHandleClient__searcher
        session = getattr(searcher, "_Searcher__session", None)
        if session is not None:
            session.close()


def reader(served, verify=None):
    verify = str(served.files.authority) if verify is None else verify
    return RESTHandleClient.instantiate_for_read_access(
        address(served), HTTPS_verify=verify
    )


def writer(served, password=ADMINISTRATOR.secret, user=USER):
    return RESTHandleClient.instantiate_with_username_and_password(
        address(served),
        user,
        password,
        HTTPS_verify=str(served.files.authority),
        handleowner=USER,
    )


async def run(function, *arguments):
    async with asyncio.timeout(DEADLINE_SECONDS):
        return await asyncio.to_thread(function, *arguments)


async def test_it_reads(served):
    def read():
        with used(reader(served)) as client:
            record = client.retrieve_handle_record(f"{PREFIX}/P1")
            url = client.get_value_from_handle(f"{PREFIX}/P1", "URL")
            missing = client.retrieve_handle_record(f"{PREFIX}/missing")
            some = client.retrieve_handle_record_json(f"{PREFIX}/P1", indices=[2])
            return record, url, missing, some

    record, url, missing, some = await run(read)
    assert record["EMAIL"] == "张@example.com"
    assert url == "https://example.com"
    assert missing is None
    assert [value["index"] for value in some["values"]] == [2]


async def test_it_finds_no_value_of_a_type(served):
    def read():
        with used(reader(served)) as client:
            return client.retrieve_handle_record_json(f"{PREFIX}/P1", type=["NAME"])

    assert (await run(read))["responseCode"] == 200


async def test_it_reads_without_verifying_the_certificate(served):
    def read():
        with warnings.catch_warnings(), used(reader(served, verify=False)) as client:
            warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
            return client.retrieve_handle_record(f"{PREFIX}/P1")

    assert (await run(read))["URL"] == "https://example.com"


async def test_it_writes_changes_and_deletes(served):
    def write():
        with used(writer(served)) as client:
            assert client.register_handle(NEW, "https://one.example", NAME="a") == NEW
            with pytest.raises(HandleAlreadyExistsException):
                client.register_handle(NEW, "https://two.example")
            client.register_handle(NEW, "https://two.example", NAME="b", overwrite=True)
            assert client.modify_handle_value(NEW, NAME="c", EMAIL="a@b") == NEW
            record = client.retrieve_handle_record(NEW)
            assert client.delete_handle_value(NEW, "EMAIL") == NEW
            assert client.delete_handle_value(NEW, "EMAIL") is None
            left = client.retrieve_handle_record(NEW)
            assert client.delete_handle(NEW) == NEW
            with pytest.raises(HandleNotFoundException):
                client.delete_handle(NEW)
            return record, left

    record, left = await run(write)
    assert (record["URL"], record["NAME"], record["EMAIL"]) == (
        "https://two.example",
        "c",
        "a@b",
    )
    assert "EMAIL" not in left
    assert "011111110011" in record["HS_ADMIN"]


async def test_it_registers_names_it_makes_up_and_takes_json(served):
    def write():
        with used(writer(served)) as client:
            name = client.generate_and_register_handle(PREFIX, "https://one.example")
            values = [{"index": 7, "type": "NAME", "data": "武汉"}]
            client.register_handle_json(NEW, values)
            return name, client.retrieve_handle_record(NEW)

    name, record = await run(write)
    assert name.startswith(f"{PREFIX}/")
    assert record["NAME"] == "武汉"


async def test_it_adds_a_value_only_where_there_is_none(served):
    def write():
        with used(writer(served)) as client:
            client.register_handle(NEW, "https://one.example")
            client.add_handle_value(NEW, NAME="a")
            with pytest.raises(GenericHandleError):
                client.add_handle_value(NEW, NAME="b")
            return client.get_value_from_handle(NEW, "NAME")

    assert await run(write) == "a"


async def test_it_is_told_that_its_user_does_not_exist(served):
    with pytest.raises(HandleNotFoundException):
        await run(writer, served, "x", f"300:{PREFIX}/nobody")


async def test_it_is_refused_with_a_wrong_password(served):
    def write():
        with used(writer(served, "wrong")) as client:
            with pytest.raises(GenericHandleError, match="secret is wrong"):
                client.register_handle(NEW, "https://one.example")
            return client.retrieve_handle_record(NEW)

    assert await run(write) is None


async def test_it_writes_with_a_client_certificate(served):
    def write():
        credentials = PIDClientCredentials(
            client="rest",
            handle_server_url=address(served),
            certificate_and_key=str(served.files.client),
            HTTPS_verify=str(served.files.authority),
            handleowner=f"300:{ADMIN}",
        )
        client = RESTHandleClient.instantiate_with_credentials(credentials)
        with used(client):
            client.register_handle(NEW, "https://one.example")
            return client.delete_handle(NEW)

    assert await run(write) == NEW
