"""What the pages tell a person to type works as far as it can be read."""

import ast
import re
import shlex
from pathlib import Path

import pytest

from resolver.cli import build_parser

ROOT = Path(__file__).parents[2]
PAGES = sorted({*ROOT.glob("README*.md"), *ROOT.glob("docs/**/*.md")})
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
SHELLS = {"console", "sh", "bash", "shell", "text", ""}
PLACEHOLDER = re.compile(r"^(?:\[.*|.*\]|\.\.\.|.*\|.*)$")


def blocks(page):
    return FENCE.findall(page.read_text())


def commands(page):
    """Give the `idis` commands of a page's blocks, without prompts and comments."""
    for language, text in blocks(page):
        if language not in SHELLS:
            continue
        for line in text.replace("\\\n", " ").splitlines():
            command = line.removeprefix("$ ").strip()
            if command.startswith("idis "):
                yield command


COMMANDS = [(page.name, line) for page in PAGES for line in commands(page)]
SNIPPETS = [
    (page.name, text)
    for page in PAGES
    for language, text in blocks(page)
    if language in ("python", "py")
]


def words_of(command):
    """Split as a shell does, up to a comment, a pipe, a redirection or an `&`."""
    words = shlex.split(command, comments=True)
    ends = [n for n, word in enumerate(words) if word[:1] in ("|", ">", "&", ";")]
    return words[1 : ends[0] if ends else None]


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_every_command_shown_is_one(page, command):
    words = words_of(command)
    if any(PLACEHOLDER.match(word) for word in words):
        pytest.skip(f"{page}: a pattern, not a command")
    if {"--help", "--version"} & set(words):
        with pytest.raises(SystemExit, match="0"):
            build_parser().parse_args(words)
    else:
        assert build_parser().parse_args(words).run is not None, f"{page}: {command}"


@pytest.mark.parametrize(("page", "text"), SNIPPETS)
def test_every_python_snippet_compiles(page, text):
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    compile(text, page, "exec", flags=flags)


def test_the_readme_shows_commands_and_python():
    assert {page for page, _ in COMMANDS} >= {"README.md"}
    assert {page for page, _ in SNIPPETS} >= {"README.md"}


def test_every_command_of_the_program_is_in_the_readme():
    shown = {words_of(command)[0] for page, command in COMMANDS if page == "README.md"}
    parser = build_parser()
    (choices,) = (
        action.choices
        for action in parser._actions
        if action.choices and action.dest == "==SUPPRESS=="
    )
    text = (ROOT / "README.md").read_text()
    for name in choices:
        assert name in shown or f"idis {name}" in text or f"make {name}" in text
