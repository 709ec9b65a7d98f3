"""A camera's history for its page: what became of its last crops. Never their pixels."""

from typing import Any

from redis import Redis

from maskgate.gate.errors import gate_errors
from maskgate.protocol.verdict import (
    BadVerdictError,
    HistoryEntry,
    history_key,
    parse_history_entry,
)

SHOWN = 50


def newest(client: Redis, camera: str, count: int = SHOWN) -> tuple[list[HistoryEntry], int]:
    """The last entries, newest first, and how many of them are not what workers write.

    ``camera`` must be a valid id.

    Raises:
        StoreError: Redis does not answer.
        BadVerdictError: a value is not text.
    """
    with gate_errors():
        found: Any = client.xrevrange(history_key(camera), count=count)
    entries, bad = [], 0
    for _, fields in found:
        try:
            entries.append(parse_history_entry(fields))
        except BadVerdictError:
            bad += 1
    return entries, bad
