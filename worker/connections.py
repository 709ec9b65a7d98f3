"""Whether the broker and Redis can be reached. Health, metrics and log lines follow from here."""

from collections.abc import Callable
from enum import StrEnum

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from maskgate.protocol.errors import StoreError

log = structlog.get_logger()


class Service(StrEnum):
    """What a worker connects to."""

    BROKER = "broker"
    REDIS = "redis"


class ConnectionState:
    """The state of both connections: written by the worker's thread, read by the health server's.

    An outage is one log line, ``broker.lost`` or ``redis.lost``, however many attempts fail.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._connected = Gauge(
            "maskgate_connected", "1 while connected", ["to"], registry=registry
        )
        self._retries = Counter(
            "maskgate_retries", "Attempts that failed", ["to"], registry=registry
        )
        # None: not tried yet, or disconnected on purpose.
        self._states: dict[Service, bool | None] = dict.fromkeys(Service)
        self._errors: dict[Service, str] = {}
        for service in Service:
            self._connected.labels(service.value).set(0)
            self._retries.labels(service.value)

    def is_connected(self, service: Service) -> bool:
        """Whether the last attempt to use a service succeeded."""
        return self._states[service] is True

    def error(self, service: Service) -> str | None:
        """Why a service is lost; None if it is not."""
        return self._errors.get(service)

    def connected(self, service: Service) -> None:
        """Record that a service answered."""
        if not self.is_connected(service):
            self._set(service, state=True)
            self._errors.pop(service, None)
            event = f"{service.value}.connected"
            log.info(event)

    def lost(self, service: Service, error: Exception) -> None:
        """Record that an attempt to use a service failed."""
        is_news = self._states[service] is not False
        self._set(service, state=False)
        self._errors[service] = str(error)
        self._retries.labels(service.value).inc()
        if is_news:
            event = f"{service.value}.lost"
            log.warning(event, error=str(error))

    def closed(self, service: Service) -> None:
        """Record that the worker disconnected on purpose."""
        self._set(service, state=None)
        self._errors.pop(service, None)

    def attempt_redis(self, action: Callable[[], None]) -> bool:
        """Run an action on Redis and record whether Redis answered; returns that."""
        try:
            action()
        except StoreError as error:
            self.lost(Service.REDIS, error)
            return False
        self.connected(Service.REDIS)
        return True

    def _set(self, service: Service, *, state: bool | None) -> None:
        self._states[service] = state
        self._connected.labels(service.value).set(state is True)
