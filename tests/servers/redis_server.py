"""A real redis-server on a free port, in a temporary folder."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError
from redis.retry import Retry

from maskgate.redis_functions import library
from tests.servers.certificates import ServerTls
from tests.servers.ports import eventually, free_port, require


@dataclass
class RedisServer:
    port: int
    process: "subprocess.Popen[bytes]"
    command: Sequence[str]
    folder: Path
    tls_port: int | None = None
    #: The password of the user ``admin``, where an ACL file asks for one.
    admin_password: str | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def tls_url(self) -> str:
        return f"rediss://localhost:{self.tls_port}/0"

    def client(self) -> Redis:
        return Redis(port=self.port, decode_responses=True)

    def answers(self) -> bool:
        try:
            # No retries: redis-py's default of 10 takes seconds.
            with Redis(port=self.port, retry=Retry(NoBackoff(), 0)) as client:
                client.ping()
        except RedisError as error:
            return isinstance(error, AuthenticationError)
        return True

    def start(self) -> None:
        self.process = _run(self.command, self.folder)
        self.be_ready()

    def be_ready(self) -> None:
        """Wait until it answers, and load the functions as a deployment does."""
        eventually(self.answers, what=f"redis-server answering (log: {self.folder})")
        user = "admin" if self.admin_password else None
        with Redis(port=self.port, username=user, password=self.admin_password) as client:
            library().load(client)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(10)


@contextmanager
def redis_server(
    acl_file: Path | None = None,
    *,
    admin_password: str | None = None,
    extra: Sequence[str] = (),
    tls: ServerTls | None = None,
) -> Iterator[RedisServer]:
    binary = require("redis-server")
    folder = Path(tempfile.mkdtemp(prefix="maskgate-redis-"))
    port = free_port()
    command = [
        binary,
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
        "--dir",
        str(folder),
        *extra,
    ]
    command += ["--aclfile", str(acl_file)] if acl_file else []
    tls_port = free_port() if tls else None
    command += _tls_options(tls_port, tls) if tls else []
    server = RedisServer(port, _run(command, folder), command, folder, tls_port, admin_password)
    try:
        server.be_ready()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _tls_options(port: int | None, tls: ServerTls) -> list[str]:
    return [
        *("--tls-port", str(port)),
        *("--tls-ca-cert-file", str(tls.ca)),
        *("--tls-cert-file", str(tls.certificate.cert)),
        *("--tls-key-file", str(tls.certificate.key)),
        *("--tls-auth-clients", "yes" if tls.demands_client_certificate else "no"),
    ]


def _run(command: Sequence[str], folder: Path) -> "subprocess.Popen[bytes]":
    with (folder / "redis.log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
