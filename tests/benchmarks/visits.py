"""``python -m tests.benchmarks.visits --data DIR``: how often a rule opens for a masked person.

A simulated visit is one face from a door, seen in several pictures with other framing, light and
damage, so that the errors of one face repeat as they do at a door. DIR has WithMask/ and
WithoutMask/, from a door that the model was not trained on. Needs the trainer's packages.
"""

import argparse
import random
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch

from maskgate.inference.card import ModelCard
from maskgate.inference.model import Model
from maskgate.protocol.crop import Label
from maskgate.protocol.evidence import evidence
from trainer.augmentation.augment import Augmentation, AugmentationOptions
from worker.settings import SHIPPED_MODEL

PICTURES, INTERVAL_MS, FACES = 30, 100, 500
#: A visitor waits so long for a decision.
_PATIENCE_MS = 2000
_SIDE_PX = 96
_VARIED = AugmentationOptions(geometry=0.5, light=0.5, damage=0.6, grey=0.0)

Series = npt.NDArray[np.float64]  # p_mask of one visit, a picture after the other
#: From a visit to what the door does at each picture: -1 opens, 1 asks for the mask's removal.
Rule = Callable[[Series], npt.NDArray[np.int64]]


def main(argv: list[str]) -> int:
    """The command line; returns an exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.visits", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args(argv)
    model = Model.load(SHIPPED_MODEL)
    masked = visits(model, arguments.data / "WithMask")
    bare = visits(model, arguments.data / "WithoutMask")
    print(f"{len(masked)} masked and {len(bare)} bare visits of {PICTURES} pictures")
    print("rule | wrong opens in 1,000 | bare opened in 2 s | median crops | bare asked in 1,000")
    for name, rule in rules(model.card).items():
        print(f"{name} | {figures(rule, masked, bare)}")
    return 0


def rules(card: ModelCard) -> dict[str, Rule]:
    """The rules to compare, by name."""
    return {
        "one crop": lambda visit: _outcomes(visit, card),
        "three crops agree": lambda visit: _agreeing(_outcomes(visit, card), 3),
        **{
            f"evidence {least}": partial(_by_evidence, card=card, least=least)
            for least in (1.0, 1.5, 2.0, 2.3, 2.6, 3.0)
        },
    }


def figures(rule: Rule, masked: list[Series], bare: list[Series]) -> str:
    """One row of the table."""
    opened = [rule(visit) == -1 for visit in masked]
    waited = _PATIENCE_MS // INTERVAL_MS
    first = [int(np.argmax(rule(visit)[:waited] == -1)) + 1 for visit in bare]
    served = [bool((rule(visit)[:waited] == -1).any()) for visit in bare]
    crops = np.median([number for number, yes in zip(first, served, strict=True) if yes])
    asked = [bool((rule(visit) == 1).any()) for visit in bare]
    wrong = 1000 * np.mean([each.any() for each in opened])
    return f"{wrong:.0f} | {np.mean(served):.3f} | {crops:.0f} | {1000 * np.mean(asked):.0f}"


def visits(model: Model, folder: Path) -> list[Series]:
    """The p_mask of each picture of each visit."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    random.Random(0).shuffle(files)
    read = [np.asarray(cv2.imread(str(path))) for path in files[:FACES]]
    faces = [cv2.resize(face, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA) for face in read]
    batch = torch.from_numpy(np.stack(faces)[..., ::-1].copy())
    none = torch.zeros(len(batch), dtype=torch.bool)
    vary = Augmentation(model.card.input.height, 1, _VARIED)
    pictures = [
        (vary(batch, none.long(), none, none)[0] / 2 + 0.5).mul(255).round().byte()
        for _ in range(PICTURES)
    ]
    seen = [model.p_mask(each.permute(0, 2, 3, 1).numpy()) for each in pictures]
    return list(np.stack(seen, axis=1))


def _outcomes(visit: Series, card: ModelCard) -> npt.NDArray[np.int64]:
    said = {Label.MASK.value: 1, Label.NO_MASK.value: -1}
    return np.array([said.get(card.outcome(p_mask), 0) for p_mask in visit.tolist()])


def _agreeing(outcomes: npt.NDArray[np.int64], wanted: int) -> npt.NDArray[np.int64]:
    enough = {said: np.cumsum(outcomes == said) >= wanted for said in (-1, 1)}
    return np.where(enough[-1] & (outcomes == -1), -1, np.where(enough[1] & (outcomes == 1), 1, 0))


def _by_evidence(visit: Series, card: ModelCard, least: float) -> npt.NDArray[np.int64]:
    crops = [(i * INTERVAL_MS, p_mask) for i, p_mask in enumerate(visit.tolist())]
    said = np.array([evidence(crops[: i + 1]) for i in range(len(crops))])
    outcomes = _outcomes(visit, card)
    opens, asks = (said <= -least) & (outcomes == -1), (said >= least) & (outcomes == 1)
    return np.where(opens, -1, np.where(asks, 1, 0))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
