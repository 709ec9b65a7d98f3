"""The report's figures, as SVG for its HTML."""

import io
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve, roc_curve

from trainer.evaluation.calibration import Band, Reliability
from trainer.evaluation.metrics import Floats, Labels
from trainer.evaluation.results import ComparisonRow
from trainer.evaluation.robustness import MODERATE, CorruptionCurve

# Colours that colour-blind readers can distinguish (Okabe and Ito, 2008).
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
_STYLE: Any = {
    "svg.hashsalt": "maskgate",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "axes.prop_cycle": cycler(color=_COLOURS),
}


def ranking(scores: Mapping[str, tuple[Floats, Labels]]) -> str:
    """The ROC curve and precision against recall, near their corners, for each set of scores."""
    figure, (left, right) = _axes(1, 2, (9, 3.6))
    for name, (p_mask, labels) in scores.items():
        false, true, _ = roc_curve(labels, p_mask)
        precision, recall, _ = precision_recall_curve(labels, p_mask)
        left.plot(false, true, label=name)
        right.plot(recall, precision, label=name)
    left.set(
        xlabel="false positive rate",
        ylabel="true positive rate",
        title="ROC",
        xlim=(-0.005, 0.3),
        ylim=(0.7, 1.005),
    )
    right.set(
        xlabel="recall",
        ylabel="precision",
        title="Precision and recall",
        xlim=(0.7, 1.005),
        ylim=(0.7, 1.005),
    )
    left.legend(loc="lower right", frameon=False)
    return _svg(figure)


def reliability_curve(curves: Mapping[str, Reliability]) -> str:
    """The observed against the predicted share of masks, and the number of images in each bin."""
    figure, (left, right) = _axes(1, 2, (9, 3.6))
    left.plot((0, 1), (0, 1), color="#999999", linestyle="--", linewidth=1)
    width = 0.08 / max(1, len(curves))
    for number, (name, curve) in enumerate(curves.items()):
        left.plot(
            curve.predicted,
            curve.observed,
            marker="o",
            markersize=4,
            label=f"{name}, ECE {curve.ece:.3f}",
        )
        right.bar(np.asarray(curve.predicted) + number * width, curve.counts, width, label=name)
    left.set(xlabel="predicted probability of a mask", ylabel="share of masks", title="Reliability")
    right.set(
        xlabel="predicted probability of a mask",
        ylabel="images",
        yscale="log",
        title="Distribution",
    )
    left.legend(frameon=False)
    return _svg(figure)


def doubt(scores: Mapping[str, tuple[Floats, Labels]], band: Band) -> str:
    """Accuracy and coverage against the width of a band that is symmetric around 0.5.

    Dashed lines mark the edges of ``band``.
    """
    figure, (left, right) = _axes(1, 2, (9, 3.6))
    edges = np.linspace(0.5, 0.99, 50)
    for name, (p_mask, labels) in scores.items():
        confidence = np.maximum(p_mask, 1 - p_mask)
        correct = (p_mask >= band.threshold) == (np.asarray(labels) == 1)
        left.plot(
            edges,
            [_mean(correct[confidence >= edge]) for edge in edges],
            label=name,
        )
        right.plot(edges, [(confidence >= edge).mean() for edge in edges], label=name)
    for axes in (left, right):
        for edge in (1 - band.uncertain_from, band.uncertain_to):
            axes.axvline(edge, color="#999999", linestyle="--", linewidth=1)
    left.set(
        xlabel="upper edge of the band",
        ylabel="accuracy",
        title="Outside the uncertain band",
    )
    right.set(xlabel="upper edge of the band", ylabel="share decided", title="Coverage")
    left.legend(frameon=False)
    return _svg(figure)


def robustness_curves(curves: Sequence[CorruptionCurve], family: str) -> str:
    """Accuracy, precision and recall over severity, for the corruptions of one family.

    A dashed line marks the moderate severity.
    """
    figure, panels = _axes(1, 3, (11, 3.1))
    lowest = min(
        (
            value
            for curve in curves
            for rate in curve.rates.values()
            for value in rate
            if value is not None
        ),
        default=0,
    )
    for axes, rate in zip(panels, ("accuracy", "precision", "recall"), strict=True):
        for curve in curves:
            if curve.family == family:
                values = [np.nan if value is None else value for value in curve.rates[rate]]
                axes.plot(
                    range(len(values)),
                    values,
                    marker="o",
                    markersize=3,
                    label=curve.name.replace("_", " "),
                )
        axes.axvline(MODERATE, color="#999999", linestyle="--", linewidth=1)
        axes.set(
            title=rate, xlabel="severity", ylim=(max(0, lowest - 0.02), 1.005), xticks=range(6)
        )
    panels[0].legend(frameon=False, loc="lower left", fontsize=8)
    return _svg(figure)


def cost_and_accuracy(rows: Sequence[ComparisonRow]) -> str:
    """Accuracy on the first set against microseconds per crop.

    A line joins float (filled) and int8 of each network.
    """
    figure, (axes,) = _axes(1, 1, (9, 5))
    kinds = list(dict.fromkeys(row.network for row in rows))
    rows = [row for row in rows if not row.change]
    for network, side_px, width in dict.fromkeys(map(_identity, rows)):
        own = [row for row in rows if _identity(row) == (network, side_px, width)]
        colour = _COLOURS[kinds.index(network) % len(_COLOURS)]
        _plot_network(axes, own, f" {network} {side_px} px", colour)
    axes.set(
        xlabel="µs per crop, one thread, 16 at a time",
        ylabel=f"accuracy: {next(iter(rows[0].measured))}",
        xscale="log",
    )
    axes.margins(x=0.2)
    return _svg(figure)


def _identity(row: ComparisonRow) -> tuple[str, int, float | None]:
    return row.network, row.side_px, row.width


def _plot_network(axes: Axes, rows: Sequence[ComparisonRow], text: str, colour: str) -> None:
    """A point for each precision of a network; an unknown time or accuracy has no point."""
    times_us, accuracies = (
        [np.nan if value is None else value for value in column]
        for column in zip(*((row.us_per_crop, row.accuracy) for row in rows), strict=True)
    )
    axes.plot(times_us, accuracies, color=colour, linewidth=1)
    for row, time_us, accuracy in zip(rows, times_us, accuracies, strict=True):
        face = "white" if row.written == "int8" else colour
        axes.plot(time_us, accuracy, "o", color=colour, markerfacecolor=face)
    axes.annotate(text, (times_us[-1], accuracies[-1]), fontsize=8, color=colour)


def _mean(values: npt.NDArray[np.bool_]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _axes(rows: int, columns: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=size, layout="constrained")
        return figure, list(np.ravel(figure.subplots(rows, columns)))


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    with mpl.rc_context(_STYLE):
        figure.savefig(text, format="svg", metadata={"Date": None})
    # Several figures are in one page: each needs its own ids.
    svg = text.getvalue()[text.getvalue().index("<svg") :]
    own = f"f{zlib.crc32(svg.encode()):08x}-"
    return re.sub(r'(id="|href="#|url\(#)', lambda match: match.group(1) + own, svg)
