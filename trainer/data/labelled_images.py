"""Find labelled images on disk and decode them, each file once.

A *source* is a folder that holds class folders: ``WithMask``, ``with_mask``, ``without-mask``, …
in any spelling of these words. ``MaskWornIncorrectly`` is found only if the caller asks for it.
All other folders and files are ignored.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import structlog

from maskgate.inference import image_folders
from maskgate.inference.card import InputShape
from maskgate.inference.image import Pixels, decode, sniff
from maskgate.inference.limits import FILE_LIMITS
from maskgate.inference.preprocess import reduce
from maskgate.protocol.crop import Label
from maskgate.protocol.errors import ConfigurationError, UnreadableCropError
from trainer.data.groups import Fingerprint, fingerprint, group

CLASS_FOLDERS = {
    name: int(label is Label.MASK) for name, label in image_folders.CLASS_FOLDERS.items()
}
#: Masks below the nose or at the chin: never trained on; the report shows how they are classified.
INCORRECT_FOLDERS = {"maskwornincorrectly": 1, "maskwearedincorrect": 1, "incorrectmask": 1}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class LabelledFile:
    """An image file; ``label`` is 1 for mask, 0 for no mask."""

    path: Path
    label: int
    source: str


#: Files, and the size to which they are reduced.
Selection = tuple[Sequence[LabelledFile], InputShape]


@dataclass(frozen=True, slots=True)
class LabelledImages:
    """Images in memory.

    ``pixels`` is uint8 (n, height, width, channels), ``labels`` (n,); ``sources``, ``paths`` and
    ``fingerprints`` have n items. ``skipped`` is the number of files that could not be decoded.
    ``sha256`` is over the bytes and labels of the decoded files.
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

    def from_files(self, files: Sequence[LabelledFile]) -> npt.NDArray[np.bool_]:
        """Which images were read from these files, (n,)."""
        wanted = {file.path for file in files}
        return np.asarray([path in wanted for path in self.paths], bool)

    def groups(self) -> npt.NDArray[np.int64]:
        """The group number of each image, (n,): images of one photograph share theirs."""
        return group(self.fingerprints, self.labels)

    def subset(self, chosen: npt.NDArray[np.bool_], shape: InputShape) -> "LabelledImages":
        """The chosen images, reduced to ``shape``."""
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
    """Check that there are images with and without a mask: training and its metrics need both.

    Raises:
        ConfigurationError: one class is missing.
    """
    for label, folder in ((1, "WithMask"), (0, "WithoutMask")):
        if not any(file.label == label for file in files):
            msg = f"no image in any {folder}/ folder: both classes are needed"
            raise ConfigurationError(msg)


def load(files: Sequence[LabelledFile], shape: InputShape) -> LabelledImages:
    """Decode files and reduce them to ``shape``. An unreadable file is logged and left out.

    Raises:
        ConfigurationError: no file could be decoded.
    """
    return load_all([(files, shape)])[0]


def load_all(
    selections: Sequence[Selection],
) -> list[LabelledImages]:
    """Several selections of files, each at its own size; a file of several is decoded once.

    A selection whose files are part of an earlier one comes in the order of that one.

    Raises:
        ConfigurationError: a selection has no file that could be decoded.
    """
    collectors = [_Collector(shape) for _, shape in selections]
    wanted: dict[LabelledFile, list[_Collector]] = {}
    for (files, _), collector in zip(selections, collectors, strict=True):
        for file in files:
            wanted.setdefault(file, []).append(collector)
    for file, receivers in wanted.items():
        try:
            body = file.path.read_bytes()
            image = decode(body, sniff(body) or "", FILE_LIMITS)
        except (OSError, UnreadableCropError) as error:
            log.warning("image.skipped", file=str(file.path), error=str(error))
            for collector in receivers:
                collector.skipped += 1
            continue
        digest, print_of_image = hashlib.sha256(body).digest(), fingerprint(image)
        for collector in receivers:
            collector.add(file, image, digest, print_of_image)
    return [collector.images() for collector in collectors]


@dataclass(slots=True)
class _Collector:
    """The images of one selection so far."""

    shape: InputShape
    pixels: list[Pixels] = field(default_factory=list)
    files: list[LabelledFile] = field(default_factory=list)
    fingerprints: list[Fingerprint] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    skipped: int = 0

    def add(self, file: LabelledFile, image: Pixels, digest: bytes, prints: Fingerprint) -> None:
        self.pixels.append(reduce(image, self.shape))
        self.files.append(file)
        self.fingerprints.append(prints)
        self.digests.append(digest + bytes([file.label]))

    def images(self) -> LabelledImages:
        if not self.pixels:
            msg = f"none of {self.skipped} images can be decoded"
            raise ConfigurationError(msg)
        return LabelledImages(
            np.stack(self.pixels),
            np.asarray([file.label for file in self.files], np.int64),
            [file.source for file in self.files],
            [file.path for file in self.files],
            self.fingerprints,
            self.skipped,
            hashlib.sha256(b"".join(self.digests)).hexdigest(),
        )


def _below(directory: Path, classes: Mapping[str, int]) -> Iterator[LabelledFile]:
    for path in sorted(directory.rglob("*")):
        label = classes.get(image_folders.plain_name(path.parent.name))
        suffix = path.suffix.lower()
        if label is not None and suffix in image_folders.IMAGE_SUFFIXES and path.is_file():
            yield LabelledFile(path, label, _source(path.parent.parent))


def _source(folder: Path) -> str:
    # The parent's name tells seed28/Train from seed_full/Train.
    if folder.name.lower() in ("train", "test", "val"):
        return f"{folder.parent.name}-{folder.name}"
    return folder.name
