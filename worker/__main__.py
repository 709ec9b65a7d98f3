"""``python -m worker``: wires one worker and runs it.

``python -m worker deadletters`` is an operator's command. ``python -m worker.health_check`` asks a
running worker whether it is ready.
"""

import os
import socket
import sys
from contextlib import AbstractContextManager, nullcontext
from functools import partial

# numpy's BLAS, which is not used here, would keep buffers for every core. It reads this on import.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import structlog
from redis import Redis

from maskgate.inference.model import Model
from maskgate.protocol.errors import BrokerError, ConfigurationError, ModelError
from maskgate.runtime import logs, pika_internals
from maskgate.runtime.broker import parameters
from maskgate.runtime.clock import now_ms
from maskgate.runtime.command_line import CHECK
from maskgate.runtime.exit_codes import ExitCode
from maskgate.runtime.settings import BrokerSettings, load
from maskgate.runtime.stop import Stop
from maskgate.runtime.store import connect
from maskgate.runtime.tracing import spans_of
from worker.broker.rabbit import RabbitConsumer
from worker.connections import ConnectionState
from worker.loop import Limits, Worker
from worker.models.challenger import succession_of
from worker.models.shadow import Shadow
from worker.models.succession import Succession
from worker.operations import deadletters
from worker.operations.check import check
from worker.operations.health import Health
from worker.operations.metrics import serving
from worker.reporting.reporter import Reporter
from worker.reporting.stats import Stats
from worker.reporting.traces import BatchTraces
from worker.review.compared import offer_compared
from worker.review.opening import review
from worker.scores.flusher import ScoreFlusher
from worker.scores.store import RedisScoresStore
from worker.settings import WorkerSettings
from worker.store.history_budget import HistoryBudget
from worker.store.redis_clock import RedisClock
from worker.store.redis_store import RedisVerdictStore

_COMMANDS = (
    "Commands: python -m worker.health_check exits 0 if a running worker is ready; "
    "python -m worker deadletters lists, requeues or deletes crops that could not be classified."
)

log = structlog.get_logger()


def main(argv: list[str]) -> int:
    """The command line; returns an exit code."""
    logs.configure("worker")
    pika_internals.install()
    try:
        if argv[:1] == ["deadletters"]:
            return _deadletters(argv[1:])
        settings = load(WorkerSettings, argv, "python -m worker", check=True, commands=_COMMANDS)
        if CHECK in argv:
            print(*check(settings), "valid", sep="\n")
            return ExitCode.OK
        logs.configure("worker", level=settings.log_level, as_json=settings.log_json)
        return _work(settings)
    except ConfigurationError as error:
        log.error("worker.bad_configuration", error=str(error))
        return ExitCode.BAD_CONFIGURATION
    except ModelError as error:
        log.error("worker.bad_model", error=str(error))
        return ExitCode.BAD_MODEL


def _deadletters(argv: list[str]) -> int:
    arguments = deadletters.arguments_of(argv)
    settings = load(BrokerSettings, [], "python -m worker deadletters")
    try:
        return deadletters.run(
            arguments,
            parameters(*settings.broker_login(), name="deadletters", tls=settings.broker_tls()),
        )
    except BrokerError as error:
        log.error("deadletters.no_broker", error=str(error))
        return ExitCode.UNAVAILABLE


def _work(settings: WorkerSettings) -> int:
    name = f"worker-{socket.gethostname()}-{os.getpid()}"
    structlog.contextvars.bind_contextvars(worker=name)
    stop = Stop.on_signals()
    broker = parameters(*settings.broker_login(), name=name, tls=settings.broker_tls())
    with _redis(settings, name) as client, spans_of(settings, "maskgate-worker", name) as spans:
        model = Model.load(settings.model_path, settings.model_sha256)
        log.info("worker.started", model=model.card.name, model_sha256=model.sha256)
        stats = Stats()
        succession = succession_of(settings, name, model, stats.registry)
        connections = ConnectionState(stats.registry)
        health = Health(connections, settings.stalled_after_s, stats.registry)
        clock = RedisClock(now_ms)
        store = _store(settings, client, succession, clock, stats)
        reporter = Reporter(
            stats,
            health,
            connections,
            store,
            model=model.card.name,
            interval_s=settings.report_interval_s,
            scores=_scores(settings, client, clock),
        )
        sampler = review(settings.review_file, broker, stats.registry)
        worker = Worker(
            RabbitConsumer(broker, prefetch=settings.prefetch),
            store,
            Shadow(
                succession,
                store,
                share=settings.challenger_share,
                registry=stats.registry,
                tell=partial(offer_compared, sampler),
            ),
            limits=Limits(settings.max_batch, settings.crop_max_age_ms, settings.max_skew_ms),
            clock=clock,
            connections=connections,
            reporter=reporter,
            stop=stop,
            review=sampler,
            traces=BatchTraces(spans),
        )
        succession.changed += [store.serve, reporter.serve]
        with _metrics(settings, health, stats), sampler or nullcontext():
            try:
                worker.run()
            except ModelError as error:
                log.error("worker.bad_model", error=str(error))
                return ExitCode.SOFTWARE
    log.info("worker.stopped")
    return ExitCode.OK


def _redis(settings: WorkerSettings, name: str) -> Redis:
    return connect(
        *settings.redis_login(),
        name=name,
        timeout_s=settings.redis_timeout_s,
        tls=settings.redis_tls(),
    )


def _store(
    settings: WorkerSettings,
    client: Redis,
    succession: Succession,
    clock: RedisClock,
    stats: Stats,
) -> RedisVerdictStore:
    return RedisVerdictStore(
        client,
        model=succession.champion.card.name,
        ttl_ms=settings.verdict_ttl_ms,
        max_skew_ms=settings.max_skew_ms,
        history=HistoryBudget(settings.history_length, stats.registry),
        audit_slices=frozenset(settings.audit_slices.split(",")),
        clock=clock.now_ms,
        succession=succession,
    )


def _scores(settings: WorkerSettings, client: Redis, clock: RedisClock) -> ScoreFlusher | None:
    return ScoreFlusher(RedisScoresStore(client, clock.now_ms)) if settings.scores else None


def _metrics(
    settings: WorkerSettings, health: Health, stats: Stats
) -> AbstractContextManager[object]:
    if not settings.metrics_port:
        return nullcontext()
    return serving(settings.metrics_host, settings.metrics_port, health, stats.registry)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
