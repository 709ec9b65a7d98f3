"""The desk's page on the demo's installation: doors and precision.

Throughput and labels need RabbitMQ, which the demo has not; its workers hold one model.
"""

import secrets
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from desk.access.access import Access
from desk.access.passwords import Passwords, hash_of
from desk.access.roles import Role
from desk.access.sessions import Sessions
from desk.access.users import User, Users, text_of
from desk.app import create
from desk.doors import view as doors
from desk.doors.board import Board
from desk.doors.reader import Reader
from desk.journal import FILE_NAME, Journal
from desk.precision import view as precision
from desk.precision.estimating import estimating, references
from desk.server import bound, serve
from desk.settings import SHIPPED_CARD
from desk.web import assets
from desk.web.pages import environment
from desk.web.streams import Streams
from desk.web.view import View
from maskgate.runtime.clock import now_ms
from maskgate.runtime.store import connect

_USER = "demo"
_SESSION_S = 24 * 3600
_HEAD_TIMEOUT_S = 10.0


@contextmanager
def served(redis_url: str, camera: str) -> Iterator[str]:
    """Serve the page inside the ``with``; yields its address, and who may sign in."""
    password = secrets.token_urlsafe(9)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="maskgate-demo-")))
        client = stack.enter_context(connect(redis_url, None, name="desk", timeout_s=5))
        templates = environment()
        board = Board(templates)
        stack.enter_context(Reader(client, board.show, cameras=[camera]).running())
        access = _access(folder, password)
        estimates = estimating(client, references([SHIPPED_CARD]), now_ms)
        views = [
            View("Doors", doors.PATH, Role.VIEWER, doors.routes(board, client)),
            View(
                "Precision",
                "/precision",
                Role.VIEWER,
                precision.routes(client, templates, estimates=estimates),
            ),
        ]
        app = create(
            views,
            access,
            streams=Streams(access.sessions),
            templates=templates,
            assets=assets.find(assets.default_folder()),
        )
        listening = bound("127.0.0.1", 0)
        threading.Thread(
            target=serve,
            args=(app, listening),
            kwargs={"head_timeout_s": _HEAD_TIMEOUT_S},
            daemon=True,
        ).start()
        port = listening.getsockname()[1]
        yield f"http://127.0.0.1:{port}/ (user {_USER}, password {password})"


def _access(folder: Path, password: str) -> Access:
    users_file = folder / "users"
    users_file.touch(0o600)
    users_file.write_text(text_of({_USER: User(_USER, Role.OPERATOR, hash_of(password))}))
    users = Users(users_file)
    return Access(
        users=users,
        sessions=Sessions(users, idle_s=_SESSION_S, lifetime_s=_SESSION_S),
        journal=Journal(folder / FILE_NAME),
        passwords=Passwords(users),
    )
