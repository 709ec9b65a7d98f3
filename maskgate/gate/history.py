"""Follows the history of a camera: what became of each of its crops."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from redis import Redis

from maskgate.gate.errors import gate_errors
from maskgate.protocol.verdict import HistoryEntry, parse_history_entry

#: A blocking read returns after this time at the latest.
BLOCK_S = 0.5
_COUNT = 256


@dataclass(frozen=True, slots=True)
class Gap:
    """Entries may be missing between two: the reader was slower than the history was trimmed.

    ``after`` and ``before`` are ids of the stream.
    """

    after: str
    before: str


def follow(client: Redis, key: str, since: str) -> Iterator[HistoryEntry | Gap | None]:
    """Every entry of a stream after ``since``; None when nothing came for :data:`BLOCK_S`.

    Raises:
        StoreError, BadVerdictError: see :meth:`maskgate.gate.client.Gate.follow`.
    """
    from_start = since in ("0", "0-0")
    while True:
        entries = _read(client, key, since)
        if not entries:
            yield None
            continue
        if not from_start and _is_trimmed(client, key, since):
            yield Gap(since, entries[0][0])
        from_start = False
        for entry, fields in entries:
            since = entry
            yield parse_history_entry(fields)


def newest(client: Redis, key: str) -> str:
    """The id of a stream's last entry; "0" if it has none."""
    with gate_errors():
        found: Any = client.xrevrange(key, count=1)
    return str(found[0][0]) if found else "0"


def _read(client: Redis, key: str, since: str) -> list[tuple[str, dict[str, str]]]:
    with gate_errors():
        found: Any = client.xread({key: since}, count=_COUNT, block=int(BLOCK_S * 1000))
    return (found[key][0] if isinstance(found, dict) else found[0][1]) if found else []


def _is_trimmed(client: Redis, key: str, entry: str) -> bool:
    """Whether an entry that was read is no longer there, and so perhaps some after it."""
    with gate_errors():
        return not client.xrange(key, entry, entry)
