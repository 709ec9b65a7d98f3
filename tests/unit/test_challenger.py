"""Which challengers are refused, who decides after a promotion, and the challenger at work."""

import random
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from structlog.testing import capture_logs

from maskgate.inference.card import InputShape
from maskgate.inference.image import Pixels, encode_pnm
from maskgate.inference.model import Model
from maskgate.inference.preprocess import reduce
from maskgate.protocol.crop import Crop, Label, new_crop_id, to_message
from maskgate.protocol.errors import ModelError, StoreError
from maskgate.protocol.queue import Delivery, QueueKind
from maskgate.protocol.verdict import Outcome
from maskgate.runtime.settings import load
from producer.drawing import draw_face
from tests.model_files import REFERENCE_MODEL, TWIN_NAME, sha256, twin, with_wrong_golden_vector
from worker.infer import infer
from worker.models.challenger import load_challenger, succession_of
from worker.models.shadow import MOST_WAITING, PIECE, Compared, Shadow
from worker.models.succession import Succession
from worker.operations.check import check
from worker.result import CropResult
from worker.review.compared import offer_compared
from worker.settings import SHIPPED_MODEL, WorkerSettings
from worker.store.pair_counts import Pairs
from worker.validate import ReadableCrop

if TYPE_CHECKING:
    from worker.review.sampler import ReviewSampler

MISSING = Path("/nowhere.onnx")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def reference() -> Model:
    return Model.load(REFERENCE_MODEL)


@pytest.fixture(scope="module")
def sure(folder: Path) -> Model:
    return Model.load(twin(folder, sure=True))


@pytest.mark.parametrize(
    ("path", "pin", "complaint"),
    [
        (twin, lambda _: None, "not pinned: MASKGATE_CHALLENGER_SHA256 is missing"),
        (twin, lambda _: "0" * 64, "pinned is 0000"),
        (lambda _: MISSING, lambda _: "0" * 64, "No such file"),
        (with_wrong_golden_vector, sha256, r"its golden vector is off by 0\."),
        (lambda _: REFERENCE_MODEL, sha256, "is the champion"),
        (lambda _: SHIPPED_MODEL, sha256, "looks at 64x64 px in colour, and cameras send 28x28 px"),
    ],
    ids=["no pin", "wrong pin", "no file", "wrong golden vector", "the champion", "a larger input"],
)
def test_a_challenger_is_refused_by_name_and_the_worker_goes_on(
    path: Callable[[Path], Path],
    pin: Callable[[Path], str | None],
    complaint: str,
    folder: Path,
    reference: Model,
) -> None:
    file, registry = path(folder), CollectorRegistry()
    pinned = ["--challenger-sha256", wanted] if (wanted := pin(file)) else []
    settings = load(WorkerSettings, ["--challenger-path", str(file), *pinned], "worker")
    with pytest.raises(ModelError, match=complaint):
        load_challenger(file, wanted, reference)
    with capture_logs() as lines:
        succession = succession_of(settings, "w", reference, registry)
    assert [line["event"] for line in lines] == ["challenger.refused"]
    assert str(file) in succession.holding.refused
    assert (succession.champion, succession.challenger) == (reference, None)
    metrics = generate_latest(registry).decode()
    assert "maskgate_challenger_refused 1.0" in metrics
    assert "maskgate_challenger_held 0.0" in metrics


def test_another_model_with_the_champions_name_is_refused(folder: Path) -> None:
    sure, plain = twin(folder, sure=True), Model.load(twin(folder))
    with pytest.raises(ModelError, match=f"has the champion's name, {TWIN_NAME}"):
        load_challenger(sure, sha256(sure), plain)


def test_a_smaller_model_in_grey_may_challenge_one_in_colour() -> None:
    challenger = load_challenger(
        REFERENCE_MODEL, sha256(REFERENCE_MODEL), Model.load(SHIPPED_MODEL)
    )
    assert challenger.card.input.channels == 1


def reign(model: Model, generation: int, changed_at: int = 5) -> list[str]:
    fields = {
        "champion": model.sha256,
        "champion_name": model.card.name,
        "generation": str(generation),
        "changed_at": str(changed_at),
    }
    return [text for field in fields.items() for text in field]


def test_the_ranks_change_and_change_back(reference: Model, sure: Model) -> None:
    succession, told = Succession("w", reference, sure), list[str]()
    succession.changed.append(told.append)
    assert not succession.is_settled, "it does not know yet who is champion"
    for generation, model in enumerate((sure, sure, reference), 1):
        succession.learn(reign(model, generation))
        assert succession.champion is model
        assert {succession.champion, succession.challenger} == {reference, sure}
    assert told == [sure.card.name, reference.card.name]
    assert (succession.is_settled, succession.generation) == (True, 3)


def test_a_promoted_model_that_is_not_held_is_told_once_and_changes_nothing(
    reference: Model, sure: Model
) -> None:
    registry = CollectorRegistry()
    succession = Succession("w", reference, registry=registry)
    with capture_logs() as lines:
        succession.learn(reign(sure, 1))
        succession.learn(reign(sure, 1))
    assert [line["event"] for line in lines] == ["models.promoted_not_held"]
    assert (succession.champion, succession.holding.generation) == (reference, 1)
    metrics = generate_latest(registry).decode()
    assert "maskgate_promoted_model_missing 1.0" in metrics
    assert f'model="{reference.card.name}"' in metrics
    succession.learn(reign(reference, 2))
    assert "maskgate_promoted_model_missing 0.0" in generate_latest(registry).decode()


@pytest.mark.parametrize("fields", [["champion"], ["champion", "x"], ["a", "b"]])
def test_a_damaged_champion_in_redis_is_logged_once_and_changes_nothing(
    fields: list[str], reference: Model, sure: Model
) -> None:
    succession = Succession("w", reference, sure)
    with capture_logs() as lines:
        succession.learn(fields)
        succession.learn(fields)
    assert [line["event"] for line in lines] == ["models.not_followed"]
    assert (succession.champion, succession.is_settled) == (reference, True)


class FakePairs:
    def __init__(self) -> None:
        self.counted: list[tuple[str, str, Pairs]] = []
        self.is_away = False

    def count_pairs(self, champion: str, challenger: str, pairs: Pairs) -> None:
        if self.is_away:
            msg = "away"
            raise StoreError(msg)
        self.counted.append((champion, challenger, pairs))

    @property
    def samples(self) -> list[tuple[str, str]]:
        return [sample for _, _, pairs in self.counted for sample in pairs.samples]

    @property
    def live(self) -> int:
        return sum(sum(pairs.live.values()) for _, _, pairs in self.counted)


def readable(
    model: Model,
    count: int,
    queue: QueueKind = QueueKind.LIVE,
    side_px: int = 28,
    seed: int = 7,
) -> list[ReadableCrop]:
    rng, found = np.random.default_rng(seed), []
    label = Label.MASK if queue is QueueKind.AUDIT else None
    shape = model.card.input
    sent = InputShape(side_px, side_px, shape.channels)
    for tag in range(1, count + 1):
        pixels = reduce(draw_face(rng, masked=True).pixels, sent)
        pixels = pixels if shape.channels == 3 else pixels[:, :, 0]
        crop_id = new_crop_id()
        body, kind = encode_pnm(pixels)
        crop = Crop(crop_id, "lobby", crop_id, 1_790_000_000_000, kind, body, label=label)
        image = reduce(pixels, shape)
        found.append(ReadableCrop(Delivery(tag, to_message(crop), queue), crop, image))
    return found


class Bench:
    """A shadow of two models, with a store that the test controls."""

    def __init__(
        self,
        champion: Model,
        challenger: Model | None,
        share: float,
        tell: Callable[[Sequence[Compared]], object] | None = None,
    ) -> None:
        self.registry, self.store = CollectorRegistry(), FakePairs()
        self.succession = Succession("w", champion, challenger)
        self.told: list[Compared] = []
        self.shadow = Shadow(
            self.succession,
            self.store,
            share=share,
            registry=self.registry,
            tell=tell or self.told.extend,
            chance=random.Random(1).random,
        )

    def decide(self, crops: Sequence[ReadableCrop]) -> int:
        """Returns how many crops no challenger will see."""
        model = self.succession.champion
        left, results = self.shadow.decided(crops, infer(crops, model))
        assert len(left) == len(results)
        return len(left)


def test_the_share_of_batches_and_every_audit_sample_are_compared(
    reference: Model, sure: Model
) -> None:
    bench = Bench(reference, sure, share=0.25)
    live, audit = readable(reference, 3), readable(reference, 2, QueueKind.AUDIT)
    unseen = 0
    for _ in range(100):
        unseen += bench.decide([*live, *audit])
        bench.shadow.finish()
    assert len(bench.store.samples) == 200
    assert 15 * 3 <= bench.store.live <= 35 * 3
    assert unseen + bench.store.live == 300
    assert len(bench.told) == bench.store.live + 200


def test_a_piece_is_all_that_a_waiting_crop_waits_for(reference: Model, sure: Model) -> None:
    bench = Bench(reference, sure, share=1)
    bench.decide(readable(reference, 3 * PIECE))
    assert not bench.store.counted, "the challenger worked before it was its turn"
    bench.shadow.work()
    assert bench.store.live == PIECE
    assert bench.shadow.has_work


def test_without_time_live_crops_are_passed_over_and_audit_samples_are_not(
    reference: Model, sure: Model
) -> None:
    bench = Bench(reference, sure, share=1)
    assert bench.decide(readable(reference, MOST_WAITING + 10)) == 10
    assert bench.decide(readable(reference, MOST_WAITING + 10, QueueKind.AUDIT)) == 0
    bench.shadow.finish()
    assert (bench.store.live, len(bench.store.samples)) == (MOST_WAITING, MOST_WAITING + 10)
    metrics = generate_latest(bench.registry).decode()
    assert 'maskgate_challenger_passed_over_total{queue="live"} 10.0' in metrics


def test_without_a_challenger_nothing_waits(reference: Model) -> None:
    bench = Bench(reference, None, share=1)
    assert bench.decide(readable(reference, 5)) == 5
    assert not bench.shadow.has_work


def test_what_redis_did_not_take_is_counted_later(reference: Model, sure: Model) -> None:
    bench = Bench(reference, sure, share=1)
    bench.store.is_away = True
    bench.decide(readable(reference, 4, QueueKind.AUDIT))
    bench.shadow.work()
    assert not bench.shadow.has_work, "it would try again at once, without end"
    bench.store.is_away, bench.shadow._not_before_s = False, 0.0
    bench.shadow.work()
    assert len(bench.store.samples) == 4


def test_crops_that_wait_during_a_promotion_are_counted_for_who_decided_them(
    reference: Model, sure: Model
) -> None:
    bench = Bench(reference, sure, share=1)
    bench.decide(readable(reference, 3))
    bench.succession.learn(reign(sure, 1))
    bench.decide(readable(reference, 2))
    bench.shadow.finish()
    names = [(one, other, sum(pairs.live.values())) for one, other, pairs in bench.store.counted]
    assert names == [
        (reference.card.name, sure.card.name, 3),
        (sure.card.name, reference.card.name, 2),
    ]


def test_a_challenger_that_fails_at_work_is_given_up(
    reference: Model, sure: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Sequence[Pixels]) -> None:
        msg = "the network returned a logit that is not finite"
        raise ModelError(msg)

    broken = Model(sure._session, sure.card, sure.sha256)
    monkeypatch.setattr(broken, "p_mask", fail)
    bench = Bench(reference, broken, share=1)
    bench.decide(readable(reference, 20))
    with capture_logs() as lines:
        bench.shadow.finish()
    assert [line["event"] for line in lines] == ["challenger.refused"]
    assert bench.succession.holding.challenger is None
    assert "not finite" in bench.succession.holding.refused
    bench.succession.learn(reign(sure, 1))
    assert bench.succession.champion is reference


def test_each_model_looks_at_the_decoded_picture_and_not_at_the_others_thumbnail() -> None:
    champion, challenger = Model.load(SHIPPED_MODEL), Model.load(REFERENCE_MODEL)
    crops = readable(champion, 6, side_px=100)
    bench = Bench(champion, challenger, share=1)
    bench.decide(crops)
    bench.shadow.finish()
    pictures = [np.frombuffer(each.crop.body[-30_000:], np.uint8) for each in crops]
    alone = challenger.p_mask(
        [reduce(each.reshape(100, 100, 3), challenger.card.input) for each in pictures]
    )
    assert [each.p_mask for each in bench.told] == pytest.approx(alone.tolist())
    twice = challenger.p_mask([reduce(each.image, challenger.card.input) for each in crops])
    assert np.abs(alone - twice).max() > 1e-4, "both ways give the same: the test shows nothing"
    assert {each.champion.outcome for each in bench.told} <= set(Outcome)


def test_a_live_crop_is_offered_for_labels_once_and_known_to_disagree(
    reference: Model, sure: Model
) -> None:
    offered: list[tuple[str, str, bool]] = []

    class Sampler:
        def offer(
            self,
            crops: Sequence[ReadableCrop],
            results: Sequence[CropResult],
            model: str,
            disagreeing: Collection[str] = (),
        ) -> None:
            for crop, result in zip(crops, results, strict=True):
                crop_id = crop.crop.crop_id
                assert result.crop_id == crop_id
                offered.append((crop_id, model, crop_id in disagreeing))

    sampler = cast("ReviewSampler", Sampler())
    bench = Bench(reference, sure, share=0.5, tell=partial(offer_compared, sampler))
    sent = [readable(reference, 8, seed=seed) for seed in range(20)]
    for crops in sent:
        left, results = bench.shadow.decided(crops, infer(crops, reference))
        sampler.offer(left, results, reference.card.name)
        bench.shadow.finish()
    ids = {each.crop.crop_id for crops in sent for each in crops}
    assert len(offered) == len(ids) == 160
    assert {crop_id for crop_id, _, _ in offered} == ids
    assert {model for _, model, _ in offered} == {reference.card.name}
    counted = sum(
        count
        for _, _, pairs in bench.store.counted
        for cell, count in pairs.live.items()
        if cell.split(".")[1] != cell.split(".")[2]
    )
    assert sum(disagrees for _, _, disagrees in offered) == counted > 0


@pytest.mark.parametrize(
    ("pinned", "wanted"),
    [(True, "challenger: {path}, SHA-256 {sha256}, pinned"), (False, "refused")],
)
def test_check_names_the_challenger_and_a_refused_one_is_no_error(
    folder: Path, *, pinned: bool, wanted: str
) -> None:
    path = twin(folder)
    options = ["--model-path", str(REFERENCE_MODEL), "--challenger-path", str(path)]
    options += ["--challenger-sha256", sha256(path)] if pinned else []
    lines = check(load(WorkerSettings, options, "worker"))
    (line,) = [each for each in lines if each.startswith("challenger: ")]
    assert wanted.format(path=path, sha256=sha256(path)) in line
