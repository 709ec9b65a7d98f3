"""What ``maskgate watch`` shows of each camera: as a table, and as lines for a log."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.table import Column, Table
from rich.text import Text

from maskgate.gate.client import Gate
from maskgate.gate.decide import Action, Decision
from maskgate.gate.visit import Visit
from maskgate.gate.visitors import Visitors
from maskgate.protocol.camera_state import CameraState
from maskgate.protocol.errors import MaskgateError
from maskgate.protocol.verdict import Verdict
from maskgate.runtime.clock import now_ms

_COLOURS = {Action.RECOGNISE: "green", Action.REMOVE_MASK: "yellow", Action.MANUAL: "red"}
#: A track id in the table is cut to this; lines have all of it.
_TRACK_LENGTH = 8
#: On a narrow terminal a reason is cut, an action is not.
_ACTION_WIDTH = max(map(len, Action))


@dataclass(slots=True)
class Screen:
    """What is shown of each camera. ``news`` counts wake-ups since a camera was last shown."""

    trouble: str = "connecting"
    news: dict[str, int] = field(default_factory=dict)
    decisions: dict[str, Decision] = field(default_factory=dict)
    visits: dict[str, tuple[Visit, ...]] = field(default_factory=dict)
    workers_alive: bool = True
    shown_alive: bool = True
    lost: bool = False
    shown_actions: dict[str, Action] = field(default_factory=dict)
    shown_visits: dict[tuple[str, str], Visit] = field(default_factory=dict)
    visitors: dict[str, Visitors] = field(default_factory=dict)
    states: dict[str, CameraState | None] = field(default_factory=dict)
    shown_states: dict[str, str] = field(default_factory=dict)

    def look(self, gate: Gate) -> None:
        """Read verdict, visits and state of every known camera.

        Raises:
            StoreError: Redis does not answer; found out once, not once per camera.
        """
        self.workers_alive = gate.workers_alive()
        self.trouble = ""
        for camera in self.news:
            self.decisions[camera] = gate.decision(camera)
            self.visits[camera] = self._people(gate, camera)
            self.states[camera] = _state(gate, camera)

    def _people(self, gate: Gate, camera: str) -> tuple[Visit, ...]:
        if camera not in self.visitors:
            self.visitors[camera] = gate.visitors(camera)
        try:
            return self.visitors[camera].look()
        except MaskgateError:
            return ()  # one camera's broken keys must not hide the others

    def lose(self, trouble: str) -> None:
        """Redis does not answer: every door is manual."""
        self.trouble = trouble
        self.decisions = {
            camera: Decision(Action.MANUAL, "no connection to Redis") for camera in self.news
        }
        self.visits.clear()
        self.states.clear()

    def table(self) -> Table:
        """The table for a terminal: a row for each camera, and below it one for each person."""
        title = self.trouble or ("" if self.workers_alive else "no worker is at work")
        table = Table(
            "camera",
            "outcome",
            "p(mask)",
            "age",
            "evidence",
            Column("decision", min_width=_ACTION_WIDTH),
            "state",
            title=Text(title, "bold red") if title else None,
        )
        for camera, decision in sorted(self.decisions.items()):
            people = self.visits.get(camera, ())
            state = _state_cell(self.states.get(camera))
            table.add_row(camera, *_cells(decision), state, end_section=not people)
            for visit in people:
                name = f"  {visit.track[:_TRACK_LENGTH]}"
                table.add_row(name, *_cells(visit), end_section=visit is people[-1])
        return table

    def lines(self) -> Iterator[str]:
        """Lines for a log.

        One for each camera with news or whose verdict expired; for each person who came, left or
        got another decision; for a camera whose state changed; and one when Redis or the workers
        stop or return.
        """
        if bool(self.trouble) != self.lost:
            self.lost = bool(self.trouble)
            yield (
                f"redis lost: {self.trouble}; every door is manual meanwhile"
                if self.lost
                else "redis answers again"
            )
        for camera, count in self.news.items():
            decision = self.decisions[camera]
            if count or decision.action is not self.shown_actions.get(camera):
                self.news[camera], self.shown_actions[camera] = 0, decision.action
                yield f"{camera} {_line(decision)} wake_ups={count}"
            if not self.lost:  # meanwhile nobody knows who left
                yield from self._visit_lines(camera)
                yield from self._state_lines(camera)
        if not self.lost and self.workers_alive != self.shown_alive:
            self.shown_alive = self.workers_alive
            yield "a worker is at work" if self.workers_alive else "no worker is at work"

    def _state_lines(self, camera: str) -> Iterator[str]:
        state, shown = self.states.get(camera), self.shown_states.get(camera)
        now = state.told if state else "unknown"
        if now != (shown or "unknown"):
            yield f"{camera} camera {'state' if state is None else 'is'} {now}"
        self.shown_states[camera] = now

    def _visit_lines(self, camera: str) -> Iterator[str]:
        here = {(camera, visit.track): visit for visit in self.visits.get(camera, ())}
        for key, visit in here.items():
            shown = self.shown_visits.get(key)
            if shown is None or shown.action is not visit.action:
                yield f"{camera}/{visit.track} {_line(visit)} crops={visit.crops}"
        left = [key for key in self.shown_visits if key[0] == camera and key not in here]
        for key in left:
            gone = self.shown_visits.pop(key)
            stayed_s = (gone.verdict.captured_at_ms - gone.since_ms) / 1000
            yield f"{camera}/{gone.track} left, was {gone.action}, seen for {stayed_s:.1f} s"
        self.shown_visits |= here


def _state(gate: Gate, camera: str) -> CameraState | None:
    try:
        return gate.camera_state(camera)
    except MaskgateError:
        return None


def _state_cell(state: CameraState | None) -> Text:
    if state is None:
        return Text("–")
    if state.is_up:
        return Text.assemble(("up", "green"), f" {state.fps:.1f} fps")
    since_s = (now_ms() - state.since_ms) / 1000
    return Text.assemble((state.state, "red"), f" for {since_s:.0f} s")


def _cells(decided: Decision | Visit) -> tuple[str | Text, ...]:
    # As Text, because a reason may hold brackets, which are markup for rich.
    action = Text.assemble((decided.action, _COLOURS[decided.action]), f" ({decided.reason})")
    return *_numbers(decided.verdict), action


def _numbers(verdict: Verdict | None) -> tuple[str, ...]:
    if verdict is None:
        return ("–",) * 4
    age_s = (now_ms() - verdict.captured_at_ms) / 1000
    return (
        verdict.outcome.value,
        f"{verdict.p_mask:.2f}",
        f"{age_s:.1f} s",
        f"{verdict.log_odds:+.1f}",
    )


def _line(decided: Decision | Visit) -> str:
    verdict = decided.verdict
    details = f" p_mask={verdict.p_mask:.2f} evidence={verdict.log_odds:+.1f}" if verdict else ""
    return f"{decided.action} ({decided.reason}){details}"
