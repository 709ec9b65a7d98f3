"""Several cross-validations as one."""

import json
from pathlib import Path

import pytest

from maskgate.protocol.errors import ConfigurationError

pytest.importorskip("torch", reason="the trainer extra is not installed")

from trainer.__main__ import main
from trainer.evaluation.ensemble import at_thresholds_of_others, ensemble
from trainer.evaluation.results import Predictions


def predictions(**p_mask: float) -> Predictions:
    """Images whose names begin with m are masked."""
    names = list(p_mask)
    labels = [int(name.startswith("m")) for name in names]
    return Predictions(names, ["s"] * len(names), labels, list(p_mask.values()))


def test_log_odds_are_averaged_whatever_the_order() -> None:
    together = ensemble([predictions(m1=0.9, b1=0.2), predictions(b1=0.5, m1=0.1)])
    assert together.paths == ["m1", "b1"]
    assert together.labels == [1, 0]
    assert together.p_mask == pytest.approx([0.5, 1 / 3], abs=1e-6)  # odds 9 · 1/9 and 1/4 · 1


def test_nobody_outvotes_all_others() -> None:
    """Two that say 1:99 are stronger than one that is sure to six decimals."""
    sure, doubtful = predictions(b1=1.0), predictions(b1=0.01)
    assert ensemble([sure, doubtful, doubtful]).p_mask[0] < 0.5


def test_other_images_or_labels_are_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="different images, for example m2"):
        ensemble([predictions(m1=0.9), predictions(m1=0.9, m2=0.9)])
    other = Predictions(["m1"], ["s"], [0], [0.9])
    with pytest.raises(ConfigurationError, match="m1 has different labels"):
        ensemble([predictions(m1=0.9), other])


def test_a_fold_is_judged_at_the_threshold_of_the_others() -> None:
    """All masked faces but those of one photograph have .3, all bare ones .1."""
    p_mask = {f"m{n}": 0.3 for n in range(20)} | {f"b{n}": 0.1 for n in range(20)} | {"m0": 0.15}
    moved, thresholds = at_thresholds_of_others(predictions(**p_mask), range(40))
    called = {path: p >= 0.5 for path, p in zip(moved.paths, moved.p_mask, strict=True)}
    assert len(thresholds) == 5
    assert sum(0.19 < threshold < 0.21 for threshold in thresholds) == 1, "it never saw m0"
    assert sum(0.11 < threshold < 0.15 for threshold in thresholds) == 4
    assert not called["m0"]
    assert all(called[path] == path.startswith("m") for path in called if path != "m0")


def test_the_command_refuses_what_is_no_cross_validation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "crossval.json").write_text(json.dumps({"predictions": []}))
    assert main(["ensemble", "--crossval", str(tmp_path / "crossval.json")]) == 78
    assert "not a file that `crossval` wrote" in capsys.readouterr().err
