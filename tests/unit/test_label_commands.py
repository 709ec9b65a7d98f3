"""``python -m desk key``, ``export`` and ``delete``."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from desk.__main__ import main
from desk.labels.commands import part_of
from desk.labels.outcomes import Answer
from desk.labels.rules import Labelling
from desk.labels.setup import open_store
from desk.settings import LabelSettings
from maskgate.inference.image_folders import label_of_folder
from maskgate.protocol.crop import Label
from maskgate.protocol.review import ReviewCrop, Why
from maskgate.runtime.clock import now_ms
from maskgate.runtime.settings import load
from producer.sample_list import read
from tests.review_crops import DAY_MS, review_crop
from trainer.data import labelled_images


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The desk's folder, with a key."""
    assert main(["key", str(tmp_path / "key")]) == 0
    monkeypatch.setenv("MASKGATE_DESK_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("MASKGATE_DESK_LABELS_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("MASKGATE_DESK_LABELS_TWICE", "0")
    return tmp_path


def labelled(*answers: Answer) -> list[ReviewCrop]:
    """Store one crop for each answer, and give it."""
    settings = load(LabelSettings, [], "test")
    crops = []
    with closing(open_store(settings)) as store:
        work = Labelling(store.database, store.clock)
        for number, answer in enumerate(answers):
            crop = review_crop(
                track_id=f"track-{number}",
                captured_at_ms=now_ms(),
                keep_until_ms=now_ms() + DAY_MS,
                inclusion_probability=0.002 if number == 0 else 0.25,
                why=Why.RANDOM if number == 0 else Why.UNCERTAIN,
            )
            store.add(crop)
            work.answer(crop.crop_id, "anna", answer)
            crops.append(crop)
    return crops


def journal(state: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (state / "journal.jsonl").read_text().splitlines()]


def test_an_export_is_a_folder_for_the_audit_and_for_the_trainer(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = [Answer.MASK, Answer.NO_MASK, Answer.WORN_BADLY, Answer.CANT_TELL]
    mask, bare, badly, _ = labelled(*answers)
    out = state / "labels" / "exports" / "first"
    assert main(["export", "--out", str(out)]) == 0
    assert "3 labelled crops" in capsys.readouterr().out
    listed = {path.relative_to(out).as_posix(): each for path, each in read(out).items()}
    assert listed.keys() == {
        f"WithMask/{mask.crop_id}.ppm",
        f"WithoutMask/{bare.crop_id}.ppm",
        f"IncorrectMask/{badly.crop_id}.ppm",
    }
    first = listed[f"WithMask/{mask.crop_id}.ppm"]
    assert (first.crop_id, first.camera, first.slice) == (mask.crop_id, "lobby", "random")
    assert first.weight == pytest.approx(500)
    assert (out / f"WithMask/{mask.crop_id}.ppm").read_bytes() == mask.body
    assert (out.stat().st_mode | (out / "weights.csv").stat().st_mode) & 0o077 == 0
    found = labelled_images.find([out])
    assert {(file.path.stem, file.label, file.source) for file in found} == {
        (mask.crop_id, 1, "first"),
        (bare.crop_id, 0, "first"),
    }
    assert label_of_folder("IncorrectMask") is None, "the audit does not take these"
    assert label_of_folder("WithMask") is Label.MASK


def test_an_export_outside_of_the_desks_folder_says_that_deletions_do_not_reach_it(
    state: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    labelled(Answer.MASK)
    outside = tmp_path_factory.mktemp("elsewhere") / "out"
    assert main(["export", "--out", str(outside)]) == 0
    assert "a deletion does not reach this folder" in capsys.readouterr().out
    assert main(["export", "--out", str(outside)]) == 78, "it is there already"


def test_the_halves_for_audit_and_training_share_no_person(state: Path) -> None:
    crops = labelled(*[Answer.MASK] * 20)
    parts = {}
    for part in ("audit", "training"):
        assert main(["export", "--part", part, "--out", str(state / part)]) == 0
        parts[part] = {each.crop_id for each in read(state / part).values()}
    assert parts["audit"].isdisjoint(parts["training"])
    assert parts["audit"] | parts["training"] == {crop.crop_id for crop in crops}
    assert len(parts["audit"]) in range(3, 18)
    assert part_of("t", "lobby") == part_of("t", "lobby")


def test_a_deletion_reaches_exports_and_stands_in_the_journal(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone, kept = labelled(Answer.MASK, Answer.NO_MASK)
    assert main(["export"]) == 0
    assert main(["delete", "--crop", gone.crop_id]) == 0
    assert capsys.readouterr().out.endswith("1 crops deleted, and 1 files of exports\n")
    everything = b"".join(
        str(path).encode() + path.read_bytes() for path in state.rglob("*") if path.is_file()
    )
    assert gone.crop_id.encode() not in everything
    assert kept.crop_id.encode() in everything
    assert [line["action"] for line in journal(state)] == ["crops_exported", "crops_deleted"]
    assert main(["delete", "--older-than-days", "0"]) == 0
    assert capsys.readouterr().out.startswith("1 crops deleted")


@pytest.mark.parametrize(
    "options", [["--crop", "x"], ["--camera", "a:b"], ["--older-than-days", "-1"]]
)
def test_a_wrong_deletion_ends_with_78_and_is_not_written_down(
    state: Path, options: list[str]
) -> None:
    assert main(["delete", f"{options[0]}={options[1]}"]) == 78
    assert not (state / "journal.jsonl").exists()


def test_without_a_key_there_is_nothing_to_export(
    state: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MASKGATE_DESK_LABELS_KEY_FILE")
    assert main(["export"]) == 78
    assert "MASKGATE_DESK_LABELS_KEY_FILE" in "".join(capfd.readouterr())
