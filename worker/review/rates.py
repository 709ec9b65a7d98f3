"""The TOML file that switches crops to label on, camera by camera.

::

    [lobby]
    random = 0.002         # of all classified crops; above 0, so that figures can be estimates
    uncertain = 0.1        # of those that the model was uncertain about, in addition
    disagreement = 1.0     # of those about which the challenger says something else
    retention_days = 30    # after that the desk deletes them
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import msgspec

from maskgate.protocol.crop import is_id
from maskgate.protocol.errors import ConfigurationError
from maskgate.protocol.review import MIN_PROBABILITY, Why
from maskgate.protocol.verdict import Outcome
from maskgate.runtime.toml_lines import line_of

_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
_PLACE = re.compile(r" - at `\$\.?(\w*)`$")


class Rates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """With which probability a camera's crop is drawn, for each reason, and how long it is kept."""

    random: Annotated[float, msgspec.Meta(ge=MIN_PROBABILITY, le=1)]
    uncertain: _Share = 0.0
    disagreement: _Share = 0.0
    retention_days: Annotated[int, msgspec.Meta(ge=1, le=365)] = 30

    def chances(self, outcome: Outcome, *, disagrees: bool) -> dict[Why, float]:
        """The probability of each reason that applies to a crop; each is drawn by itself."""
        chances = {Why.RANDOM: self.random}
        if outcome is Outcome.UNCERTAIN:
            chances[Why.UNCERTAIN] = self.uncertain
        if disagrees:
            chances[Why.DISAGREEMENT] = self.disagreement
        return chances


def inclusion_probability(chances: Mapping[Why, float]) -> float:
    """The probability that at least one reason draws the crop: 1 - (1-a)(1-b)."""
    missed = 1.0
    for chance in chances.values():
        missed *= 1 - chance
    return 1 - missed


def read(path: Path) -> dict[str, Rates]:
    """The rates of a file, by camera id.

    Raises:
        ConfigurationError: names the file, and the line and key of each error.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
        tables = tomllib.loads(text)
    except OSError as error:
        msg = f"{path}: can't be read: {error.strerror}"
        raise ConfigurationError(msg) from None
    except (ValueError, RecursionError) as error:  # not UTF-8, or not TOML
        msg = f"{path}: not valid TOML: {error}"
        raise ConfigurationError(msg) from None
    if not tables:
        msg = f"{path}: no camera is listed; add a table [CAMERA]"
        raise ConfigurationError(msg)
    found: dict[str, Rates] = {}
    wrong = [
        f"{path}, line {line_of(text, keys)}, {'.'.join(keys)}: {problem}"
        for camera, table in tables.items()
        for keys, problem in _problems(camera, table, found)
    ]
    if wrong:
        raise ConfigurationError("; ".join(wrong))
    return found


def _problems(
    camera: str, table: object, found: dict[str, Rates]
) -> Iterator[tuple[list[str], str]]:
    """The first error of a camera's table, with its keys; the rates of a good one go to found."""
    if not is_id(camera):
        yield [camera], "not a camera id: 1 to 64 letters, digits, _ and -"
        return
    if not isinstance(table, Mapping):
        yield [camera], f"must be a table, [{camera}]"
        return
    for key in table:
        if key not in Rates.__struct_fields__:
            yield [camera, key], _unknown(key)
            return
    try:
        found[camera] = msgspec.convert(table, Rates)
    except msgspec.ValidationError as error:
        text = str(error)
        place = _PLACE.search(text)
        key = [place[1]] if place and place[1] else []
        yield [camera, *key], _PLACE.sub("", text)


def _unknown(key: str) -> str:
    close = get_close_matches(key, Rates.__struct_fields__, n=1)
    known = ", ".join(Rates.__struct_fields__)
    return f"unknown; did you mean {close[0]}?" if close else f"unknown; known: {known}"
