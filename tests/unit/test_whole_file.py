from pathlib import Path

import pytest

from maskgate.runtime.whole_file import write_whole


def test_a_file_is_replaced_and_has_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content, mode in ((b"one", 0o600), (b"two", 0o444), (b"three", 0o644)):
        write_whole(path, content, mode)
        assert (path.read_bytes(), path.stat().st_mode & 0o777) == (content, mode)
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_what_can_not_be_replaced_is_left_alone_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_whole(tmp_path / "file", b"x")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
