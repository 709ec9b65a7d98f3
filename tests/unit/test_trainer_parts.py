"""The trainer's parts: groups, folds, augmentation, calibration, export, resuming."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.card import InputShape
from contract.errors import ConfigurationError, ModelError
from contract.image import Pixels
from contract.model import Model
from contract.preprocess import normalise, reduce
from producer.drawing import draw_face

pytest.importorskip("torch", reason="the trainer extra is not installed")

import torch

from trainer.augment import Augmentation, World
from trainer.calibration import best_threshold, narrowest_band, reliability, temperature_for
from trainer.checkpoint import Trained
from trainer.copy_paste import cut_masks, paste_masks
from trainer.corruptions import CORRUPTIONS, SEVERITIES, SIDE_PX, Corruption
from trainer.data import LabelledImages
from trainer.evaluate import wilson
from trainer.export import Checking, colour_patterns, export
from trainer.fit import Training, fit, logits_of, sampling_weights
from trainer.groups import fingerprint, group
from trainer.holdout import folds, predict_held_out, validation_split
from trainer.networks import NETWORKS, build
from trainer.onnx_graph import float_graph
from trainer.recipe import Recipe, input_shape, kept_shape

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
RECIPE = Recipe(samples=512, batch=32, threads=1, width=0.25, ema_decay=0.5)


def faces(count: int, seed: int = 0) -> list[Pixels]:
    rng = np.random.default_rng(seed)
    return [draw_face(rng, masked=bool(i % 2)).pixels for i in range(count)]


def labelled(pictures: list[Pixels], labels: list[int] | None = None, side: int = 40, source: str = "drawn") -> LabelledImages:
    names = [f"{i}.png" for i in range(len(pictures))]
    return LabelledImages(
        np.stack([reduce(picture, InputShape(side, side, 3)) for picture in pictures]),
        np.asarray(labels if labels is not None else [i % 2 for i in range(len(pictures))], np.int64),
        [source] * len(pictures),
        [Path(name) for name in names],
        [fingerprint(picture) for picture in pictures],
        0,
        "0" * 64,
    )


def with_a_mask(picture: Pixels) -> Pixels:
    """The same photograph with a pasted mask, as the reference set has it."""
    worn = picture.copy()
    height, width = worn.shape[:2]
    cv2.ellipse(worn, (width // 2, height * 2 // 3), (width // 5, height // 7), 0, 0, 360, (200, 225, 240), -1)
    return worn


def test_copies_and_twins_of_a_photograph_are_one_group_and_others_are_not() -> None:
    one, *others = faces(12)
    smaller = np.asarray(cv2.resize(one, (60, 70), interpolation=cv2.INTER_AREA), np.uint8)
    _, body = cv2.imencode(".jpg", one, [cv2.IMWRITE_JPEG_QUALITY, 40])
    pictures = [one, smaller, np.asarray(cv2.imdecode(body, cv2.IMREAD_COLOR), np.uint8), with_a_mask(one), *others]
    groups = group([fingerprint(picture) for picture in pictures], np.asarray([0, 0, 0, 1] + [0] * 11))
    assert len(set(groups[:4].tolist())) == 1
    assert groups[0] not in groups[4:]


def test_pictures_of_one_colour_are_no_copies_of_each_other() -> None:
    plain = [np.full((40, 40, 3), shade, np.uint8) for shade in (0, 90, 255)]
    assert len(set(group([fingerprint(p) for p in plain], np.asarray([0, 1, 0])).tolist())) == 3


@given(st.lists(st.tuples(st.integers(0, 25), st.integers(0, 1)), min_size=60, max_size=120), st.integers(2, 4), st.integers(0, 5))
def test_no_group_is_in_two_folds_and_every_picture_is_tested_once(rows: list[tuple[int, int]], count: int, seed: int) -> None:
    groups, labels = (np.asarray(column, np.int64) for column in zip(*rows, strict=True))
    if min(len(set(groups[labels == label].tolist())) for label in (0, 1)) < count:
        with pytest.raises(ConfigurationError, match="different photographs"):
            folds(labels, groups, count, seed)
        return
    chosen = folds(labels, groups, count, seed)
    assert (np.sum(chosen, axis=0) == 1).all()
    for fold in chosen:
        assert not set(groups[fold].tolist()) & set(groups[~fold].tolist())


def test_what_validates_shares_no_group_with_what_trains() -> None:
    rng = np.random.default_rng(0)
    groups, labels = rng.integers(0, 200, 600), rng.integers(0, 2, 600)
    among = rng.random(600) < 0.8
    validates = validation_split(labels, groups, among)
    assert validates.any()
    assert not (validates & ~among).any()
    assert not set(groups[validates].tolist()) & set(groups[among & ~validates].tolist())


def test_what_is_held_out_never_trains_nor_anything_of_its_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    images = labelled(faces(60))
    groups = np.arange(60) // 2
    held_out = np.zeros(60, bool)
    held_out[::6] = True
    seen: list[LabelledImages] = []

    def watched(train: LabelledImages, validation: LabelledImages, recipe: Recipe, *others: object, **named: object) -> Trained:
        seen.extend((train, validation))
        return fit(train, validation, recipe, *others, **named)  # type: ignore[arg-type]  # what it was given

    monkeypatch.setattr("trainer.holdout.fit", watched)
    p_mask = predict_held_out(images, groups, held_out, replace(RECIPE, samples=64), lambda _: None)
    assert p_mask.shape == (10,)
    trained_on = {int(path.stem) // 2 for images in seen for path in images.paths}
    assert not trained_on & set(groups[held_out].tolist())


def test_a_mask_is_cut_from_twins_and_worn_by_others() -> None:
    bare = [picture for i, picture in enumerate(faces(24)) if i % 2 == 0]
    pictures = [*bare, with_a_mask(bare[0])]
    images = labelled(pictures, [0] * len(bare) + [1])
    groups = np.asarray([*range(len(bare)), 0])
    masks = cut_masks(images, groups)
    assert len(masks.rgba) == 1
    colour = masks.rgba[0][masks.rgba[0, :, :, 3] > 0][:, :3]
    assert np.abs(np.median(colour, axis=0) - (200, 225, 240)).max() < 12
    worn = paste_masks(images.pixels[1:5], masks.rgba, torch.Generator().manual_seed(0))
    changed = (np.abs(worn.astype(int) - images.pixels[1:5]).max(3) > 8).mean((1, 2))
    assert (changed > 0.02).all()
    assert (changed < 0.4).all()


def test_no_mask_is_cut_from_pictures_that_differ_elsewhere() -> None:
    pictures = faces(4)
    assert len(cut_masks(labelled(pictures), np.zeros(4, np.int64)).rgba) == 0


def augmented(seed: int, world: World) -> tuple[Any, Any]:
    batch = torch.from_numpy(np.stack([reduce(face, InputShape(40, 40, 3)) for face in faces(64)]))
    labels = torch.arange(64) % 2
    everyone = torch.ones(64, dtype=torch.bool)
    return Augmentation(28, seed, world)(batch, labels, everyone, everyone)


def test_augmentation_repeats_from_its_seed_and_stays_in_range() -> None:
    world = World(damage=3, synthetic_masks=0.5)
    (images, labels), (again, same) = augmented(1, world), augmented(1, world)
    assert torch.equal(images, again)
    assert torch.equal(labels, same)
    assert not torch.equal(images, augmented(2, world)[0])
    assert images.shape == (64, 3, 28, 28)
    assert float(images.min()) >= -1
    assert float(images.max()) <= 1
    assert torch.isfinite(images).all()


def test_a_drawn_mask_comes_with_its_label() -> None:
    assert augmented(0, World())[1].sum() == 32
    assert augmented(0, World(synthetic_masks=1.0))[1].sum() == 64


def test_lamps_take_blue_or_red_from_some_pictures_and_leave_the_others() -> None:
    images = torch.full((400, 3, 28, 28), 0.5)
    lit = Augmentation(28, 0).lamps(images)
    changed = (lit != images).flatten(1).any(1)
    assert 0.1 < float(changed.float().mean()) < 0.3
    warm, cold = lit[:, 2] < lit[:, 0] - 1e-3, lit[:, 0] < lit[:, 2] - 1e-3
    assert warm.flatten(1).any(1).sum() > cold.flatten(1).any(1).sum() > 0
    assert float(lit.min()) >= -1


def test_grey_pictures_have_equal_channels() -> None:
    images, _ = augmented(0, World(grey=1.0))
    assert float((images[:, 0] - images[:, 2]).abs().max()) < 1e-5


def test_half_of_what_is_seen_stays_bare_when_some_of_it_is_given_masks() -> None:
    images = labelled(faces(60), [1] * 10 + [0] * 50)
    become = np.where(images.labels == 0, 0.3, 0)
    weights = sampling_weights(images, {}, become)
    assert weights.sum() == pytest.approx(1)
    assert (weights * (1 - become))[images.labels == 0].sum() == pytest.approx(0.5)


@pytest.mark.parametrize("corruption", [c for family in CORRUPTIONS.values() for c in family], ids=lambda c: c.__name__)
def test_a_corruption_changes_more_at_the_highest_severity_and_repeats(corruption: Corruption) -> None:
    picture = reduce(faces(1)[0], InputShape(SIDE_PX, SIDE_PX, 3))

    def change(severity: int) -> Pixels:
        return reduce(corruption(picture, severity, np.random.default_rng(1)), InputShape(28, 28, 3))

    untouched = reduce(picture, InputShape(28, 28, 3)).astype(float)
    distances = [float(np.abs(change(severity) - untouched).mean()) for severity in SEVERITIES]
    assert distances[4] > distances[0] > 0
    assert (change(3) == change(3)).all()


def test_the_temperature_of_overconfident_logits_is_found() -> None:
    rng = np.random.default_rng(0)
    margin = rng.normal(0, 2, 20_000)
    labels = (rng.random(20_000) < 1 / (1 + np.exp(-margin))).astype(np.int64)
    logits = np.stack((np.zeros_like(margin), margin * 3), 1).astype(np.float32)
    assert temperature_for(logits, labels) == pytest.approx(3, rel=0.1)


def test_the_calibration_error_is_the_gap_weighed_by_count() -> None:
    p_mask, labels = np.asarray([0.1] * 10 + [0.9] * 30), np.asarray([0] * 10 + [1] * 21 + [0] * 9, np.int64)
    curve = reliability(p_mask, labels)
    assert curve.ece == pytest.approx((10 * 0.1 + 30 * 0.2) / 40)
    assert curve.counts == [10, 30]


def test_the_band_reaches_its_target_and_leaves_few_in_doubt() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 4000)
    p_mask = 1 / (1 + np.exp(-(rng.normal(0, 1, 4000) + np.where(labels == 1, 2.0, -2.0)) * 2))
    band = narrowest_band(p_mask, labels, np.ones(4000), target=0.99)
    above, below = p_mask >= band.uncertain_to, p_mask <= band.uncertain_from
    assert labels[above].mean() >= 0.99
    assert labels[above].sum() / (labels[above].sum() + labels[below].sum()) >= 0.99
    assert 0.7 < (above | below).mean() < 1


@pytest.mark.parametrize(("shift", "expected"), [(0.0, 0.5), (-0.04, 0.46), (0.04, 0.54)])
def test_the_threshold_follows_a_bias_but_not_far(shift: float, expected: float) -> None:
    labels = np.arange(4000) % 2
    p_mask = np.clip(np.where(labels == 1, 0.52, 0.48) + np.linspace(-0.01, 0.01, 4000) + shift, 0, 1)
    assert best_threshold(p_mask, labels, np.ones(4000)) == pytest.approx(expected, abs=0.021)


def test_a_band_that_would_decide_too_little_is_not_chosen() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 2000)
    p_mask = np.clip(rng.normal(0.5, 0.25, 2000) + np.where(labels == 1, 0.1, -0.1), 0.001, 0.999)  # hopeless
    band = narrowest_band(p_mask, labels, np.ones(2000), target=0.99, coverage=0.9)
    assert ((p_mask >= band.uncertain_to) | (p_mask <= band.uncertain_from)).mean() >= 0.9


@given(st.integers(0, 400), st.integers(1, 400))
def test_a_wilson_interval_holds_its_share(right: int, more: int) -> None:
    interval = wilson(right, right + more)
    assert interval is not None
    assert 0 <= interval[0] <= right / (right + more) <= interval[1] <= 1


def test_wilson_intervals_are_the_published_ones() -> None:
    assert wilson(20, 20) == pytest.approx((0.839, 1.0), abs=0.001)
    assert wilson(97, 100) == pytest.approx((0.915, 0.990), abs=0.001)
    assert wilson(0, 0) is None


def trained(recipe: Recipe) -> tuple[Trained, Checking]:
    train, validation = labelled(faces(48)), labelled(faces(16, seed=1), side=28)
    validation = validation.subset(np.ones(16, bool), input_shape(recipe))
    result = fit(train, validation, recipe, lambda _: None)
    calibration = train.subset(np.ones(48, bool), input_shape(recipe)).pixels
    return result, Checking(calibration, validation.pixels, validation.labels)


FACTS: dict[str, Any] = {
    "trained_at": "2026-01-01",
    "data_sha256": "0" * 64,
    "sources": {},
    "parameters": 0,
    "samples": 0,
    "teachers": 0,
    "seed": 0,
    "seconds": 0.0,
}


@pytest.mark.parametrize(
    ("network", "side_px", "channels", "mirror"),
    [("vgg", 28, 3, False), ("residual", 20, 1, False), ("xception", 28, 1, False), ("deep", 36, 3, True), ("notebook", 28, 1, False)],
)
def test_an_exported_model_equals_torch_whatever_its_network_and_input(
    network: str, side_px: int, channels: int, *, mirror: bool, tmp_path: Path
) -> None:
    recipe = replace(RECIPE, network=network, side_px=side_px, channels=channels, mirror=mirror, samples=256)
    result, checking = trained(recipe)
    images = colour_patterns(input_shape(recipe), 64)
    expected = torch.softmax(logits_of(result.network, images).double() / result.temperature, 1)[:, 1].numpy()
    facts = {**FACTS, "metrics": {}}
    model = export(result, facts, tmp_path / "m.onnx", checking, precision="float")
    assert np.abs(model.p_mask(images) - expected).max() < 1e-4
    assert model.card.input == InputShape(side_px, side_px, channels)
    small = export(result, facts, tmp_path / "i.onnx", checking, precision="int8")
    assert np.abs(small.p_mask(checking.pixels) - model.p_mask(checking.pixels)).mean() < 0.02
    assert set(facts["variants"]) == {"float", "int8"}
    right = (small.p_mask(checking.pixels) >= 0.5) == (checking.labels == 1)
    assert Model.load(tmp_path / "i.onnx").card.metrics["validation_accuracy"] == pytest.approx(right.mean())


def test_a_network_that_changes_after_its_export_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result, checking = trained(replace(RECIPE, samples=64))
    other = build("residual", 3, 28, 0.25).eval()
    monkeypatch.setattr("trainer.export.float_graph", lambda _, shape: float_graph(other, shape))
    with pytest.raises(ModelError, match="off by"):
        export(result, {**FACTS, "metrics": {}}, tmp_path / "m.onnx", checking)


def states(training: Training) -> dict[str, npt.NDArray[np.float32]]:
    return {name: value.numpy().copy() for name, value in training.averaged.module.state_dict().items()}


def test_a_resumed_training_ends_where_an_uninterrupted_one_does(tmp_path: Path) -> None:
    train = labelled(faces(48))
    whole = Training(train, RECIPE)
    for _ in range(whole.steps):
        whole.advance()
    half = Training(train, RECIPE)
    for _ in range(whole.steps // 2):
        half.advance()
    torch.save(half.state(), tmp_path / "half.pt")
    resumed = Training(train, RECIPE)
    resumed.resume(tmp_path / "half.pt")
    for _ in range(whole.steps - whole.steps // 2):
        resumed.advance()
    expected = states(whole)
    assert all((value == expected[name]).all() for name, value in states(resumed).items())


def test_a_training_can_begin_with_given_weights() -> None:
    train, start = labelled(faces(48)), build("residual", 3, 28, 0.25)
    expected = {name: value.numpy() for name, value in start.state_dict().items()}
    begun = states(Training(train, RECIPE, start=start))
    assert all((value == expected[name]).all() for name, value in begun.items())


def test_a_training_with_another_recipe_can_not_be_resumed(tmp_path: Path) -> None:
    train = labelled(faces(48))
    torch.save(Training(train, RECIPE).state(), tmp_path / "t.pt")
    with pytest.raises(ConfigurationError, match="differs in batch, seed"):
        Training(train, replace(RECIPE, batch=16, seed=5)).resume(tmp_path / "t.pt")


def test_training_stops_early_when_validation_gets_no_better(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([0.5, 0.4, *[0.6] * 40])
    monkeypatch.setattr("trainer.fit._validate", lambda *_: (next(losses), 0.5))
    looks: list[int] = []
    train, validation = labelled(faces(48)), labelled(faces(8), side=28)
    recipe = replace(RECIPE, samples=1280, patience=3)
    fit(train, validation, recipe, lambda look: looks.append(look.samples) if look.validation_loss is not None else None)
    assert len(looks) == 5


class SeesNoMask(torch.nn.Module):
    """A teacher who is always sure, and wrong about every mask."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.tensor([4.0, -4.0]).expand(len(images), 2)


def test_a_student_learns_what_its_teacher_thinks() -> None:
    train, validation = labelled(faces(48)), labelled(faces(8), side=28)
    recipe = replace(RECIPE, samples=4096, distil=1.0)
    student = fit(train, validation, recipe, lambda _: None, teachers=[SeesNoMask()])
    shown = train.subset(np.ones(48, bool), input_shape(recipe))
    assert float((logits_of(student.network, shown.pixels).argmax(1) == 0).float().mean()) > 0.95


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_takes_every_batch(name: str) -> None:
    network = build(name, 3, 28, 0.5).eval()
    for count in (1, 5):
        assert network(torch.zeros(count, 3, 28, 28)).shape == (count, 2)


def test_the_baseline_has_the_published_number_of_parameters() -> None:
    assert sum(p.numel() for p in build("notebook", 1, 28).parameters()) == 224_002


@pytest.mark.parametrize("side", [28, 112])
def test_a_picture_that_is_not_moved_is_trained_on_as_sharp_as_it_is_served(side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe()
    pictures = [reduce(face, InputShape(side, side, 3)) for face in faces(8)]
    kept = labelled(pictures, side=kept_shape(recipe).width)
    still = Augmentation(28, 0, World(geometry=0, light=0, damage=0, grey=0))
    monkeypatch.setattr(still, "_views", lambda count, kept_px: np.stack([np.diag([kept_px / 56, kept_px / 56, 1.0])] * count))
    monkeypatch.setattr(still, "_side_shadow", lambda images: images)
    nothing = torch.zeros(8, dtype=torch.bool)
    images, _ = still(torch.from_numpy(kept.pixels), torch.from_numpy(kept.labels), nothing, nothing)
    served = normalise([reduce(picture, input_shape(recipe)) for picture in pictures])
    assert np.abs(images.numpy() - served).max() < 2.1 / 127.5
