"""``python -m desk``: wires the web page and serves it.

``python -m desk user`` manages who may sign in; ``python -m desk assets`` fetches two libraries for
the browser; ``python -m desk key``, ``export`` and ``delete`` are for crops to label.
"""

import sys
from collections.abc import Callable
from contextlib import ExitStack

import structlog
from jinja2 import Environment
from prometheus_client import CollectorRegistry
from redis import Redis
from starlette.applications import Starlette

from desk import journal_view, server
from desk.access import user_commands
from desk.access.access import Access
from desk.access.identity import Proxy
from desk.access.passwords import Passwords
from desk.access.roles import Role
from desk.access.sessions import Sessions
from desk.access.users import Users
from desk.app import create
from desk.background import running
from desk.check import check
from desk.doors import view as doors
from desk.doors.board import Board
from desk.doors.reader import Reader
from desk.journal import FILE_NAME, NOBODY, Journal, JournalError
from desk.labels import commands as label_commands
from desk.labels import setup as labels
from desk.metrics import serving
from desk.models import view as models
from desk.precision import view as precision
from desk.precision.alarm_log import AlarmLog
from desk.precision.estimating import estimating, references
from desk.settings import DeskSettings
from desk.throughput import opening as throughput
from desk.web import assets, fetch
from desk.web.pages import environment
from desk.web.streams import Streams
from desk.web.view import View
from maskgate.protocol.errors import ConfigurationError
from maskgate.runtime import logs, pika_internals
from maskgate.runtime.broker import parameters
from maskgate.runtime.clock import now_ms
from maskgate.runtime.command_line import CHECK
from maskgate.runtime.exit_codes import ExitCode
from maskgate.runtime.settings import load
from maskgate.runtime.stop import Stop
from maskgate.runtime.store import connect

_COMMANDS = (
    "Commands: python -m desk user adds, lists and removes those who may sign in; "
    "python -m desk assets fetches uPlot for the browser; "
    "python -m desk key, export and delete are for crops to label."
)

_RUN: dict[str, Callable[[list[str]], int]] = {
    "user": lambda argv: user_commands.main(argv[1:]),
    "assets": lambda argv: fetch.main(argv[1:]),
    **dict.fromkeys(label_commands.COMMANDS, label_commands.main),
}
_SWITCH_S = 0.0005

log = structlog.get_logger()


def main(argv: list[str]) -> int:
    """The command line; returns an exit code."""
    logs.configure("desk")
    pika_internals.install()
    try:
        if argv and argv[0] in _RUN:
            return _RUN[argv[0]](argv)
        settings = load(DeskSettings, argv, "python -m desk", check=True, commands=_COMMANDS)
        if CHECK in argv:
            print(*check(settings), "valid", sep="\n")
            return ExitCode.OK
        logs.configure("desk", level=settings.log_level, as_json=settings.log_json)
        return _serve(settings)
    except ConfigurationError as error:
        log.error("desk.bad_configuration", error=str(error))
        return ExitCode.BAD_CONFIGURATION
    except JournalError as error:
        log.error("desk.no_journal", error=str(error))
        return ExitCode.UNAVAILABLE


def _serve(settings: DeskSettings) -> int:
    # A page waits at most so long for the thread that reads the doors, instead of 5 ms each time.
    sys.setswitchinterval(_SWITCH_S)
    # uvicorn hands the signal on when it has stopped: then it must not kill.
    Stop.on_signals()
    with ExitStack() as stack:
        app, access = application(settings, stack)
        listening = server.bound(settings.desk_host, settings.desk_port)
        host, port = listening.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        access.journal.write(NOBODY, "desk_started")
        # Printed as well: whoever asked for port 0 reads it there. In one write with its line end,
        # since other threads' log lines may go to the same file.
        print(f"http://{shown}:{port}/\n", end="", flush=True)
        log.info("desk.started", address=f"http://{shown}:{port}/")
        server.serve(app, listening, head_timeout_s=settings.desk_client_timeout_s)
    access.journal.write(NOBODY, "desk_stopped")
    log.info("desk.stopped")
    return ExitCode.OK


def application(settings: DeskSettings, stack: ExitStack) -> tuple[Starlette, Access]:
    """The page as the settings have it; what runs beside it ends with the stack.

    Raises:
        ConfigurationError: a setting or the users file can't be used.
    """
    access, templates = _access(settings), environment()
    app = create(
        _views(settings, access, templates, stack),
        access,
        streams=Streams(access.sessions),
        templates=templates,
        assets=assets.find(settings.desk_assets_dir or assets.default_folder()),
    )
    return app, access


def _views(
    settings: DeskSettings, access: Access, templates: Environment, stack: ExitStack
) -> list[View]:
    """The views in the order of the navigation.

    A new view is one more line. What runs in the background is a context manager that the stack
    enters, so that it ends with the process.
    """
    broker = parameters(*settings.broker_login(), name="desk", tls=settings.broker_tls())
    client = connect(
        *settings.redis_login(),
        name="desk",
        timeout_s=settings.redis_timeout_s,
        tls=settings.redis_tls(),
    )
    board = Board(templates)
    stack.enter_context(client)
    stack.enter_context(Reader(client, board.show, cameras=settings.cameras()).running())
    return [
        View("Doors", doors.PATH, Role.VIEWER, doors.routes(board, client)),
        _precision(settings, client, templates, stack),
        throughput.view(settings, broker, templates, access.journal, stack),
        *labels.views(settings, broker, access.journal, stack),
        View("Models", models.PATH, Role.VIEWER, models.routes(client, access.journal)),
        View("Journal", "/journal", Role.OPERATOR, journal_view.routes(access.journal)),
    ]


def _precision(
    settings: DeskSettings, client: Redis, templates: Environment, stack: ExitStack
) -> View:
    estimates = estimating(client, references(settings.cards()), now_ms)
    registry = CollectorRegistry()
    stack.enter_context(running("alarms", AlarmLog(estimates, registry).run))
    if settings.metrics_port:
        stack.enter_context(serving(settings.metrics_host, settings.metrics_port, registry))
    routes = precision.routes(client, templates, estimates=estimates)
    return View("Precision", "/precision", Role.VIEWER, routes)


def _access(settings: DeskSettings) -> Access:
    folder, users_file = settings.state_dir(), settings.users_file()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        users_file.touch(0o600)  # a new site has nobody yet
    except OSError as error:
        msg = f"MASKGATE_DESK_STATE_DIR: {error.filename or folder}: {error.strerror}"
        raise ConfigurationError(msg) from None
    users = Users(users_file)
    if not users.all():
        log.warning("desk.nobody", users=str(users_file), add="python -m desk user add NAME")
    return Access(
        users=users,
        sessions=Sessions(users, idle_s=settings.desk_idle_s, lifetime_s=settings.desk_session_s),
        journal=Journal(folder / FILE_NAME),
        passwords=Passwords(users),
        proxy=Proxy(settings.desk_proxy, settings.desk_trusted_header),
        https=settings.desk_https,
        client_timeout_s=settings.desk_client_timeout_s,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
