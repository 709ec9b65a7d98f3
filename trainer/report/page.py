"""The report as one HTML page that needs no other file."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from jinja2 import Environment, PackageLoader, StrictUndefined

from trainer.data.contact_sheet import contact_sheet, png
from trainer.evaluation.calibration import Band, reliability
from trainer.evaluation.corruptions import CORRUPTIONS
from trainer.evaluation.metrics import Floats
from trainer.evaluation.results import Predictions
from trainer.evaluation.robustness import MODERATE
from trainer.report import plots
from trainer.report.inputs import ReportInputs, ReportResults
from trainer.report.schema import ReportNumbers
from trainer.report.tables import format_rate

#: At most so many of the worst errors are shown.
_WORST = 48
#: Reliability curves of more sets than this can't be told apart.
_RELIABILITY_CURVES = 4

Scores = Mapping[str, tuple[Floats, npt.NDArray[np.int64]]]


def page(inputs: ReportInputs, numbers: ReportNumbers, p_mask: Floats) -> str:
    """The HTML; ``p_mask`` (n,) is for the measured images."""
    environment = Environment(
        loader=PackageLoader("trainer.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters["rate"] = format_rate
    environment.filters["interval"] = lambda pair: (
        "" if pair is None else f"[{pair[0]:.3f}, {pair[1]:.3f}]"
    )
    images = inputs.measured
    scores = {"measured": (p_mask, images.labels), **_other_scores(inputs.results)}
    return environment.get_template("report.html.j2").render(
        numbers=numbers,
        figures=_figures(numbers, scores),
        worst=_worst(images.paths, images.labels, p_mask),
        worst_by_door=_worst_by_domain(inputs.results),
        moderate=MODERATE,
    )


def _other_scores(results: ReportResults) -> Scores:
    """Predictions for images that were held out, by what they are of."""
    scores = {}
    if results.cross_validation is not None:
        scores["out of fold"] = results.cross_validation.predictions.arrays()
    for name, domain in (results.left_out or {}).items():
        scores[f"door {name}"] = domain.runs[0].arrays()
    return scores


def _figures(numbers: ReportNumbers, scores: Scores) -> dict[str, str | dict[str, str]]:
    model = numbers.model
    band = Band(model.threshold, model.uncertain_from, model.uncertain_to)
    ranked = {name: value for name, value in scores.items() if len(np.unique(value[1])) > 1}
    few = list(scores.items())[:_RELIABILITY_CURVES]
    return {
        "ranking": plots.ranking(ranked) if ranked else "",
        "reliability": plots.reliability_curve({name: reliability(*value) for name, value in few}),
        "doubt": plots.doubt(scores, band),
        "robustness": {
            family: plots.robustness_curves(numbers.robustness, family) for family in CORRUPTIONS
        },
        "comparison": plots.cost_and_accuracy(numbers.comparison) if numbers.comparison else "",
    }


def _worst_by_domain(results: ReportResults) -> dict[str, str]:
    sheets = {name: _worst_of(domain.runs[0]) for name, domain in (results.left_out or {}).items()}
    return {name: sheet for name, sheet in sheets.items() if sheet}


def _worst_of(predictions: Predictions) -> str:
    p_mask, labels = predictions.arrays()
    return _worst([Path(path) for path in predictions.paths], labels, p_mask)


def _worst(paths: Sequence[Path], labels: npt.NDArray[np.int64], p_mask: Floats) -> str:
    """A contact sheet of the worst errors as a data URL; empty if there is no error."""
    wrong_by = np.abs(p_mask - labels)
    chosen = [int(i) for i in np.argsort(-wrong_by)[:_WORST] if wrong_by[i] > 0.5]
    if not chosen:
        return ""
    captions = [f"{'mask' if labels[i] else 'no mask'} p={p_mask[i]:.3f}" for i in chosen]
    sheet = png(contact_sheet([paths[i] for i in chosen], captions))
    return "data:image/png;base64," + base64.b64encode(sheet).decode()
