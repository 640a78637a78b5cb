"""`idis witness`: run a witness in the foreground until Ctrl-C."""

import asyncio
import ipaddress
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chain_anchor.errors import NoteError, WitnessError
from chain_anchor.note import ED25519, VerifierKey
from chain_anchor.witness import DamagedStoreError, Witness, logs_of
from chain_anchor.witness_store import Directory, WitnessStore
from resolver.commands.console import fail, print_json, say
from resolver.commands.up import run_loop
from resolver.data_directory import write_atomically
from resolver.errors import ResolverError, SetupError
from resolver.faces.sockets import Bound, bind
from resolver.faces.witness import WitnessFace

VERSION = 1
_LOCALHOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class WitnessOptions:
    """Arguments of `idis witness`."""

    data: Path
    log: Sequence[str] = ()
    """Verifier keys of logs."""

    log_file: Path | None = None
    """Ready file of a network, there already or later: all logs of its nodes."""

    name: str | None = None
    host: str = _LOCALHOST
    port: int = 0
    ready_file: Path | None = None
    json: bool = False


class LogFile:
    """The ready file of a network, read again whenever it is another one.

    So a witness may be started before the network it is for, and learns what a log
    that has rotated its key signs with.
    """

    def __init__(self, path: Path | None, witness: Witness) -> None:
        self._path = path
        self._witness = witness
        self._reading = threading.Lock()
        self._read = (0, 0)
        """Number of the file, and when it was changed."""

    def learn(self) -> bool:
        """Tell the witness what the file names; true when something was new."""
        if self._path is None:
            return False
        with self._reading:
            try:
                found = self._path.stat()
                if self._read == (found.st_ino, found.st_mtime_ns):
                    return False
                self._read = found.st_ino, found.st_mtime_ns
                return self._witness.learn(_logs_in(self._path))
            except FileNotFoundError:
                return False
            except (OSError, ResolverError, WitnessError) as error:
                fail(str(error))
                return False


def run(options: WitnessOptions) -> int:
    """Run a witness until it is interrupted; 0 when it stopped cleanly.

    Raises:
        SetupError: It cannot be started as asked, or its directory is damaged.
    """
    host = _loopback(options.host)
    keys = [_log_key(text) for text in options.log]
    if options.log_file is not None and options.log_file.exists():
        keys += _logs_in(options.log_file)
    if not keys and options.log_file is None:
        raise SetupError(
            "no logs to witness", "name them: --log VKEY, or --log-file READY_FILE"
        )
    try:
        directory = Directory.open(options.data)
    except (WitnessError, OSError) as error:
        raise SetupError(f"{options.data}: {error}", "choose another --data") from error
    try:
        witness = _open(directory, options.name, keys)
        bound = bind((host,), options.port, ("tcp",), "witness")
        run_loop(_serve(witness, bound, host, options))
    finally:
        directory.close()
    return 0


def _open(directory: Directory, name: str | None, keys: list[VerifierKey]) -> Witness:
    try:
        store = WitnessStore(directory)
        return Witness(store.cosigner(name), logs_of(keys), store)
    except (WitnessError, NoteError, OSError) as error:
        damaged = isinstance(error, DamagedStoreError)
        hint = "what has lost its memory must not cosign: take a new --data"
        raise SetupError(
            f"{directory.path}: {error}", hint if damaged else ""
        ) from error


async def _serve(
    witness: Witness, bound: Bound, host: str, options: WitnessOptions
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    log_file = LogFile(options.log_file, witness)
    log_file.learn()
    face = WitnessFace(witness, fail, log_file.learn)
    await face.start(bound.tcp)
    try:
        _announce(witness, _url(host, bound.port), options)
        await stop.wait()
    finally:
        await face.close()
        if options.ready_file is not None:
            options.ready_file.unlink(missing_ok=True)


def _announce(witness: Witness, url: str, options: WitnessOptions) -> None:
    key = str(witness.key)
    ready: dict[str, object] = {
        "version": VERSION,
        "pid": os.getpid(),
        "data": str(options.data),
        "name": witness.key.name,
        "key": key,
        "url": url,
        "address": f"{key}@{url}",
        "logs": sorted(witness.logs),
    }
    if options.ready_file is not None:
        try:
            write_atomically(options.ready_file, json.dumps(ready, indent=1) + "\n")
        except OSError as error:
            message = f"the ready file cannot be written: {error}"
            raise SetupError(message, "choose another --ready-file") from error
    if options.json:
        print_json(ready)
    else:
        sys.stdout.write(f"{key}@{url}\n")
        sys.stdout.flush()
        say(f"witness {witness.key.name} at {url}, knows {len(witness.logs)} logs")
        if options.log_file is not None:
            say(f"and those that {options.log_file} will name")
        say("a network asks it with: idis up --witness VKEY@URL")
    say("Ctrl-C stops it")


def _log_key(text: str) -> VerifierKey:
    try:
        key = VerifierKey.parse(text)
    except NoteError as error:
        raise SetupError(f"--log: {error}", "NAME+HASH+BASE64 is expected") from error
    if key.algorithm != ED25519:
        message = f"--log {key.name}: the key of a log expected, not of a witness"
        raise SetupError(message, "its algorithm is 1")
    return key


def _logs_in(file: Path) -> list[VerifierKey]:
    try:
        nodes = json.loads(file.read_text())["nodes"]
        texts = [node["log"]["key"] for node in nodes if "log" in node]
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"{file} is no ready file of a network: {error}"
        raise SetupError(message, "idis up --ready-file FILE writes one") from error
    return [_log_key(text) for text in texts]


def _loopback(host: str) -> str:
    """Check an address: a witness is for this machine (emulator convention).

    Raises:
        SetupError: It is none, or leads beyond.
    """
    if host == "localhost":
        return _LOCALHOST
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        message = f"--host {host}: a loopback address expected"
        raise SetupError(message, "for example --host 127.0.0.1")
    return str(address)


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
