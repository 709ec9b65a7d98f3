"""Values that are kept for some seconds and read again in the background."""

import threading

import pytest

from desk.precision.fresh import Fresh
from tests.servers.ports import eventually


class Source:
    """A function whose answers and failures the test decides."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.now_s = 0.0
        self.fails = False
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.fresh = Fresh(self.read, fresh_s=5, stale_s=60, clock=lambda: self.now_s)

    def read(self, key: str) -> int:
        self.calls.append(key)
        assert self.goes_on.wait(10)
        if self.fails:
            msg = "away"
            raise OSError(msg)
        return len(self.calls)


def test_a_value_is_read_once_while_it_is_fresh() -> None:
    source = Source()
    assert [source.fresh.get("a"), source.fresh.get("a"), source.fresh.get("b")] == [1, 1, 2]


def test_an_older_value_is_given_at_once_and_read_again_once() -> None:
    source = Source()
    source.fresh.get("a")
    source.now_s = 6
    source.goes_on.clear()
    assert [source.fresh.get("a") for _ in range(5)] == [1] * 5, "nobody waits"
    source.goes_on.set()
    eventually(lambda: source.fresh.get("a") == 2, what="the new value")
    assert source.calls == ["a", "a"]


def test_who_asks_for_a_value_that_is_too_old_waits_for_a_new_one() -> None:
    source = Source()
    source.fresh.get("a")
    source.now_s = 61
    assert source.fresh.get("a") == 2


def test_a_failure_is_told_if_there_is_no_value_and_later_tries_go_on() -> None:
    source = Source()
    source.fails = True
    with pytest.raises(OSError, match="away"):
        source.fresh.get("a")
    source.fails = False
    assert source.fresh.get("a") == 2
    source.fails, source.now_s = True, 6
    assert source.fresh.get("a") == 2, "the failure is in the background"
    eventually(lambda: len(source.calls) == 3, what="the try in the background")
    source.fails = False
    eventually(lambda: source.fresh.get("a") > 2, what="a new value")


def test_only_a_few_keys_are_kept() -> None:
    source = Source()
    for i in range(100):
        source.fresh.get(str(i))
    assert len(source.fresh._kept) == 8
