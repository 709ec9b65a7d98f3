import signal
import time
from pathlib import Path

from maskgate.protocol.verdict import Outcome
from maskgate.runtime.store import connect
from tests.crop_results import live_result, write
from tests.servers.ports import eventually
from tests.servers.processes import running
from tests.servers.redis_server import RedisServer, redis_server
from worker.store.history_budget import HistoryBudget
from worker.store.redis_store import RedisVerdictStore


def decide_again(server: RedisServer, outcome: Outcome, p_mask: float) -> None:
    with connect(server.url, None, name="test", timeout_s=2) as client:
        store = RedisVerdictStore(
            client, model="m", ttl_ms=3000, max_skew_ms=250, history=HistoryBudget(10)
        )
        store.heartbeat()
        now_ms = time.time_ns() // 1_000_000
        write(store, [live_result(f"{now_ms:032x}", now_ms, outcome, p_mask=p_mask)])


def test_watch_survives_a_restart_of_redis_and_exits_cleanly(tmp_path: Path) -> None:
    log = tmp_path / "watch.log"
    with (
        redis_server() as server,
        running(
            "maskgate",
            "watch",
            "--interval-s",
            "0.2",
            environment={"MASKGATE_REDIS_URL": server.url},
            log=log,
        ) as gate,
    ):

        def shows(text: str, outcome: Outcome, p_mask: float) -> bool:
            decide_again(server, outcome, p_mask)
            return text in log.read_text()

        eventually(
            lambda: shows("lobby remove_mask (mask)", Outcome.MASK, 0.97),
            what="the line for a masked face",
        )
        server.stop()
        eventually(
            lambda: "every door is manual meanwhile" in log.read_text(),
            what="the line for the lost connection",
        )
        server.start()
        eventually(
            lambda: shows("lobby recognise (no mask)", Outcome.NO_MASK, 0.02),
            what="the line for an unmasked face after the restart",
        )
        assert log.read_text().count("redis lost") == 1
        gate.send_signal(signal.SIGTERM)
        assert gate.wait(5) == 0
