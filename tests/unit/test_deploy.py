import base64
import fnmatch
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from maskgate.operations.live_keys import cameras_of
from maskgate.operations.rights import BROKER_RIGHTS, LIVE_KEYS, REDIS_RIGHTS
from maskgate.operations.secrets import GIVEN, generate, rabbit_hash
from maskgate.operations.topology import DEFINITIONS
from maskgate.protocol import audit, topology, verdict
from maskgate.runtime.settings import TracesSettings
from worker.review.rates import read as read_rates
from worker.settings import WorkerSettings
from worker.store.audit_counts import audit_keys

ROOT = Path(__file__).parent.parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
OBSERVE = ROOT / "deploy" / "observe"
SERVICES: dict[str, Any] = COMPOSE["services"]
BUILT = {name: service for name, service in SERVICES.items() if "build" in service}
#: What an image of each role holds beside the library: whole folders and single files.
IMAGE_PARTS = {
    "gate": [],
    "producer": ["producer", "deploy/model/mask.json"],
    "worker": ["worker", "deploy/model/mask.onnx"],
    "trainer": ["trainer"],
    "desk": ["desk", "deploy/model/mask.json"],  # and the assets, which the build fetches
    "camera": ["producer", "deploy/model/mask.json"],  # and the detector, which the build fetches
}
#: The RTSP server for trying has an image of its own.
ROLES = {name: service for name, service in BUILT.items() if name != "rtsp"}


def image_files(role: str, directory: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["sh", "deploy/image-files", role, directory],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def files_of(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }


@pytest.mark.parametrize("role", IMAGE_PARTS)
def test_an_image_holds_the_files_of_its_role_and_no_others(role: str, tmp_path: Path) -> None:
    copied = image_files(role, tmp_path / "app")
    assert copied.returncode == 0, copied.stderr
    wanted: dict[str, bytes] = {}
    for part in (ROOT / name for name in IMAGE_PARTS[role]):
        found = files_of(part) if part.is_dir() else {"": part.read_bytes()}
        assert found
        prefix = part.relative_to(ROOT)
        wanted |= {str(prefix / name): content for name, content in found.items()}
    assert {
        str(path.relative_to(tmp_path / "app")): path.read_bytes()
        for path in (tmp_path / "app").rglob("*")
        if path.is_file()
    } == wanted


def test_a_build_gets_every_folder_that_an_image_holds() -> None:
    sent = (ROOT / ".dockerignore").read_text().splitlines()
    folders = {part.partition("/")[0] for parts in IMAGE_PARTS.values() for part in parts}
    assert {f"!{folder}" for folder in folders} <= set(sent)


def test_an_image_of_an_unknown_role_is_refused(tmp_path: Path) -> None:
    refused = image_files("demo", tmp_path / "app")
    assert refused.returncode == 64
    assert "unknown role demo" in refused.stderr
    assert not (tmp_path / "app").exists()


def test_the_compose_file_builds_every_role() -> None:
    assert {service["build"]["args"]["ROLE"] for service in ROLES.values()} == IMAGE_PARTS.keys()


@pytest.mark.parametrize("name", ROLES)
def test_a_service_runs_and_checks_only_modules_that_its_image_holds(name: str) -> None:
    service = BUILT[name]
    words = service.get("entrypoint", []) + service["command"]
    module = words[words.index("-m") + 1] if "-m" in words else words[0]
    role = service["build"]["args"]["ROLE"]
    checked = service.get("healthcheck", {}).get("test", [])
    checks = checked[checked.index("-m") + 1].partition(".")[0] if "-m" in checked else module
    assert {module, checks} <= {"maskgate", *IMAGE_PARTS[role]}
    assert service["image"] == f"maskgate-{role}"


def test_every_image_from_elsewhere_can_be_pinned_by_its_digest(tmp_path: Path) -> None:
    digest = f"sha256:{'0' * 64}"
    (tmp_path / "docker").write_text(f"#!/bin/sh\nprintf '%s' {digest}\n")
    (tmp_path / "docker").chmod(0o755)
    pinned = pin_images(tmp_path)
    printed = dict(line.split("=", 1) for line in pinned.stdout.splitlines())
    used = (ROOT / "docker-compose.yml").read_text()
    tags = dict(re.findall(r"\$\{(MASKGATE_\w+_IMAGE):-([\w.:/-]+)\}", used))
    assert printed == {name: f"{tag}@{digest}" for name, tag in tags.items()}
    outside = {service["image"] for name, service in SERVICES.items() if name not in BUILT}
    assert all(image.startswith("${MASKGATE_") for image in outside)
    assert all(
        service["build"]["args"]["PYTHON_IMAGE"] == COMPOSE["x-python"]
        for service in BUILT.values()
    )
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    assert f"ARG PYTHON_IMAGE={tags['MASKGATE_PYTHON_IMAGE']}\n" in dockerfile
    assert set(re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)) == {"${PYTHON_IMAGE}"}


def test_a_registry_without_a_digest_pins_nothing(tmp_path: Path) -> None:
    (tmp_path / "docker").write_text("#!/bin/sh\necho nonsense\n")
    (tmp_path / "docker").chmod(0o755)
    pinned = pin_images(tmp_path)
    assert (pinned.returncode, pinned.stdout) == (69, "")
    assert "python:3.13-slim" in pinned.stderr


def pin_images(folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["sh", "deploy/pin-images"],
        cwd=ROOT,
        env={"PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_image_finds_the_folder_of_its_role() -> None:
    lines = (ROOT / "deploy" / "Dockerfile").read_text().splitlines()
    settings = next(line for line in reversed(lines) if line.startswith("ENV ")).split()
    assert "PYTHONPATH=/app" in settings
    assert "COPY --from=build /app /app" in lines
    assert any('sh deploy/image-files "${ROLE}" /app' in line for line in lines)


def test_the_definitions_hold_the_names_that_the_code_uses() -> None:
    definitions = json.loads(DEFINITIONS.read_bytes())
    assert {queue["name"] for queue in definitions["queues"]} == {
        topology.LIVE_QUEUE,
        topology.AUDIT_QUEUE,
        topology.DEAD_QUEUE,
        topology.REVIEW_QUEUE,
    }
    bound = {(b["source"], b["routing_key"], b["destination"]) for b in definitions["bindings"]}
    assert (topology.LIVE_EXCHANGE, topology.LIVE_BINDING, topology.LIVE_QUEUE) in bound
    assert (topology.AUDIT_EXCHANGE, topology.AUDIT_KEY, topology.AUDIT_QUEUE) in bound
    assert (topology.DEAD_EXCHANGE, "", topology.DEAD_QUEUE) in bound
    assert (topology.REVIEW_EXCHANGE, topology.REVIEW_KEY, topology.REVIEW_QUEUE) in bound
    assert all(queue["arguments"] == {"x-queue-type": "quorum"} for queue in definitions["queues"])


def test_compose_pins_the_model_that_is_committed() -> None:
    digest = hashlib.sha256((ROOT / "deploy" / "model" / "mask.onnx").read_bytes()).hexdigest()
    assert SERVICES["worker"]["environment"]["MASKGATE_MODEL_SHA256"] == digest


@pytest.mark.parametrize("name", SERVICES)
def test_no_container_has_more_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "container_name" not in service
    # A browser reaches the page, and from this machine alone.
    published = ["127.0.0.1:${MASKGATE_DESK_PORT:-8300}:8300"] if name == "desk" else []
    assert service.get("ports", []) == published
    outside = [n for n in service.get("networks", []) if not (COMPOSE["networks"][n] or {})]
    assert outside == (["page"] if name == "desk" else [])


def test_cameras_reach_the_broker_alone() -> None:
    beside_cameras = {
        name
        for name, service in SERVICES.items()
        if set(service.get("networks", [])) & set(SERVICES["producer"]["networks"])
    }
    assert beside_cameras == {"producer", "camera", "rabbitmq"}
    assert [n for n, s in SERVICES.items() if "video" in s.get("networks", [])] == [
        "camera",
        "rtsp",
    ]


def test_each_camera_of_the_compose_file_has_a_user_that_speaks_for_it_alone() -> None:
    for name, camera in (("producer", "lobby"), ("camera", "entrance")):
        service = SERVICES[name]
        user = urlsplit(service["environment"]["MASKGATE_BROKER_URL"]).username
        assert f"--camera={camera}" in service["command"]
        assert user is not None
        assert cameras_of(LIVE_KEYS[user]) == [camera]
        folder = service["volumes"][0].partition(":")[0].removeprefix("secrets-")
        assert GIVEN[folder] == {"broker": user}


def test_the_secrets_of_every_container_are_kept_in_a_volume() -> None:
    mounted = {
        volume.rpartition("/")[2]
        for volume in (volume.partition(" ")[0] for volume in SERVICES["secrets"]["volumes"])
    }
    assert mounted == GIVEN.keys()


def test_prometheus_reaches_workers_and_the_broker_and_grafana_reaches_prometheus() -> None:
    assert {n for n, s in SERVICES.items() if "observe" in s.get("networks", [])} == {
        *("prometheus", "alertmanager", "grafana")
    }
    assert SERVICES["grafana"]["networks"] == SERVICES["alertmanager"]["networks"] == ["observe"]
    ours = set(SERVICES["prometheus"]["networks"])
    config = yaml.safe_load((OBSERVE / "prometheus.yml").read_text())
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    [workers] = jobs["maskgate-worker"]["dns_sd_configs"]
    assert str(workers["port"]) == SERVICES["worker"]["environment"]["MASKGATE_METRICS_PORT"]
    asked = [*workers["names"], *hosts(jobs["rabbitmq"]), *hosts(jobs["rabbitmq-queues"])]
    asked += hosts(*config["alerting"]["alertmanagers"])
    assert all(ours & set(SERVICES[name]["networks"]) for name in asked)
    sources = yaml.safe_load((OBSERVE / "grafana" / "datasources" / "datasources.yml").read_text())
    urls = {urlsplit(source["url"]).hostname for source in sources["datasources"]}
    assert urls == {"prometheus", "alertmanager"}


def test_what_is_opened_on_request_is_opened_on_this_machine_alone() -> None:
    outside = yaml.safe_load((OBSERVE / "outside.yml").read_text())
    opened = {port for each in outside["services"].values() for port in each.get("ports", [])}
    assert opened == {"127.0.0.1:3000:3000"}
    for name, service in outside["services"].items():
        assert set(service["networks"]) > set(SERVICES[name]["networks"])
    own = [set(service["networks"]) - {"observe"} for service in outside["services"].values()]
    assert set.union(*own) == set(outside["networks"])
    assert not set.intersection(*own)


@pytest.mark.parametrize("file", ["labels/compose.yml", "challenger.yml"])
def test_what_workers_do_on_request_are_settings_with_files_at_their_places(file: str) -> None:
    worker = yaml.safe_load((ROOT / "deploy" / file).read_text())["services"]["worker"]
    known = {f"MASKGATE_{name}".upper() for name in WorkerSettings.model_fields}
    assert worker["environment"].keys() <= known
    mounted = {volume.split("}:")[1].removesuffix(":ro") for volume in worker["volumes"]}
    assert {
        value for name, value in worker["environment"].items() if name.endswith(("_FILE", "_PATH"))
    } == mounted


def test_traces_change_nothing_but_settings_image_and_a_network_more() -> None:
    traced = yaml.safe_load((ROOT / "deploy" / "traces.yml").read_text())
    known = {f"MASKGATE_{name}".upper() for name in TracesSettings.model_fields}
    for name, service in traced["services"].items():
        assert service["environment"].keys() == {"MASKGATE_TRACES_URL", "MASKGATE_TRACES_RATIO"}
        assert service["environment"].keys() <= known
        assert set(service["networks"]) == set(SERVICES[name]["networks"]) | set(traced["networks"])
        assert service["image"] != SERVICES[name]["image"]
        assert service["build"]["args"] == {"TRACING": "yes"}


def test_the_shipped_shares_of_crops_to_label_are_for_a_camera_of_the_compose_file() -> None:
    assert read_rates(ROOT / "deploy" / "labels" / "review.toml").keys() == {"lobby"}


def hosts(config: dict[str, Any]) -> list[str]:
    return [
        target.partition(":")[0] for each in config["static_configs"] for target in each["targets"]
    ]


def test_prometheus_and_grafana_find_their_files_where_compose_mounts_them() -> None:
    mounts = {
        name: dict(
            volume.removesuffix(":ro").rsplit(":", 1)[::-1] for volume in SERVICES[name]["volumes"]
        )
        for name in ("prometheus", "alertmanager", "grafana")
    }
    assert mounts["prometheus"]["/etc/maskgate"] == "./deploy/observe"
    for name in ("prometheus", "alertmanager"):
        assert f"--config.file=/etc/maskgate/{name}.yml" in SERVICES[name]["command"]
    shipped = mounts["alertmanager"]["/etc/maskgate/alertmanager.yml"]
    assert shipped == "${MASKGATE_ALERTMANAGER_FILE:-./deploy/observe/alertmanager.yml}"
    assert mounts["grafana"]["/etc/grafana/provisioning"] == "./deploy/observe/grafana"
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (OBSERVE / "grafana" / Path(home).relative_to("/etc/grafana/provisioning")).is_file()
    [provider] = yaml.safe_load(
        (OBSERVE / "grafana" / "dashboards" / "dashboards.yml").read_text()
    )["providers"]
    assert Path(home).is_relative_to(provider["options"]["path"])


@pytest.mark.parametrize("name", ["rabbitmq", "redis", "worker"])
def test_what_others_wait_for_says_whether_it_is_healthy(name: str) -> None:
    assert "healthcheck" in SERVICES[name]


def test_secrets_are_made_once_and_each_role_gets_its_own(tmp_path: Path) -> None:
    generate(tmp_path)
    before = {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    generate(tmp_path)
    assert {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()} == before
    passwords = [text for path, text in before.items() if path.suffix == ""]
    assert len(set(passwords)) == len(passwords) == 13
    definitions = json.loads((tmp_path / "rabbitmq" / "definitions.json").read_text())
    worker = next(user for user in definitions["users"] if user["name"] == "worker")
    salt = base64.b64decode(worker["password_hash"])[:4]
    assert (
        rabbit_hash((tmp_path / "worker" / "broker").read_text(), salt) == worker["password_hash"]
    )
    assert (tmp_path / "redis" / "users.acl").read_text().startswith("user default off\n")


def test_only_the_administrator_may_declare() -> None:
    assert {role for role, (configure, _, _) in BROKER_RIGHTS.items() if configure != "^$"} == {
        "admin"
    }


@pytest.mark.parametrize(
    ("key", "pattern"),
    [
        (verdict.verdict_key("lobby"), verdict.VERDICT_KEYS),
        (verdict.track_key("lobby", "t"), verdict.VERDICT_KEYS),
        (verdict.history_key("lobby"), verdict.HISTORY_KEYS),
        (verdict.history_key(verdict.NO_CAMERA), verdict.HISTORY_KEYS),
        *((key, audit.AUDIT_KEYS) for key in audit_keys("m", 0)),
        (audit.AUDIT_MODELS_KEY, audit.AUDIT_KEYS),
        (verdict.ALIVE_KEY, verdict.ALIVE_KEY),
        (verdict.attempts_key("0" * 32), verdict.ATTEMPTS_KEYS),
    ],
)
def test_the_workers_rights_cover_every_key_that_it_writes(key: str, pattern: str) -> None:
    assert fnmatch.fnmatchcase(key, pattern)
    assert f"~{pattern}" in REDIS_RIGHTS["worker"].split()
    assert f"~{pattern}" not in REDIS_RIGHTS["gate"].split(), "the gate only reads"


@pytest.mark.parametrize("role", [role for role, parts in IMAGE_PARTS.items() if parts])
def test_a_process_starts_from_the_files_of_its_image(role: str, tmp_path: Path) -> None:
    if role == "trainer":
        pytest.importorskip("torch", reason="the trainer's extra")
    app, site_packages = tmp_path / "app", tmp_path / "site-packages"
    image_files(role, app)
    site_packages.mkdir()
    (site_packages / "maskgate").symlink_to(ROOT / "maskgate")
    program = (
        f"import sys, {IMAGE_PARTS[role][0]}.__main__\n"
        f"own = {{'demo', 'maskgate', 'tests', *{list(IMAGE_PARTS)}}}\n"
        "for name, module in list(sys.modules.items()):\n"
        "    if name.partition('.')[0] in own: print(module.__file__)"
    )
    started = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{app}:{site_packages}", "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert started.returncode == 0, started.stderr
    files = [Path(line) for line in started.stdout.splitlines()]
    assert app / IMAGE_PARTS[role][0] / "__main__.py" in files
    assert all(file.is_relative_to(tmp_path) for file in files)
