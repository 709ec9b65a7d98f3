"""From a door's crops to labels, audit figures and deletion: worker, desk and producer for real."""

from pathlib import Path

from maskgate.audit.counts import read_counts, read_models
from maskgate.audit.report import AuditReport, report
from maskgate.protocol.topology import REVIEW_QUEUE
from maskgate.runtime.clock import now_ms
from tests.desk_site import desk
from tests.labelling import FACES, film, label_all, labelling, send_labels, stored
from tests.servers.ports import eventually
from tests.servers.processes import done, running, said
from tests.servers.rabbit_server import RabbitServer
from tests.servers.redis_server import RedisServer

WAIT_S = 60
RATES = "random = 0.5\nuncertain = 0.9\nretention_days = 1\n"


def audited(redis: RedisServer) -> AuditReport:
    with redis.client() as client:
        models = read_models(client)
        return report(read_counts(client, models[0], now_ms()).newest if models else {})


def test_a_doors_own_crops_become_audit_figures_and_can_be_deleted(
    environment: dict[str, str], rabbit: RabbitServer, redis: RedisServer, tmp_path: Path
) -> None:
    settings = {
        **labelling(environment, tmp_path, RATES),
        "MASKGATE_AUDIT_SLICES": "random,uncertain",
    }
    state = tmp_path / "desk"
    state.mkdir()
    log = tmp_path / "worker.log"
    with (
        running("worker", environment=settings, log=log),
        desk(redis.url, state, settings) as site,
        site.browser("operator") as operator,
        site.browser("labeller") as labeller,
    ):
        said(log, "broker.connected", timeout_s=WAIT_S)
        truth = film(rabbit)
        eventually(lambda: stored(operator) >= FACES // 4, WAIT_S, "crops to label")
        answered = label_all(labeller, truth)
        eventually(lambda: rabbit.depth(REVIEW_QUEUE) == 0, WAIT_S, "an empty queue")
        answered += label_all(labeller, truth)

        send_labels(settings, "first")
        again = str(state / "labels" / "exports" / "first")
        assert done("producer", "audit", again, environment=settings).returncode == 0
        eventually(lambda: audited(redis).n >= len(answered), WAIT_S, "the audit samples")
        found = audited(redis)
        assert found.n == len(answered), "sent twice, each sample counts once"
        coverage = found.shares["coverage"]
        assert coverage.weights is not None
        assert coverage.weights.total > len(answered) * 1.05, "a crop stands for 1.05 or 2"
        page = operator.get("/precision").text
        assert f"{len(answered)} weighted, as good as" in page
        assert "lobby" in page

        operator.submit("/labels/delete", scope="camera", value="lobby")
        assert stored(operator) == 0
        assert "Nothing waits for you" in labeller.get("/labels").text
        left = b"".join(
            str(path).encode() + path.read_bytes() for path in state.rglob("*") if path.is_file()
        )
        assert not [crop_id for crop_id in answered if crop_id.encode() in left]
        with site.browser("viewer") as viewer:
            assert viewer.get("/labels").status_code == 403
    actions = site.journal
    assert actions.count('"label"') == len(answered)
    assert '"crops_exported"' in actions
    assert '"crops_deleted"' in actions
