"""Shows verdicts as they happen: a table on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from redis import Redis
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from maskgate.gate.client import Gate
from maskgate.gate.decide import Action, Decision
from maskgate.gate.wake_ups import subscription
from maskgate.protocol.crop import is_id
from maskgate.protocol.errors import MaskgateError
from maskgate.protocol.verdict import CHANNEL_PATTERN, camera_of_channel
from maskgate.runtime.backoff import Backoff
from maskgate.runtime.clock import now_ms
from maskgate.runtime.stop import Stop
from maskgate.runtime.store import store_errors

_COLOURS = {Action.RECOGNISE: "green", Action.REMOVE_MASK: "yellow", Action.MANUAL: "red"}
_REFRESH_S = 0.25


@dataclass(slots=True)
class Screen:
    """What is shown of each camera. ``news`` counts wake-ups since a camera was last shown."""

    trouble: str = "connecting"
    news: dict[str, int] = field(default_factory=dict)
    decisions: dict[str, Decision] = field(default_factory=dict)
    workers_alive: bool = True
    shown_alive: bool = True
    lost: bool = False
    shown_actions: dict[str, Action] = field(default_factory=dict)

    def look(self, gate: Gate) -> None:
        """Read the verdict of every known camera.

        Raises:
            StoreError: Redis does not answer; found out once, not once per camera.
        """
        self.workers_alive = gate.workers_alive()
        self.trouble = ""
        for camera in self.news:
            self.decisions[camera] = gate.decision(camera)

    def lose(self, trouble: str) -> None:
        """Redis does not answer: every door is manual."""
        self.trouble = trouble
        self.decisions = {
            camera: Decision(Action.MANUAL, "no connection to Redis") for camera in self.news
        }

    def table(self) -> Table:
        """The table for a terminal."""
        title = self.trouble or ("" if self.workers_alive else "no worker is at work")
        table = Table(
            "camera",
            "outcome",
            "p(mask)",
            "age",
            "evidence",
            "decision",
            title=Text(title, "bold red") if title else None,
        )
        for camera, decision in sorted(self.decisions.items()):
            verdict = decision.verdict
            cells = ("–",) * 4
            if verdict:
                age_s = (now_ms() - verdict.captured_at_ms) / 1000
                cells = (
                    verdict.outcome.value,
                    f"{verdict.p_mask:.2f}",
                    f"{age_s:.1f} s",
                    f"{verdict.log_odds:+.1f}",
                )
            # As Text, because a reason may hold brackets, which are markup for rich.
            table.add_row(
                camera,
                *cells,
                Text.assemble(
                    (decision.action, _COLOURS[decision.action]), f" ({decision.reason})"
                ),
            )
        return table

    def lines(self) -> Iterator[str]:
        """Lines for a log.

        One for each camera with news or whose verdict expired, one when Redis or the workers stop
        or return.
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
            if not count and decision.action is self.shown_actions.get(camera):
                continue
            verdict = decision.verdict
            details = (
                f" p_mask={verdict.p_mask:.2f} evidence={verdict.log_odds:+.1f}" if verdict else ""
            )
            self.news[camera], self.shown_actions[camera] = 0, decision.action
            yield f"{camera} {decision.action} ({decision.reason}){details} wake_ups={count}"
        if not self.lost and self.workers_alive != self.shown_alive:
            self.shown_alive = self.workers_alive
            yield "a worker is at work" if self.workers_alive else "no worker is at work"


def watch(
    gate: Gate,
    client: Redis,
    cameras: list[str],
    *,
    stop: Stop,
    console: Console,
    interval_s: float,
) -> None:
    """Show decisions until a stop is requested. Reconnects when Redis was lost."""
    screen = Screen(news=dict.fromkeys(cameras, 0))
    backoff = Backoff()
    live = (
        Live(screen.table(), console=console, auto_refresh=False) if console.is_terminal else None
    )
    if live:
        live.start()
    try:
        while not stop.requested:
            try:
                for _ in _wake_ups(
                    client,
                    screen,
                    only=cameras,
                    stop=stop,
                    interval_s=_REFRESH_S if live else interval_s,
                ):
                    screen.look(gate)
                    backoff.reset()
                    _show(screen, live, console)
            except MaskgateError as error:
                screen.lose(str(error))
                _show(screen, live, console)
                stop.sleep(backoff.next_s())
    finally:
        if live:
            live.stop()


def _show(screen: Screen, live: Live | None, console: Console) -> None:
    if live:
        live.update(screen.table(), refresh=True)
        return
    for line in screen.lines():
        # Not through rich, which takes brackets for markup.
        print(line, file=console.file, flush=True)


def _wake_ups(
    client: Redis, screen: Screen, *, only: list[str], stop: Stop, interval_s: float
) -> Iterator[None]:
    """Count wake-ups into ``screen.news``; yields once per interval.

    Raises:
        StoreError: Redis does not answer.
    """
    with store_errors(), subscription(client) as wake_ups:
        wake_ups.psubscribe(CHANNEL_PATTERN)
        while not stop.requested:
            due_s = time.monotonic() + interval_s
            while not stop.requested and (left_s := due_s - time.monotonic()) > 0:
                message = wake_ups.get_message(timeout=min(left_s, 0.2))
                camera = camera_of_channel(message["channel"]) if message else None
                if camera and is_id(camera) and (not only or camera in only):
                    screen.news[camera] = screen.news.get(camera, 0) + 1
            yield
