"""Files with passwords: replaced in one step, read-only, one folder for each container."""

from pathlib import Path

from maskgate.protocol.errors import ConfigurationError
from maskgate.runtime.whole_file import write_whole


def write(path: Path, text: str) -> None:
    """Write or replace a file; nobody ever reads half of it.

    Raises:
        ConfigurationError: names the file that can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Only the container of this folder mounts it; its user is not the one that writes here.
        write_whole(path, text.encode(), 0o444)
    except OSError as error:
        msg = f"{path}: can't be written: {error.strerror}"
        raise ConfigurationError(msg) from None


def read(path: Path) -> str | None:
    """The content of a file; None if there is none.

    Raises:
        ConfigurationError: names the file that can't be read.
    """
    try:
        return path.read_text().rstrip("\r\n")
    except FileNotFoundError:
        return None
    except OSError as error:
        msg = f"{path}: can't be read: {error.strerror}"
        raise ConfigurationError(msg) from None
