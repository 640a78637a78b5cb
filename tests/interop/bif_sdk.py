"""Gets the official Java SDK of 星火·链网 and runs our driver of it (`bif/*.java`).

Maven fetches it from Central with what it needs, once: `programs` says where it is kept.
The documented version, 1.0.3.3, is asked for first; where Central does not have it, 1.0.3
is taken, which differs in nothing but HTTPS and the encoding of what it sends. To use a
build of your own, of github.com/caict-4iot-dev/BIF-Core-SDK, say, set
`IDIS_BIF_SDK_CLASSPATH`. `java` and `javac`, 11 or newer, must be on the PATH.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.interop.programs import MADE, UnavailableError, made_once, run_step

CLASS_PATH = os.environ.get("IDIS_BIF_SDK_CLASSPATH", "")
SOURCE = Path(__file__).parent / "bif"
VERSIONS = ("1.0.3.3", "1.0.3")
MAVEN_SECONDS = 240
COMPILE_SECONDS = 60
RUN_SECONDS = 120
NEXT_PLACE = "--"


def class_path() -> str:
    """Find the SDK, or fetch it."""
    _require("java", "javac")
    if CLASS_PATH:
        return CLASS_PATH
    source = (SOURCE / "pom.xml").read_bytes() + " ".join(VERSIONS).encode()
    return f"{made_once('bif-sdk', source, _fetch)}/*"


def compile_driver(sdk: str, folder: Path) -> str:
    """Compile the driver; give the class path to run it with."""
    sources = [str(path) for path in sorted(SOURCE.glob("*.java"))]
    # Lombok is among the libraries, and old: it must not be run by this compiler.
    options = ["-proc:none", "-encoding", "UTF-8", "-cp", sdk, "-d", str(folder)]
    done = subprocess.run(
        ["javac", *options, *sources],
        capture_output=True,
        encoding="utf-8",
        timeout=COMPILE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return os.pathsep.join([str(folder), sdk])


def run_driver(
    path: str, places: Mapping[str, dict[str, object]]
) -> dict[str, dict[str, Any]]:
    """Run the driver at each place in turn; give what the SDK answered, by step.

    One Java machine is started for all of them: that takes longer than their steps.
    """
    command = ["java", "-Dfile.encoding=UTF-8", "-cp", path, "Driver"]
    for place, settings in places.items():
        told = {"place": place} | settings
        command += [f"{name}={value}" for name, value in told.items()] + [NEXT_PLACE]
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", timeout=RUN_SECONDS, check=False
    )
    print(done.stdout)  # noqa: T201 - pytest shows it when a test fails
    assert done.returncode == 0, done.stderr[-4000:]
    answers: dict[str, dict[str, Any]] = {place: {} for place in places}
    for line in done.stdout.splitlines():
        said = json.loads(line)
        steps = answers[said["place"]]
        assert said["step"] not in steps, f"step {said['step']} reported twice"
        steps[said["step"]] = said["answer"]
    return answers


def _require(*programs: str) -> None:
    absent = [name for name in programs if shutil.which(name) is None]
    if absent:
        raise UnavailableError(f"not on the PATH: {', '.join(absent)}")


def _fetch(workshop: Path) -> None:
    _require("mvn")
    problems = []
    for version in VERSIONS:
        try:
            run_step(_maven(version, workshop / MADE), MAVEN_SECONDS)
        except UnavailableError as problem:
            problems.append(f"{version} ({problem})")
        else:
            return
    raise UnavailableError("Maven gives no version: " + ", ".join(problems))


def _maven(version: str, folder: Path) -> list[str]:
    return [
        "mvn",
        "--quiet",
        "--batch-mode",
        "--file",
        str(SOURCE / "pom.xml"),
        f"-Dsdk.version={version}",
        "-DincludeScope=runtime",
        f"-DoutputDirectory={folder}",
        "dependency:copy-dependencies",
    ]
