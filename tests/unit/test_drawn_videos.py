from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest

from maskgate.protocol.errors import ConfigurationError
from maskgate.runtime.exit_codes import ExitCode
from producer.scenes.record import FILMS, film, frames, main, record


def drawn(*options: str) -> int:
    return main("python -m producer draw-video", [*options])


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_video_is_h264_with_a_key_frame_each_second(tmp_path: Path, ending: str) -> None:
    path, shown = tmp_path / f"door.{ending}", film("takes_mask_off", 4)
    assert record(shown, path, fps=5, seconds=3.5) == 18
    with av.open(str(path)) as container:
        (stream,) = container.streams
        decoded = list(container.decode(video=0))
    assert stream.codec_context.name == "h264"
    times = [frame.time or 0.0 for frame in decoded]
    assert times == pytest.approx([number / 5 for number in range(18)], abs=0.002)
    keys = [time for time, frame in zip(times, decoded, strict=True) if frame.key_frame]
    assert keys == pytest.approx([0, 1, 2, 3], abs=0.002)
    drawn, read = shown.frame(2.0).astype(int), decoded[10].to_ndarray(format="rgb24")
    assert np.abs(drawn - read).mean() < 5


def test_the_command_draws_what_its_settings_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "out.mp4"
    argv = [str(path), "--seconds", "1", "--fps", "4", "--seed", "3", "--script", "one_masked"]
    assert drawn(*argv) == ExitCode.OK
    assert f"{path}: 4 frames, 1.0 s" in capsys.readouterr().out
    assert path.stat().st_size > 1000


def test_a_film_ends_with_its_script_or_after_the_seconds() -> None:
    shown = film("one_bare", 1)
    assert len(list(frames(shown, 2))) == int(shown.duration_s * 2) + 1
    assert [time for time, _ in frames(shown, 2, 1.2)] == [0, 0.5, 1.0]
    assert [time for time, _ in islice(frames(film("everyday", 1), 10), 3)] == [0, 0.1, 0.2]


def test_every_film_has_a_picture() -> None:
    for name in FILMS:
        assert film(name, 2).frame(0.0).shape == (480, 640, 3)


def test_an_unknown_script_is_named_with_those_that_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no drawn film 'nobody'; there are everyday"):
        drawn(str(tmp_path / "a.mp4"), "--script", "nobody")


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no folder"):
        drawn(str(tmp_path / "nowhere" / "a.mp4"))
    with pytest.raises(ConfigurationError, match=r"a\.txt: .*(format|codec|container)"):
        drawn(str(tmp_path / "a.txt"))
    (tmp_path / "b.mp4").mkdir()
    with pytest.raises(ConfigurationError, match="Is a directory"):
        drawn(str(tmp_path / "b.mp4"))
