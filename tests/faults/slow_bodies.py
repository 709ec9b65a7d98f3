"""``make fuzz TRIES=20000``: searches for the accepted crop that costs the most processor time.

Hill climbing from random bodies: a change is kept if the body became slower. Repeatable from its
seed but for the clock. It exits with 0 only if the slowest body takes at most 20 ms.
"""

import argparse
import contextlib
import dataclasses
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from maskgate.inference.card import InputShape
from maskgate.inference.image import JPEG, PNG, check, decode
from maskgate.inference.limits import crop_limits
from maskgate.inference.preprocess import reduce
from maskgate.protocol.errors import UnreadableCropError
from tests.faults.genes import SIZES, Genes
from tests.faults.jpeg_genes import JPEG_SPACE, jpeg
from tests.faults.png_genes import PNG_SPACE, png
from worker.native_stderr import MutedStderr

LIMIT_MS = 20.0
SHAPE = InputShape(64, 64, 3)
_LIMITS = crop_limits(SHAPE)
_TRIES_OF_A_CLIMB = 60
_NOISE = np.random.default_rng(0)


@dataclass(frozen=True, slots=True)
class Family:
    """Bodies of one kind: what can be chosen, and how it is written."""

    content_type: str
    space: dict[str, range | tuple[Any, ...]]
    body: Callable[[Genes], bytes]


def _encoded(genes: Genes) -> bytes:
    width, height = genes["size"]
    pixels = _NOISE.integers(0, genes["noise"], (height, width, 3), np.uint8)
    options = [
        cv2.IMWRITE_JPEG_QUALITY, genes["quality"],
        cv2.IMWRITE_JPEG_PROGRESSIVE, genes["progressive"],
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR, genes["sampling"],
        cv2.IMWRITE_JPEG_RST_INTERVAL, genes["restart"],
    ]  # fmt: skip
    return bytes(cv2.imencode(".jpg", pixels, options)[1].tobytes())


FAMILIES = {
    "made-up JPEG": Family(JPEG, JPEG_SPACE, jpeg),
    "encoded JPEG": Family(
        JPEG,
        {
            "size": SIZES,
            "noise": (2, 64, 255),
            "quality": (10, 30, 50, 60, 70, 80, 90),
            "progressive": (0, 1, 1),
            "sampling": (0x111111, 0x211111, 0x221111, 0x411111),
            "restart": (0, 1, 16),
        },
        _encoded,
    ),
    "PNG": Family(PNG, PNG_SPACE, png),
}


@dataclass(frozen=True, slots=True)
class Slow:
    """A body, what it was made from and its cost."""

    family: str
    genes: Genes
    body: bytes
    ms: float
    accepted: bool


def main(argv: list[str]) -> int:
    """The command line; returns an exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.slow_bodies", description=__doc__)
    parser.add_argument("--tries", type=int, default=20_000, help="bodies; default: %(default)s")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args(argv)
    slowest = search(arguments.tries, arguments.seed)
    for found in slowest:
        print(f"{found.ms:6.2f} ms  {found.family}, {len(found.body)} bytes: {found.genes}")
    return 0 if max(found.ms for found in slowest) <= LIMIT_MS else 1


def search(tries: int, seed: int) -> list[Slow]:
    """The slowest accepted body of each family, measured once more."""
    with MutedStderr():
        return [
            _again(_slowest(name, tries // len(FAMILIES), random.Random(seed))) for name in FAMILIES
        ]


def cost_ms(body: bytes, content_type: str, repeats: int = 7) -> float:
    """Processor time from the body to the model's input, the least of some; refused bodies too."""
    least_s = float("inf")
    for _ in range(repeats):
        begun_s = time.process_time()
        with contextlib.suppress(UnreadableCropError):
            reduce(decode(body, content_type, _LIMITS), SHAPE)
        least_s = min(least_s, time.process_time() - begun_s)
    return 1000 * least_s


def _slowest(name: str, tries: int, choice: random.Random) -> Slow:
    family = FAMILIES[name]
    best = top = _made(name, _drawn(family, choice))
    since = 0
    for _ in range(tries):
        since += 1
        if since > _TRIES_OF_A_CLIMB:
            top, since = _made(name, _drawn(family, choice)), 0
        changed = _made(name, _changed(top.genes, family, choice))
        if changed.ms > top.ms:
            changed = dataclasses.replace(changed, ms=cost_ms(changed.body, family.content_type, 2))
        if changed.ms > top.ms:  # also without whatever else the machine did
            top, since = changed, 0
        best = max(best, top, key=lambda slow: slow.ms)
    return best


def _drawn(family: Family, choice: random.Random) -> Genes:
    return {gene: choice.choice(values) for gene, values in family.space.items()}


def _changed(genes: Genes, family: Family, choice: random.Random) -> Genes:
    names = choice.sample(list(genes), choice.choice((1, 1, 2, 3)))
    return genes | {gene: choice.choice(family.space[gene]) for gene in names}


def _made(name: str, genes: Genes) -> Slow:
    family = FAMILIES[name]
    body = family.body(genes)
    accepted = _accepts(body, family.content_type)
    return Slow(name, genes, body, cost_ms(body, family.content_type, repeats=1), accepted)


def _accepts(body: bytes, content_type: str) -> bool:
    try:
        check(body, content_type, _LIMITS)
    except UnreadableCropError:
        return False
    return True


def _again(slow: Slow) -> Slow:
    ms = cost_ms(slow.body, FAMILIES[slow.family].content_type)
    return dataclasses.replace(slow, ms=ms)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
