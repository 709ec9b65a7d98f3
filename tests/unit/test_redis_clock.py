import time

import pytest

from worker.store.redis_clock import ClockReading, RedisClock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> RedisClock:
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    return RedisClock(lambda: 77)


def test_before_the_first_answer_this_machines_clock_counts(clock: RedisClock) -> None:
    assert (clock.now_ms(), clock.uncertain_ms) == (77, 0)


def test_the_quickest_of_the_last_eight_answers_counts(clock: RedisClock) -> None:
    clock.add(ClockReading(90.0, 5_000_002, 90.004))
    for _ in range(7):  # Redis answers at once, but the answers are under way for 900 ms
        clock.add(ClockReading(91.0, 5_001_000, 91.9))
    assert (clock.now_ms(), clock.uncertain_ms) == (5_010_000, 2)
    clock.add(ClockReading(92.0, 5_002_000, 92.3))
    assert (clock.now_ms(), clock.uncertain_ms) == (5_009_850, 150)


@pytest.mark.parametrize("set_by_ms", [-4000, 4000])
def test_a_clock_that_was_set_is_followed_at_once(set_by_ms: int, clock: RedisClock) -> None:
    clock.add(ClockReading(90.0, 5_000_000, 90.0))
    clock.add(ClockReading(91.0, 5_001_001 + set_by_ms, 91.002))
    assert clock.now_ms() == 5_010_000 + set_by_ms
