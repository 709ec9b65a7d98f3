"""Verdicts as they happen: a live table on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from redis import Redis
from redis.exceptions import RedisError
from rich.console import Console
from rich.live import Live
from rich.table import Table

from contract.backoff import Backoff
from contract.clock import now_ms
from contract.errors import MaskgateError
from contract.stop import Stop
from contract.verdict import CHANNEL_PATTERN, NO_CAMERA, camera_of_channel
from gate.client import Gate, subscription
from gate.decide import Action, Decision

_COLOURS = {Action.RECOGNISE: "green", Action.REMOVE_MASK: "yellow", Action.MANUAL: "red"}
_REFRESH_S = 0.25


@dataclass(slots=True)
class Screen:
    """What is known of each camera. ``news`` counts the wake-ups since a camera was last shown."""

    trouble: str = "connecting"
    news: dict[str, int] = field(default_factory=dict)
    decisions: dict[str, Decision] = field(default_factory=dict)
    workers_alive: bool = True
    told_alive: bool = True

    def look(self, gate: Gate) -> None:
        """Read every known camera's verdict anew."""
        for camera in self.news:
            self.decisions[camera] = gate.decision(camera)
        self.workers_alive = gate.workers_alive()

    def table(self) -> Table:
        """For a terminal."""
        title = self.trouble or ("" if self.workers_alive else "no worker is at work")
        table = Table("camera", "outcome", "p(mask)", "age", "consensus", "decision", title=title or None, title_style="bold red")
        for camera, decision in sorted(self.decisions.items()):
            verdict = decision.verdict
            cells = ("–",) * 4
            if verdict:
                age_s = (now_ms() - verdict.captured_at_ms) / 1000
                cells = (verdict.outcome.value, f"{verdict.p_mask:.2f}", f"{age_s:.1f} s", f"{verdict.agreeing}/{verdict.crops}")
            table.add_row(camera, *cells, f"[{_COLOURS[decision.action]}]{decision.action}[/] ({decision.reason})")
        return table

    def lines(self) -> Iterator[str]:
        """For a log: a line for each camera that has news, and one when the last worker goes or the first comes."""
        for camera, count in self.news.items():
            if not count:
                continue
            decision = self.decisions[camera]
            verdict = decision.verdict
            told = f" p_mask={verdict.p_mask:.2f} consensus={verdict.agreeing}/{verdict.crops}" if verdict else ""
            yield f"{camera} {decision.action} ({decision.reason}){told} verdicts={count}"
            self.news[camera] = 0
        if self.workers_alive != self.told_alive:
            self.told_alive = self.workers_alive
            yield "a worker is at work" if self.workers_alive else "no worker is at work"


def watch(gate: Gate, client: Redis, cameras: list[str], *, stop: Stop, console: Console, interval_s: float) -> None:
    """Show decisions until asked to stop; Redis may come and go meanwhile."""
    screen = Screen(news=dict.fromkeys(cameras, 0))
    backoff = Backoff()
    live = Live(screen.table(), console=console, auto_refresh=False) if console.is_terminal else None
    if live:
        live.start()
    try:
        while not stop.requested:
            try:
                for _ in _wake_ups(client, screen, only=cameras, stop=stop, interval_s=_REFRESH_S if live else interval_s):
                    screen.look(gate)
                    backoff.reset()
                    _show(screen, live, console)
            except (RedisError, MaskgateError) as error:
                if not screen.trouble:
                    console.print(f"redis lost: {error}; every door is manual meanwhile", highlight=False)
                screen.trouble = f"redis: {error}"
                screen.decisions = {camera: Decision(Action.MANUAL, "no connection to Redis") for camera in screen.news}
                if live:
                    live.update(screen.table(), refresh=True)
                stop.sleep(backoff.next_s())
    finally:
        if live:
            live.stop()


def _show(screen: Screen, live: Live | None, console: Console) -> None:
    if live:
        live.update(screen.table(), refresh=True)
        return
    for line in screen.lines():
        console.print(line, highlight=False)


def _wake_ups(client: Redis, screen: Screen, *, only: list[str], stop: Stop, interval_s: float) -> Iterator[None]:
    """Counts wake-ups into ``screen.news``; yields once an interval."""
    with subscription(client) as wake_ups:
        wake_ups.psubscribe(CHANNEL_PATTERN)
        screen.trouble = ""
        while not stop.requested:
            due_s = time.monotonic() + interval_s
            while not stop.requested and (left_s := due_s - time.monotonic()) > 0:
                message = wake_ups.get_message(timeout=min(left_s, 0.2))
                camera = camera_of_channel(message["channel"]) if message else NO_CAMERA
                if camera != NO_CAMERA and (not only or camera in only):
                    screen.news[camera] = screen.news.get(camera, 0) + 1
            yield
