"""The report: everything that was measured of a model, as numbers (JSON) and as one page that needs nothing beside it (HTML).

It holds pictures from the data sets: an output to look at, not to publish.
"""

import base64
import json
import platform
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from jinja2 import Environment, PackageLoader, StrictUndefined

from maskgate.inference.model import Model
from trainer.data.contact_sheet import contact_sheet, png
from trainer.data.labelled_images import LabelledImages
from trainer.data.slices import tagged
from trainer.evaluation.calibration import Band, reliability
from trainer.evaluation.corruptions import CORRUPTIONS
from trainer.evaluation.held_out_domains import door_rows
from trainer.evaluation.holdout import Predictions, doubtful_labels, out_of_fold
from trainer.evaluation.latency import latencies
from trainer.evaluation.metrics import (
    Floats,
    band_of,
    confusion,
    measures,
    p_mask_of,
    prediction_interval,
)
from trainer.evaluation.robustness import MODERATE, Curve, robustness
from trainer.report import plots

_WORST = 48
#: What the gate makes of an outcome: the same words as in ``maskgate/gate/decide.py``.
_GATE = {"mask": "remove the mask", "no_mask": "recognise", "uncertain": "manual"}


@dataclass(frozen=True, slots=True)
class Material:
    """What a report is made from. ``images`` are what the model is measured on, at its input size; ``to_corrupt`` the same, larger."""

    model_path: Path
    baseline: bytes
    images: LabelledImages
    to_corrupt: LabelledImages
    all_images: LabelledImages
    groups: npt.NDArray[np.int64]
    incorrect: LabelledImages | None = None
    cross_validation: Mapping[str, Any] | None = None
    left_out: Mapping[str, Any] | None = None
    comparison: Sequence[Mapping[str, Any]] = ()
    slices: Mapping[str, set[str]] = field(default_factory=dict)


def report(material: Material, out: Path) -> dict[str, Any]:
    """Write ``out/report.html`` and ``out/report.json``; returns the numbers."""
    model = Model.load(material.model_path)
    band = band_of(model.card)
    p_mask = p_mask_of(model, material.images.pixels)
    curves = robustness(model, material.to_corrupt)
    left_out = None if material.left_out is None else door_rows(material.left_out["doors"], band)
    numbers = {
        "model": _model(material, model),
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "onnxruntime": version("onnxruntime"),
            "torch": version("torch"),
        },
        "data": _data(material),
        "measured": _by_source(material.images, p_mask, band),
        "thresholds": _thresholds(p_mask, material.images.labels, band),
        "calibration": asdict(reliability(p_mask, material.images.labels)),
        "cross_validation": None
        if material.cross_validation is None
        else _without_predictions(material.cross_validation),
        "left_out": left_out,
        "new_door": None if left_out is None else _new_door(left_out),
        "slices": _slices(material, model, p_mask),
        "worn_incorrectly": None
        if material.incorrect is None
        else _worn_incorrectly(model, material.incorrect),
        "robustness_on": {
            "pictures": len(material.to_corrupt.labels),
            "sources": sorted(set(material.to_corrupt.sources)),
        },
        "robustness": [
            {**asdict(curve), "moderate_cost": {r: curve.cost(r) for r in curve.rates}}
            for curve in curves
        ],
        "comparison": list(material.comparison),
        "doubtful_labels": []
        if material.cross_validation is None
        else doubtful_labels(out_of_fold(material.cross_validation)),
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.json").write_text(json.dumps(numbers, indent=1) + "\n")
    (out / "report.html").write_text(_page(material, model, numbers, p_mask, curves))
    return numbers


def _model(material: Material, model: Model) -> dict[str, Any]:
    content, card = material.model_path.read_bytes(), model.card
    cost = latencies({"model": content, "notebook": material.baseline})
    text = material.model_path.with_suffix(".md")
    return {
        "name": card.name,
        "file": material.model_path.name,
        "sha256": model.sha256,
        "bytes": len(content),
        "input": f"{card.input.width} × {card.input.height} × {card.input.channels}",
        "temperature": card.temperature,
        "threshold": card.threshold,
        "uncertain_from": card.uncertain_from,
        "uncertain_to": card.uncertain_to,
        "latency_us": {name: asdict(row) for name, row in cost.items()},
        "latency_ratio": cost["model"].median_us / cost["notebook"].median_us,
        "card": text.read_text() if text.is_file() else "",
    }


def _data(material: Material) -> dict[str, Any]:
    images = material.all_images
    counts = Counter(zip(images.sources, images.labels.tolist(), strict=True))
    sources = sorted(set(images.sources))
    homes: dict[int, set[str]] = {}
    for number, source in zip(material.groups.tolist(), images.sources, strict=True):
        homes.setdefault(number, set()).add(source)
    shared = Counter(tuple(sorted(home)) for home in homes.values() if len(home) > 1)
    labels = np.zeros((int(material.groups.max()) + 1, 2), bool)
    labels[material.groups, images.labels] = True
    return {
        "sources": [
            {"source": name, "mask": counts[name, 1], "no_mask": counts[name, 0]}
            for name in sources
        ],
        "images": len(images.labels),
        "skipped": images.skipped,
        "sha256": images.sha256,
        "photographs": len(homes),
        "with_and_without": int(labels.all(1).sum()),
        "shared": [
            {"sources": list(names), "photographs": count}
            for names, count in shared.most_common(12)
        ],
        "measured_on": len(material.images.labels),
    }


def _by_source(images: LabelledImages, p_mask: Floats, band: Band) -> list[dict[str, Any]]:
    everything = np.ones(len(p_mask), bool)
    parts = {"all": everything} | {
        source: images.of([source]) for source in sorted(set(images.sources))
    }
    return [
        {
            "source": source,
            **measures(p_mask[here], images.labels[here], band),
            "ece": reliability(p_mask[here], images.labels[here]).ece,
        }
        for source, here in parts.items()
    ]


def _new_door(doors: list[dict[str, Any]]) -> dict[str, Any]:
    """What a door may expect that nobody has seen: the mean over doors left out, and where one more door should lie."""
    figures: dict[str, Callable[[Mapping[str, Any]], float | None]] = {
        "accuracy": lambda run: run["accuracy"],
        "accuracy of what is decided": lambda run: run["decided"]["accuracy"],
        "share that is decided": lambda run: run["decided"]["coverage"],
        "AUC": lambda run: run["auc"],
    }
    told = {
        name: [[figure(run) for run in door["runs"]] for door in doors]
        for name, figure in figures.items()
    }
    means = {
        name: [float(np.mean(runs)) for runs in values if None not in runs]  # type: ignore[arg-type]
        for name, values in told.items()
    }
    rows = [
        {
            "measure": name,
            "mean": float(np.mean(values)),
            "doors": len(values),
            "interval": prediction_interval(values),
        }
        for name, values in means.items()
        if values
    ]
    return {"rows": rows, "names": [door["door"] for door in doors]}


def _slices(material: Material, model: Model, p_mask: Floats) -> list[dict[str, Any]]:
    """For every tag: how many pictures, what was called rightly, and what the gate is told of them."""
    labels, band = material.images.labels, band_of(model.card)
    outcomes = np.asarray([model.card.outcome(float(p)) for p in p_mask])
    rows = []
    for tag, here in tagged(material.images.paths, dict(material.slices)).items():
        shares = {outcome: float((outcomes[here] == outcome).mean()) for outcome in _GATE}
        rows.append(
            {"slice": tag, **measures(p_mask[here], labels[here], band), "outcomes": shares}
        )
    return rows


def _thresholds(p_mask: Floats, labels: npt.NDArray[np.int64], band: Band) -> list[dict[str, Any]]:
    chosen = sorted({0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, band.threshold})
    return [
        {
            "threshold": t,
            "confusion": confusion(labels, p_mask >= t),
            **measures(p_mask, labels, Band(t, t, t)),
        }
        for t in chosen
    ]


def _worn_incorrectly(model: Model, images: LabelledImages) -> list[dict[str, Any]]:
    outcomes = np.asarray([model.card.outcome(float(p)) for p in p_mask_of(model, images.pixels)])
    rows = []
    for source in ("all", *sorted(set(images.sources))):
        here = outcomes if source == "all" else outcomes[images.of([source])]
        shares = {outcome: float((here == outcome).mean()) for outcome in _GATE}
        rows.append(
            {
                "source": source,
                "n": len(here),
                "outcomes": shares,
                "gate": {_GATE[o]: share for o, share in shares.items()},
            }
        )
    return rows


def _without_predictions(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name != "predictions"}


def _page(
    material: Material,
    model: Model,
    numbers: dict[str, Any],
    p_mask: Floats,
    curves: Sequence[Curve],
) -> str:
    images, band = material.images, band_of(model.card)
    scores: dict[str, tuple[Floats, npt.NDArray[np.int64]]] = {"measured": (p_mask, images.labels)}
    if material.cross_validation is not None:
        scores["out of fold"] = out_of_fold(material.cross_validation).arrays()
    if material.left_out is not None:
        scores |= {
            f"door {name}": _first_run(door) for name, door in material.left_out["doors"].items()
        }
    ranked = {name: value for name, value in scores.items() if len(np.unique(value[1])) > 1}
    wrong_by = np.abs(p_mask - images.labels)
    worst = [int(i) for i in np.argsort(-wrong_by)[:_WORST] if wrong_by[i] > 0.5]
    figures = {
        "ranking": plots.ranking(ranked) if ranked else "",
        "reliability": plots.reliability_curve(
            {name: reliability(*value) for name, value in list(scores.items())[:4]}
        ),
        "doubt": plots.doubt(scores, band),
        "robustness": {family: plots.robustness_curves(curves, family) for family in CORRUPTIONS},
        "comparison": plots.cost_and_worth(material.comparison) if material.comparison else "",
    }
    sheets = {
        "worst": _sheet(
            [images.paths[i] for i in worst], [_caption(images.labels[i], p_mask[i]) for i in worst]
        )
    }
    for name, door in (material.left_out or {"doors": {}})["doors"].items():
        sheets[f"door {name}"] = _worst_of(Predictions(**door["runs"][0]))
    environment = Environment(
        loader=PackageLoader("trainer.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters["rate"] = lambda value: "–" if value is None else f"{value:.4f}"
    environment.filters["interval"] = lambda pair: (
        "" if pair is None else f"[{pair[0]:.3f}, {pair[1]:.3f}]"
    )
    return environment.get_template("report.html.j2").render(
        numbers=numbers, figures=figures, sheets=sheets, moderate=MODERATE
    )


def _first_run(door: Mapping[str, Any]) -> tuple[Floats, npt.NDArray[np.int64]]:
    return Predictions(**door["runs"][0]).arrays()


def _worst_of(predictions: Predictions) -> str:
    p_mask, labels = predictions.arrays()
    order = [
        int(i)
        for i in np.argsort(-np.abs(p_mask - labels))[:_WORST]
        if abs(p_mask[i] - labels[i]) > 0.5
    ]
    return _sheet(
        [Path(predictions.paths[i]) for i in order], [_caption(labels[i], p_mask[i]) for i in order]
    )


def _caption(label: int, p_mask: float) -> str:
    return f"{'mask' if label else 'bare'} p={p_mask:.3f}"


def _sheet(paths: Sequence[Path], captions: Sequence[str]) -> str:
    """A contact sheet as a data URL; empty for nothing."""
    if not paths:
        return ""
    return "data:image/png;base64," + base64.b64encode(png(contact_sheet(paths, captions))).decode()
