"""``weights.csv`` beside labelled images: what the desk's export says about each of them.

Columns: ``file`` (class folder and name), ``crop_id``, ``camera``, ``weight`` and ``slice``. A
sample with its crop id is counted once, however often it is sent.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from maskgate.protocol.crop import MAX_WEIGHT, is_crop_id, is_id
from maskgate.protocol.errors import ConfigurationError

FILE_NAME = "weights.csv"
_COLUMNS = {"file", "crop_id", "camera", "weight", "slice"}
_WEIGHT = re.compile(r"[0-9]{1,5}(\.[0-9]{1,9})?")


@dataclass(frozen=True, slots=True)
class Listed:
    """What a line says about a sample."""

    crop_id: str
    camera: str
    weight: float
    slice: str | None


def read(directory: Path) -> dict[Path, Listed]:
    """The lines of all lists below a folder, by the file that each is about.

    Raises:
        ConfigurationError: names the list and the line that is wrong.
    """
    return {
        path: listed
        for table in sorted(directory.rglob(FILE_NAME))
        for path, listed in _lines(table)
    }


def _lines(table: Path) -> Iterator[tuple[Path, Listed]]:
    try:
        with table.open(newline="") as file:
            rows = csv.DictReader(file)
            if missing := _COLUMNS - set(rows.fieldnames or ()):
                msg = f"{table}: no column {', '.join(sorted(missing))}"
                raise ConfigurationError(msg)
            for row in rows:
                yield table.parent / row["file"], _listed(row, f"{table}, line {rows.line_num}")
    except (OSError, UnicodeError, csv.Error) as error:
        msg = f"{table}: can't be read: {error}"
        raise ConfigurationError(msg) from None


def _listed(row: dict[str, str | None], place: str) -> Listed:
    crop_id, camera, weight, tag = (
        row[name] or "" for name in ("crop_id", "camera", "weight", "slice")
    )
    good = {
        "crop_id": is_crop_id(crop_id),
        "camera": is_id(camera),
        "weight": _WEIGHT.fullmatch(weight) is not None and 0 < float(weight) <= MAX_WEIGHT,
        "slice": not tag or is_id(tag),
    }
    for name, is_good in good.items():
        if not is_good:
            msg = f"{place}, {name}: {(row[name] or '')[:80]!r} can't be used"
            raise ConfigurationError(msg)
    return Listed(crop_id, camera, float(weight), tag or None)
