"""Looks at the workers' pages and the queues every few seconds."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import structlog

from desk.throughput.numbers import Numbers, Page, growth, summed
from desk.throughput.ring import Point, Ring
from desk.throughput.scrape import Scraped, Target, scrape
from maskgate.protocol.errors import BrokerError
from maskgate.runtime.clock import Clock, now_ms

_READY, _ALIVE = "/readyz", "/healthz"
log = structlog.get_logger()


class Depths(Protocol):
    """What tells how many messages wait: ``desk.throughput.depths.QueueDepths``."""

    def read(self) -> Mapping[str, int | None]:
        """Messages that wait, by queue.

        Raises:
            BrokerError: the broker does not answer.
        """

    def close(self) -> None:
        """Disconnect. Never raises."""


class Collector:
    """Adds a point to the ring with each look."""

    def __init__(
        self,
        ring: Ring,
        depths: Depths,
        *,
        workers: Sequence[str],
        cameras: Sequence[str] = (),
        clock: Clock = now_ms,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ring, self._depths = ring, depths
        self._workers, self._cameras = workers, cameras
        self._clock, self._monotonic_s = clock, monotonic_s
        self._seen: dict[Target, Page] = {}
        self._total: Numbers = {}
        self._silent: set[str] = set()

    def look(self) -> None:
        """Ask everybody once."""
        workers = scrape(self._workers, _READY)
        cameras = scrape(self._cameras, _ALIVE)
        depths, trouble = self._ask_broker()
        at_s = self._monotonic_s()
        self._total = summed([self._total, self._grown([*workers, *cameras])])
        levels = max((each.page.levels for each in workers if each.page), key=len, default={})
        self._say([*workers, *cameras], trouble)
        self._ring.add(
            Point(self._clock(), at_s, self._total, levels, depths, trouble, workers, cameras)
        )

    def run(self, stopped: threading.Event, interval_s: float) -> None:
        """Look every so many seconds until told to stop."""
        while not stopped.is_set():
            due_s = self._monotonic_s() + interval_s
            try:
                self.look()
            except Exception:
                log.exception("desk.look_failed")
            stopped.wait(max(0.0, due_s - self._monotonic_s()))
        self._depths.close()

    def _grown(self, scraped: Sequence[Scraped]) -> Numbers:
        pages = {each.target: each.page for each in scraped if each.page}
        grown = summed(growth(self._seen.get(target), page) for target, page in pages.items())
        # A process that does not answer now is remembered: what it did meanwhile is not lost.
        self._seen = {
            each.target: page
            for each in scraped
            if (page := each.page or self._seen.get(each.target))
        }
        return grown

    def _ask_broker(self) -> tuple[Mapping[str, int | None], str]:
        try:
            return self._depths.read(), ""
        except BrokerError as error:
            return {}, str(error)

    def _say(self, scraped: Sequence[Scraped], broker_trouble: str) -> None:
        """Log once who stopped to answer, and who answers again."""
        silent = {str(each.target): each.trouble for each in scraped if each.page is None}
        if broker_trouble:
            silent["the broker"] = broker_trouble
        for name in silent.keys() - self._silent:
            log.warning("desk.no_figures", of=name, trouble=silent[name])
        for name in self._silent - silent.keys():
            log.info("desk.figures_again", of=name)
        self._silent = set(silent)
