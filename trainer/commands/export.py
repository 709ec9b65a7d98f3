"""``export``: write a checkpoint as a model file, with a threshold and a band from results."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import structlog

from maskgate.protocol.errors import ConfigurationError
from trainer.commands import options
from trainer.data.labelled_images import find, load
from trainer.evaluation.calibration import Band
from trainer.evaluation.held_out_domains import (
    COVERAGE,
    TARGET,
    Domains,
    all_runs,
    at_temperature,
    choose_band,
    domain_metrics,
    domain_temperature,
    predict_domains,
)
from trainer.evaluation.results import (
    CrossValidation,
    HeldOutDomains,
    Predictions,
    read_results,
)
from trainer.export.model_file import export as export_model
from trainer.export.precision import PRECISIONS
from trainer.training.checkpoint import restore
from trainer.training.recipe import input_shape

log = structlog.get_logger()


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``export``."""
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.onnx")
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="auto",
        help="auto: int8 if it is as accurate as float and faster",
    )
    parser.add_argument(
        "--loso",
        type=Path,
        metavar="loso.json",
        help="choose threshold and band from it; the card shows its metrics",
    )
    parser.add_argument(
        "--crossval",
        type=Path,
        metavar="crossval.json",
        help="the same, if there is no loso.json",
    )
    parser.add_argument(
        "--target",
        type=float,
        default=TARGET,
        help="precision and recall outside the band; default: %(default)s",
    )
    parser.add_argument(
        "--threshold",
        type=float,
        help="the probability from which it is a mask; default: chosen, 0.3 to 0.7",
    )
    options.add_repeatable(
        parser,
        "--judge",
        "choose by this door of --loso or --door; default: all",
        metavar="DOOR",
        dest="judges",
        kind=str,
    )
    options.add_repeatable(
        parser,
        "--door",
        "choose by these images too, which no training used",
        metavar="DIR",
        dest="doors",
    )
    parser.add_argument(
        "--coverage",
        type=float,
        default=COVERAGE,
        help="share that must be decided, whatever the target; default: %(default)s",
    )


def export(
    *,
    checkpoint: Path,
    out: Path,
    precision: str,
    loso: Path | None,
    crossval: Path | None,
    target: float,
    threshold: float | None,
    judges: list[str],
    doors: list[Path],
    coverage: float,
) -> None:
    """Write the model file ``out`` and its card.

    Raises:
        ConfigurationError: the checkpoint, the results or the images can't be used.
        ModelError: the export was refused.
    """
    restored = restore(checkpoint)
    trained, metrics, band = restored.trained, dict[str, float](), None
    wanted = _Wanted(target, coverage, threshold)
    if crossval is not None:
        result = read_results(crossval, CrossValidation)
        band = wanted.band([result.predictions])
        metrics |= {f"crossval_{name}": value for name, value in result.mean.defined().items()}
    left_out = {} if loso is None else read_results(loso, HeldOutDomains).domains
    door = load(find(doors), input_shape(trained.recipe)) if doors else None
    asked = predict_domains(trained, door) if door else {}
    if left_out or asked:
        fitted = _fit(left_out, asked, judges, wanted)
        trained = replace(trained, temperature=trained.temperature * fitted.temperature)
        metrics |= fitted.metrics
        band = fitted.band
    exported = export_model(
        replace(restored, trained=trained),
        out,
        band=band,
        metrics=metrics,
        precision=precision,
        door=door,
    )
    log.info(
        "export.done",
        file=str(out),
        model=exported.model.card.name,
        sha256=exported.model.sha256,
        bytes=out.stat().st_size,
        variants={name: asdict(variant) for name, variant in exported.variants.items()},
    )


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the band is to reach."""

    target: float
    coverage: float
    threshold: float | None

    def band(self, runs: Sequence[Predictions]) -> Band:
        return choose_band(runs, self.target, self.coverage, self.threshold)


@dataclass(frozen=True, slots=True)
class _Fitted:
    """A factor for the temperature, a band, and metrics for the card."""

    temperature: float
    band: Band
    metrics: dict[str, float]


def _fit(left_out: Domains, asked: Domains, judges: list[str], wanted: _Wanted) -> _Fitted:
    """Calibrate on the judging domains, and choose the band by them.

    ``left_out`` are predictions of other networks, ``asked`` those of this one.
    """
    judging = _chosen({**left_out, **asked}, judges)
    factor = domain_temperature(all_runs(judging))
    band = wanted.band(all_runs(at_temperature(judging, factor)))
    metrics = {
        "door_temperature": factor,
        **_means("new_door", at_temperature(left_out, factor), band),
        **_means("door", at_temperature(asked, factor), band),
    }
    return _Fitted(factor, band, metrics)


def _chosen(domains: Domains, names: list[str]) -> Domains:
    """The domains named, or all of them."""
    if missing := sorted(set(names) - set(domains)):
        msg = f"no door {', '.join(missing)}; there are {', '.join(domains)}"
        raise ConfigurationError(msg)
    return {name: domain for name, domain in domains.items() if name in (names or domains)}


def _means(prefix: str, domains: Domains, band: Band) -> dict[str, float]:
    """Means over domains and seeds, for the card."""
    rows = [row for domain in domain_metrics(domains, band) for row in domain.runs]
    values = {
        "accuracy": [row.accuracy for row in rows],
        "auc": [row.auc for row in rows],
        "decided_coverage": [row.decided.coverage for row in rows],
        "decided_accuracy": [row.decided.accuracy for row in rows],
    }
    defined = {
        name: [value for value in column if value is not None] for name, column in values.items()
    }
    return {
        f"{prefix}_{name}": float(np.mean(column)) for name, column in defined.items() if column
    }


COMMAND = options.Command(
    "export", "write a checkpoint as ONNX, with its card", add_options, export
)
