"""The journal: every line is on the disk, in order, and spoils no other."""

import json
import threading
from pathlib import Path

import pytest

from desk.journal import Journal, JournalError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def test_a_line_says_who_did_what_when(path: Path) -> None:
    Journal(path, clock=lambda: 1_700_000_000_123).write("anna", "promote", model="mask-2")
    assert json.loads(path.read_text()) == {
        "at": "2023-11-14T22:13:20.123+00:00",
        "who": "anna",
        "action": "promote",
        "model": "mask-2",
    }
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_line_break_in_a_fact_makes_no_second_line(path: Path) -> None:
    Journal(path).write("anna", "x", reason='\n{"who": "eve"}\u2028')
    assert len(path.read_bytes().splitlines()) == 1


def test_writers_do_not_mix_their_lines(path: Path) -> None:
    journals = [Journal(path) for _ in range(4)]

    def write(journal: Journal) -> None:
        # Long lines: a file grows page by page, and another writer sees it when it is half done.
        for number in range(40):
            journal.write("anna", "x" * 100_000, number=number)

    threads = [threading.Thread(target=write, args=(journal,)) for journal in journals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [json.loads(line)["who"] for line in path.read_text().splitlines()] == ["anna"] * 160


def test_a_line_that_a_crash_cut_short_spoils_no_other(path: Path) -> None:
    path.write_text('{"at": "2026')
    journal = Journal(path)
    journal.write("anna", "sign_in")
    newest, cut = journal.newest(5)
    assert (newest["who"], newest["action"]) == ("anna", "sign_in")
    assert cut["action"] == '{"at": "2026'


def test_the_newest_come_first_and_a_long_journal_is_not_read_whole(path: Path) -> None:
    line = json.dumps({"at": "", "who": "anna", "action": "x" * 100})
    path.write_text(f"{line}\n" * 10_000)
    journal = Journal(path)
    journal.write("berta", "last")
    shown = journal.newest(10_000)
    assert shown[0]["who"] == "berta"
    assert 1000 < len(shown) < 10_000
    assert all(each["who"] in ("anna", "berta") for each in shown), "no half line"
    assert [each["who"] for each in journal.newest(2)] == ["berta", "anna"]


def test_what_can_not_be_written_down_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=f"{tmp_path}/none/journal: can't be written: No such"):
        Journal(tmp_path / "none" / "journal").write("anna", "x")


def test_it_follows_no_link(tmp_path: Path) -> None:
    link = tmp_path / "journal"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(JournalError):
        Journal(link).write("anna", "x")
    assert not (tmp_path / "elsewhere").exists()


def test_it_can_be_moved_away(path: Path) -> None:
    journal = Journal(path)
    journal.write("anna", "one")
    path.rename(path.with_suffix(".old"))
    journal.write("anna", "two")
    assert [each["action"] for each in journal.newest(5)] == ["two"]
