"""What a demo shows of the people in front of the camera."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live
from rich.table import Table

from maskgate.gate.client import Gate
from maskgate.gate.decide import Action
from maskgate.gate.screen import Screen
from maskgate.gate.visit import Visit

_LOOK_S = 0.05


@dataclass(slots=True)
class _Person:
    number: int
    since_ms: int
    seen_ms: int = 0
    decisions: list[tuple[int, Action]] = field(default_factory=list)

    @property
    def made(self) -> list[tuple[int, Action]]:
        """The decisions, without the waits between them."""
        made: list[tuple[int, Action]] = []
        for at_ms, action in self.decisions:
            if action is not Action.MANUAL and (not made or made[-1][1] is not action):
                made.append((at_ms, action))
        return made


class VisitLog:
    """Everybody who came, with what was decided and when. Times count from the start."""

    def __init__(self) -> None:
        self._begun_ms = time.time_ns() // 1_000_000
        self._people: dict[str, _Person] = {}

    @property
    def count(self) -> int:
        """How many people came."""
        return len(self._people)

    def add(self, visits: tuple[Visit, ...]) -> list[str]:
        """Note who is there now; returns a line for each new decision."""
        lines = []
        for visit in visits:
            person = self._people.setdefault(
                visit.track, _Person(len(self._people) + 1, visit.since_ms)
            )
            person.seen_ms = visit.verdict.captured_at_ms
            if not person.decisions or person.decisions[-1][1] is not visit.action:
                person.decisions.append((visit.decided_since_ms, visit.action))
                lines.append(
                    f"{self._at(visit.decided_since_ms)} person {person.number}: {visit.action} "
                    f"({visit.reason}), p_mask {visit.verdict.p_mask:.2f}"
                )
        return lines

    def table(self) -> Table:
        """One row for each person."""
        table = Table("person", "came", "stayed", "decisions", box=None)
        for person in self._people.values():
            made = [f"{action} {self._at(at_ms).strip()}" for at_ms, action in person.made]
            stayed_s = (person.seen_ms - person.since_ms) / 1000
            table.add_row(
                str(person.number),
                self._at(person.since_ms).strip(),
                f"{stayed_s:.1f} s",
                "; ".join(made) or Action.MANUAL,
            )
        return table

    def _at(self, at_ms: int) -> str:
        return f"{(at_ms - self._begun_ms) / 1000:5.1f} s"


def show_visits(
    url: str,
    camera: str,
    visits: VisitLog,
    console: Console,
    goes_on: Callable[[], bool],
    *,
    until_s: float,
) -> None:
    """Show who is there: a live table on a terminal, a line for each decision elsewhere."""
    screen = Screen(trouble="", news={camera: 0})
    with Gate(url, timeout_s=1) as gate:
        visitors = gate.visitors(camera)
        live = Live(screen.table(), console=console, auto_refresh=False)
        if console.is_terminal:
            live.start()
        try:
            while goes_on() and time.monotonic() < until_s:
                lines = visits.add(visitors.look())
                if console.is_terminal:
                    screen.look(gate)
                    live.update(screen.table(), refresh=True)
                else:
                    for line in lines:
                        console.print(line, highlight=False)
                time.sleep(_LOOK_S)
        finally:
            live.stop()
