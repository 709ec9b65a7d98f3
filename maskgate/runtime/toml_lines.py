"""The line of a TOML file on which a key stands: tomllib gives lines for syntax errors only."""

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any


def line_of(text: str, keys: Sequence[str]) -> int:
    """The line, from 1, on which the table or key begins; of its nearest table if it is absent.

    ``text`` must be valid TOML. The beginning of a valid file is valid
    itself, up to any line on which no value is still open. The key stands on the first line with
    which the beginning of the file has it: found by bisection.
    """
    lines = text.split("\n")
    while keys and not _has(tomllib.loads(text), keys):
        keys = keys[:-1]
    if not keys:
        return 1
    without, within = 0, len(lines)
    while within - without > 1:
        middle, content = _parsed(lines, without, (without + within) // 2)
        if middle == without:  # one value is open up to the middle: look behind it
            middle, content = _next_parsed(lines, (without + within) // 2 + 1)
            if middle >= within:
                break
        if _has(content, keys):
            within = middle
        else:
            without = middle
    return without + 1


def _parsed(lines: Sequence[str], least: int, count: int) -> tuple[int, dict[str, Any]]:
    """The content of the first ``count`` lines, or of fewer, down to ``least``."""
    while count > least:
        try:
            return count, tomllib.loads("\n".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            count -= 1
    return least, {}


def _next_parsed(lines: Sequence[str], count: int) -> tuple[int, dict[str, Any]]:
    """The content of the first ``count`` lines, or of as many more as it takes."""
    while True:
        try:
            return count, tomllib.loads("\n".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            count += 1


def _has(content: Any, keys: Sequence[str]) -> bool:
    for key in keys:
        if not isinstance(content, Mapping) or key not in content:
            return False
        content = content[key]
    return True
