"""Sources of crops: images of a folder, labelled samples, drawn faces."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np
import structlog

from maskgate.inference.card import InputShape
from maskgate.inference.image import JPEG, PNG, Pixels, check, decode, encode_pnm, sniff
from maskgate.inference.image_folders import IMAGE_SUFFIXES, label_of_folder
from maskgate.inference.limits import FILE_LIMITS, crop_limits
from maskgate.inference.preprocess import reduce
from maskgate.protocol.crop import Label
from maskgate.protocol.errors import ConfigurationError, UnreadableCropError
from producer.drawing import draw_face
from producer.sample_list import Listed

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Image:
    """An encoded image, ready to be sent, with its label and slice if they are known."""

    body: bytes
    content_type: str
    label: Label | None = None
    slice: str | None = None
    #: What a list of samples says: its own crop id and camera, and how many crops it stands for.
    crop_id: str | None = None
    camera: str | None = None
    weight: float | None = None


def encode(pixels: Pixels, shape: InputShape) -> tuple[bytes, str]:
    """Reduce an image to the model's input and encode it: PGM if image or model is grey, or PPM."""
    if pixels.ndim == 2:
        shape = InputShape(shape.height, shape.width, 1)
    reduced = reduce(pixels, shape)
    return encode_pnm(reduced[:, :, 0] if shape.channels == 1 else reduced)


def image_files(directory: Path) -> list[Path]:
    """All images below a folder, sorted by name.

    Raises:
        ConfigurationError: there are none.
    """
    files = sorted(
        p for p in directory.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file()
    )
    if not files:
        msg = f"no images ({' '.join(sorted(IMAGE_SUFFIXES))}) below {directory}"
        raise ConfigurationError(msg)
    return files


class FolderImages:
    """Image files, read one at a time. ``skipped`` counts unreadable files; the log names each."""

    def __init__(
        self,
        files: Sequence[Path],
        shape: InputShape,
        *,
        as_is: bool,
        listed: Mapping[Path, Listed] | None = None,
    ) -> None:
        self.skipped = 0
        self._listed = listed or {}
        self._files = files
        self._shape = shape
        self._as_is = as_is

    def __iter__(self) -> Iterator[Image]:
        for path in self._files:
            try:
                body, content_type = self._read(path)
            except (OSError, UnreadableCropError) as error:
                self.skipped += 1
                log.warning("image.skipped", file=str(path), error=str(error))
                continue
            label, known = label_of_folder(path.parent.name), self._listed.get(path)
            if known is None:
                yield Image(body, content_type, label)
            else:
                facts = (known.slice, known.crop_id, known.camera, known.weight)
                yield Image(body, content_type, label, *facts)

    def _read(self, path: Path) -> tuple[bytes, str]:
        body = path.read_bytes()
        content_type = sniff(body) or ""
        if self._as_is and self._may_be_sent(body, content_type):
            return body, content_type
        return encode(decode(body, content_type, FILE_LIMITS), self._shape)

    def _may_be_sent(self, body: bytes, content_type: str) -> bool:
        """Whether a worker with this model takes the file as it is."""
        try:
            check(body, content_type, crop_limits(self._shape))
        except UnreadableCropError:
            return False
        return content_type in (JPEG, PNG)


def audit_files(directory: Path) -> list[Path]:
    """The labelled images below a folder, in a fixed random order.

    Raises:
        ConfigurationError: there is no such folder, or no labelled image below it.
    """
    if not directory.is_dir():
        msg = f"MASKGATE_AUDIT_DIR: no folder {directory}"
        raise ConfigurationError(msg)
    files = [path for path in image_files(directory) if label_of_folder(path.parent.name)]
    if not files:
        msg = f"MASKGATE_AUDIT_DIR: no WithMask/ or WithoutMask/ with images below {directory}"
        raise ConfigurationError(msg)
    return [files[i] for i in np.random.default_rng(0).permutation(len(files))]


def drawn_images(seed: int, count: int, shape: InputShape) -> list[Image]:
    """Drawn faces with their labels; every second face wears a mask."""
    rng = np.random.default_rng(seed)
    faces = (draw_face(rng, masked=bool(i % 2)) for i in range(count))
    return [
        Image(*encode(face.pixels, shape), Label.MASK if face.masked else Label.NO_MASK, face.slice)
        for face in faces
    ]


def in_visits(images: Sequence[Image], length: int) -> list[Image]:
    """The images as if people came one after the other, ``length`` crops each, each label in turn.

    As many whole visits as show every image, and an even number of them: the list can be repeated.
    """
    turns = [
        cycle([image for image in images if image.label is label])
        for label in (Label.NO_MASK, Label.MASK)
    ]
    visits = 2 * math.ceil(len(images) / (2 * length))
    return [next(turns[visit % 2]) for visit in range(visits) for _ in range(length)]


def repeated(images: "FolderImages | Sequence[Image]", *, loop: bool) -> Iterator[Image]:
    """The images once, or repeated without end.

    Raises:
        ConfigurationError: no image can be read.
    """
    while True:
        any_read = False
        for image in images:
            any_read = True
            yield image
        if not any_read:
            msg = "no file is a readable image; the log names each"
            raise ConfigurationError(msg)
        if not loop:
            return
