"""A real rabbitmq-server: free ports, a temporary folder, maskgate's definitions imported."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pika
import pytest

from maskgate.operations.topology import DEFINITIONS
from maskgate.protocol.topology import AUDIT_QUEUE, DEAD_QUEUE, LIVE_QUEUE, REVIEW_QUEUE
from tests.servers.certificates import ServerTls
from tests.servers.ports import eventually, free_port, require

_BIN = "/usr/lib/rabbitmq/bin"
_LIMITS = ("max_message_size", "consumer_timeout", "raft.wal_max_size_bytes")


@dataclass
class RabbitServer:
    port: int
    management_port: int
    metrics_port: int
    folder: Path
    environment: dict[str, str] = field(repr=False)
    process: "subprocess.Popen[bytes] | None" = None
    tls_port: int | None = None

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/%2F"

    @property
    def tls_url(self) -> str:
        return f"amqps://guest:guest@localhost:{self.tls_port}/%2F"

    @property
    def management_url(self) -> str:
        """Its password is ``guest`` too; management commands take none from a URL."""
        return f"http://guest@127.0.0.1:{self.management_port}"

    def start(self) -> None:
        with (self.folder / "out.log").open("ab") as log:
            self.process = subprocess.Popen(
                [require("rabbitmq-server", _BIN)],
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        process = self.process
        try:
            eventually(
                lambda: self.ready() or process.poll() is not None, 60, "rabbitmq-server answering"
            )
        except pytest.fail.Exception as error:
            pytest.fail(f"{error}; end of its log:\n{self.log()[-3000:]}")
        if process.poll() is not None:
            pytest.fail(f"rabbitmq-server exited; end of its log:\n{self.log()[-3000:]}")

    def log(self) -> str:
        return (self.folder / "out.log").read_text()

    def ready(self) -> bool:
        try:
            with self.channel() as channel:
                channel.queue_declare(LIVE_QUEUE, passive=True)
        except Exception:
            return False
        return True

    def stop(self) -> None:
        self.ctl("shutdown", "--timeout", "20")
        if self.process:
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()

    def discard(self) -> None:
        """End it at once: a shutdown takes seconds, and nobody needs what it holds."""
        if self.process:
            for child in _children(self.process.pid):  # the shell above it then ends by itself
                os.kill(child, signal.SIGKILL)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)

    def forget_certificates(self) -> None:
        """Make the broker read its certificate files now; its cache lasts two minutes."""
        self.ctl("eval", "ssl:clear_pem_cache().")

    def ctl(self, *arguments: str) -> str:
        command = [
            require("rabbitmqctl", _BIN),
            "-q",
            "-n",
            self.environment["RABBITMQ_NODENAME"],
            *arguments,
        ]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        return done.stdout + done.stderr

    @contextmanager
    def channel(self) -> Iterator[Any]:
        parameters = pika.URLParameters(self.url)
        parameters.socket_timeout = 5
        connection = pika.BlockingConnection(parameters)
        try:
            yield connection.channel()
        finally:
            if connection.is_open:
                connection.close()

    def purge(self) -> None:
        with self.channel() as channel:
            for queue in (LIVE_QUEUE, AUDIT_QUEUE, DEAD_QUEUE, REVIEW_QUEUE):
                channel.queue_purge(queue)

    def depth(self, queue: str) -> int:
        """The number of ready messages; unacknowledged ones are not counted."""
        with self.channel() as channel:
            return int(channel.queue_declare(queue, passive=True).method.message_count)

    def get(self, queue: str) -> list[tuple[Any, bytes]]:
        """Remove all ready messages from a queue; returns properties and body of each."""
        taken: list[tuple[Any, bytes]] = []
        with self.channel() as channel:
            while True:
                method, properties, body = channel.basic_get(queue, auto_ack=True)
                if method is None:
                    return taken
                taken.append((properties, body))


@contextmanager
def rabbit_server(tls: ServerTls | None = None) -> Iterator[RabbitServer]:
    require("rabbitmq-server", _BIN)
    server = _configured(tls)
    try:
        try:
            server.start()
        except pytest.fail.Exception:
            if "eaddrinuse" not in server.log():
                raise
            # Another process took the port: the broker listens seconds after it was chosen.
            _end(server)
            server = _configured(tls)
            server.start()
        yield server
    finally:
        _end(server)


def _configured(tls: ServerTls | None) -> RabbitServer:
    folder = Path(tempfile.mkdtemp(prefix="maskgate-rabbit-"))
    port, distribution, epmd, management, metrics = (free_port() for _ in range(5))
    # The plugins that the official image has on.
    (folder / "plugins").write_text("[rabbitmq_management,rabbitmq_prometheus].")
    (folder / "empty.conf").touch()
    (folder / "rabbitmq.conf").write_text(
        f"listeners.tcp.1 = 127.0.0.1:{port}\n"
        f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {management}\n"
        f"prometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = {metrics}\n"
        f"load_definitions = {folder / 'definitions.json'}\nlog.console = true\nlog.file = false\n"
        + _shipped_limits()
    )
    tls_port = free_port() if tls else None
    if tls:
        with (folder / "rabbitmq.conf").open("a") as conf:
            conf.write(_tls_options(tls_port, tls))
    # A broker that imports definitions creates no default user.
    everything = {"user": "guest", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}
    guest = {"name": "guest", "password": "guest", "tags": "administrator"}
    definitions = {
        **json.loads(DEFINITIONS.read_bytes()),
        "users": [guest],
        "permissions": [everything],
    }
    (folder / "definitions.json").write_text(json.dumps(definitions))
    environment = {
        "PATH": f"{_BIN}:{os.environ['PATH']}",
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "empty.conf"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_NODENAME": f"maskgate{port}@localhost",
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_DIST_PORT": str(distribution),
        "ERL_EPMD_PORT": str(epmd),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        # Otherwise a broker that cannot start writes its crash dump to the current folder.
        "ERL_CRASH_DUMP": str(folder / "erl_crash.dump"),
    }
    return RabbitServer(port, management, metrics, folder, environment, tls_port=tls_port)


def _shipped_limits() -> str:
    """The lines of the shipped configuration that limit what a client may do."""
    lines = (DEFINITIONS.parent / "rabbitmq.conf").read_text().splitlines()
    return "".join(f"{line}\n" for line in lines if line.split(" ")[0] in _LIMITS)


def _end(server: RabbitServer) -> None:
    server.discard()
    _end_epmd(int(server.environment["ERL_EPMD_PORT"]))
    shutil.rmtree(server.folder, ignore_errors=True)


def _children(pid: int) -> list[int]:
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:  # it has ended
        return []


def _tls_options(port: int | None, tls: ServerTls) -> str:
    demanded = str(tls.demands_client_certificate).lower()
    verify = "verify_peer" if tls.demands_client_certificate else "verify_none"
    return (
        f"listeners.ssl.1 = 127.0.0.1:{port}\n"
        f"ssl_options.cacertfile = {tls.ca}\n"
        f"ssl_options.certfile = {tls.certificate.cert}\n"
        f"ssl_options.keyfile = {tls.certificate.key}\n"
        f"ssl_options.versions.1 = tlsv1.3\nssl_options.versions.2 = tlsv1.2\n"
        f"ssl_options.verify = {verify}\n"
        f"ssl_options.fail_if_no_peer_cert = {demanded}\n"
    )


def _end_epmd(port: int) -> None:
    """End the server's epmd, which keeps running without it; its port identifies it."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "environ").read_bytes().split(b"\0")
            is_epmd = b"epmd" in (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if is_epmd and f"ERL_EPMD_PORT={port}".encode() in words:
            os.kill(int(entry.name), 15)
