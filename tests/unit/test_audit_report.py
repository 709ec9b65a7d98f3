import numpy as np
import numpy.typing as npt
import pytest

from maskgate.audit.report import ALARM_MIN_N, TARGET, report
from maskgate.audit.share import Share
from maskgate.inference.card import InputShape
from maskgate.protocol.crop import CROP_TYPE, Label, Message, new_crop_id
from maskgate.protocol.queue import Delivery, QueueKind
from maskgate.protocol.verdict import Outcome
from worker.validate import validate

_WINDOW = 1000
_A_YEAR = 365 * 1000


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(20, 20, 0.839, 1.0), (97, 100, 0.915, 0.990), (485, 500, 0.951, 0.982)],
)
def test_wilson_intervals_are_the_published_ones(
    hits: int, n: int, low: float, high: float
) -> None:
    assert Share(hits, n).interval() == pytest.approx((low, high), abs=0.0006)


def test_a_report_counts_the_decided_beside_all_and_tells_what_misses_the_target() -> None:
    counts = {
        "mask.mask": 900,
        "mask.no_mask": 100,
        "no_mask.no_mask": 990,
        "no_mask.mask": 10,
        "mask.uncertain": 50,
        "mask.unreadable": 1,
        "unreadable": 2,
        "beard:no_mask.mask": 10,
    }
    reported = report(counts)
    assert (reported.n, reported.uncertain, reported.unreadable) == (2053, 50, 3)
    assert reported.shares == {
        "coverage": Share(2000, 2053),
        "accuracy": Share(1890, 2000),
        "precision": Share(900, 910),
        "recall": Share(900, 1000),
        "recall_all": Share(900, 1051),
    }
    assert reported.below_target == ["accuracy", "recall"]
    assert report(counts, "beard").shares["accuracy"].value == 0


def test_samples_with_weights_are_an_estimate_with_kishs_effective_size() -> None:
    # By hand: 2 hits of weight 10 and 1 miss of weight 4. Rate 20/24; effective (24)²/(100+100+16).
    counts = {
        "mask.mask": 2,
        "mask.mask~w": 18.0,
        "mask.mask~w2": 198.0,
        "mask.no_mask": 1,
        "mask.no_mask~w": 3.0,
        "mask.no_mask~w2": 15.0,
    }
    recall = report(counts).shares["recall"]
    assert (recall.hits, recall.n) == (2, 3)
    assert recall.value == pytest.approx(20 / 24)
    assert recall.effective_n == pytest.approx(576 / 216)
    fields = report(counts).fields()
    assert (fields["n"], fields["recall"], fields["recall_n_effective"]) == (3, 0.8333, 2.7)


def test_weights_that_are_all_alike_change_neither_figures_nor_intervals() -> None:
    plain = {"mask.mask": 90, "mask.no_mask": 10, "no_mask.no_mask": 50}
    weighted: dict[str, float] = dict(plain)
    for cell, n in plain.items():
        weighted |= {f"{cell}~w": n * 6.0, f"{cell}~w2": n * 48.0}
    for name, share in report(plain).shares.items():
        other = report(weighted).shares[name]
        assert other.value == pytest.approx(share.value)
        assert other.effective_n == pytest.approx(share.n)
        assert other.interval() == pytest.approx(share.interval())


def test_few_effective_samples_are_no_alarm() -> None:
    heavy = {"mask.no_mask": 500, "mask.no_mask~w": 99_500.0, "mask.no_mask~w2": 1e9}
    assert report(heavy).shares["recall"].effective_n < ALARM_MIN_N
    assert report(heavy).below_target == []
    assert "recall" in report({"mask.no_mask": 500}).below_target


@pytest.mark.parametrize(
    ("queue", "tags"),
    [(QueueKind.AUDIT, (Label.MASK, "beard")), (QueueKind.LIVE, (None, None))],
)
def test_an_unreadable_sample_keeps_its_label_slice_and_weight(
    queue: QueueKind, tags: tuple[Label | None, str | None]
) -> None:
    headers = {"camera_id": "lobby", "captured_at": 1, "label": "mask", "slice": "beard"}
    headers["weight"] = "2.5"
    broken = Message(b"no picture", "image/png", CROP_TYPE, new_crop_id(), headers)
    (result,) = validate(
        [Delivery(1, broken, queue, redelivered=False)],
        InputShape(64, 64, 3),
        now_ms=1,
        max_age_ms=1000,
        max_skew_ms=0,
    ).finished
    assert (result.outcome, result.label, result.slice) == (Outcome.UNREADABLE, *tags)
    assert result.weight == (2.5 if queue is QueueKind.AUDIT else None)


def test_a_few_samples_are_no_alarm() -> None:
    assert report({"mask.no_mask": ALARM_MIN_N - 1}).below_target == []
    assert "recall" in report({"mask.no_mask": ALARM_MIN_N}).below_target


def _fewest_misses() -> npt.NDArray[np.int64]:
    """By the number of masked samples in the window: from how many misses the rule alarms."""
    fewest = np.full(_WINDOW + 1, _WINDOW + 1)
    for n in range(ALARM_MIN_N, _WINDOW + 1):
        fewest[n] = next(
            k
            for k in range(n + 1)
            if "recall" in report({"mask.mask": n - k, "mask.no_mask": k}).below_target
        )
    return fewest


@pytest.fixture(scope="module")
def fewest_misses() -> npt.NDArray[np.int64]:
    return _fewest_misses()


def _of_window(each: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """How many of the newest 1,000 are true, after every sample."""
    so_far = np.cumsum(each, dtype=np.int64)
    so_far[_WINDOW:] -= so_far[:-_WINDOW].copy()
    return so_far


def _alarms(
    recall: npt.NDArray[np.float64], seed: int, fewest_misses: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """The positions at which the rule begins to alarm, if it judges after every sample."""
    rng = np.random.default_rng(seed)
    masked = rng.random(len(recall)) < 0.5
    missed = masked & (rng.random(len(recall)) >= recall)
    in_window = [_of_window(masked), _of_window(missed)]
    alarming = in_window[1] >= fewest_misses[in_window[0]]
    return np.flatnonzero(alarming & ~np.concatenate([[False], alarming[:-1]]))


def test_a_fall_to_90_alarms_within_1000_samples_and_99_never(
    fewest_misses: npt.NDArray[np.int64],
) -> None:
    good, bad = np.full(20_000, 0.99), np.full(2000, 0.90)
    delays = []
    for seed in range(500):
        alarms = _alarms(np.concatenate([good, bad]), seed, fewest_misses)
        assert (alarms >= len(good)).all(), f"seed {seed}: an alarm at .99"
        delays.append(alarms[0] - len(good) + 1)
    print("samples until the alarm: p50, p99, most", np.percentile(delays, (50, 99, 100)))
    assert max(delays) <= 1000


@pytest.mark.parametrize(("recall", "most_per_year"), [(TARGET, 1.5), (0.985, 0.2), (0.99, 0.05)])
def test_false_alarms_at_the_target_are_about_one_a_year_at_1000_samples_a_day(
    recall: float, most_per_year: float, fewest_misses: npt.NDArray[np.int64]
) -> None:
    years = 50
    episodes = 0
    for seed in range(years):
        alarms = _alarms(np.full(_A_YEAR, recall), 1000 + seed, fewest_misses)
        # A measure that hovers at the limit begins several times to alarm: one episode.
        episodes += int(np.count_nonzero(np.diff(alarms, prepend=-2 * _WINDOW) > _WINDOW))
    print(f"recall {recall}: {episodes / years} false alarms a year at 1,000 samples a day")
    assert episodes / years <= most_per_year
