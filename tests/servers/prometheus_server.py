"""Debian's Prometheus and Alertmanager with the shipped files, on free ports."""

import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.servers.ports import eventually, free_port, require

SHIPPED = Path(__file__).parent.parent.parent / "deploy" / "observe"
_FAST = "250ms"


@dataclass(frozen=True)
class Prometheus:
    port: int

    def get(self, path: str, **parameters: str) -> Any:
        """What the API answers to a valid request."""
        query = urllib.parse.urlencode(parameters)
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{query}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[Any]:
        """The samples that an expression has now."""
        return list(self.get("query", query=expression)["result"])


@contextmanager
def prometheus(
    folder: Path, targets: Mapping[str, int], alertmanager: int = 9
) -> Iterator[Prometheus]:
    """With the shipped configuration, but for addresses: ``targets`` are ports by job."""
    config = yaml.safe_load((SHIPPED / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": _FAST, "evaluation_interval": _FAST}
    config["alerting"]["alertmanagers"] = [_static(alertmanager)]
    config["scrape_configs"] = [
        _redirected(job, targets[job["job_name"]]) for job in config["scrape_configs"]
    ]
    shutil.copy(SHIPPED / "alerts.yml", folder)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    command = [
        require("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with _running(command, folder / "prometheus.log", port):
        yield Prometheus(port)


@contextmanager
def alertmanager(folder: Path, webhook: str) -> Iterator[int]:
    """With the shipped configuration, whose receivers all call the webhook; yields its port."""
    config = yaml.safe_load((SHIPPED / "alertmanager.yml").read_text())
    config["route"]["group_wait"] = "0s"
    for receiver in config["receivers"]:
        receiver["webhook_configs"] = [{"url": f"{webhook}/{receiver['name']}"}]
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    command = [
        require("prometheus-alertmanager"),
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with _running(command, folder / "alertmanager.log", port):
        yield port


def _redirected(job: Mapping[str, Any], port: int) -> dict[str, Any]:
    kept = {name: value for name, value in job.items() if not name.endswith("_sd_configs")}
    return kept | _static(port)


def _static(port: int) -> dict[str, Any]:
    return {"static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}


@contextmanager
def _running(command: list[str], log: Path, port: int) -> Iterator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)

    def is_ready() -> bool:
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    try:
        eventually(is_ready, 30, command[0])
        yield
    finally:
        process.kill()
        process.wait(10)
