"""Tests in containers come last: their engine is made while the others run."""

import pytest

from tests.servers import docker_engine

_IN_CONTAINERS = "test_compose.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name == _IN_CONTAINERS)


def pytest_collection_finish(session: pytest.Session) -> None:
    is_asked = any(item.path.name == _IN_CONTAINERS for item in session.items)
    if is_asked and not session.config.option.collectonly:
        docker_engine.begun()
