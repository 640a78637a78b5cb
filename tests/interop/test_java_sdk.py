"""The official Java SDK, id-pointer-sdk, works against the emulator unmodified.

`SdkDriver.java` beside this file makes the calls through the SDK's public API and
reports them; the expectations are here. The SDK is not part of this project and is
never fetched by it, so these tests are skipped until you build it yourself:

1. Take the source of id-pointer-sdk (github.com/teleinfo-dev/id-pointer-sdk).
2. In its `id-pointer-sdk` directory, list the libraries from Maven Central:
   `mvn dependency:build-classpath -Dmdep.outputFile=deps.txt`.
3. Compile `src/main/java` with a JDK 11 or later, lombok as annotation processor.
   One unused import needs `javax.xml.ws:jaxws-api:2.3.1` on the compile classpath
   (JDK 8 has it built in, so `mvn package` is enough there).
4. Copy `src/main/resources` next to the classes: the SDK reads `public_key.pem`.
5. `export IDIS_SDK_CLASSPATH=CLASSES:$(cat deps.txt)` and run pytest. Leave logback
   out of the list for a quiet run.

`java` and `javac` must be on the PATH. Rules: handle notes §2 (the SDK end to end).
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

CLASSPATH = os.environ.get("IDIS_SDK_CLASSPATH", "")
DRIVER = Path(__file__).with_name("SdkDriver.java")
RUN_SECONDS = 150
IDENTIFIERS_MAX = 20  # each resolution leaves a connection and its threads open

SUCCESS, NOT_FOUND, EXISTS = 1, 100, 101
VALUES_NOT_FOUND, VALUE_EXISTS, NOT_HOMED = 200, 201, 301
REFUSED = {400, 401}
"""402 would be reported to the SDK's caller as success (handle notes §2.6)."""
LOGIN_FAILED = 25
"""The SDK's own code of every failed login; the node's answer is the cause."""


def _missing() -> str:
    if not CLASSPATH:
        return "IDIS_SDK_CLASSPATH is not set: see the docstring of test_java_sdk.py"
    absent = [tool for tool in ("java", "javac") if shutil.which(tool) is None]
    return f"not on the PATH: {', '.join(absent)}" if absent else ""


pytestmark = [
    pytest.mark.skipif(bool(_missing()), reason=_missing() or "runs"),
    pytest.mark.timeout(2 * RUN_SECONDS),
]


@dataclass(frozen=True, slots=True)
class Value:
    """One identifier value as the SDK decoded it."""

    index: int
    type: str
    permissions: str
    ttl_seconds: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the driver: `STEP name result detail`."""

    name: str
    result: str
    detail: str

    @property
    def codes(self) -> tuple[int, ...]:
        """The code of the IDException, then those of its causes."""
        assert self.result == "ERROR", self
        return tuple(int(code) for code in self.detail.split(" ", 1)[0].split("/"))

    @property
    def values(self) -> dict[int, Value]:
        assert self.result == "OK", self
        found = {}
        for word in self.detail.split():
            index, type_, permissions, ttl, data = word.split(":")
            value = Value(int(index), type_, permissions, int(ttl), bytes.fromhex(data))
            assert value.index not in found, f"index {index} answered twice"
            found[value.index] = value
        return found


def _credential(ready: dict[str, Any], kind: str) -> dict[str, Any]:
    for credential in ready["credentials"]:
        if credential["kind"] == kind:
            return credential
    pytest.fail(f"the network has no {kind} credential")


def _node(ready: dict[str, Any], prefix: str) -> dict[str, Any]:
    for node in ready["nodes"]:
        if prefix in node["prefixes"]:
            return node
    pytest.fail(f"no node serves {prefix}")


def _prefix(identifier: str) -> str:
    return identifier.split("/", 1)[0]


def _one_a_prefix(identifiers: list[str]) -> list[str]:
    firsts: dict[str, str] = {}
    for identifier in identifiers:
        if "," not in identifier:
            firsts.setdefault(_prefix(identifier), identifier)
    return list(firsts.values())[:IDENTIFIERS_MAX]


def _arguments(ready: dict[str, Any], kind: str) -> dict[str, Any]:
    credential = _credential(ready, kind)
    prefix = _prefix(credential["handle"])
    recursion_host, recursion_port = ready["recursive"]["handle"]
    node_host, node_port = _node(ready, prefix)["handle"]
    return {
        "recursionHost": recursion_host,
        "recursionPort": recursion_port,
        "nodeHost": node_host,
        "nodePort": node_port,
        "prefix": prefix,
        "userHandle": credential["handle"],
        "userIndex": credential["index"],
        "keyFile" if kind == "rsa" else "sm2KeyFile": credential["private_key"],
    }


def _parse(output: str) -> dict[str, Step]:
    steps: dict[str, Step] = {}
    for line in output.splitlines():
        found = re.fullmatch(r"STEP (\S+) (OK|ERROR|FAIL|HANG|SKIP) ?(.*)", line)
        assert found, f"not a step: {line!r}"
        assert found[1] not in steps, f"step {found[1]} reported twice"
        steps[found[1]] = Step(*found.groups())
    return steps


def _run(classes: Path, arguments: dict[str, Any]) -> dict[str, Step]:
    command = ["java", "-cp", os.pathsep.join([str(classes), CLASSPATH]), "SdkDriver"]
    command += [f"{key}={value}" for key, value in arguments.items()]
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", timeout=RUN_SECONDS, check=False
    )
    print(done.stdout)  # noqa: T201 - pytest shows it when a test fails
    assert done.returncode == 0, done.stderr[-4000:]
    return _parse(done.stdout)


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("sdk-driver")
    command = ["javac", "-encoding", "UTF-8", "-cp", CLASSPATH, "-d", str(target)]
    done = subprocess.run(
        [*command, str(DRIVER)],
        capture_output=True,
        encoding="utf-8",
        timeout=RUN_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return target


@pytest.fixture(scope="module")
def rsa_arguments(idis_network) -> dict[str, Any]:
    ready = idis_network.ready
    arguments = _arguments(ready, "rsa")
    known = _one_a_prefix(ready["identifiers"])
    own = [each for each in known if _prefix(each) == arguments["prefix"]]
    assert known, "the ready file names no identifier"
    identifier = (own or known)[0]
    return arguments | {"identifier": identifier, "identifiers": ",".join(known)}


@pytest.fixture(scope="module")
def rsa(classes, rsa_arguments) -> dict[str, Step]:
    return _run(classes, rsa_arguments)


@pytest.fixture(scope="module")
def sm2(classes, idis_network) -> dict[str, Step]:
    return _run(classes, _arguments(idis_network.ready, "sm2"))


def data(step: Step) -> dict[int, str]:
    """Return the text of every value except the administrator's (index 100)."""
    return {
        index: value.data.decode()
        for index, value in step.values.items()
        if index != 100
    }


SECOND = {1: "https://second.example", 2: "second@example.com"}
UPDATED = SECOND | {1: "https://updated.example"}


def test_no_call_hangs(rsa, sm2):
    lost = [
        step
        for step in (*rsa.values(), *sm2.values())
        if step.result in {"HANG", "SKIP", "FAIL"}
    ]
    assert lost == []


def test_recursion_leads_to_the_node_of_the_prefix(rsa, rsa_arguments):
    expected = f"{rsa_arguments['nodeHost']}:{rsa_arguments['nodePort']}"
    assert rsa["site-address"] == Step("site-address", "OK", expected)
    sites = rsa["resolve-prefix-site"].values
    assert {value.type for value in sites.values()} == {"HS_SITE"}
    assert rsa["resolve-prefix"].values.items() >= sites.items()


def test_identifier_resolves(rsa):
    assert rsa["resolve"].values


def test_an_identifier_of_every_prefix_resolves(rsa, rsa_arguments):
    failed = [
        step
        for identifier in rsa_arguments["identifiers"].split(",")
        if (step := rsa["resolve:" + identifier.replace(" ", "_")]).result != "OK"
        or not step.values
    ]
    assert failed == []


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("resolve-missing", NOT_FOUND),
        ("resolve-prefix-missing", NOT_FOUND),
        ("create-again", EXISTS),
        ("add-again", VALUE_EXISTS),
        ("update-missing", VALUES_NOT_FOUND),
        ("remove-missing", VALUES_NOT_FOUND),
        ("create-not-homed", NOT_HOMED),
        ("by-type-none", VALUES_NOT_FOUND),
        ("resolve-deleted", NOT_FOUND),
        ("delete-again", NOT_FOUND),
    ],
)
def test_refusal_carries_its_response_code(rsa, name, code):
    assert rsa[name].codes == (code,)


@pytest.mark.parametrize(
    "name",
    [
        "create",
        "create-overwrite",
        "add",
        "add-overwrite",
        "update",
        "remove",
        "delete",
        "home",
        "unhome",
    ],
)
def test_write_after_login_succeeds(rsa, name):
    assert rsa[name] == Step(name, "OK", "")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resolve-created", {1: "https://first.example", 2: "first@example.com"}),
        ("resolve-overwritten", SECOND),
        ("resolve-added", SECOND | {4: "武汉"}),
        ("resolve-add-overwritten", SECOND | {4: "汉阳"}),
        ("resolve-updated", UPDATED | {4: "汉阳"}),
        ("resolve-after-refusals", UPDATED | {4: "汉阳"}),
        ("resolve-removed", UPDATED),
    ],
)
def test_resolution_shows_the_last_write(rsa, name, expected):
    assert data(rsa[name]) == expected


def test_value_comes_back_as_it_was_written(rsa, rsa_arguments):
    values = rsa["resolve-created"].values
    assert values[1] == Value(1, "URL", "rwr-", 86400, b"https://first.example")
    admin = values[100]
    assert (admin.type, admin.permissions) == ("HS_ADMIN", "rwr-")
    handle = rsa_arguments["userHandle"].encode()
    length = len(handle).to_bytes(4, "big")
    index = int(rsa_arguments["userIndex"]).to_bytes(4, "big")
    assert admin.data == b"\x0f\xff" + length + handle + index


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("by-type", {1: "https://updated.example"}),
        ("by-type-case", {1: "https://updated.example"}),
        ("by-index", {2: "second@example.com"}),
        ("by-type-and-index", UPDATED),
    ],
)
def test_types_and_indexes_select_values(rsa, name, expected):
    assert data(rsa[name]) == expected


def test_restricted_value_needs_a_login(rsa):
    assert rsa["restricted-anonymous"].codes == (VALUES_NOT_FOUND,)
    # The SDK sets PUBLIC_ONLY after a login too; the login prevails (notes §2.4).
    restricted = Value(3, "NOTE", "rw--", 86400, b"for administrators")
    assert rsa["restricted-login"].values == {3: restricted}
    assert rsa["all-login"].values[3] == restricted


def test_login_is_accepted(rsa):
    assert rsa["login"].values


@pytest.mark.parametrize("name", ["login-wrong-key", "login-wrong-key-again"])
def test_wrong_key_fails_the_login(rsa, name):
    assert rsa[name].codes == (LOGIN_FAILED, 403)
    assert "登录失败" in rsa[name].detail


def test_unknown_user_fails_the_login(rsa):
    outer, cause = rsa["login-unknown-user"].codes
    assert outer == LOGIN_FAILED
    assert cause != SUCCESS


@pytest.mark.parametrize(
    "name", ["create", "overwrite", "add", "update", "remove", "delete", "home"]
)
def test_anonymous_write_is_visibly_refused(rsa, name):
    step = rsa[f"anonymous-{name}"]
    assert step.result == "ERROR", step
    assert len(step.codes) == 1
    assert step.codes[0] in REFUSED


@pytest.mark.parametrize("name", ["token-node", "token-recursion", "recursion-full"])
def test_resolution_with_a_token_gives_the_public_values(rsa, name):
    assert data(rsa[name]).items() >= (UPDATED | {4: "汉阳"}).items()


def test_invalid_token_reveals_nothing_restricted(rsa):
    step = rsa["token-invalid"]
    if step.result == "OK":
        assert 3 not in step.values
    else:
        assert step.codes


def test_connections_are_kept_and_each_logs_in(rsa):
    assert rsa["reuse"] == Step("reuse", "OK", "50")
    assert rsa["parallel-login"] == Step("parallel-login", "OK", "8")


@pytest.mark.parametrize("way", ["sm2-ec", "sm2-registered"])
def test_sm2_login_may_write(sm2, way):
    assert sm2[f"{way}-create"] == Step(f"{way}-create", "OK", "")
    assert data(sm2[f"{way}-resolve"])[1] == "https://first.example"
    assert sm2[f"{way}-delete"] == Step(f"{way}-delete", "OK", "")


def test_sm2_paths_of_the_sdk_are_both_exercised(sm2):
    assert sm2["bouncycastle-before"].detail == "absent"
    assert sm2["ec-algorithm"].detail == "EC"


def test_sdk_cannot_sign_with_its_own_sm2_key_before_bouncycastle(sm2):
    # The client fails by itself, after the challenge; the node only sees it vanish.
    step = sm2["sm2-unregistered-create"]
    assert step.codes == (LOGIN_FAILED,)
    assert "NoSuchAlgorithmException" in step.detail
    assert sm2["sm2-unregistered-resolve"].codes == (NOT_FOUND,)


def test_wrong_sm2_key_fails_the_login(sm2):
    assert sm2["sm2-wrong-key-create"].codes == (LOGIN_FAILED, 403)
    assert sm2["sm2-wrong-key-resolve"].codes == (NOT_FOUND,)
