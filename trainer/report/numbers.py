"""The numbers of a report, as report.json has them."""

import platform
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version

import numpy as np
import numpy.typing as npt

from maskgate.inference.model import Model
from trainer.data.labelled_images import LabelledImages
from trainer.data.slices import tagged
from trainer.evaluation import budget
from trainer.evaluation.calibration import Band, reliability
from trainer.evaluation.held_out_domains import DomainMetrics, domain_metrics
from trainer.evaluation.holdout import doubtful_labels
from trainer.evaluation.latency import latencies
from trainer.evaluation.metrics import (
    Floats,
    Metrics,
    band_of,
    classification_metrics,
    extend,
    p_mask_of,
    prediction_interval,
)
from trainer.evaluation.robustness import robustness
from trainer.report.inputs import DataSet, ReportInputs
from trainer.report.schema import (
    DataNumbers,
    IncorrectMasks,
    Machine,
    ModelNumbers,
    NewDomain,
    NewDomainRow,
    Outcomes,
    ReportNumbers,
    RobustnessImages,
    SharedPhotographs,
    SliceMetrics,
    SourceCounts,
    SourceMetrics,
    ThresholdMetrics,
)
from trainer.training.facts import count_classes

_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
#: At most so many combinations of sources with shared photographs are listed.
_SHARED = 12


def report_numbers(inputs: ReportInputs, model: Model, p_mask: Floats) -> ReportNumbers:
    """All numbers; ``p_mask`` (n,) is for the measured images."""
    images, results, band = inputs.measured, inputs.results, band_of(model.card)
    cross_validation = results.cross_validation
    left_out = None if results.left_out is None else domain_metrics(results.left_out, band)
    return ReportNumbers(
        model=_model(inputs, model),
        machine=Machine(
            platform.processor() or platform.machine(), version("onnxruntime"), version("torch")
        ),
        data=_data(inputs.data, measured_on=len(images.labels)),
        measured=_by_source(images, p_mask, band),
        thresholds=_thresholds(p_mask, images.labels, band),
        calibration=reliability(p_mask, images.labels),
        cross_validation=None if cross_validation is None else cross_validation.summary(),
        left_out=left_out,
        new_door=None if left_out is None else _new_domain(left_out),
        slices=_slices(images, results.slices, model, p_mask),
        worn_incorrectly=None if inputs.incorrect is None else _incorrect(model, inputs.incorrect),
        robustness_on=RobustnessImages(
            len(inputs.to_corrupt.labels), sorted(set(inputs.to_corrupt.sources))
        ),
        robustness=robustness(model, inputs.to_corrupt),
        comparison=list(results.comparison),
        doubtful_labels=[]
        if cross_validation is None
        else doubtful_labels(cross_validation.predictions),
    )


def _model(inputs: ReportInputs, model: Model) -> ModelNumbers:
    content, card = inputs.model_path.read_bytes(), model.card
    cost = latencies({"model": content, "notebook": budget.baseline()})
    text = inputs.model_path.with_suffix(".md")
    return ModelNumbers(
        name=card.name,
        file=inputs.model_path.name,
        sha256=model.sha256,
        bytes=len(content),
        input=f"{card.input.width} × {card.input.height} × {card.input.channels}",
        temperature=card.temperature,
        threshold=card.threshold,
        uncertain_from=card.uncertain_from,
        uncertain_to=card.uncertain_to,
        latency_us=cost,
        latency_ratio=cost["model"].median_us / cost["notebook"].median_us,
        card=text.read_text() if text.is_file() else "",
    )


def _data(data: DataSet, measured_on: int) -> DataNumbers:
    images, groups = data.images, data.groups
    sources_of: dict[int, set[str]] = {}
    for number, source in zip(groups.tolist(), images.sources, strict=True):
        sources_of.setdefault(number, set()).add(source)
    shared = Counter(tuple(sorted(names)) for names in sources_of.values() if len(names) > 1)
    has_class = np.zeros((int(groups.max()) + 1, 2), bool)
    has_class[groups, images.labels] = True
    return DataNumbers(
        sources=[
            SourceCounts(name, counts.mask, counts.no_mask)
            for name, counts in count_classes(images).items()
        ],
        images=len(images.labels),
        skipped=images.skipped,
        sha256=images.sha256,
        photographs=len(sources_of),
        with_and_without=int(has_class.all(1).sum()),
        shared=[SharedPhotographs(list(n), count) for n, count in shared.most_common(_SHARED)],
        measured_on=measured_on,
    )


def _by_source(images: LabelledImages, p_mask: Floats, band: Band) -> list[SourceMetrics]:
    parts = {"all": np.ones(len(p_mask), bool)} | {
        source: images.of([source]) for source in sorted(set(images.sources))
    }
    return [
        extend(
            classification_metrics(p_mask[here], images.labels[here], band),
            SourceMetrics,
            source=source,
            ece=reliability(p_mask[here], images.labels[here]).ece,
        )
        for source, here in parts.items()
    ]


def _thresholds(
    p_mask: Floats, labels: npt.NDArray[np.int64], band: Band
) -> list[ThresholdMetrics]:
    return [
        extend(classification_metrics(p_mask, labels, Band(t, t, t)), ThresholdMetrics, threshold=t)
        for t in sorted({*_THRESHOLDS, band.threshold})
    ]


def _new_domain(domains: Sequence[DomainMetrics]) -> NewDomain:
    measures: dict[str, Callable[[Metrics], float | None]] = {
        "accuracy": lambda run: run.accuracy,
        "accuracy of decided images": lambda run: run.decided.accuracy,
        "share of decided images": lambda run: run.decided.coverage,
        "AUC": lambda run: run.auc,
    }
    rows = []
    for name, measure in measures.items():
        values = [_mean_or_none([measure(run) for run in domain.runs]) for domain in domains]
        means = [value for value in values if value is not None]
        if means:
            mean = float(np.mean(means))
            rows.append(NewDomainRow(name, mean, len(means), prediction_interval(means)))
    return NewDomain(rows, [domain.domain for domain in domains])


def _mean_or_none(values: Sequence[float | None]) -> float | None:
    """The mean; None if one of the values is."""
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if len(defined) == len(values) else None


def _slices(
    images: LabelledImages, slices: Mapping[str, set[str]], model: Model, p_mask: Floats
) -> list[SliceMetrics]:
    band = band_of(model.card)
    outcomes = np.asarray([model.card.outcome(float(p)) for p in p_mask])
    return [
        extend(
            classification_metrics(p_mask[here], images.labels[here], band),
            SliceMetrics,
            slice=tag,
            outcomes=_shares(outcomes[here]),
        )
        for tag, here in tagged(images.paths, dict(slices)).items()
    ]


def _incorrect(model: Model, images: LabelledImages) -> list[IncorrectMasks]:
    outcomes = np.asarray([model.card.outcome(float(p)) for p in p_mask_of(model, images.pixels)])
    rows = []
    for source in ("all", *sorted(set(images.sources))):
        here = outcomes if source == "all" else outcomes[images.of([source])]
        shares = _shares(here)
        # The same words as in maskgate/gate/decide.py.
        gate = {
            "remove the mask": shares.mask,
            "recognise": shares.no_mask,
            "manual": shares.uncertain,
        }
        rows.append(IncorrectMasks(source, len(here), shares, gate))
    return rows


def _shares(outcomes: npt.NDArray[np.str_]) -> Outcomes:
    return Outcomes(
        *(float((outcomes == outcome).mean()) for outcome in ("mask", "no_mask", "uncertain"))
    )
