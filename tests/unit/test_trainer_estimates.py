"""Reference scores in a card, and estimates beside the truth, on a small folder of drawn faces."""

import json
from pathlib import Path

import msgspec
import pytest

from maskgate.inference.card import ModelCard, decode, encode, read
from maskgate.inference.model import Model
from maskgate.protocol.errors import ModelError
from maskgate.protocol.scores import BINS
from maskgate.runtime.exit_codes import ExitCode
from tests.unit.drawn_folders import draw_folder

pytest.importorskip("torch", reason="the trainer extra is not installed")

import numpy as np
import onnx

from trainer.__main__ import main
from trainer.data.labelled_images import find, load
from trainer.evaluation.label_free import compare, with_share
from trainer.evaluation.metrics import band_of, classification_metrics

SHIPPED = Path(__file__).parent.parent.parent / "deploy" / "model" / "mask.onnx"
# The exporter of torch gives these warnings.
pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning"
)


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return Model.load(SHIPPED).card


def test_the_shipped_card_has_the_scores_of_a_door_that_no_training_used(card: ModelCard) -> None:
    reference = card.reference_scores
    assert reference
    assert reference.sources == ("andrewmvd_voc",)
    assert (sum(reference.mask), sum(reference.no_mask)) == (586, 296)
    assert max(map(abs, reference.estimate_off.values())) < 0.01


def test_a_card_survives_with_and_without_reference_scores(card: ModelCard) -> None:
    without = msgspec.structs.replace(card, reference_scores=None)
    assert decode(encode(card)) == card
    assert "reference_scores" not in json.loads(encode(without)), "as older releases wrote it"
    assert decode(encode(without)) == without


@pytest.mark.parametrize(
    "wrong",
    [{"binning": "deciles"}, {"mask": (1,) * (BINS - 1)}, {"no_mask": (0,) * BINS}],
)
def test_reference_scores_of_another_binning_or_class_are_refused(
    card: ModelCard, wrong: dict[str, object]
) -> None:
    assert card.reference_scores
    reference = msgspec.structs.replace(card.reference_scores, **wrong)
    with pytest.raises(ModelError, match="reference scores"):
        decode(encode(msgspec.structs.replace(card, reference_scores=reference)))


def test_an_export_writes_the_scores_of_its_validation_images(run: Path) -> None:
    reference = Model.load(run / "model.onnx").card.reference_scores
    validation = json.loads((run / "split.json").read_text())["validation"]
    assert reference
    assert reference.sources == ("validation",)
    assert sum(reference.mask) + sum(reference.no_mask) == len(validation)


def test_reference_scores_change_the_card_and_nothing_else(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "with.onnx"
    command = ["reference-scores", "--model", str(SHIPPED), "--data", str(data), "--out", str(out)]
    assert main(command) == 0
    before, after = Model.load(SHIPPED), Model.load(out)
    assert read(out.with_suffix(".json")) == after.card
    assert after.sha256 in out.with_suffix(".md").read_text()
    assert before.sha256 not in out.with_suffix(".md").read_text()
    assert after.card.reference_scores
    assert sum(after.card.reference_scores.mask) == 60
    same = after.card.reference_scores
    assert msgspec.structs.replace(before.card, reference_scores=same) == after.card
    graphs = [onnx.load(path).graph.SerializeToString() for path in (SHIPPED, out)]
    assert graphs[0] == graphs[1]


def test_images_of_one_class_are_no_reference(tmp_path: Path) -> None:
    draw_folder(tmp_path, 4, ("WithMask", "With Mask"))
    command = ["--model", str(SHIPPED), "--data", str(tmp_path), "--out", str(tmp_path / "m.onnx")]
    assert main(["reference-scores", *command]) == ExitCode.BAD_CONFIGURATION
    assert not (tmp_path / "m.onnx").exists()


def test_estimates_stand_beside_the_truth(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["estimate", "--model", str(SHIPPED), "--data", str(data), "--share", "0.1"]
    assert main([*command, "--damage", "dark", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed.keys() == {data.name, f"{data.name}, 10% masks", f"{data.name}, dark 3"}
    model, row = Model.load(SHIPPED), printed[data.name]
    images = load(find([data]), model.card.input)
    decided = classification_metrics(
        model.p_mask(images.pixels), images.labels, band_of(model.card)
    ).decided
    assert row["coverage"] == pytest.approx(decided.coverage)
    for name, truth in decided.by_name().items():
        measure = row["measures"][name]
        assert measure["truth"] == pytest.approx(truth)
        assert measure["off"] == pytest.approx(measure["estimated"] - measure["truth"])
        assert measure["interval"][0] <= measure["estimated"] <= measure["interval"][1]
    assert main(command) == 0
    assert "mask: claimed" in capsys.readouterr().out


def test_domains_left_out_are_calibrated_on_the_others(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(1)
    doors = {}
    for name in ("one", "other"):
        log_odds = rng.normal(0, 4, 4000)
        masked = rng.random(4000) < 1 / (1 + np.exp(-log_odds))
        surer = 1 / (1 + np.exp(-2 * log_odds))  # to be divided by a temperature of 2
        run = {
            "paths": ["x"] * 4000,
            "sources": [name] * 4000,
            "labels": masked.astype(int).tolist(),
            "p_mask": surer.round(6).tolist(),
        }
        doors[name] = {"sources": [name], "runs": [run]}
    (tmp_path / "loso.json").write_text(json.dumps({"doors": doors}))
    command = ["estimate", "--model", str(SHIPPED), "--data", str(data), "--json"]
    assert main([*command, "--loso", str(tmp_path / "loso.json")]) == 0
    printed = json.loads(capsys.readouterr().out)
    for name in doors:
        for measure in printed[f"without {name}"]["measures"].values():
            assert abs(measure["off"]) < 0.01


def test_repeated_images_have_the_wanted_share_and_no_narrower_interval(card: ModelCard) -> None:
    p_mask = np.asarray([0.99] * 60 + [0.02] * 40 + [0.03] * 10)
    labels = np.asarray([1] * 60 + [0] * 40 + [1] * 10)
    repeated = with_share(p_mask, labels, 0.1)
    assert repeated[1].mean() == pytest.approx(0.1, abs=0.005)
    found = compare(*repeated, card, images=len(labels))
    low, high = found.measures["accuracy"].truth_interval
    assert high - low > 0.02
    assert found.n == 110
    assert found.claims["no_mask"].n == sum(repeated[0] < 0.05)
