"""``maskgate functions``: load the functions that workers call in Redis.

A worker has no right to load code. Who may load it decides what every verdict is: the user of this
command is to be guarded like the door itself.
"""

import argparse
import sys
from collections.abc import Sequence

import structlog
from pydantic import Field
from redis import Redis

from maskgate.protocol.errors import ConfigurationError, StoreError
from maskgate.redis_functions import library
from maskgate.runtime import logs, store
from maskgate.runtime.command_line import CHECK, settings_parser
from maskgate.runtime.exit_codes import ExitCode
from maskgate.runtime.settings import RedisSettings, load
from maskgate.runtime.stop import Stop

_LOOK_EVERY_S = 1.0
_TIMEOUT_S = 5.0
_PROGRAM = "maskgate functions"

log = structlog.get_logger()


class FunctionsSettings(RedisSettings):
    """Load the functions that workers call in Redis; loading them again changes nothing.

    On a Redis cluster, run it once for each primary node. A Redis that stores nothing on disk
    forgets its functions when it restarts: keep them loaded there.
    """

    keep_loaded: bool = Field(
        default=False, description="go on looking every second, and load what is missing"
    )


def main(argv: Sequence[str]) -> int:
    """Run the command; returns an exit code."""
    logs.configure("functions")
    try:
        settings = load(FunctionsSettings, argv[1:], _PROGRAM, check=True)
        if CHECK in argv:
            print(*store.check(settings), "valid", sep="\n")
            return ExitCode.OK
        login = settings.redis_login()
        with store.connect(
            *login, name="functions", timeout_s=_TIMEOUT_S, tls=settings.redis_tls()
        ) as client:
            return _keep(client, Stop.on_signals()) if settings.keep_loaded else _load(client)
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.BAD_CONFIGURATION


def parser(_name: str = "functions") -> argparse.ArgumentParser:
    """The command line of this command."""
    return settings_parser(FunctionsSettings, _PROGRAM, check=True)[0]


def _load(client: Redis) -> int:
    try:
        library().load(client)
    except StoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.UNAVAILABLE
    print(f"loaded {library().name}")
    return ExitCode.OK


def _keep(client: Redis, stop: Stop) -> int:
    reachable = True
    while not stop.requested:
        try:
            if not library().is_loaded(client):
                library().load(client)
                log.info("functions.loaded", library=library().name)
            reachable = True
        except StoreError as error:
            if reachable:
                log.warning("functions.no_redis", error=str(error))
            reachable = False
        stop.sleep(_LOOK_EVERY_S)
    return ExitCode.OK
