"""For an auditor: which model decided at which door at which time, from the history of verdicts."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from redis import Redis

from maskgate.models.promotion import SWAP_S
from maskgate.protocol.verdict import HistoryEntry, Outcome, history_key, parse_history_entry
from maskgate.runtime.store import store_errors

_PAGE = 1000
_SWAP_MS = int(SWAP_S * 1000)
_VERDICTS = (Outcome.MASK, Outcome.NO_MASK, Outcome.UNCERTAIN)


@dataclass(slots=True)
class Span:
    """A time in which a model decided at a door: its first and last verdict, and how many."""

    model: str
    from_ms: int
    to_ms: int
    verdicts: int = 1


@dataclass(frozen=True, slots=True)
class ModelReport:
    """The spans of one camera, by their start.

    ``begins_ms`` is the oldest entry of its history: what was before is not known here. None if
    there is no history.
    """

    camera: str
    spans: list[Span]
    begins_ms: int | None


def report(client: Redis, camera: str, from_ms: int, to_ms: int) -> ModelReport:
    """What a camera's history says of a time, inclusive.

    While a promotion spreads over the workers, for at most 5 s, two models decide: their spans
    overlap.

    Raises:
        StoreError: Redis does not answer or refuses.
        BadVerdictError: the history holds something else than results.
    """
    key = history_key(camera)
    with store_errors():
        oldest: Any = client.xrange(key, count=1)
    begins_ms = int(oldest[0][0].partition("-")[0]) if oldest else None
    return ModelReport(camera, _spans(_entries(client, key, from_ms, to_ms)), begins_ms)


def _entries(client: Redis, key: str, from_ms: int, to_ms: int) -> Iterator[HistoryEntry]:
    start = str(from_ms)
    while True:
        with store_errors():
            page: Any = client.xrange(key, start, to_ms, count=_PAGE)
        for entry_id, fields in page:
            start = f"({entry_id}"
            yield parse_history_entry(fields)
        if len(page) < _PAGE:
            return


def _spans(entries: Iterator[HistoryEntry]) -> list[Span]:
    spans: list[Span] = []
    present: dict[str, Span] = {}
    for entry in entries:
        if entry.outcome not in _VERDICTS:
            continue
        at_ms, model = entry.decided_at_ms, entry.model
        if model in present:
            present[model].to_ms = at_ms
            present[model].verdicts += 1
        else:
            spans.append(present.setdefault(model, Span(model, at_ms, at_ms)))
        # A model whose last verdict is older than a swap takes has ended, if another one decides.
        for name in [n for n, span in present.items() if span.to_ms < at_ms - _SWAP_MS]:
            del present[name]
    return spans
