"""The fields of crossval.json, loso.json and comparison.json; reading and writing them."""

from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct

from maskgate.protocol.errors import ConfigurationError
from trainer.evaluation.metrics import Floats, Metrics, Rates, RatesWithAuc
from trainer.training.recipe import Recipe


class Predictions(Struct, frozen=True):
    """Calibrated probabilities for images that the network was not trained on.

    All lists have one length. A label is 1 for mask.
    """

    paths: list[str]
    sources: list[str]
    labels: list[int]
    p_mask: list[float]

    def arrays(self) -> tuple[Floats, npt.NDArray[np.int64]]:
        """``p_mask`` and ``labels``, (n,) each."""
        return np.asarray(self.p_mask, np.float64), np.asarray(self.labels, np.int64)


class CrossValidationSummary(Struct, frozen=True, kw_only=True):
    """A cross-validation without its predictions; ``groups`` is the number of photographs.

    ``mean`` and ``spread`` (the standard deviation) are over the folds; ``all`` is over all images.
    """

    recipe: Recipe
    folds: list[Metrics]
    mean: RatesWithAuc
    spread: RatesWithAuc
    all: Metrics
    groups: int


class CrossValidation(CrossValidationSummary, frozen=True, kw_only=True):
    """The file crossval.json; ``photographs`` has the number of each prediction's photograph."""

    predictions: Predictions
    photographs: list[int]

    def summary(self) -> CrossValidationSummary:
        """All but the predictions."""
        names = CrossValidationSummary.__struct_fields__
        return CrossValidationSummary(**{name: getattr(self, name) for name in names})


class DomainPredictions(Struct, frozen=True):
    """Predictions for a held-out domain: one run for each seed; a domain is one or more sources."""

    sources: list[str]
    runs: list[Predictions]


class HeldOutDomains(Struct, frozen=True, kw_only=True):
    """The file loso.json; in it, held-out domains are called doors."""

    recipe: Recipe | None = None
    domains: dict[str, DomainPredictions] = msgspec.field(name="doors")


class LeftOutAccuracy(Struct, frozen=True):
    """The mean accuracy over held-out domains and seeds."""

    accuracy: float
    runs: int


class ComparisonRow(Metrics, frozen=True, kw_only=True, omit_defaults=True):
    """A model file beside others: a network, written in one precision.

    ``measured`` has the metrics on each set of images; the inherited ones are those of the first
    set. ``bytes`` is the size of the file, ``message_bytes`` that of a crop for it. The times are
    microseconds per crop, one at a time and 16 at a time; ``ratio`` compares the latter with the
    published notebook's CNN. ``width``, ``parameters`` and ``samples`` are unknown for a finished
    model.
    """

    network: str
    side_px: int
    width: float | None
    change: str
    written: str
    parameters: int | None
    file: str
    bytes: int
    message_bytes: int
    measured: dict[str, Metrics]
    samples: int | None = None
    us_alone: float | None = None
    us_per_crop: float | None = None
    ratio: float | None = None
    cross_validation: Rates | None = None
    left_out: LeftOutAccuracy | None = None


class Comparison(Struct, frozen=True):
    """The file comparison.json."""

    networks: list[ComparisonRow]


_Results = TypeVar("_Results", CrossValidation, HeldOutDomains, Comparison)
_COMMANDS = {CrossValidation: "crossval", HeldOutDomains: "loso", Comparison: "compare"}


def read_results(path: Path, kind: type[_Results]) -> _Results:
    """Read a file that ``crossval``, ``loso`` or ``compare`` wrote.

    Raises:
        ConfigurationError: it can't be read, or another program or command wrote it.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        msg = f"results {path}: {error.strerror}"
        raise ConfigurationError(msg) from None
    except (msgspec.DecodeError, UnicodeError) as error:
        msg = f"results {path}: not a file that `{_COMMANDS[kind]}` wrote: {error}"
        raise ConfigurationError(msg) from None


def write_json(value: object, path: Path, *, indent: int = 0) -> None:
    """Write dataclasses, structs, dicts and lists as JSON; creates the folder if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    encoded = msgspec.json.encode(value)
    path.write_bytes((msgspec.json.format(encoded, indent=indent) if indent else encoded) + b"\n")
