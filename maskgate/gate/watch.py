"""Shows verdicts as they happen: a table on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator

from redis import Redis
from rich.console import Console
from rich.live import Live

from maskgate.gate.client import Gate
from maskgate.gate.screen import Screen
from maskgate.gate.wake_ups import subscription
from maskgate.protocol.camera_state import STATE_WAKE_UP
from maskgate.protocol.crop import is_id
from maskgate.protocol.errors import MaskgateError
from maskgate.protocol.verdict import CHANNEL_PATTERN, camera_of_channel
from maskgate.runtime.backoff import Backoff
from maskgate.runtime.stop import Stop
from maskgate.runtime.store import store_errors

_REFRESH_S = 0.25


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
                    is_news = message["data"] != STATE_WAKE_UP
                    screen.news[camera] = screen.news.get(camera, 0) + is_news
            yield
