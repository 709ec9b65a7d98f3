"""What a report is made from: the model file, images, and results of other commands."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from maskgate.inference.model import Model
from maskgate.protocol.errors import ConfigurationError
from trainer.data.labelled_images import (
    INCORRECT_FOLDERS,
    LabelledFile,
    LabelledImages,
    Selection,
    find,
    load_all,
    require_both_classes,
)
from trainer.evaluation.results import ComparisonRow, CrossValidation, DomainPredictions
from trainer.evaluation.robustness import CORRUPTED_SHAPE
from trainer.training.recipe import Recipe, kept_shape

#: At most so many images are corrupted.
_CORRUPTED = 1000


@dataclass(frozen=True, slots=True)
class ReportResults:
    """What other commands found, as far as it is known; ``slices`` are tags by image."""

    cross_validation: CrossValidation | None = None
    left_out: Mapping[str, DomainPredictions] | None = None
    comparison: Sequence[ComparisonRow] = ()
    slices: Mapping[str, set[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DataSet:
    """All images, and the group of each, (n,)."""

    images: LabelledImages
    groups: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ReportInputs:
    """What a report is made from.

    The model is measured on ``measured``, at its input size, and on ``to_corrupt``, which are at
    ``CORRUPTED_SHAPE``. ``incorrect`` are masks below the nose or at the chin, if there are any.
    """

    model_path: Path
    data: DataSet
    measured: LabelledImages
    to_corrupt: LabelledImages
    incorrect: LabelledImages | None
    results: ReportResults


def load_inputs(
    model_path: Path,
    folders: Sequence[Path],
    *,
    known: DataSet | None = None,
    measured: Collection[str] | None = None,
    tight: Collection[str] = (),
    results: ReportResults | None = None,
) -> ReportInputs:
    """Load the images below ``folders``, each once.

    ``known`` are all images, if they are loaded already. ``measured`` are the paths to measure on,
    by default all. Robustness is measured on the sources ``tight``, by default all.

    Raises:
        ConfigurationError: the images can't be used, or no source of ``tight`` is measured.
        ModelError: the model can't be used.
    """
    shape = Model.load(model_path).card.input
    everything = find(folders)
    require_both_classes(everything)
    files = [file for file in everything if measured is None or str(file.path) in measured]
    incorrect = find(folders, INCORRECT_FOLDERS)
    selections: list[Selection] = [
        (files, shape),
        (_to_corrupt(files, tight), CORRUPTED_SHAPE),
    ]
    selections += [(incorrect, shape)] if incorrect else []
    selections += [(everything, kept_shape(Recipe()))] if known is None else []
    loaded = load_all(selections)
    return ReportInputs(
        model_path,
        known or DataSet(loaded[-1], loaded[-1].groups()),
        loaded[0],
        loaded[1],
        loaded[2] if incorrect else None,
        results or ReportResults(),
    )


def _to_corrupt(files: Sequence[LabelledFile], tight: Collection[str]) -> list[LabelledFile]:
    candidates = [file for file in files if not tight or file.source in tight]
    if not candidates:
        names = ", ".join(tight)
        msg = f"no image for robustness: none of the sources {names} is among those measured"
        raise ConfigurationError(msg)
    chosen = np.random.default_rng(0).permutation(len(candidates))[:_CORRUPTED]
    return [candidates[i] for i in sorted(chosen)]
