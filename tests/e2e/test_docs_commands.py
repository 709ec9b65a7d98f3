"""The commands on the pages work: each shell block is run, unless a comment says why it cannot be.

``<!-- not run: REASON -->`` stands directly above such a block.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.texts import ROOT, Block, blocks, pages

pytestmark = pytest.mark.usefixtures("installed_detector")
BLOCKS = [block for page in pages() for block in blocks(page)]
SHELL = [block for block in BLOCKS if block.language == "sh" and block.not_run is None]
CONSOLE = [block for block in BLOCKS if block.language == "console" and block.not_run is None]
OTHER_LANGUAGES = {"python", "mermaid", "ini", "text", "toml"}


def _run(script: str, folder: Path) -> str:
    """What a script prints; it may write to ``$TMPDIR``. Any failing command fails the test."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=ROOT,
        env={**os.environ, "PATH": path, "TMPDIR": str(folder), "COLUMNS": "80"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_pages_have_blocks_that_are_run() -> None:
    assert len(SHELL) >= 3
    assert len(CONSOLE) >= 1


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_every_block_has_a_language_and_a_reason_if_it_is_not_run(block: Block) -> None:
    assert block.language in {"sh", "console", *OTHER_LANGUAGES}
    assert block.not_run is None or len(block.not_run) > 5


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_a_shell_block_works(block: Block, tmp_path: Path) -> None:
    _run(block.text, tmp_path)


@pytest.mark.parametrize("block", CONSOLE, ids=str)
def test_a_recorded_command_still_prints_what_the_page_shows(block: Block, tmp_path: Path) -> None:
    command, *shown = block.text.splitlines()
    assert command.startswith("$ ")
    printed = _run(command.removeprefix("$ "), tmp_path).splitlines()
    assert _first_words(printed) == _first_words(shown)
    assert printed[-1] == shown[-1]


def _first_words(lines: list[str]) -> list[str]:
    """What changes from run to run stands further right; indented lines explain the line above."""
    return list(dict.fromkeys(line.split()[0] for line in lines if not line.startswith(" ")))
