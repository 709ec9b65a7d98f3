"""``estimate``: precision without labels beside the labelled truth, for each source of images."""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
from rich.table import Table

from maskgate.inference.card import ModelCard
from maskgate.inference.model import Model
from trainer.commands import options
from trainer.data.labelled_images import LabelledImages, find, load
from trainer.evaluation.corruptions import CORRUPTIONS, SEVERITIES
from trainer.evaluation.held_out_domains import all_runs, at_temperature, domain_temperature
from trainer.evaluation.label_free import LabelFree, compare, with_share
from trainer.evaluation.metrics import p_mask_of
from trainer.evaluation.results import HeldOutDomains, read_results
from trainer.evaluation.robustness import CORRUPTED_SHAPE, MODERATE, corrupted
from trainer.report.tables import format_rate, print_table

_CORRUPTIONS = {each.__name__: each for family in CORRUPTIONS.values() for each in family}
Row = tuple[str, LabelFree]


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``estimate``."""
    options.add_data(parser)
    parser.add_argument("--model", type=Path, required=True)
    options.add_repeatable(
        parser, "--share", "also with this share of masks", metavar="P", dest="shares", kind=float
    )
    options.add_repeatable(
        parser,
        "--damage",
        "also damaged in this way",
        metavar="NAME",
        dest="damages",
        kind=_damage,
    )
    parser.add_argument(
        "--severity",
        type=int,
        choices=SEVERITIES,
        default=MODERATE,
        help="of --damage; default: %(default)s",
    )
    parser.add_argument(
        "--loso",
        type=Path,
        metavar="loso.json",
        help="also the domains that its networks left out, calibrated on the other domains",
    )
    parser.add_argument("--json", dest="as_json", action="store_true", help="print JSON")


def estimate(
    *,
    data: list[Path],
    model: Path,
    shares: list[float],
    damages: list[str],
    severity: int,
    loso: Path | None,
    as_json: bool,
) -> None:
    """Print truth, estimate and their difference for each source, and why it is off.

    Raises:
        ConfigurationError: the images or results can't be used.
        ModelError: the model file can't be used.
    """
    loaded, files = Model.load(model), find(data)
    images = load(files, loaded.card.input)
    rows = dict(_sources(loaded, images, "", shares))
    for name in damages:
        kept = load(files, CORRUPTED_SHAPE)
        pixels = corrupted(loaded.card.input, kept.pixels, _CORRUPTIONS[name], severity, 0)
        rows |= dict(_sources(loaded, replace(kept, pixels=pixels), f", {name} {severity}", []))
    if loso is not None:
        rows |= dict(_left_out(read_results(loso, HeldOutDomains), loaded.card))
    if as_json:
        print(msgspec.json.encode(rows).decode())
    else:
        _print(rows)


def _damage(name: str) -> str:
    if name not in _CORRUPTIONS:
        raise ValueError(name)
    return name


def _sources(
    model: Model, images: LabelledImages, suffix: str, shares: list[float]
) -> Iterator[Row]:
    p_mask, card = p_mask_of(model, images.pixels), model.card
    for name in sorted(set(images.sources)):
        here = images.of([name])
        p_here, labels = p_mask[here], images.labels[here]
        yield f"{name}{suffix}", compare(p_here, labels, card, reference=card.reference_scores)
        for share in shares if len(np.unique(labels)) > 1 else ():
            repeated = with_share(p_here, labels, share)
            yield (
                f"{name}{suffix}, {share:.0%} masks",
                compare(*repeated, card, reference=card.reference_scores, images=len(labels)),
            )


def _left_out(results: HeldOutDomains, card: ModelCard) -> Iterator[Row]:
    for name, domain in results.domains.items():
        others = {other: of for other, of in results.domains.items() if other != name}
        if not others:
            continue
        scaled = at_temperature({name: domain}, domain_temperature(all_runs(others)))
        for run in scaled[name].runs:
            yield f"without {name}", compare(*run.arrays(), card, reference=card.reference_scores)


def _print(rows: dict[str, LabelFree]) -> None:
    table = Table(
        "images", "n", "masks", "found", "", "truth", "95 %", "estimate", "95 %", "off", "plain"
    )
    why = Table("images", "ECE", "PSI", "mask: claimed", "true", "no_mask: claimed", "true")
    for name, row in rows.items():
        first = [name, str(row.n), f"{row.share_of_masks:.3f}", f"{row.estimated_share:.3f}"]
        for measure, each in row.measures.items():
            table.add_row(
                *(first if measure == "accuracy" else [""] * 4),
                measure,
                format_rate(each.truth),
                _interval(each.truth_interval),
                format_rate(each.estimated),
                _interval(each.interval),
                _points(each.off),
                _points(each.unadjusted_off),
            )
        mask, bare = row.claims["mask"], row.claims["no_mask"]
        why.add_row(
            name,
            f"{row.ece:.4f}",
            format_rate(row.psi),
            *map(format_rate, (mask.claimed, mask.true, bare.claimed, bare.true)),
        )
    print_table(table)
    print_table(why)


def _interval(limits: tuple[float, float]) -> str:
    return f"{limits[0]:.3f}-{limits[1]:.3f}"


def _points(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:+.2f}"


COMMAND = options.Command(
    "estimate",
    "precision without labels beside the truth, for each source of images",
    add_options,
    estimate,
)
