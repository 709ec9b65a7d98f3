"""The default detector's network gives the same numbers after its translation to ONNX."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from maskgate.inference.session import open_session
from producer.video.detection.tflite_file import Operator, Table, read
from producer.video.detection.translation import INPUT, to_onnx

OUTPUTS = ("classificators", "regressors")


@pytest.fixture(scope="module")
def content(blazeface_file: Path) -> bytes:
    return blazeface_file.read_bytes()


@pytest.mark.parametrize(("height", "width"), [(256, 256), (96, 160), (32, 32)])
def test_the_translation_computes_what_opencv_computes(
    content: bytes, blazeface_file: Path, height: int, width: int
) -> None:
    reference = cv2.dnn.readNetFromTFLite(str(blazeface_file), cv2.dnn.ENGINE_CLASSIC)
    picture = np.random.default_rng(0).uniform(-1, 1, (1, 3, height, width)).astype(np.float32)
    reference.setInput(picture)
    expected = reference.forward(OUTPUTS)
    found = open_session(to_onnx(content)).run(OUTPUTS, {INPUT: picture})
    for ours, theirs in zip(found, expected, strict=True):
        assert np.ptp(theirs) > 1
        np.testing.assert_allclose(ours, theirs.reshape(ours.shape), atol=1e-3)


def changed(content: bytes, at: int, value: int) -> bytes:
    return content[:at] + bytes([value]) + content[at + 1 :]


def test_another_operator_is_refused_by_its_number(content: bytes) -> None:
    code = Table.root(content).tables(1)[0]
    average_pool = 1
    with pytest.raises(ValueError, match="operator 1 is not read"):
        read(changed(content, code._place(0), average_pool))


def test_an_activation_inside_a_convolution_is_refused(
    content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    relu = 1
    monkeypatch.setattr(Operator, "option", lambda *_: relu)
    with pytest.raises(ValueError, match="CONV_2D: an activation"):
        to_onnx(content)


@pytest.mark.parametrize("size", [0, 3, 100, 10_000, 300_000])
def test_a_part_of_a_file_is_refused(content: bytes, size: int) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (the words differ by where it ends)
        to_onnx(content[:size])
