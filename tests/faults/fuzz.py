"""``make fuzz COUNT=1000000``: damaged images and messages through the worker's classification.

A run is repeatable from its seed. It exits with 0 only if nothing raises, every crop gets exactly
one result and resident memory grows by less than 20 MB.
"""

import argparse
import random
import re
import sys
import time
from collections import Counter
from pathlib import Path

from maskgate.inference.image import JPEG, PGM, PNG, PPM
from maskgate.inference.model import Model
from maskgate.protocol.crop import CROP_TYPE, Message
from maskgate.protocol.queue import Delivery, QueueKind
from maskgate.protocol.topology import AUDIT_KEY, live_key
from tests.faults.hostile import IMAGES
from worker.infer import infer, merge
from worker.native_stderr import MutedStderr
from worker.settings import SHIPPED_MODEL
from worker.validate import validate

_BATCH = 64
#: Memory growth is measured after this many bodies, when all buffers have their full size.
_WARM_UP = 20_000
_GROWTH_MB = 20
_NOW_MS = 1_790_000_000_000
_MAGIC_BYTES, _SPARED = 8, 0.9
_TYPES = (JPEG, PNG, PPM, PGM)
#: Limits of integer types, written over image bytes.
_EDGES = tuple(
    bytes.fromhex(text)
    for text in ("00", "ff", "7fff", "ffff", "00000000", "7fffffff", "80000000", "ffffffff")
)
_NUMBERS: tuple[object, ...] = (
    None,
    True,
    -1,
    0,
    1 << 52,
    1 << 62,
    1 << 70,
    1.5,
    float("nan"),
    float("inf"),
)
_HEADERS = (
    *_NUMBERS,
    "",
    "door",
    "a:b",
    "}",
    "\n",
    "\x00",
    "x" * 65,
    "ü",
    b"\xff",
    [1],
    {"a": None},
    "mask",
    "no_mask",
)


def main(argv: list[str]) -> int:
    """The command line; returns an exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000, help="bodies; default: %(default)s")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args(argv)
    choice = random.Random(arguments.seed)
    model, ends, begun_s = Model.load(SHIPPED_MODEL), Counter[str](), time.monotonic()
    muted, at_first_mb = MutedStderr(), 0.0
    # Larger bodies have a test of their own.
    seeds = [case.body for case in IMAGES if len(case.body) < 40_000]
    for done in range(0, arguments.count, _BATCH):
        batch = [delivery(choice, seeds, tag) for tag in range(_BATCH)]
        with muted:
            validated = validate(
                batch, model.card.input, now_ms=_NOW_MS, max_age_ms=3000, max_skew_ms=250
            )
            results = merge(validated.finished, infer(validated.readable, model))
        if [result.tag for result in results] != list(range(_BATCH)):
            print(
                f"seed {arguments.seed}, after {done} bodies: {len(results)} results, not {_BATCH}"
            )
            return 1
        ends.update(
            result.reason.value if result.reason else result.outcome.value for result in results
        )
        if not at_first_mb and done >= min(_WARM_UP, arguments.count // 2):
            at_first_mb = resident_mb()
    grown_mb = resident_mb() - at_first_mb
    print(
        f"{ends.total()} bodies from seed {arguments.seed} "
        f"in {time.monotonic() - begun_s:.0f} s, no exception"
    )
    print(", ".join(f"{name} {n}" for name, n in ends.most_common()))
    print(f"resident memory: {at_first_mb:.1f} MB after warm-up, then {grown_mb:+.1f} MB")
    return 0 if grown_mb < _GROWTH_MB else 1


def delivery(choice: random.Random, seeds: list[bytes], tag: int) -> Delivery:
    """A message with a damaged body; one in eight also has a damaged header or property."""
    body = damaged(choice, choice.choice(seeds), seeds)
    kind = next(
        (
            kind
            for kind, magic in ((PNG, b"\x89PNG"), (JPEG, b"\xff\xd8"), (PPM, b"P6"), (PGM, b"P5"))
            if body.startswith(magic)
        ),
        JPEG,
    )
    headers: dict[str, object] = {"camera_id": "door", "track_id": "t", "captured_at": _NOW_MS}
    fields: dict[str, object] = {
        "content_type": kind,
        "type": CROP_TYPE,
        "message_id": f"{choice.getrandbits(128):032x}",
    }
    audit = choice.random() < 0.1
    kind_of_queue = QueueKind.AUDIT if audit else QueueKind.LIVE
    if audit:
        headers["label"] = "mask"
    if choice.random() < 0.125:
        name = choice.choice([*headers, "label", "slice", "traceparent", *fields])
        (fields if name in fields else headers)[name] = choice.choice((*_HEADERS, *_TYPES))
    key = AUDIT_KEY if audit else live_key("door")
    message = Message(body, headers=headers, routing_key=key, **fields)
    return Delivery(tag, message, kind_of_queue)


def damaged(choice: random.Random, body: bytes, seeds: list[bytes]) -> bytes:
    """``body`` after one, two or four random changes.

    A change flips a bit, writes an edge value, deletes, doubles or truncates a piece, or copies
    one from another body. Most changes within the magic bytes are skipped.
    """
    data = bytearray(body)
    for _ in range(choice.choice((1, 1, 1, 2, 4))):
        at, size = choice.randrange(len(data) + 1), choice.choice((1, 2, 4, 16, 64, 256))
        if at < _MAGIC_BYTES and choice.random() < _SPARED:
            continue  # otherwise the decoder would reject most bodies at the magic bytes
        match choice.randrange(11) // 2:
            case 0:
                if data:
                    data[at % len(data)] ^= 1 << choice.randrange(8)
            case 1:
                edge = choice.choice(_EDGES)
                data[at : at + len(edge)] = edge
            case 2:
                del data[at : at + size]
            case 3:
                data[at:at] = data[at : at + size]
            case 4:
                other = choice.choice(seeds)
                start = choice.randrange(len(other) + 1)
                data[at : at + size] = other[start : start + size]
            case _:
                del data[at + size :]
    return bytes(data)


def resident_mb() -> float:
    """Resident memory of this process, in MB."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
