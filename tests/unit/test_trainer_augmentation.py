"""Augmentation in training, sampling weights, and corruptions for measuring."""

from typing import Any

import numpy as np
import pytest

from maskgate.inference.card import InputShape
from maskgate.inference.image import Pixels
from maskgate.inference.preprocess import normalise, reduce

pytest.importorskip("torch", reason="the trainer extra is not installed")

import torch

from tests.unit.drawn_photographs import faces, labelled
from trainer.augmentation import effects, framing
from trainer.augmentation.augment import Augmentation, AugmentationOptions
from trainer.evaluation.corruptions import CORRUPTIONS, SEVERITIES, SIDE_PX, Corruption
from trainer.training.recipe import Recipe, input_shape, kept_shape
from trainer.training.sampling import sampling_weights


def augmented(seed: int, options: AugmentationOptions) -> tuple[Any, Any]:
    batch = torch.from_numpy(np.stack([reduce(face, InputShape(40, 40, 3)) for face in faces(64)]))
    labels = torch.arange(64) % 2
    everyone = torch.ones(64, dtype=torch.bool)
    return Augmentation(28, seed, options)(batch, labels, everyone, everyone)


def test_augmentation_repeats_from_its_seed_and_stays_in_range() -> None:
    options = AugmentationOptions(damage=3, synthetic_masks=0.5)
    (images, labels), (again, same) = augmented(1, options), augmented(1, options)
    assert torch.equal(images, again)
    assert torch.equal(labels, same)
    assert not torch.equal(images, augmented(2, options)[0])
    assert images.shape == (64, 3, 28, 28)
    assert float(images.min()) >= -1
    assert float(images.max()) <= 1
    assert torch.isfinite(images).all()


def test_a_drawn_mask_changes_the_label() -> None:
    assert augmented(0, AugmentationOptions())[1].sum() == 32
    assert augmented(0, AugmentationOptions(synthetic_masks=1.0))[1].sum() == 64


def test_coloured_light_weakens_blue_or_red_in_some_images_and_leaves_the_others() -> None:
    images = torch.full((400, 3, 28, 28), 0.5)
    lit = Augmentation(28, 0, AugmentationOptions(occluders=0)).for_student(images)
    changed = (lit != images).flatten(1).any(1)
    assert 0.1 < float(changed.float().mean()) < 0.3
    warm, cold = lit[:, 2] < lit[:, 0] - 1e-3, lit[:, 0] < lit[:, 2] - 1e-3
    assert warm.flatten(1).any(1).sum() > cold.flatten(1).any(1).sum() > 0
    assert float(lit.min()) >= -1


def test_grey_images_without_occluders_are_the_same_for_student_and_teacher() -> None:
    images = torch.linspace(-1, 1, 64 * 3 * 28 * 28).view(64, 3, 28, 28)
    assert torch.allclose(
        Augmentation(28, 0, AugmentationOptions(occluders=0, grey=1)).for_student(images),
        images,
        atol=1e-6,
    )


def test_occluders_cover_some_faces_for_the_student_and_none_for_its_teachers() -> None:
    images, _ = augmented(0, AugmentationOptions(occluders=1, grey=1))
    assert torch.equal(images, augmented(0, AugmentationOptions(occluders=0, grey=1))[0])
    occluded = Augmentation(28, 0, AugmentationOptions(occluders=1, grey=1)).for_student(images)
    changed = ((occluded - images).abs() > 0.01).flatten(1).any(1)
    assert 0.2 < float(changed.float().mean()) < 0.7


def test_grey_images_have_equal_channels() -> None:
    images, _ = augmented(0, AugmentationOptions(grey=1.0))
    assert float((images[:, 0] - images[:, 2]).abs().max()) < 1e-5


def test_half_of_the_network_input_stays_unmasked_when_masks_are_added() -> None:
    images = labelled(faces(60), [1] * 10 + [0] * 50)
    masked_share = np.where(images.labels == 0, 0.3, 0)
    weights = sampling_weights(images, {}, masked_share)
    assert weights.sum() == pytest.approx(1)
    assert (weights * (1 - masked_share))[images.labels == 0].sum() == pytest.approx(0.5)


@pytest.mark.parametrize(
    "corruption", [c for family in CORRUPTIONS.values() for c in family], ids=lambda c: c.__name__
)
def test_a_corruption_changes_more_at_the_highest_severity_and_repeats(
    corruption: Corruption,
) -> None:
    picture = reduce(faces(1)[0], InputShape(SIDE_PX, SIDE_PX, 3))

    def change(severity: int) -> Pixels:
        return reduce(
            corruption(picture, severity, np.random.default_rng(1)), InputShape(28, 28, 3)
        )

    untouched = reduce(picture, InputShape(28, 28, 3)).astype(float)
    distances = [float(np.abs(change(severity) - untouched).mean()) for severity in SEVERITIES]
    assert distances[4] > distances[0] > 0
    assert (change(3) == change(3)).all()


@pytest.mark.parametrize("side", [28, 112])
def test_an_image_that_is_not_moved_is_as_sharp_in_training_as_in_serving(
    side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe()
    pictures = [reduce(face, InputShape(side, side, 3)) for face in faces(8)]
    kept = labelled(pictures, side=kept_shape(recipe).width)
    still = Augmentation(
        28, 0, AugmentationOptions(geometry=0, light=0, damage=0, occluders=0, grey=0)
    )
    monkeypatch.setattr(
        framing,
        "views",
        lambda n, kept_px, *_, **__: np.stack([np.diag([kept_px / 56, kept_px / 56, 1.0])] * n),
    )
    monkeypatch.setattr(effects, "side_shadow", lambda images, *_, **__: images)
    nothing = torch.zeros(8, dtype=torch.bool)
    images, _ = still(
        torch.from_numpy(kept.pixels), torch.from_numpy(kept.labels), nothing, nothing
    )
    served = normalise([reduce(picture, input_shape(recipe)) for picture in pictures])
    assert np.abs(images.numpy() - served).max() < 2.1 / 127.5
