from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from maskgate.inference.card import METADATA_KEY, read
from maskgate.inference.model import Model
from maskgate.inference.preprocess import reduce
from maskgate.protocol.errors import ModelError
from producer.drawing import draw_face

SHIPPED = Path(__file__).parent.parent.parent / "deploy" / "model" / "mask.onnx"


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.load(SHIPPED)


@pytest.mark.parametrize(("name", "at_most"), [("mask", 4_500_000), ("reference", 600_000)])
def test_a_model_is_small_and_its_cards_are_of_this_very_file(name: str, at_most: int) -> None:
    path = SHIPPED.with_name(f"{name}.onnx")
    loaded = Model.load(path)
    assert path.stat().st_size <= at_most
    assert read(path.with_suffix(".json")) == loaded.card
    assert loaded.sha256 in path.with_suffix(".md").read_text()


def test_the_card_carries_what_is_known_of_new_doors(model: Model) -> None:
    figures = {
        "new_door_accuracy",
        "new_door_auc",
        "new_door_decided_coverage",
        "door_accuracy",
        "door_auc",
        "door_decided_accuracy",
    }
    assert figures <= set(model.card.metrics)
    assert model.card.metrics["new_door_decided_coverage"] >= 0.9
    assert model.card.metrics["door_accuracy"] >= 0.98
    assert model.card.metrics["door_auc"] >= 0.997


def test_98_of_100_drawn_faces_are_told_apart(model: Model) -> None:
    rng = np.random.default_rng(1234)
    faces = [draw_face(rng, masked=bool(i % 2)) for i in range(400)]
    p_mask = model.p_mask([reduce(face.pixels, model.card.input) for face in faces])
    right = [
        (p >= model.card.threshold) == face.masked for p, face in zip(p_mask, faces, strict=True)
    ]
    assert np.mean(right) >= 0.98
    assert len({face.slice for face in faces}) >= 5


def test_the_same_seed_draws_the_same_face() -> None:
    one, other = (draw_face(np.random.default_rng(5), masked=True).pixels for _ in range(2))
    assert (one == other).all()
    assert (one != draw_face(np.random.default_rng(6), masked=True).pixels).any()


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda content: content[: len(content) // 2], "ONNX"),
        (lambda _: b"", "onnxruntime refuses"),
        (
            lambda content: content.replace(METADATA_KEY.encode(), b"maskgate.cart"),
            "no 'maskgate.card' in its metadata",
        ),
        (
            lambda content: content.replace(b'"area-rgb-1"', b'"area-rgb-0"'),
            "needs preprocessing 'area-rgb-0'",
        ),
        (
            lambda content: content.replace(b'["no_mask","mask"]', b'["mask","no_mask"]'),
            "golden vector is off",
        ),
        (
            lambda content: content.replace(b'"height":64', b'"height":65'),
            "golden vector is empty or of another size",
        ),
        (lambda content: content.replace(b'"temperature":', b'"temporature":'), "temporature"),
    ],
)
def test_a_damaged_model_is_refused_by_name(
    damage: Callable[[bytes], bytes], complaint: str, tmp_path: Path
) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(damage(SHIPPED.read_bytes()))
    with pytest.raises(ModelError, match=complaint) as caught:
        Model.load(path)
    assert str(path) in str(caught.value)


def test_another_file_than_the_pinned_one_is_refused() -> None:
    with pytest.raises(ModelError, match="pinned is 0000"):
        Model.load(SHIPPED, "0" * 64)


def test_a_missing_model_is_named() -> None:
    with pytest.raises(ModelError, match=r"nowhere\.onnx: No such file"):
        Model.load(Path("/nowhere.onnx"))
