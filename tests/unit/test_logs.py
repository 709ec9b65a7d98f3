"""Logs share their file with what a process prints, in a container or a test."""

import json
import subprocess
import sys
from pathlib import Path

_LINES = 3_000
_PROGRAM = f"""
import sys, threading, structlog
from maskgate.runtime import logs
logs.configure("desk", as_json=True)
sys.setswitchinterval(1e-5)
log = structlog.get_logger()
def tell():
    for _ in range({_LINES}):
        log.info("desk.tells")
other = threading.Thread(target=tell)
other.start()
while other.is_alive():
    print("http://127.0.0.1/\\n", end="", flush=True)
"""


def test_a_printed_line_never_comes_between_a_log_line_and_its_end(tmp_path: Path) -> None:
    both = tmp_path / "both"
    with both.open("ab") as out:
        subprocess.run([sys.executable, "-c", _PROGRAM], stdout=out, stderr=out, check=True)
    lines = both.read_text().splitlines()
    logged = [json.loads(line) for line in lines if line != "http://127.0.0.1/"]
    assert len(logged) < len(lines), "something was printed, too"
    assert [each["event"] for each in logged] == ["desk.tells"] * _LINES
