"""The library of the page's plots, by its hashes: the tarball's as npm has it, and the files'."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Package:
    """A package of npm and the files that are taken out of it."""

    name: str
    version: str
    #: As npm has it: the base64 of a SHA-512.
    integrity: str
    #: Name on the page → member of the tarball, SHA-256 of that.
    members: Mapping[str, tuple[str, str]]

    @property
    def path(self) -> str:
        """Where a registry has the tarball."""
        return f"{self.name}/-/{self.name}-{self.version}.tgz"

    def file_name(self, key: str) -> str:
        """The file's name with its version: a browser may keep it."""
        stem, _, suffix = key.partition("_")
        return f"{stem}-{self.version}.min.{suffix}"


PACKAGES = (
    Package(
        "uplot",
        "1.6.32",
        "KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw==",
        {
            "uplot_js": (
                "package/dist/uPlot.iife.min.js",
                "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
            ),
            "uplot_css": (
                "package/dist/uPlot.min.css",
                "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
            ),
        },
    ),
)
