"""The command lines: what they accept, what they print, how they exit."""

import pytest

from maskgate.__main__ import main


@pytest.mark.parametrize(
    "command", ["wait", "watch", "alive", "topology", "permissions", "secrets"]
)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert "usage: " in capsys.readouterr().out
