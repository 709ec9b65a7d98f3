"""``python -m tests.faults.promotion``: promote a challenger and go back, under 1,000 crops/s.

Prints how soon all workers have changed, and what the ledger says: every crop has one outcome, by
the model that was champion at that time. The models are those of the benchmarks, which are cheap.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import structlog

from maskgate.inference.model import Model
from maskgate.models.promotion import SWAP_S, promote, rollback, wait_until_served
from maskgate.models.records import Models, pair_counts, read
from maskgate.protocol.models import ModelId
from tests.benchmarks.thumbnail import THUMBNAIL_MODEL
from tests.faults.site import Site, site
from tests.model_files import renamed, sha256
from tests.servers.ports import eventually

_WORKERS = 2


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the champion: when, by Redis's clock, and how soon all workers said so."""

    model: ModelId
    at_ms: int
    followed_s: float


def main(argv: list[str]) -> int:
    """Print what happened; return an exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.promotion", description=__doc__)
    parser.add_argument("--rate", type=float, default=1000.0, help="crops a second")
    parser.add_argument("--seconds", type=float, default=10.0, help="between two changes")
    arguments = parser.parse_args(argv)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    folder = Path(tempfile.mkdtemp(prefix="maskgate-promotion-"))
    # It says the same, so that the ledger knows each crop's outcome whoever decides.
    challenger = renamed(THUMBNAIL_MODEL, folder)
    settings = {
        "MASKGATE_MODEL_PATH": str(THUMBNAIL_MODEL),
        "MASKGATE_CHALLENGER_PATH": str(challenger),
        "MASKGATE_CHALLENGER_SHA256": sha256(challenger),
    }
    with site(
        folder,
        workers=_WORKERS,
        rate=arguments.rate,
        settings=settings,
        models=(THUMBNAIL_MODEL, challenger),
    ) as place:
        eventually(lambda: len(read(place.admin).workers) == _WORKERS, 60, "the workers")
        eventually(lambda: place.history.newest_verdict_ms, 60, "the first verdicts")
        return _report(place, _changes(place, Model.load(challenger), arguments.seconds))


def _changes(place: Site, challenger: Model, seconds: float) -> list[Change]:
    """Promotion and rollback, with load before, between and after."""
    time.sleep(seconds)
    model = ModelId(challenger.card.name, challenger.sha256)
    seen = read(place.admin)
    begun_s = time.monotonic()
    promote(place.admin, seen, model, by="test")
    first = _followed(place, model, begun_s)
    time.sleep(seconds)
    begun_s = time.monotonic()
    model, _ = rollback(place.admin, read(place.admin), by="test")
    second = _followed(place, model, begun_s)
    time.sleep(seconds)
    return [first, second]


def _followed(place: Site, model: ModelId, begun_s: float) -> Change:
    others = wait_until_served(place.admin, model, 2 * SWAP_S)
    followed_s = time.monotonic() - begun_s
    if others:
        sys.exit(f"after {followed_s:.1f} s another model is served by {others}")
    reign = read(place.admin).reign
    return Change(model, reign.changed_at_ms if reign else 0, followed_s)


def _report(place: Site, changes: list[Change]) -> int:
    found = read(place.admin)
    balance = place.settle()
    place.history.drain()
    wrong = _wrong(place, changes)
    two_models = [
        crop_id
        for crop_id, ends in place.history.models.items()
        if len({model for _, model in ends}) > 1
    ]
    p50, p99 = np.percentile(place.history.latencies_ms, (50, 99))
    for change in changes:
        last = _last_of_another(place, change, changes)
        print(
            f"{change.model.name}: all {_WORKERS} workers said so after {change.followed_s:.2f} s; "
            f"last verdict of the model before after {last / 1000:.2f} s"
        )
    print(
        f"{balance.confirmed} crops confirmed, {balance.refused} refused; "
        f"outcomes {dict(balance.ends)}; by model {dict(_by_model(place))}"
    )
    print(
        f"lost {len(balance.lost)}, written again {balance.written_again}, of two models "
        f"{len(two_models)}, by the wrong model {len(wrong)}, "
        f"wrong opens {len(balance.wrong_opens)}"
    )
    print(f"from capture to verdict p50 {p50:.0f} ms, p99 {p99:.0f} ms; {_compared(place, found)}")
    late = [each for each in changes if each.followed_s > SWAP_S]
    failed = not balance.adds_up or wrong or two_models or late or place.crashes
    return 1 if failed else 0


def _by_model(place: Site) -> Counter[str]:
    return Counter(ends[0][1] for ends in place.history.models.values())


def _compared(place: Site, found: Models) -> str:
    champion, (challenger,) = found.champion, found.challengers
    audit, live = pair_counts(place.admin, champion.name if champion else "", challenger.name)
    return f"compared {sum(live.values())} live crops, {sum(audit.values())} audit samples"


def _wrong(place: Site, changes: list[Change]) -> list[str]:
    """Crops that another model decided than was champion, 5 s after each change at the latest."""
    first, second = changes
    allowed_ms = int(SWAP_S * 1000)
    before, after = second.model.name, first.model.name
    found = []
    for crop_id, ends in place.history.models.items():
        for at_ms, model in ends:
            if (
                (model == after and at_ms < first.at_ms)
                or (model == before and first.at_ms + allowed_ms < at_ms < second.at_ms)
                or (model == after and at_ms > second.at_ms + allowed_ms)
            ):
                found.append(crop_id)
    return found


def _last_of_another(place: Site, change: Change, changes: list[Change]) -> int:
    """How many milliseconds after a change the model before it decided for the last time."""
    until_ms = min(
        (each.at_ms for each in changes if each.at_ms > change.at_ms), default=change.at_ms * 2
    )
    return max(
        (
            at_ms - change.at_ms
            for ends in place.history.models.values()
            for at_ms, model in ends
            if model != change.model.name and change.at_ms < at_ms < until_ms
        ),
        default=0,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
