"""Labelled images on disk: find them, decode them once, say what they are.

A *source* is a folder that holds class folders: ``WithMask``, ``with_mask``, ``without-mask``, … in any spelling of those words.
``MaskWornIncorrectly`` is found by those who ask for it; whatever else lies there is left alone.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import structlog

from maskgate.inference.card import InputShape
from maskgate.inference.image import FILE_LIMITS, Pixels, decode, sniff
from maskgate.inference.preprocess import reduce
from maskgate.protocol.errors import ConfigurationError, UnreadableCropError
from trainer.data.groups import Fingerprint, fingerprint

CLASS_FOLDERS = {
    "withmask": 1,
    "mask": 1,
    "masked": 1,
    "withoutmask": 0,
    "nomask": 0,
    "unmasked": 0,
}
#: Masks below the nose or at the chin: nobody trains on them, a report says what becomes of them.
INCORRECT_FOLDERS = {"maskwornincorrectly": 1, "maskwearedincorrect": 1, "incorrectmask": 1}
_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".ppm", ".pgm"})

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class LabelledFile:
    """An image file; ``label`` is 1 for mask."""

    path: Path
    label: int
    source: str


@dataclass(frozen=True, slots=True)
class LabelledImages:
    """Images in memory: ``pixels`` uint8 (n, height, width, channels), ``labels`` (n,), ``sources`` and ``paths`` n each.

    ``skipped`` of the files were no images; ``sha256`` is over the bytes and labels of the others.
    """

    pixels: Pixels
    labels: npt.NDArray[np.int64]
    sources: list[str]
    paths: list[Path]
    fingerprints: list[Fingerprint]
    skipped: int
    sha256: str

    def of(self, sources: Collection[str]) -> npt.NDArray[np.bool_]:
        """Which images come from these sources, (n,)."""
        return np.asarray([source in sources for source in self.sources], bool)

    def subset(self, chosen: npt.NDArray[np.bool_], shape: InputShape) -> "LabelledImages":
        """Some of the images, reduced further."""
        positions = np.flatnonzero(chosen)
        return LabelledImages(
            np.stack([reduce(self.pixels[i], shape) for i in positions]),
            self.labels[positions],
            [self.sources[i] for i in positions],
            [self.paths[i] for i in positions],
            [self.fingerprints[i] for i in positions],
            self.skipped,
            self.sha256,
        )


def find(
    directories: Sequence[Path], classes: Mapping[str, int] = CLASS_FOLDERS
) -> list[LabelledFile]:
    """All labelled image files below some folders, each once.

    Raises:
        ConfigurationError: a folder is missing or holds no class folder with images.
    """
    found: dict[Path, LabelledFile] = {}
    for directory in directories:
        if not directory.is_dir():
            msg = f"no folder {directory}"
            raise ConfigurationError(msg)
        here = list(_below(directory, classes))
        if not here and classes is CLASS_FOLDERS:
            msg = f"no WithMask/ or WithoutMask/ with images below {directory}"
            raise ConfigurationError(msg)
        found.update((file.path.resolve(), file) for file in here)
    return list(found.values())


def require_both_classes(files: Sequence[LabelledFile]) -> None:
    """Training and its measures need masks and bare faces.

    Raises:
        ConfigurationError: one class is missing.
    """
    for label, folder in ((1, "WithMask"), (0, "WithoutMask")):
        if not any(file.label == label for file in files):
            msg = f"no image in any {folder}/ folder: both classes are needed"
            raise ConfigurationError(msg)


def load(files: Sequence[LabelledFile], shape: InputShape) -> LabelledImages:
    """Decode and reduce files. Those that are no images are named in the log, counted and left out.

    Raises:
        ConfigurationError: not one could be read.
    """
    pixels, kept, fingerprints = [], [], []
    digest = hashlib.sha256()
    skipped = 0
    for file in files:
        try:
            body = file.path.read_bytes()
            image = decode(body, sniff(body) or "", FILE_LIMITS)
        except (OSError, UnreadableCropError) as error:
            skipped += 1
            log.warning("image.skipped", file=str(file.path), error=str(error))
            continue
        digest.update(hashlib.sha256(body).digest() + bytes([file.label]))
        pixels.append(reduce(image, shape))
        kept.append(file)
        fingerprints.append(fingerprint(image))
    if not pixels:
        msg = f"not one of {len(files)} images can be read"
        raise ConfigurationError(msg)
    return LabelledImages(
        np.stack(pixels),
        np.asarray([file.label for file in kept], np.int64),
        [file.source for file in kept],
        [file.path for file in kept],
        fingerprints,
        skipped,
        digest.hexdigest(),
    )


def _below(directory: Path, classes: Mapping[str, int]) -> Iterator[LabelledFile]:
    for path in sorted(directory.rglob("*")):
        label = classes.get(
            path.parent.name.lower().replace("_", "").replace("-", "").replace(" ", "")
        )
        if label is not None and path.suffix.lower() in _SUFFIXES and path.is_file():
            home = path.parent.parent
            # seed28/Train and seed28/Test would else both be called after their split alone.
            source = (
                f"{home.parent.name}-{home.name}"
                if home.name.lower() in ("train", "test", "val")
                else home.name
            )
            yield LabelledFile(path, label, source)
