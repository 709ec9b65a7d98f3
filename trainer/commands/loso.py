"""``loso``: leave one source out, or one group of sources, and test on it."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from trainer.commands import options
from trainer.commands.progress_display import show_progress
from trainer.data.labelled_images import find, load, require_both_classes
from trainer.evaluation.held_out_domains import (
    COVERAGE,
    TARGET,
    Domains,
    all_runs,
    choose_band,
    domain_metrics,
)
from trainer.evaluation.holdout import leave_domains_out
from trainer.evaluation.results import (
    DomainPredictions,
    HeldOutDomains,
    read_results,
    write_json,
)
from trainer.report.tables import print_metrics
from trainer.training.recipe import Recipe, kept_shape


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``loso``."""
    options.add_data(parser)
    options.add_recipe(parser)
    options.add_out(parser)
    parser.add_argument("--seeds", type=int, default=3)
    options.add_repeatable(
        parser,
        "--door",
        "leave these sources out together; default: each by itself",
        metavar="NAME=SOURCE,…",
        dest="domains",
        kind=_domain,
    )


def loso(
    *,
    data: list[Path],
    recipe: Recipe,
    seeds: int,
    domains: Sequence[tuple[str, list[str]]],
    out: Path,
) -> None:
    """Write loso.json after each domain, and print a table by domain and seed.

    Domains that loso.json has already, with this recipe and this number of seeds, are kept.

    Raises:
        ConfigurationError: the images can't be used, or a domain can't be left out.
    """
    files = find(data)
    require_both_classes(files)
    images = load(files, kept_shape(recipe))
    wanted = dict(domains) or {source: [source] for source in sorted(set(images.sources))}
    path = out / "loso.json"
    done = _already_done(path, recipe, seeds)
    remaining = {name: sources for name, sources in wanted.items() if name not in done}
    with show_progress(recipe.samples * len(remaining) * seeds) as on_progress:
        for name, domain in leave_domains_out(
            images,
            images.groups(),
            recipe,
            domains=remaining,
            seeds=seeds,
            on_progress=on_progress,
        ):
            done = {**done, name: domain}
            write_json(HeldOutDomains(recipe=recipe, domains=done), path)
    _print(done)


def _already_done(path: Path, recipe: Recipe, seeds: int) -> dict[str, DomainPredictions]:
    if not path.exists():
        return {}
    before = read_results(path, HeldOutDomains)
    if before.recipe != recipe:
        return {}
    return {name: domain for name, domain in before.domains.items() if len(domain.runs) == seeds}


def _print(domains: Domains) -> None:
    band = choose_band(all_runs(domains), TARGET, COVERAGE)
    edges = f"{band.uncertain_from} and {band.uncertain_to}"
    print(f"threshold {band.threshold}, uncertain between {edges}")
    rows = {
        f"{domain.domain} {seed}": row
        for domain in domain_metrics(domains, band)
        for seed, row in enumerate(domain.runs)
    }
    print_metrics("door, seed", rows)


def _domain(text: str) -> tuple[str, list[str]]:
    name, sources = options.name_and_value(text)
    return name, sources.split(",")


COMMAND = options.Command(
    "loso", "leave one source out, for every source → loso.json", add_options, loso, trains=True
)
