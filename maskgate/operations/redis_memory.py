"""How much memory Redis needs for the doors of a site.

Measured with Redis 7.0 and the shipped model: a full history of 10,010 entries takes 1,537,772
bytes, what is kept of a camera and its tracks 0.15 MB, and 8 days of scores by hour 0.2 MB.
docs/capacity.md has the measurement that ``make bench`` repeats.
"""

import math

#: For how many doors, and how many entries of history for each, unless told otherwise.
DOORS, HISTORY_LENGTH = 100, 10_000
_ENTRY_BYTES = 160
_DOOR_BYTES = 150_000
#: 1,052 bytes an hour and model; a change of model adds as much for one hour.
_SCORES_BYTES = 8 * 24 * 1_100
#: Redis itself, its clients, and the audit's counts and crop ids.
_BASE_BYTES = 24_000_000
#: Workers shorten histories when Redis is fuller than this.
_FULL_LENGTH_SHARE = 0.75
_MIB = 1 << 20


def limit_mib(doors: int, history_length: int) -> int:
    """Redis's limit in MiB: full histories of so many doors, and room for verdicts."""
    needed = _BASE_BYTES + doors * (history_length * _ENTRY_BYTES + _DOOR_BYTES + _SCORES_BYTES)
    return math.ceil(needed / _FULL_LENGTH_SHARE / _MIB)


def configuration(doors: int, history_length: int) -> str:
    """A file for Redis to include."""
    return (
        f"# Full histories of {doors} doors, {history_length} entries each.\n"
        f"maxmemory {limit_mib(doors, history_length)}mb\n"
    )
