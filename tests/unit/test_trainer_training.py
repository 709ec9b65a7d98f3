"""Networks, training, resuming, teachers and export."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from maskgate.inference.card import InputShape
from maskgate.inference.model import Model
from maskgate.protocol.errors import ConfigurationError, ModelError
from maskgate.runtime import logs

pytest.importorskip("torch", reason="the trainer extra is not installed")

import torch

from tests.unit.drawn_photographs import RECIPE, faces, labelled
from trainer.export.model_file import colour_patterns, export
from trainer.export.onnx_graph import float_graph
from trainer.networks.architectures import NETWORKS, build
from trainer.training.checkpoint import Checkpoint, Trained
from trainer.training.facts import ExportImages, TrainingFacts
from trainer.training.fit import fit
from trainer.training.predict import logits_of
from trainer.training.progress import TrainingProgress
from trainer.training.recipe import Recipe, input_shape
from trainer.training.training import Training

FACTS = TrainingFacts(
    trained_at="2026-01-01",
    data_sha256="0" * 64,
    sources={},
    parameters=0,
    samples=0,
    teachers=0,
    seed=0,
    seconds=0.0,
)
ROOT = Path(__file__).parent.parent.parent


def trained(recipe: Recipe) -> Checkpoint:
    train, validation = labelled(faces(48)), labelled(faces(16, seed=1), side=28)
    validation = validation.subset(np.ones(16, bool), input_shape(recipe))
    result = fit(train, validation, recipe, lambda _: None)
    calibration = train.subset(np.ones(48, bool), input_shape(recipe)).pixels
    images = ExportImages(calibration, validation.pixels, validation.labels)
    return Checkpoint(result, FACTS, images)


@pytest.mark.parametrize(
    ("network", "side_px", "channels", "mirror"),
    [
        ("vgg16", 28, 3, False),
        ("residual", 20, 1, False),
        ("xception", 28, 1, False),
        ("deep", 36, 3, True),
        ("notebook", 28, 1, False),
    ],
)
def test_an_exported_model_equals_torch_whatever_its_network_and_input(
    network: str, side_px: int, channels: int, *, mirror: bool, tmp_path: Path
) -> None:
    recipe = replace(
        RECIPE, network=network, side_px=side_px, channels=channels, mirror=mirror, samples=256
    )
    checkpoint = trained(recipe)
    images = colour_patterns(input_shape(recipe), 64)
    logits = logits_of(checkpoint.trained.network, images).double()
    expected = torch.softmax(logits / checkpoint.trained.temperature, 1)[:, 1].numpy()
    model = export(checkpoint, tmp_path / "m.onnx", precision="float").model
    assert np.abs(model.p_mask(images) - expected).max() < 1e-4
    assert model.card.input == InputShape(side_px, side_px, channels)
    exported = export(checkpoint, tmp_path / "i.onnx", precision="int8")
    pixels, labels = checkpoint.images.pixels, checkpoint.images.labels
    p_mask = exported.model.p_mask(pixels)
    assert np.abs(p_mask - model.p_mask(pixels)).mean() < 0.02
    assert set(exported.variants) == {"float", "int8"}
    right = (p_mask >= 0.5) == (labels == 1)
    assert Model.load(tmp_path / "i.onnx").card.metrics["validation_accuracy"] == pytest.approx(
        right.mean()
    )


def test_a_model_file_that_differs_from_torch_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = trained(replace(RECIPE, samples=64))
    other = build("residual", 3, 28, 0.25).eval()
    monkeypatch.setattr(
        "trainer.export.model_file.float_graph", lambda _, shape: float_graph(other, shape)
    )
    with pytest.raises(ModelError, match="off by"):
        export(checkpoint, tmp_path / "m.onnx")


def test_a_refused_int8_falls_back_to_float_unless_int8_is_demanded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("trainer")
    checkpoint = trained(replace(RECIPE, samples=64))
    monkeypatch.setattr("trainer.export.precision.INT8_TOLERANCE", -1.0)
    exported = export(checkpoint, tmp_path / "auto.onnx")
    assert exported.precision == "float"
    assert set(exported.variants) == {"float"}
    assert '"event": "export.int8_refused"' in capsys.readouterr().err
    with pytest.raises(ModelError, match="int8 is off by"):
        export(checkpoint, tmp_path / "int8.onnx", precision="int8")
    assert not (tmp_path / "int8.onnx").exists()


def states(training: Training) -> dict[str, npt.NDArray[np.float32]]:
    return {
        name: value.numpy().copy() for name, value in training.averaged.module.state_dict().items()
    }


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


TRAIN_AND_WRITE_A_DIGEST = """
import hashlib
import sys
from pathlib import Path

from tests.unit.drawn_photographs import RECIPE, faces, labelled
from trainer.training.distributed import leave_process_group
from trainer.training.training import Training

def train_and_write() -> None:
    training = Training(labelled(faces(48)), RECIPE)
    for _ in range(4):
        training.advance()
    digest = hashlib.sha256()
    for parameter in training.network.parameters():
        digest.update(parameter.detach().numpy().tobytes())
    Path(sys.argv[1], str(training.rank)).write_text(digest.hexdigest())


train_and_write()
leave_process_group()
"""


def test_two_processes_hold_the_same_weights_after_every_step(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(TRAIN_AND_WRITE_A_DIGEST)
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [sys.executable, *torchrun, str(script), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "0").read_text() == (tmp_path / "1").read_text()


def test_a_training_can_start_from_given_weights() -> None:
    train, start = labelled(faces(48)), build("residual", 3, 28, 0.25)
    expected = {name: value.numpy() for name, value in start.state_dict().items()}
    begun = states(Training(train, RECIPE, start=start))
    assert all((value == expected[name]).all() for name, value in begun.items())


def test_a_training_with_another_recipe_can_not_be_resumed(tmp_path: Path) -> None:
    train = labelled(faces(48))
    torch.save(Training(train, RECIPE).state(), tmp_path / "t.pt")
    with pytest.raises(ConfigurationError, match="differs in batch, seed"):
        Training(train, replace(RECIPE, batch=16, seed=5)).resume(tmp_path / "t.pt")


def test_training_stops_early_if_validation_does_not_improve(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    losses = iter([0.5, 0.4, *[0.6] * 40])
    monkeypatch.setattr("trainer.training.fit._validate", lambda *_: (next(losses), 0.5))
    validated_at: list[int] = []

    def on_progress(progress: TrainingProgress) -> None:
        if progress.validation_loss is not None:
            validated_at.append(progress.samples)

    train, validation = labelled(faces(48)), labelled(faces(8), side=28)
    recipe = replace(RECIPE, samples=1280, patience=3)
    fit(train, validation, recipe, on_progress)
    assert len(validated_at) == 5


class SeesNoMask(torch.nn.Module):
    """A confident teacher that is wrong about every mask."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.tensor([4.0, -4.0]).expand(len(images), 2)


def test_a_student_learns_the_probabilities_of_its_teacher() -> None:
    train, validation = labelled(faces(48)), labelled(faces(8), side=28)
    recipe = replace(RECIPE, samples=4096, distil=1.0)
    student = fit(
        train,
        validation,
        recipe,
        lambda _: None,
        teachers=[Trained(SeesNoMask(), recipe, 1.0, 0.0)],
    )
    shown = train.subset(np.ones(48, bool), input_shape(recipe))
    assert float((logits_of(student.network, shown.pixels).argmax(1) == 0).float().mean()) > 0.95


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_takes_every_batch(name: str) -> None:
    network = build(name, 3, 28, 0.5).eval()
    for count in (1, 5):
        assert network(torch.zeros(count, 3, 28, 28)).shape == (count, 2)


def test_the_baseline_has_the_published_number_of_parameters() -> None:
    assert sum(p.numel() for p in build("notebook", 1, 28).parameters()) == 224_002
