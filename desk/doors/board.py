"""The table of doors, ready to be sent: each row is made once for all pages and streams."""

import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from jinja2 import Environment
from markupsafe import Markup

from desk.doors.snapshot import Snapshot
from desk.web.announcer import Announcer
from desk.web.filters import age
from maskgate.gate.doors import Door

NOTES = "doors-notes"
_AT = re.compile(r'data-at="(\d+)">[^<]*<')


@dataclass(frozen=True, slots=True)
class Row:
    """A door's row, with the versions of the board in which it and its time last changed."""

    html: str
    version: int
    at_ms: int | None
    at_version: int
    #: What the row shows but for its time; equal rows need not be made again.
    shows: tuple[object, ...]


@dataclass(frozen=True)
class Table:
    """All rows at one moment, by the id of their element."""

    version: int
    snapshot: Snapshot
    rows: Mapping[str, Row] = field(default_factory=dict)
    #: What is said above the table, as HTML.
    notes: str = ""
    notes_version: int = 0
    _events: dict[int, str] = field(default_factory=dict)

    @cached_property
    def html(self) -> str:
        """The rows for a page."""
        return "".join(row.html for row in self.rows.values())

    def event_since(self, version: int, gone: Sequence[str]) -> str:
        """What has changed since an earlier table, as JSON; made once for all streams."""
        if version not in self._events:
            news = {
                "rows": {name: row.html for name, row in self._newer(version)},
                "ages": {
                    name: row.at_ms for name, row in self.rows.items() if row.at_version > version
                },
                "gone": gone,
                "notes": {NOTES: self.notes} if self.notes_version > version else {},
            }
            told = {name: value for name, value in news.items() if value}
            self._events[version] = (
                json.dumps({"now": self.snapshot.at_ms, **told}, separators=(",", ":"))
                if told
                else ""
            )
        return self._events[version]

    def _newer(self, version: int) -> Iterator[tuple[str, Row]]:
        return ((name, row) for name, row in self.rows.items() if row.version > version)


class Board:
    """Keeps the newest table and tells the streams about it."""

    def __init__(self, environment: Environment) -> None:
        self._row = environment.get_template("doors/row.html")
        self._notes = environment.get_template("doors/notes.html")
        self._lock = threading.Lock()
        self.announcer = Announcer()
        self.table = Table(0, Snapshot(0))

    def show(self, snapshot: Snapshot) -> None:
        """Take a new snapshot; called by the reader's thread."""
        with self._lock:
            old, version = self.table, self.table.version + 1
            rows = {
                f"door-{door.camera}": self._made(door, snapshot, old, version)
                for door in snapshot.doors
            }
            notes = self._notes.render(snapshot=snapshot)
            notes_version = old.notes_version if notes == old.notes else version
            self.table = Table(version, snapshot, rows, notes, notes_version)
        self.announcer.announce()

    def _made(self, door: Door, snapshot: Snapshot, old: Table, version: int) -> Row:
        verdict, state = door.decision.verdict, door.state
        at_ms = verdict.captured_at_ms if verdict else snapshot.seen_ms.get(door.camera)
        shows: tuple[object, ...] = (
            door.decision.action,
            door.decision.reason,
            verdict and (verdict.model, round(verdict.log_odds, 1)),
            at_ms is None,
            [(visit.track, visit.action) for visit in door.visits],
            state and (state.state, state.detail, state.since_ms),
            door.trouble,
        )
        last = old.rows.get(f"door-{door.camera}")
        if last is not None and last.shows == shows:
            at_version = last.at_version if last.at_ms == at_ms else version
            return Row(last.html, last.version, at_ms, at_version, shows)
        return Row(self._row.render(door=door, at_ms=at_ms), version, at_ms, version, shows)


def with_ages(table: Table, now_ms: int) -> Markup:
    """The rows with their ages at the time of sending, for a browser without scripts."""
    ages = iter([row.at_ms for row in table.rows.values() if row.at_ms is not None])

    def current(_: re.Match[str]) -> str:
        at_ms = next(ages)
        return f'data-at="{at_ms}">{age(max(0, now_ms - at_ms))}<'

    # Made by templates that escape; only numbers are replaced.
    return Markup(_AT.sub(current, table.html))  # noqa: S704
