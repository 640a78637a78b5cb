"""The log over HTTP and HTTPS: what is served verifies, and nothing else is served."""

import asyncio
import base64
import contextlib
import hashlib
import http.client
import json
import ssl
from urllib.parse import quote

import pytest
from prometheus_client.parser import text_string_to_metric_families

from chain_anchor.checkpoint import open_checkpoint
from chain_anchor.entries import Change as Logged, decode_entry
from chain_anchor.merkle import leaf_hash, verify_consistency, verify_inclusion
from chain_anchor.note import VerifierKey
from chain_anchor.proof import verify_bundle
from chain_anchor.statemap import KIND_CHILD, KIND_HOME, KIND_RECORD, map_key
from chain_anchor.tiles import Tile, decode_entry_bundle, entry_bundles_of, tiles_of
from chain_anchor.tlog_proof import decode_tlog_proof, verify_tlog_proof
from chain_anchor.witnessing import AddCheckpoint
from registry.change import Change
from registry.journal import Operation
from registry.model.identifier import canonical
from registry.model.identity import Identity
from registry.model.value import Value, decode_values
from resolver.keys import SeededKeys
from resolver.log_keys import LogKeys
from resolver.ready_file import describe
from tests.e2e import networks
from tests.e2e.http_support import (
    ADMIN,
    ADMIN_BASIC,
    KEYS,
    PREFIX,
    request,
    serve,
    submit,
)
from tests.e2e.networks import HOST_PREFIX, HOSTED, SELF_RUN, running

ORIGIN = "http-test.idis.test/log"
URL = Value(1, "URL", b"https://example.com/unlike-anything-else")
JSON = {"Accept": "application/json"}
TEXT = {"Accept": "text/plain"}
IMMUTABLE = "public, max-age=31536000, immutable"
OPERATOR = Identity(ADMIN.upper().encode(), 302)
RECORD = f"/log/proof/record?identifier={PREFIX}/P1"
EVERYTHING = (
    "/log",
    "/log/checkpoint",
    "/log/tile/0/000.p/3",
    "/log/tile/entries/000.p/3",
    RECORD,
    f"/log/proof/prefix?prefix={PREFIX}",
    "/log/proof/child?origin=a.example/log",
    "/log/proof/inclusion?index=0",
    "/log/proof/consistency?old=1",
    f"/log/history?identifier={PREFIX}/P1",
    "/log/rotations",
)
"""One address of each kind, all of them answered with 200."""


@pytest.fixture
async def served(tmp_path):
    log = LogKeys(ORIGIN, KEYS)
    async with serve(tmp_path, log=log, operators=(OPERATOR,)) as served:
        yield served


async def get(served, target, headers=None, **more):
    """Ask and take only 200 for an answer."""
    answer = await request(served, "GET", target, headers=headers or {}, **more)
    assert answer.status == 200, (target, answer.body)
    return answer


async def write(served, method, target, body=None, **headers):
    return await request(served, method, target, body, headers=ADMIN_BASIC | headers)


async def register(served, *names, values=(URL,)):
    """Register in as few groups as the registry makes of it."""
    changes = [
        Change(Operation.CREATE, canonical(f"{PREFIX}/{name}".encode()), values)
        for name in names
    ]
    queue = served.node.registry.enqueue
    await asyncio.gather(
        *(queue(one) for one in map(lambda c: trusted(c), changes))
    )


def trusted(change):
    return Change(change.operation, change.name, change.values, True, overwrite=True)


def key_of(served) -> VerifierKey:
    return served.node.sealing.log.signer.key


async def checkpoint_of(served):
    note = (await get(served, "/log/checkpoint")).body
    return open_checkpoint(note, ORIGIN, [key_of(served)])
