"""All doors at once are decided as the gate decides each of them, with the rights of the desk."""

from collections.abc import Iterator

import pytest
from redis import Redis

from maskgate.gate import Action, BadIdError, Gate
from maskgate.gate.doors import Door, Doors
from maskgate.protocol.camera_state import CameraCondition, CameraState, SentState, camera_key
from maskgate.protocol.errors import StoreError
from maskgate.protocol.verdict import ALIVE_KEY, Outcome, track_key, verdict_key, visits_key
from maskgate.runtime.clock import now_ms
from maskgate.runtime.store import connect
from tests.crop_results import live_result, write
from tests.servers.redis_server import RedisServer
from worker.store.history_budget import HistoryBudget
from worker.store.redis_store import RedisVerdictStore

CAMERAS = (
    *("bare", "masked", "uncertain", "two", "one-crop", "untracked", "nobody", "down", "down-seen"),
    *("no-hash", "no-verdict", "no-index", "no-state", "old"),
)


@pytest.fixture
def desk_client(guarded: RedisServer, admin: Redis) -> Iterator[Redis]:
    url = f"redis://desk@127.0.0.1:{guarded.port}/0"
    with connect(url, "k", name="test", timeout_s=2) as client:
        yield client


@pytest.fixture
def doors(desk_client: Redis) -> Doors:
    return Doors(desk_client)


@pytest.fixture
def store(admin: Redis) -> RedisVerdictStore:
    return RedisVerdictStore(
        admin, model="m", ttl_ms=600_000, max_skew_ms=250, history=HistoryBudget(100)
    )


@pytest.fixture
def site(store: RedisVerdictStore, admin: Redis) -> None:
    """Doors of every kind, some with keys that are damaged."""
    at_ms = now_ms() - 2000

    def sees(camera: str, outcome: Outcome, *tracks: str, crops: int = 3) -> None:
        for number in range(crops):
            for track in tracks or ("",):
                crop_id = f"{abs(hash((camera, number, track))):032x}"[:32]
                result = live_result(
                    crop_id, at_ms + number, outcome, camera=camera, track=track or crop_id
                )
                write(store, [result])

    sees("bare", Outcome.NO_MASK, "a")
    sees("masked", Outcome.MASK, "a")
    sees("uncertain", Outcome.UNCERTAIN, "a")
    sees("two", Outcome.NO_MASK, "a", "b")
    sees("two", Outcome.MASK, "c")
    sees("one-crop", Outcome.NO_MASK, "a", crops=1)
    sees("untracked", Outcome.NO_MASK)
    for camera in ("down-seen", "no-index", "no-state", "old"):
        sees(camera, Outcome.NO_MASK, "a")
    dark = CameraState(state=CameraCondition.DARK, since_ms=at_ms, sent_at_ms=at_ms, detail="night")
    with store.writing([], [SentState("down", dark), SentState("down-seen", dark)]):
        pass
    store.heartbeat()
    admin.set(verdict_key("no-hash"), "text")
    admin.hset(verdict_key("no-verdict"), "outcome", "open the door")
    admin.set(visits_key("no-index"), "text")
    admin.hset(camera_key("no-state"), "state", "fine")
    admin.hset(verdict_key("old"), mapping={"ttl_ms": 1000})


@pytest.mark.usefixtures("site")
def test_each_decision_visit_and_state_is_the_gates(doors: Doors, gate: Gate) -> None:
    alive, found = doors.look(CAMERAS)
    assert alive
    assert [door.camera for door in found] == list(CAMERAS)
    for door in found:
        decision = gate.decision(door.camera)
        assert (door.decision.action, door.decision.verdict) == (decision.action, decision.verdict)
        if "old" not in decision.reason:  # the age in ms goes on
            assert door.decision.reason == decision.reason, door.camera
        if not door.trouble:
            assert door.state == gate.camera_state(door.camera)
            visits = gate.visitors(door.camera).look()
            assert [(each.track, each.action) for each in door.visits] == [
                (each.track, each.action) for each in visits
            ]


@pytest.mark.usefixtures("site")
def test_the_doors_are_what_was_meant(doors: Doors) -> None:
    found = {door.camera: door for door in doors.look(CAMERAS)[1]}

    def actions(camera: str) -> list[Action]:
        return [visit.action for visit in found[camera].visits]

    recognised = [name for name, door in found.items() if door.decision.action is Action.RECOGNISE]
    assert recognised == ["bare", "one-crop", "untracked", "down-seen", "no-index", "no-state"]
    assert found["two"].decision.action is Action.REMOVE_MASK
    assert actions("two") == [Action.RECOGNISE, Action.RECOGNISE, Action.REMOVE_MASK]
    assert actions("one-crop") == [Action.MANUAL], "a person needs two crops"
    assert actions("untracked") == []
    assert found["nobody"] == Door("nobody", found["nobody"].decision)
    assert found["down"].decision.reason == "camera is down: dark (night)"
    assert "WRONGTYPE" in found["no-hash"].decision.reason
    assert "not a Verdict" in found["no-verdict"].decision.reason
    for camera in ("no-index", "no-state"):
        assert found[camera].trouble, camera


def test_a_decision_about_a_person_is_kept_from_look_to_look(
    doors: Doors, store: RedisVerdictStore
) -> None:
    at_ms = now_ms() - 1000
    for number in range(4):
        write(store, [live_result(f"{number:032x}", at_ms + number, Outcome.NO_MASK, track="a")])
    assert doors.look(["lobby"])[1][0].visits[0].action is Action.RECOGNISE
    write(store, [live_result("f" * 32, at_ms + 9, Outcome.UNCERTAIN, track="a")])
    (visit,) = doors.look(["lobby"])[1][0].visits
    assert visit.action is Action.RECOGNISE
    assert visit.reason.startswith("no mask before; now ")
    assert doors.look([]) == (False, [])
    (visit,) = doors.look(["lobby"])[1][0].visits
    assert visit.action is Action.MANUAL, "a camera that was not asked for is forgotten"


def test_who_comes_and_who_leaves_is_seen(
    doors: Doors, store: RedisVerdictStore, admin: Redis
) -> None:
    at_ms = now_ms()
    write(store, [live_result("1" * 32, at_ms, track="a")])
    assert [visit.track for visit in doors.look(["lobby"])[1][0].visits] == ["a"]
    write(store, [live_result("2" * 32, at_ms, track="b")])
    assert {visit.track for visit in doors.look(["lobby"])[1][0].visits} == {"a", "b"}
    admin.delete(track_key("lobby", "a"))
    assert [visit.track for visit in doors.look(["lobby"])[1][0].visits] == ["b"]


def test_without_a_heartbeat_no_worker_is_alive(doors: Doors, admin: Redis) -> None:
    assert doors.look([]) == (False, [])
    admin.set(ALIVE_KEY, "1")
    assert doors.look([]) == (True, [])


@pytest.mark.parametrize("camera", ["a:b", "{lobby}", "", "é"])
def test_a_wrong_id_becomes_no_key(doors: Doors, camera: str) -> None:
    with pytest.raises(BadIdError):
        doors.look([camera])


def test_a_redis_that_does_not_answer_is_an_error() -> None:
    with connect("redis://127.0.0.1:1/0", None, name="test", timeout_s=0.2) as client:
        nowhere = Doors(client)
        with pytest.raises(StoreError):
            nowhere.look(["lobby"])
