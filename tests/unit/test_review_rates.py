from pathlib import Path

import pytest

from maskgate.protocol.errors import ConfigurationError
from maskgate.protocol.review import Why
from maskgate.protocol.verdict import Outcome
from worker.review.rates import Rates, inclusion_probability, read


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "review.toml"


def test_a_file_names_cameras_with_their_rates(file: Path) -> None:
    file.write_text(
        "[lobby]\nrandom = 0.002\nuncertain = 0.1\ndisagreement = 1.0\nretention_days = 7\n"
        "[yard]\nrandom = 1\n"
    )
    assert read(file) == {"lobby": Rates(0.002, 0.1, 1.0, 7), "yard": Rates(1.0, 0.0, 0.0, 30)}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[lobby]\nuncertain = 0.1\n", "line 1, lobby: Object missing required field `random`"),
        ("[lobby]\n\nrandom = 0.0\n", "line 3, lobby.random: Expected `float` >= 0.0001"),
        ("[lobby]\nrandom = nan\n", "line 2, lobby.random: "),
        ("[lobby]\nrandom = 1.5\n", "line 2, lobby.random: Expected `float` <= 1.0"),
        ("[lobby]\nrandom = '0.5'\n", "line 2, lobby.random: Expected `float`, got `str`"),
        ("[lobby]\nrandom = 0.5\nuncertian = 0.1\n", "line 3, lobby.uncertian: unknown; did you"),
        ("[lobby]\nrandom = 0.5\nretention_days = 0\n", "line 3, lobby.retention_days: "),
        ("[lobby]\nrandom = 0.5\nretention_days = 1.5\n", "line 3, lobby.retention_days: "),
        ('["a:b"]\nrandom = 0.5\n', "line 1, a:b: not a camera id"),
        ("\nlobby = 1\n", "line 2, lobby: must be a table"),
        ("", "no camera is listed"),
        ("[lobby\n", "not valid TOML"),
    ],
)
def test_an_error_names_file_line_and_key(file: Path, text: str, wanted: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read(file)
    assert str(file) in str(caught.value)
    assert wanted in str(caught.value)


def test_all_wrong_cameras_are_named_at_once(file: Path) -> None:
    file.write_text("[lobby]\nrandom = 2.0\n[yard]\nrandom = 0.1\n[hall]\nuncertain = 0.1\n")
    with pytest.raises(ConfigurationError, match=r"line 2, lobby\.random.*line 5, hall"):
        read(file)


def test_a_missing_file_is_named(file: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"review\.toml: can't be read"):
        read(file)


@pytest.mark.parametrize(
    ("outcome", "disagrees", "wanted"),
    [
        (Outcome.MASK, False, 0.25),
        (Outcome.UNCERTAIN, False, 1 - 0.75 * 0.5),
        (Outcome.MASK, True, 1 - 0.75 * 0.2),
        (Outcome.UNCERTAIN, True, 1 - 0.75 * 0.5 * 0.2),
    ],
)
def test_the_inclusion_probability_is_that_of_any_reason(
    outcome: Outcome, *, disagrees: bool, wanted: float
) -> None:
    chances = Rates(0.25, 0.5, 0.8).chances(outcome, disagrees=disagrees)
    assert next(iter(chances)) is Why.RANDOM
    assert inclusion_probability(chances) == pytest.approx(wanted)
