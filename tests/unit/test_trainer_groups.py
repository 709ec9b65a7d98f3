"""Groups of one photograph, folds and held-out images; masks cut from pairs."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskgate.protocol.errors import ConfigurationError

pytest.importorskip("torch", reason="the trainer extra is not installed")

import torch

from tests.unit.drawn_photographs import RECIPE, faces, labelled, with_a_mask
from trainer.augmentation.copy_paste import cut_masks, paste_masks
from trainer.data.groups import fingerprint, group
from trainer.data.labelled_images import LabelledImages
from trainer.evaluation.folds import folds, validation_split
from trainer.evaluation.holdout import predict_held_out
from trainer.training.checkpoint import Trained
from trainer.training.fit import fit
from trainer.training.recipe import Recipe


def test_copies_of_a_photograph_also_with_a_pasted_mask_are_one_group() -> None:
    one, *others = faces(12)
    smaller = np.asarray(cv2.resize(one, (60, 70), interpolation=cv2.INTER_AREA), np.uint8)
    _, body = cv2.imencode(".jpg", one, [cv2.IMWRITE_JPEG_QUALITY, 40])
    pictures = [
        one,
        smaller,
        np.asarray(cv2.imdecode(body, cv2.IMREAD_COLOR), np.uint8),
        with_a_mask(one),
        *others,
    ]
    groups = group(
        [fingerprint(picture) for picture in pictures], np.asarray([0, 0, 0, 1] + [0] * 11)
    )
    assert len(set(groups[:4].tolist())) == 1
    assert groups[0] not in groups[4:]


def test_images_of_one_colour_are_not_copies_of_each_other() -> None:
    plain = [np.full((40, 40, 3), shade, np.uint8) for shade in (0, 90, 255)]
    assert len(set(group([fingerprint(p) for p in plain], np.asarray([0, 1, 0])).tolist())) == 3


@given(
    st.lists(st.tuples(st.integers(0, 25), st.integers(0, 1)), min_size=60, max_size=120),
    st.integers(2, 4),
    st.integers(0, 5),
)
def test_no_group_is_in_two_folds_and_every_image_is_tested_once(
    rows: list[tuple[int, int]], count: int, seed: int
) -> None:
    groups, labels = (np.asarray(column, np.int64) for column in zip(*rows, strict=True))
    if min(len(set(groups[labels == label].tolist())) for label in (0, 1)) < count:
        with pytest.raises(ConfigurationError, match="different photographs"):
            folds(labels, groups, count, seed)
        return
    chosen = folds(labels, groups, count, seed)
    assert (np.sum(chosen, axis=0) == 1).all()
    for fold in chosen:
        assert not set(groups[fold].tolist()) & set(groups[~fold].tolist())


def test_validation_and_training_images_share_no_group() -> None:
    rng = np.random.default_rng(0)
    groups, labels = rng.integers(0, 200, 600), rng.integers(0, 2, 600)
    among = rng.random(600) < 0.8
    validates = validation_split(labels, groups, among)
    assert validates.any()
    assert not (validates & ~among).any()
    assert not set(groups[validates].tolist()) & set(groups[among & ~validates].tolist())


def test_held_out_images_and_their_groups_are_never_trained_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images = labelled(faces(60))
    groups = np.arange(60) // 2
    held_out = np.zeros(60, bool)
    held_out[::6] = True
    seen: list[LabelledImages] = []

    def watched(
        train: LabelledImages,
        validation: LabelledImages,
        recipe: Recipe,
        *others: object,
        **named: object,
    ) -> Trained:
        seen.extend((train, validation))
        return fit(train, validation, recipe, *others, **named)  # type: ignore[arg-type]

    monkeypatch.setattr("trainer.evaluation.holdout.fit", watched)
    p_mask = predict_held_out(images, groups, held_out, replace(RECIPE, samples=64), lambda _: None)
    assert p_mask.shape == (10,)
    trained_on = {int(path.stem) // 2 for images in seen for path in images.paths}
    assert not trained_on & set(groups[held_out].tolist())


def test_a_mask_is_cut_from_a_pair_and_pasted_on_others() -> None:
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


def test_no_mask_is_cut_from_images_that_differ_elsewhere() -> None:
    pictures = faces(4)
    assert len(cut_masks(labelled(pictures), np.zeros(4, np.int64)).rgba) == 0
