import re
from pathlib import Path

import pytest

from desk.settings import DeskSettings
from maskgate.gate.settings import GateSettings, WaitSettings, WatchSettings
from maskgate.operations.functions import FunctionsSettings
from maskgate.operations.management import ManagementSettings
from maskgate.runtime.settings import PREFIX, Settings
from producer.scenes.settings import DrawVideoSettings
from producer.settings import FolderSettings, ReplaySettings, SyntheticSettings
from producer.video.settings import VideoSettings
from worker.settings import WorkerSettings

ROOT = Path(__file__).parent.parent.parent
KINDS = (
    WorkerSettings,
    FolderSettings,
    ReplaySettings,
    SyntheticSettings,
    GateSettings,
    WaitSettings,
    WatchSettings,
    FunctionsSettings,
    ManagementSettings,
    VideoSettings,
    DrawVideoSettings,
    DeskSettings,
)


def _documented() -> set[str]:
    rows = (ROOT / "docs" / "configuration.md").read_text().splitlines()
    first_cells = [row.split("|")[1] for row in rows if row.startswith("| `MASKGATE")]
    return {name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)}


def _variables(kind: type[Settings]) -> set[str]:
    return {f"{PREFIX}{name.upper()}" for name in kind.model_fields}


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_is_documented(kind: type[Settings]) -> None:
    assert _variables(kind) - _documented() == set()


def test_every_documented_setting_exists() -> None:
    existing = {variable for kind in KINDS for variable in _variables(kind)}
    assert _documented() - existing == set()
