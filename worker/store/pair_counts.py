"""Paired outcomes of champion and challenger: the argument of ``pairs.lua``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from msgspec import msgpack

from maskgate.protocol.models import pairs_audit_key, pairs_live_key, pairs_seen_key

#: As for audit samples: redeliveries come within seconds.
IDS_REMEMBERED = 100_000
_TTL_MS = 31 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Pairs:
    """Audit samples as pairs of crop id and cell, and counts of live crops by cell.

    Cells: ``label.champion_outcome.challenger_outcome``, with the camera for the label of live
    crops.
    """

    samples: Sequence[tuple[str, str]]
    live: Mapping[str, int]


class _Sample(msgspec.Struct, gc=False):
    crop_id: str
    cell: str


class _Batch(msgspec.Struct, gc=False):
    samples: list[_Sample]
    live: Mapping[str, int]
    ids_remembered: int = IDS_REMEMBERED
    ttl_ms: int = _TTL_MS


def pair_keys(champion: str, challenger: str) -> list[str]:
    """The keys of ``pairs.lua`` for two models, by their names."""
    return [
        pairs_audit_key(champion, challenger),
        pairs_seen_key(champion, challenger),
        pairs_live_key(champion, challenger),
    ]


def pair_argument(pairs: Pairs) -> bytes:
    """The argument of ``pairs.lua``."""
    return msgpack.encode(_Batch([_Sample(*each) for each in pairs.samples], pairs.live))
