"""Exports below the desk's folder: labelled crops as image folders, for audit and training.

``WithMask/``, ``WithoutMask/`` and ``IncorrectMask/`` hold the pictures, ``weights.csv`` says of
each how many of the door's crops it stands for. A deletion reaches them, too.
"""

import csv
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from desk.labels.outcomes import Answer
from maskgate.protocol.errors import ConfigurationError

FOLDERS = {
    Answer.MASK: "WithMask",
    Answer.NO_MASK: "WithoutMask",
    Answer.WORN_BADLY: "IncorrectMask",
}
WEIGHTS = "weights.csv"
COLUMNS = ("file", "crop_id", "camera", "weight", "slice")

Row = dict[str, str]


def row_of(crop: Mapping[str, object], label: Answer) -> Row:
    """The line of a crop in ``weights.csv``. Its slice is what drew it."""
    weight = 1 / float(str(crop["inclusion_probability"]))
    return {
        "file": f"{FOLDERS[label]}/{crop['crop_id']}.ppm",
        "crop_id": str(crop["crop_id"]),
        "camera": str(crop["camera_id"]),
        "weight": f"{weight:.9f}",
        "slice": str(crop["why"]),
    }


def write(folder: Path, rows: Sequence[Row], picture: Callable[[str], bytes]) -> None:
    """Write a new export.

    Raises:
        ConfigurationError: the folder is there already, or can't be written.
        PictureError: a picture can't be read.
    """
    try:
        folder.mkdir(parents=True, mode=0o700)
        for name in FOLDERS.values():
            (folder / name).mkdir(mode=0o700)
        # First the list: a deletion finds by it what an interrupted export wrote.
        _write_rows(folder / WEIGHTS, rows)
        for row in rows:
            _write_private(folder / row["file"], picture(row["crop_id"]))
    except FileExistsError:
        msg = f"{folder}: is there already"
        raise ConfigurationError(msg) from None
    except OSError as error:
        msg = f"{folder}: can't be written: {error.strerror}"
        raise ConfigurationError(msg) from None


def forget(exports: Path, crop_ids: Iterable[str]) -> int:
    """Delete crops from all exports below a folder; returns how many files were deleted.

    Raises:
        OSError: a file can't be read, written or deleted.
    """
    unwanted, deleted = set(crop_ids), 0
    for table in sorted(exports.glob(f"*/{WEIGHTS}")):
        rows = list(_read_rows(table))
        gone = [row for row in rows if row["crop_id"] in unwanted]
        for row in gone:
            (table.parent / row["file"]).unlink(missing_ok=True)
        if gone:
            _write_rows(table, [row for row in rows if row["crop_id"] not in unwanted])
        deleted += len(gone)
    return deleted


def _read_rows(table: Path) -> Iterator[Row]:
    with table.open(newline="") as file:
        yield from csv.DictReader(file)


def _write_rows(table: Path, rows: Iterable[Row]) -> None:
    new = table.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    new.replace(table)


def _write_private(path: Path, body: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(body)
