"""The command lines: what they accept, what they print, how they exit."""

import argparse
import hashlib
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import demo.__main__
import desk.__main__
import producer.__main__
import worker.__main__
from maskgate.commands import COMMANDS
from maskgate.commands import main as maskgate_main
from maskgate.completion import SHELLS, whole_parser
from maskgate.runtime.check import without_password
from tests.servers.certificates import Authority
from worker.settings import SHIPPED_MODEL

MAINS: dict[str, Callable[[list[str]], int]] = {
    "maskgate": maskgate_main,
    "worker": worker.__main__.main,
    "producer": producer.__main__.main,
    "demo": demo.__main__.main,
    "desk": desk.__main__.main,
}
LINES = [
    *(["maskgate", name] for name in COMMANDS),
    ["maskgate", "topology", "apply"],
    *(["maskgate", "camera", name] for name in ("add", "rotate", "revoke", "list")),
    *(["maskgate", "models", name] for name in ("list", "rollback", "history")),
    ["maskgate", "models", "promote", "m"],
    ["maskgate", "models", "report", "--camera", "lobby"],
    ["worker"],
    ["worker", "deadletters"],
    ["producer", "folder"],
    ["producer", "synthetic"],
    ["demo"],
    ["desk"],
    ["desk", "assets"],
    *(["desk", "user", name] for name in ("add", "list", "password", "remove")),
]
CHECKED = [
    ["worker"],
    ["producer", "synthetic"],
    ["maskgate", "watch"],
    ["maskgate", "alive"],
]
#: Nobody listens there: whoever connects fails or waits.
NOWHERE = {
    "MASKGATE_BROKER_URL": "amqp://worker:sesame@127.0.0.1:1/%2F",
    "MASKGATE_REDIS_URL": "redis://worker:sesame@127.0.0.1:1/0",
}


def run(*line: str) -> int:
    """The exit code, however the program ends."""
    try:
        return MAINS[line[0]](list(line[1:]))
    except SystemExit as ended:
        return int(ended.code or 0)


@pytest.mark.parametrize("line", [["maskgate"], ["producer"], *LINES], ids=" ".join)
def test_help_is_for_people(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*line, "--help") == (2 if "wait" in line else 0)
    text = capsys.readouterr().out
    assert text.startswith("usage: ")
    # What argparse and pydantic print by themselves: types of Python, secrets, missing defaults.
    assert not re.search(r"SecretStr|\bPath\b|\bint\b|\bstr\b|\bfloat\b|\*\*\*|None|==", text)
    if line[-1] not in ("deadletters", "topology", "camera", "models"):
        assert text.split("\n\n")[0].count("\n") <= 1, "a usage line, not a list of options"


def options_without_help(parser: argparse.ArgumentParser) -> list[str]:
    found: list[str] = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for choice in action.choices.values():
                found += options_without_help(choice)
        elif not action.help:
            found.append(f"{parser.prog} {action.dest}")
    return found


def test_every_option_of_every_command_has_a_help_text() -> None:
    assert not options_without_help(whole_parser())


@pytest.mark.parametrize("line", [["maskgate"], ["producer"]], ids=" ".join)
@pytest.mark.parametrize("wrong", [[], ["bogus"]], ids=["missing", "unknown"])
def test_a_missing_or_unknown_command_exits_2_with_the_usage(
    line: list[str], wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*line, *wrong) == 2
    assert "usage: " in capsys.readouterr().err


@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_an_unknown_option_exits_2_with_the_usage(
    line: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*line, "--bogus") == 2
    assert "usage: " in capsys.readouterr().err


@pytest.mark.parametrize("line", CHECKED, ids=" ".join)
def test_check_says_where_a_process_would_connect_to_and_does_not_connect(
    line: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, url in NOWHERE.items():
        monkeypatch.setenv(name, url)
    assert run(*line, "--check") == 0
    text = capsys.readouterr().out
    urls = {
        "broker: amqp://worker@127.0.0.1:1/%2F\nbroker password: set\nbroker TLS: off\n",
        "Redis: redis://worker@127.0.0.1:1/0\nRedis password: set\nRedis TLS: off\n",
    }
    used = {"worker": 2, "producer": 1, "maskgate": 1}[line[0]]
    assert sum(url in text for url in urls) == used
    assert text.endswith("\nvalid\n")
    assert "sesame" not in text
    if line == ["worker"]:
        digest = hashlib.sha256(SHIPPED_MODEL.read_bytes()).hexdigest()
        assert f"model: {SHIPPED_MODEL}, SHA-256 {digest}, not pinned\n" in text


def test_wait_has_no_check_because_its_exit_code_0_opens_a_door(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("maskgate", "wait", "lobby", "--check") == 2
    assert "unrecognized arguments: --check" in capsys.readouterr().err


def test_check_counts_the_images_of_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("1.jpg", "2.png", "notes.txt"):
        (tmp_path / name).touch()
    assert run("producer", "folder", str(tmp_path), "--check") == 0
    assert f"images: 2 in {tmp_path}\n" in capsys.readouterr().out


def test_check_names_the_tls_files(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    client = authority.issue("worker")
    monkeypatch.setenv("MASKGATE_REDIS_URL", "rediss://redis/0")
    monkeypatch.setenv("MASKGATE_REDIS_CA_FILE", str(authority.ca))
    assert run("maskgate", "alive", "--check") == 0
    assert f"trusts {authority.ca}; client certificate none, key none" in capsys.readouterr().out
    monkeypatch.setenv("MASKGATE_REDIS_CERT_FILE", str(client.cert))
    assert run("maskgate", "alive", "--check") == 78
    assert "MASKGATE_REDIS_KEY_FILE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "change", "complaint"),
    [
        ("worker", {"MASKGATE_MODEL_SHA256": "0" * 64}, "pinned is 000"),
        ("worker", {"MASKGATE_MODEL_PATH": "/nowhere.onnx"}, "model /nowhere.onnx: "),
        ("worker", {"MASKGATE_REDIS_URL": "http://sesame@x"}, "MASKGATE_REDIS_URL"),
        ("worker", {"MASKGATE_MAX_BATCH": "none"}, "MASKGATE_MAX_BATCH"),
        ("producer synthetic", {"MASKGATE_BROKER_URL": "http://sesame@x"}, "MASKGATE_BROKER_URL"),
        ("producer synthetic", {"MASKGATE_MODEL_CARD": "/nowhere.json"}, "card /nowhere.json: "),
        ("producer synthetic", {"MASKGATE_AUDIT_DIR": "/nowhere"}, "MASKGATE_AUDIT_DIR"),
        ("maskgate watch lobby", {"MASKGATE_REDIS_URL": "http://sesame@x"}, "MASKGATE_REDIS_URL"),
        ("maskgate watch a:b", {}, "camera 'a:b'"),
        ("maskgate watch", {"MASKGATE_REDIS_PASSWORD_FILE": "/nowhere"}, "REDIS_PASSWORD_FILE"),
    ],
)
def test_check_exits_78_and_says_what_is_wrong(
    line: str,
    change: dict[str, str],
    complaint: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in change.items():
        monkeypatch.setenv(name, value)
    assert run(*line.split(), "--check") == 78
    printed = capsys.readouterr()
    assert printed.out == ""
    assert complaint in printed.err
    assert "sesame" not in printed.err


def test_a_url_is_shown_without_what_may_hold_a_password() -> None:
    assert without_password("redis://u:secret@h:1/0?password=secret#x") == "redis://u@h:1/0"
    assert without_password("rediss://:secret@h/0") == "rediss://h/0"


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_without_shtab_says_what_to_install(
    shell: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert run("maskgate", "completion", shell) == 69
    assert "maskgate[completion]" in capsys.readouterr().err


@pytest.mark.parametrize("shell", SHELLS)
def test_a_completion_script_knows_every_command(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("shtab", reason="the extra 'completion' is not installed")
    assert run("maskgate", "completion", shell) == 0
    script = capsys.readouterr().out
    assert all(word in script for word in (*COMMANDS, "--check", "--min-evidence", "--secrets"))


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        (["maskgate", "to"], "topology"),
        (["maskgate", "watch", "--ch"], "--check"),
        (["maskgate", "topology", "apply", "--def"], "--definitions"),
    ],
)
def test_bash_completes_commands_and_options(
    typed: list[str], completed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("shtab", reason="the extra 'completion' is not installed")
    assert run("maskgate", "completion", "bash") == 0
    script = tmp_path / "script"
    script.write_text(capsys.readouterr().out)
    words = " ".join(typed)
    asked = (
        f"source {script}; COMP_WORDS=({words}); COMP_CWORD={len(typed) - 1}; "
        "$(complete -p maskgate | sed 's/.*-F \\([^ ]*\\).*/\\1/'); echo ${COMPREPLY[@]}"
    )
    ended = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=False)
    assert ended.stdout.split() == [completed], ended.stderr


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("worker --broker-password sesame", "MASKGATE_BROKER_PASSWORD_FILE"),
        ("worker --redis-password=sesame", "MASKGATE_REDIS_PASSWORD_FILE"),
        ("worker --broker-url amqp://worker:sesame@h/", "MASKGATE_BROKER_PASSWORD_FILE"),
        ("producer synthetic --broker-url=amqp://c:sesame@h/", "MASKGATE_BROKER_PASSWORD_FILE"),
        ("maskgate wait lobby --redis-url redis://:sesame@h/0", "MASKGATE_REDIS_PASSWORD_FILE"),
        ("maskgate wait lobby --redis-password sesame", "MASKGATE_REDIS_PASSWORD_FILE"),
        ("maskgate watch --redis-url redis://[sesame", "MASKGATE_REDIS_PASSWORD_FILE"),
    ],
)
def test_a_password_on_a_command_line_is_refused_by_name_and_not_repeated(
    line: str, instead: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*line.split()) == 2
    reported = capsys.readouterr()
    assert instead in reported.err
    assert "sesame" not in reported.out + reported.err
