"""What the desk says of a model's precision, from audit samples that a worker's store counted."""

from datetime import UTC, datetime

import pytest
from redis import Redis
from redis.exceptions import NoPermissionError

from desk.precision.reader import Named, read_precision
from maskgate.audit.report import report
from maskgate.audit.share import Share
from maskgate.protocol.audit import AUDIT_MODELS_KEY, audit_cameras_key
from maskgate.protocol.crop import Label
from maskgate.protocol.verdict import Outcome
from maskgate.runtime.store import connect
from tests.crop_results import audit_result, live_result, write
from tests.integration.conftest import PASSWORDS
from tests.servers.redis_server import RedisServer
from worker.store.history_budget import HistoryBudget
from worker.store.redis_store import RedisVerdictStore

_DAY_MS = 24 * 3600 * 1000
_NOON_MS = int(datetime(2026, 11, 28, 12, tzinfo=UTC).timestamp() * 1000)


class Site:
    """Two models, one after the other; the test sets the clock."""

    def __init__(self, client: Redis) -> None:
        self.client, self.now_ms, self.ids = client, _NOON_MS, iter(range(10**9))

    def count(
        self,
        model: str,
        n: int,
        label: Label,
        outcome: Outcome,
        *,
        days_ago: int = 0,
        slice_name: str | None = None,
        camera: str = "lobby",
    ) -> None:
        self.now_ms = _NOON_MS - days_ago * _DAY_MS
        store = RedisVerdictStore(
            self.client,
            model=model,
            ttl_ms=3000,
            max_skew_ms=250,
            history=HistoryBudget(100),
            audit_slices=["beard"],
            clock=lambda: self.now_ms,
        )
        live = live_result("live", self.now_ms, camera="lobby")
        samples = [
            audit_result(f"{next(self.ids):032x}", label, outcome, slice_name, camera=camera)
            for _ in range(n)
        ]
        write(store, [live, *samples])


@pytest.fixture
def site(client: Redis) -> Site:
    site = Site(client)
    site.count("old", 40, Label.MASK, Outcome.MASK, days_ago=3)
    site.count("old", 10, Label.NO_MASK, Outcome.MASK, days_ago=3)
    site.count("new", 90, Label.MASK, Outcome.MASK, days_ago=1)
    site.count("new", 2, Label.NO_MASK, Outcome.MASK, slice_name="beard")
    site.count("new", 8, Label.MASK, Outcome.UNCERTAIN, slice_name="invented", camera="nowhere")
    return site


def by_name(parts: "list[Named] | tuple[Named, ...]") -> dict[str, Named]:
    return {part.name: part for part in parts}


def test_the_newest_model_is_shown_with_its_windows_days_slices_and_cameras(site: Site) -> None:
    found = read_precision(site.client, None, _NOON_MS)
    assert found is not None
    assert found.model == "new"
    windows = by_name(list(found.windows))
    assert windows["30d"].report.shares["precision"] == Share(90, 92)
    assert windows["30d"].report.shares["coverage"] == Share(92, 100)
    assert windows["newest"].report.shares["precision"] == Share(90, 92)
    assert windows["today"].report.shares["precision"] == Share(0, 2)
    assert [day.name for day in found.days][::29] == ["2026-10-30", "2026-11-28"]
    assert found.days[-1].report == windows["today"].report
    assert found.days[-2].report.shares["precision"] == Share(90, 90)
    assert found.days[0].report == report({})
    slices = by_name(list(found.slices))
    assert slices.keys() == {"beard", "other"}
    assert slices["other"].report.uncertain == 8
    cameras = by_name(list(found.cameras))
    assert cameras.keys() == {"other cameras", "lobby"}
    assert cameras["lobby"].report.shares["precision"] == Share(90, 92)
    models = by_name(list(found.models))
    assert models["old"].report.shares["precision"] == Share(40, 50)
    assert models["new"].report == windows["30d"].report


def test_another_model_can_be_chosen_and_an_unknown_one_is_the_newest(site: Site) -> None:
    for asked, shown in (("old", "old"), ("../audit", "new")):
        found = read_precision(site.client, asked, _NOON_MS)
        assert found is not None
        assert found.model == shown
        assert [model.name for model in found.models] == ["new", "old"]


def test_without_samples_there_is_nothing(client: Redis) -> None:
    assert read_precision(client, None, _NOON_MS) is None


def test_the_desks_user_may_read_all_of_it_and_write_none(
    guarded: RedisServer, admin: Redis
) -> None:
    Site(admin).count("m", 3, Label.MASK, Outcome.MASK)
    url = f"redis://desk@127.0.0.1:{guarded.port}/0"
    with connect(url, PASSWORDS["desk"], name="desk", timeout_s=2) as user:
        found = read_precision(user, None, _NOON_MS)
        for key in (AUDIT_MODELS_KEY, audit_cameras_key("m", _NOON_MS)):
            with pytest.raises(NoPermissionError):
                user.delete(key)
    assert found is not None
    assert [camera.name for camera in found.cameras] == ["lobby"]
