"""Audit samples that stand for many crops, counted by the real function in Redis."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from redis import Redis

from maskgate.audit.counts import read_camera_counts, read_counts
from maskgate.audit.report import AuditReport, report
from maskgate.audit.share import Share, Weights
from maskgate.protocol.crop import Label
from maskgate.protocol.queue import QueueKind
from maskgate.protocol.verdict import Outcome
from maskgate.runtime.clock import now_ms
from maskgate.runtime.store import connect
from tests.crop_results import write
from tests.servers.redis_server import RedisServer
from worker.result import CropResult
from worker.review.rates import Rates, inclusion_probability
from worker.store.history_budget import HistoryBudget
from worker.store.redis_store import RedisVerdictStore

RATES = Rates(random=0.02, uncertain=0.3, disagreement=1.0)


@pytest.fixture
def client(redis: RedisServer) -> Iterator[Redis]:
    with connect(redis.url, None, name="test", timeout_s=10) as client:
        yield client


def sample(
    number: int, label: Label, outcome: Outcome, weight: float | None, tag: str | None = None
) -> CropResult:
    return CropResult(
        tag=1,
        queue=QueueKind.AUDIT,
        outcome=outcome,
        camera_id="lobby",
        crop_id=f"{number:032x}",
        label=label,
        slice=tag,
        weight=weight,
    )


def count(client: Redis, samples: list[CropResult], *slices: str) -> dict[str, AuditReport]:
    """Count samples as a worker does; the reports of its windows, and of the lobby."""
    store = RedisVerdictStore(
        client,
        model="m",
        ttl_ms=3000,
        max_skew_ms=250,
        history=HistoryBudget(100),
        audit_slices=slices,
    )
    for begin in range(0, len(samples), 500):
        write(store, samples[begin : begin + 500])
    windows = read_counts(client, "m", now_ms()).windows
    found = {name: report(counts) for name, counts in windows.items()}
    cameras = read_camera_counts(client, "m", now_ms())
    return (
        found
        | {"lobby": report(cameras, "*")}
        | {f"30d {s}": report(windows["30d"], s) for s in slices}
    )


def test_weights_are_summed_in_every_window_and_a_redelivered_sample_counts_once(
    client: Redis,
) -> None:
    samples = [
        sample(1, Label.MASK, Outcome.MASK, 10.0, "random"),
        sample(2, Label.MASK, Outcome.MASK, 10.0, "random"),
        sample(3, Label.MASK, Outcome.NO_MASK, 2.5),
        sample(4, Label.MASK, Outcome.MASK, None),
    ]
    found = count(client, [*samples, *samples], "random")
    wanted = Share(3, 4, Weights(21.0, 23.5, 10**2 + 10**2 + 2.5**2 + 1))
    for name in ("newest", "today", "30d", "lobby"):
        assert found[name].shares["recall"] == wanted, name
        assert found[name].n == 4
    assert found["30d random"].shares["recall"] == Share(2, 2, Weights(20.0, 20.0, 200.0))


def test_samples_without_weights_give_the_figures_of_before(client: Redis) -> None:
    samples = [
        sample(i, Label.MASK, Outcome.MASK if i % 50 else Outcome.NO_MASK, None) for i in range(500)
    ]
    found = count(client, samples)
    for name in ("newest", "today", "30d", "lobby"):
        assert found[name].shares["recall"] == Share(490, 500), name
    assert client.hgetall(next(iter(client.keys("audit:*:day:*")))) == {
        "mask.mask": "490",
        "mask.no_mask": "10",
    }


@dataclass(frozen=True)
class Population:
    """Crops of a door: their labels, the model's outcomes, and where a challenger disagrees."""

    labels: list[Label]
    outcomes: list[Outcome]
    disagrees: list[bool]

    @classmethod
    def drawn(cls, size: int, seed: int) -> "Population":
        """A model that is right on 96 of 100 decided crops; a challenger finds most errors."""
        rng = np.random.default_rng(seed)
        masked, uncertain = rng.random(size) < 0.4, rng.random(size) < 0.05
        wrong = rng.random(size) < 0.04
        disagrees = rng.random(size) < np.where(wrong, 0.7, 0.01)
        labels = [Label.MASK if each else Label.NO_MASK for each in masked]
        said = [
            Outcome.UNCERTAIN if doubt else Outcome.MASK if is_mask else Outcome.NO_MASK
            for doubt, is_mask in zip(uncertain, masked ^ wrong, strict=True)
        ]
        return cls(labels, said, disagrees.tolist())

    def truth(self) -> AuditReport:
        cells: dict[str, float] = {}
        for label, outcome in zip(self.labels, self.outcomes, strict=True):
            cells[f"{label}.{outcome}"] = cells.get(f"{label}.{outcome}", 0) + 1
        return report(cells)

    def sampled(self, seed: int, *, weighted: bool = True) -> list[CropResult]:
        """The crops that a worker would draw for labelling, with their labels and weights."""
        draw, found = random.Random(seed).random, []
        facts = zip(self.labels, self.outcomes, self.disagrees, strict=True)
        for number, (label, outcome, disagrees) in enumerate(facts):
            chances = RATES.chances(outcome, disagrees=disagrees)
            if any(draw() < chance for chance in chances.values()):
                weight = 1 / inclusion_probability(chances) if weighted else None
                found.append(sample(number, label, outcome, weight))
        return found


def test_doubtful_crops_with_weights_estimate_the_door_and_without_them_do_not(
    client: Redis,
) -> None:
    door = Population.drawn(100_000, seed=1)
    truth = door.truth()
    estimate = count(client, door.sampled(seed=1))["30d"]
    client.flushall()
    naive = count(client, door.sampled(seed=1, weighted=False))["30d"]
    for name, share in truth.shares.items():
        low, high = estimate.shares[name].interval(z=3)
        assert low < (share.value or 0) < high, name
        assert (naive.shares[name].value or 0) < (share.value or 0) - 0.1, name
        print(name, share.value, estimate.shares[name].value, naive.shares[name].value)


def test_the_estimate_is_unbiased_and_its_interval_covers_the_truth() -> None:
    door = Population.drawn(20_000, seed=2)
    truth = door.truth().shares["accuracy"].value or 0
    found = []
    for seed in range(60):
        cells: dict[str, float] = {}
        for each in door.sampled(seed):
            cell, weight = f"{each.label}.{each.outcome}", each.weight or 1
            for name, more in ((cell, 1), (f"{cell}~w", weight - 1), (f"{cell}~w2", weight**2 - 1)):
                cells[name] = cells.get(name, 0) + more
        found.append(report(cells).shares["accuracy"])
    values = np.asarray([share.value for share in found])
    assert abs(values.mean() - truth) < 4 * values.std() / np.sqrt(len(values))
    covered = sum(low <= truth <= high for low, high in (share.interval() for share in found))
    print(f"truth {truth:.4f}, mean {values.mean():.4f}, covered {covered} of {len(found)}")
    assert covered >= 51  # of 60 at 95 %: 57 expected, 5 standard deviations below
