"""Labelled images on disk: which files are images, and which folder names say what they show."""

from maskgate.protocol.crop import Label

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".ppm", ".pgm"})
#: Class folders by :func:`plain_name`: ``WithMask``, ``with_mask`` and ``with-mask`` are one.
CLASS_FOLDERS = {
    "withmask": Label.MASK,
    "mask": Label.MASK,
    "masked": Label.MASK,
    "withoutmask": Label.NO_MASK,
    "nomask": Label.NO_MASK,
    "unmasked": Label.NO_MASK,
}


def plain_name(folder: str) -> str:
    """A folder's name in lower case, without underscores, hyphens and spaces."""
    return folder.lower().replace("_", "").replace("-", "").replace(" ", "")


def label_of_folder(folder: str) -> Label | None:
    """The label of the images in a folder of this name, or None if it is no class folder."""
    return CLASS_FOLDERS.get(plain_name(folder))
