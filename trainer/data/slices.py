"""Slices: tags of what an image shows (a respirator, a beard, a profile), read from a CSV file."""

import csv
from pathlib import Path

import numpy as np
import numpy.typing as npt

from maskgate.protocol.errors import ConfigurationError

COLUMNS = ("file", "tags")


def read_slices(path: Path) -> dict[str, set[str]]:
    """The tags of each image.

    Column ``file`` names an image by class folder and file (``WithMask/7.jpg``); column ``tags``
    separates tags by spaces.

    Raises:
        ConfigurationError: the file can't be read or has no column ``file`` or ``tags``.
    """
    try:
        with path.open(newline="") as file:
            rows = csv.DictReader(file)
            if missing := set(COLUMNS) - set(rows.fieldnames or ()):
                msg = f"slices {path}: no column {', '.join(sorted(missing))}"
                raise ConfigurationError(msg)
            return {row["file"]: set(row["tags"].split()) for row in rows}
    except (OSError, UnicodeError, csv.Error) as error:
        msg = f"slices {path}: {error}"
        raise ConfigurationError(msg) from None


def tagged(paths: list[Path], slices: dict[str, set[str]]) -> dict[str, npt.NDArray[np.bool_]]:
    """For every tag, which of the images have it, (n,)."""
    tags_of = [slices.get(f"{path.parent.name}/{path.name}", set()) for path in paths]
    return {
        tag: np.asarray([tag in tags for tags in tags_of], bool)
        for tag in sorted(set().union(*tags_of))
    }
