"""The lock files of the images hold what pyproject.toml requires, with a hash for every file."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent.parent
LOCKS = sorted((ROOT / "deploy" / "locks").glob("*.txt"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def wanted(role: str) -> list[str]:
    if role == "build":
        return list(PROJECT["build-system"]["requires"])
    return [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"][role]]


def versions(lock: Path) -> dict[str, str]:
    """Package -> version; each has a hash."""
    entries = lock.read_text().replace("\\\n", " ").splitlines()
    assert all(" --hash=sha256:" in entry for entry in entries)
    return dict(entry.split()[0].split("==") for entry in entries)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_has_what_its_role_needs_and_a_hash_for_every_file(lock: Path) -> None:
    locked = versions(lock)
    for line in wanted(lock.stem):
        requirement = Requirement(line)
        assert requirement.specifier.contains(locked[requirement.name]), (
            f"{requirement}: run make lock"
        )


@pytest.mark.parametrize("role", ["camera", "producer", "worker"])
def test_what_traces_need_has_the_versions_that_are_locked_for_a_role(role: str) -> None:
    traces = versions(LOCKS[0].with_name("tracing.txt"))
    locked = versions(LOCKS[0].with_name(f"{role}.txt"))
    both = traces.keys() & locked.keys()
    assert {name: traces[name] for name in both} == {name: locked[name] for name in both}


def test_tracing_and_every_role_but_the_trainer_have_a_lock() -> None:
    assert {lock.stem for lock in LOCKS} == {
        "build",
        "camera",
        "desk",
        "gate",
        "producer",
        "tracing",
        "worker",
    }
