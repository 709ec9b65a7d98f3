"""The table of doors: what changes is sent once, and ages are those of the moment."""

import json
from dataclasses import replace
from typing import Any

import pytest

from desk.doors.board import Board, Table, with_ages
from desk.doors.snapshot import Snapshot
from desk.doors.words import people
from desk.web.filters import age, number, signed, took, utc
from desk.web.pages import environment
from maskgate.gate.decide import Action, Decision
from maskgate.gate.doors import Door
from maskgate.protocol.verdict import Outcome, Verdict

VERDICT = Verdict(
    crop_id="0" * 32,
    track_id="t",
    outcome=Outcome.NO_MASK,
    p_mask=0.01,
    captured_at_ms=1000,
    decided_at_ms=1010,
    model="mask-1",
    crops=3,
    agreeing=3,
    evidence=-3.31,
)
OPEN = Door("lobby", Decision(Action.RECOGNISE, "no mask", VERDICT))
CLOSED = Door("lobby", Decision(Action.MANUAL, "no verdict"))


@pytest.fixture
def board() -> Board:
    return Board(environment())


def told(table: Table, since: int = 0) -> dict[str, Any]:
    event = table.event_since(since, [])
    return json.loads(event) if event else {}


def test_only_what_changed_is_sent(board: Board) -> None:
    vault = replace(CLOSED, camera="vault")
    board.show(Snapshot(2000, [OPEN, vault], alive=True))
    first = board.table
    assert list(told(first)["rows"]) == ["door-lobby", "door-vault"]
    board.show(Snapshot(2250, [OPEN, vault], alive=True))
    assert told(board.table, first.version) == {}
    board.show(Snapshot(2500, [CLOSED, vault], alive=True))
    assert list(told(board.table, first.version)["rows"]) == ["door-lobby"]


def test_a_newer_crop_that_says_the_same_sends_its_time_alone(board: Board) -> None:
    board.show(Snapshot(2000, [OPEN], alive=True))
    first = board.table
    newer = Decision(Action.RECOGNISE, "no mask", _with(captured_at_ms=1800, evidence=-3.29))
    board.show(Snapshot(2250, [replace(OPEN, decision=newer)], alive=True))
    assert told(board.table, first.version) == {"now": 2250, "ages": {"door-lobby": 1800}}
    assert "data-at" in board.table.html


def _with(**changes: Any) -> Verdict:
    fields = {name: getattr(VERDICT, name) for name in VERDICT.__struct_fields__}
    return Verdict(**{**fields, **changes})


def test_a_page_has_the_ages_of_its_moment(board: Board) -> None:
    closed = [replace(CLOSED, camera=camera) for camera in ("attic", "vault")]
    board.show(Snapshot(2000, [closed[0], OPEN, closed[1]], True, {"vault": 500}))
    page = with_ages(board.table, 4000)
    assert 'data-at="1000">3.0 s<' in page
    assert 'data-at="500">3.5 s<' in page
    assert page.count("data-at") == 2


def test_what_is_wrong_is_said_above_the_table(board: Board) -> None:
    board.show(Snapshot(2000, [OPEN], alive=True))
    assert "No worker" not in board.table.notes
    version = board.table.version
    board.show(Snapshot(2250, [OPEN], alive=False))
    assert "No worker is running" in told(board.table, version)["notes"]["doors-notes"]
    board.show(Snapshot(2500, [CLOSED], trouble="<refused>"))
    assert "&lt;refused&gt;" in board.table.notes
    assert "no worker" not in board.table.notes, "nobody knows"


def test_nobody_in_front_of_a_camera_is_no_word() -> None:
    assert people([]) == ""


@pytest.mark.parametrize(
    ("duration_ms", "text"),
    [
        *((None, "–"), (0, "0.0 s"), (9_949, "9.9 s"), (59_400, "59 s"), (60_000, "1 min")),
        *((3_600_000, "1 h"), (200_000_000, "2 d")),
    ],
)
def test_ages_are_for_people(duration_ms: int | None, text: str) -> None:
    assert age(duration_ms) == text


def test_numbers_and_times_are_for_people() -> None:
    assert (signed(-3.31), signed(0.0), took(12.4), took(1400)) == (
        "−3.3",
        "+0.0",
        "12 ms",
        "1.4 s",
    )
    assert utc(1_700_000_000_007) == "2023-11-14 22:13:20.007"
    assert (utc(None), utc(10**18), number(None), number(0.5, 3)) == ("–", "?", "–", "0.500")
