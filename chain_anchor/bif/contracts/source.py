"""The script of a contract: what it may be, and how its steps are counted (§2.10).

A node accepts what JSLint accepts: strict code without the names and operators whose
results could differ or surprise. The rules here are those that the chain's documentation
lists; those of style are left out (emulator convention).

A step is a call of a function or a round of a loop. `Source.counted` is the script with
a call of `__step__` at the beginning of the body of each:

    function f(x) {...}   function f(x) {__step__();...}     for and while, too
    do {...}              do {__step__();...}
    x => {...}            x => {__step__();...}
    x => ...              x => __step__.on=...               the setter counts
    throw ...             throw __step__.line=7,...          remembers the line

No line is added, so that errors name the lines of the script. What a script could slip
past the scanner by would be uncounted, not unlimited: the engine counts, too.
"""

import re
from typing import Final, NamedTuple, NoReturn

from chain_anchor.errors import FormatError

_STEP: Final = "__step__();"
_STEP_BEFORE_EXPRESSION: Final = "__step__.on="
_RESERVED: Final = frozenset({"__step__", "__run__", "__contract__", "__host__"})

_FORBIDDEN_WORDS: Final = frozenset(
    [
        "DataView",
        "Date",
        "Generator",
        "GeneratorFunction",
        "Intl",
        "Math",
        "Promise",
        "Proxy",
        "Reflect",
        "System",
        "URIError",
        "WeakMap",
        "WeakSet",
        "async",
        "await",
        "catch",
        "class",
        "decodeURI",
        "decodeURIComponent",
        "encodeURI",
        "encodeURIComponent",
        "eval",
        "export",
        "finally",
        "import",
        "this",
        "try",
        "void",
        "with",
    ]
)
"""Names and keywords that are refused, except as the name of a property (§2.10)."""

_NEVER_CONSTRUCTED: Final = frozenset(
    [
        "Array",
        "ArrayBuffer",
        "Boolean",
        "Float32Array",
        "Float64Array",
        "Int16Array",
        "Int32Array",
        "Int8Array",
        "Number",
        "String",
        "Uint16Array",
        "Uint32Array",
        "Uint8Array",
        "Uint8ClampedArray",
    ]
)
_FORBIDDEN_OPERATORS: Final = {
    "==": "===",
    "!=": "!==",
    "++": "+= 1",
    "--": "-= 1",
}

_OPENING: Final = {"(": ")", "[": "]", "{": "}", "${": "}"}
_LOOPS: Final = frozenset({"for", "while"})
_UNCOUNTED: Final = frozenset({"if", "switch"})
"""Words before parentheses that a block follows, neither of a function nor of a loop."""

_OPERAND_KEYWORDS: Final = frozenset(
    [
        "case",
        "delete",
        "do",
        "else",
        "in",
        "instanceof",
        "new",
        "of",
        "return",
        "throw",
        "typeof",
        "void",
        "yield",
    ]
)
"""Words that an operand follows: a slash after them begins a regular expression."""

_TOKEN: Final = re.compile(
    r"""
    (?P<space>   [\s\ufeff]+ )
  | (?P<comment> //[^\n\r\u2028\u2029]* | /\*[^*]*(?:\*(?!/)[^*]*)*\*/ )
  | (?P<word>    [^\W\d][\w$]* | \$(?!\{)[\w$]* )
  | (?P<number>  0[xXbBoO][\da-fA-F_]+n? | (?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?n? )
  | (?P<text>    "(?:[^"\\\n\r]|\\(?:\r\n|[\s\S]))*" | '(?:[^'\\\n\r]|\\(?:\r\n|[\s\S]))*' )
  | (?P<sign>    >>>= | \.\.\. | === | !== | \*\*= | <<= | >>= | >>> | &&= | \|\|= | \?\?=
               | => | == | != | \+\+ | -- | <= | >= | && | \|\| | \?\? | \?\.(?!\d) | \*\*
               | << | >> | [+\-*%&|^/]= | [{}()\[\];,<>+\-*%&|^!~?:=.`/\#@] )
    """,
    re.VERBOSE,
)
_KEY: Final = re.compile(r"[\w$]+\s*:")
_TEMPLATE: Final = re.compile(r"(?:[^`\\$]|\\[\s\S]|\$(?!\{))*(`|\$\{)")
_REGULAR_EXPRESSION: Final = re.compile(
    r"/(?![*/])(?:[^/\\\[\n\r]|\\[^\n\r]|\[(?:[^\]\\\n\r]|\\[^\n\r])*\])+/\w*"
)


class SourceError(FormatError):
    """A script cannot be a contract.

    Args:
        text: what was expected and what came.
        line: where, from 1.
    """

    def __init__(self, text: str, line: int) -> None:
        super().__init__(text)
        self.text = text
        self.line = line


class _Open(NamedTuple):
    """A bracket that is not closed yet."""

    bracket: str
    line: int
    word: str
    """The word before it."""


def counted(script: str) -> str:
    """Check a script, and give it with its steps counted.

    Raises:
        SourceError: a node would refuse it, or it is no JavaScript.
    """
    scanner = _Scanner(script)
    scanner.scan()
    return "".join(scanner.parts)


class _Scanner:
    """Reads a script word by word, and writes it again with steps."""

    def __init__(self, script: str) -> None:
        self.parts: list[str] = []
        self._script = script
        self._at = 0
        self._line = 1
        self._open: list[_Open] = []
        self._last = ""
        """The lexeme before, blanks and comments left out."""

        self._closed = _Open("", 0, "")
        """The bracket that was closed last."""

        self._tokens = 0

    def scan(self) -> None:
        """Read all of the script."""
        while self._at < len(self._script):
            self._next()
        if self._open:
            bracket = self._open[-1]
            raise SourceError(
                f"Expected '{_OPENING[bracket.bracket]}', got the end of the script",
                bracket.line,
            )
        if not self._tokens:
            self._refuse('Expected "use strict", got an empty script')

    def _next(self) -> None:
        if self._script[self._at] == "/" and self._expects_operand():
            found = _REGULAR_EXPRESSION.match(self._script, self._at)
            if found:
                self._write(found.group())
                self._remember("regular expression")
                return
        match = _TOKEN.match(self._script, self._at)
        if match is None:
            self._refuse(f"Unexpected '{self._script[self._at]}'")
        kind, lexeme = match.lastgroup, match.group()
        if kind in {"space", "comment"}:
            self._write(lexeme)
            return
        if lexeme == "/" and self._script.startswith("/*", self._at):
            self._refuse("Expected '*/', got the end of the script")
        self._tokens += 1
        if self._tokens == 1 and lexeme[1:-1] != "use strict":
            self._refuse(f'Expected "use strict" first, got {lexeme[:40]}')
        self._check_body(lexeme)
        if kind == "word":
            self._word(lexeme)
        elif kind == "sign":
            self._sign(lexeme)
        else:
            self._write(lexeme)
            self._remember(lexeme)

    def _word(self, word: str) -> None:
        if word in _RESERVED:
            self._refuse(f"'{word}' is a name of the chain's")
        is_property = self._last in {".", "?."} or self._is_key()
        if word in _FORBIDDEN_WORDS and not is_property:
            self._refuse(f"Unexpected '{word}'")
        if self._last == "new" and word in _NEVER_CONSTRUCTED:
            self._refuse(f"Unexpected 'new {word}'")
        self._write(word)
        if word == "throw" and not is_property:
            self.parts.append(f" __step__.line={self._line},")
        self._remember("property" if is_property else word)

    def _is_key(self) -> bool:
        """Tell whether a colon follows, as after the key of an object."""
        if self._last not in {"{", ","}:
            return False
        return _KEY.match(self._script, self._at) is not None

    def _sign(self, sign: str) -> None:
        if sign in _FORBIDDEN_OPERATORS:
            self._refuse(f"Expected '{_FORBIDDEN_OPERATORS[sign]}', got '{sign}'")
        if sign in {"\\", "#", "@"}:
            self._refuse(f"Unexpected '{sign}'")
        self._write(sign)
        if sign == "`":
            self._template()
        elif sign in _OPENING:
            self._open_bracket(sign)
        elif sign in {")", "]", "}"}:
            self._close_bracket(sign)
        else:
            self._remember(sign)

    def _open_bracket(self, bracket: str) -> None:
        self._open.append(_Open(bracket, self._line, self._last))
        if bracket == "{" and self._begins_body():
            self.parts.append(_STEP)
        self._remember(bracket)

    def _begins_body(self) -> bool:
        """Tell whether a brace here begins the body of a function or a loop."""
        if self._last == ")":
            return self._closed.word not in _UNCOUNTED
        return self._last in {"do", "=>"}

    def _close_bracket(self, bracket: str) -> None:
        if not self._open or _OPENING[self._open[-1].bracket] != bracket:
            self._refuse(f"Unexpected '{bracket}'")
        self._closed = self._open.pop()
        if self._closed.bracket == "${":
            self._template()
            return
        self._remember(bracket)
        if bracket == "}" and self._closed.word == "do":
            self._remember("do {}")

    def _template(self) -> None:
        """Read a template to its end or to the expression in it."""
        match = _TEMPLATE.match(self._script, self._at)
        if match is None:
            self._refuse("Expected '`', got the end of the script")
        self._write(match.group())
        if match.group(1) == "`":
            self._remember("text")
        else:
            self._open.append(_Open("${", self._line, ""))
            self._remember("${")

    def _check_body(self, lexeme: str) -> None:
        """Check that a loop has a block; count an arrow function without one."""
        if self._last == "=>" and lexeme != "{":
            self.parts.append(_STEP_BEFORE_EXPRESSION)
        if self._last == ")" and self._closed.word in _LOOPS and lexeme != "{":
            self._refuse(
                f"Expected '{{' after '{self._closed.word} (...)', got '{lexeme}'"
            )

    def _expects_operand(self) -> bool:
        """Tell whether a slash begins a regular expression here."""
        if self._last == ")":
            return self._closed.word in _LOOPS | {"if"}
        if self._last in _OPERAND_KEYWORDS or not self._last:
            return True
        return not (
            self._last == "]" or self._last[-1] in "\"'" or _is_operand(self._last)
        )

    def _write(self, lexeme: str) -> None:
        self.parts.append(lexeme)
        self._at += len(lexeme)
        self._line += lexeme.count("\n")

    def _remember(self, lexeme: str) -> None:
        # `while` after the block of `do` needs no block of its own.
        if lexeme == "while" and self._last == "do {}":
            lexeme = "do-while"
        self._last = lexeme

    def _refuse(self, text: str) -> NoReturn:
        raise SourceError(text, self._line)


def _is_operand(lexeme: str) -> bool:
    return lexeme[0].isalnum() or lexeme[0] in "_$."
