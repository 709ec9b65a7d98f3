import pytest

from producer.video.capture_clock import CaptureClock

NOW = 1_800_000_000_000


def test_without_time_stamps_a_picture_is_captured_when_it_arrives() -> None:
    clock = CaptureClock()
    assert clock.captured_at_ms(None, NOW) == NOW
    assert clock.difference_ms is None
    assert not clock.is_cameras


def test_pictures_that_were_held_up_are_as_old_as_they_are() -> None:
    clock = CaptureClock()
    assert clock.captured_at_ms(0, NOW) == NOW
    assert clock.captured_at_ms(100, NOW + 100) == NOW + 100
    late = [clock.captured_at_ms(stamp, NOW + 4000) for stamp in (200, 300, 4000)]
    assert late == [pytest.approx(NOW + stamp, abs=10) for stamp in (200, 300, 4000)]


def test_the_cameras_clock_tells_how_long_a_picture_was_under_way() -> None:
    clock = CaptureClock()
    clock.captured_at_ms(0, NOW)
    clock.hear(wallclock_ms=NOW - 70, stamp_ms=0)
    assert clock.captured_at_ms(1000, NOW + 1000) == NOW + 930
    assert (clock.difference_ms, clock.is_cameras) == (70, True)


@pytest.mark.parametrize("wrong_ms", [-3_600_000, 3_600_000, -4000, 1500, -NOW])
def test_a_camera_whose_clock_is_wrong_is_not_believed(wrong_ms: int) -> None:
    clock = CaptureClock()
    clock.hear(wallclock_ms=NOW + wrong_ms, stamp_ms=0)
    assert clock.captured_at_ms(0, NOW) == NOW
    assert (clock.difference_ms, clock.is_cameras) == (-wrong_ms, False)


def test_a_stall_does_not_make_the_cameras_clock_wrong() -> None:
    clock = CaptureClock()
    clock.hear(wallclock_ms=NOW - 70, stamp_ms=0)
    clock.captured_at_ms(0, NOW)
    assert clock.captured_at_ms(100, NOW + 4000) == NOW + 30
    assert clock.is_cameras


def test_no_picture_is_captured_after_it_arrived() -> None:
    clock = CaptureClock()
    clock.hear(wallclock_ms=NOW + 500, stamp_ms=0)
    assert clock.captured_at_ms(0, NOW) == NOW


def test_time_stands_still_rather_than_going_back_when_the_camera_speaks_up() -> None:
    clock = CaptureClock()
    before = clock.captured_at_ms(0, NOW)
    clock.hear(wallclock_ms=NOW - 700, stamp_ms=0)
    after = [clock.captured_at_ms(stamp, NOW + stamp) for stamp in (100, 600, 800)]
    assert after == [before, before, NOW + 100]


def test_the_time_follows_this_machines_clock_when_it_is_set_back() -> None:
    clock = CaptureClock()
    clock.captured_at_ms(0, NOW)
    assert clock.captured_at_ms(100, NOW - 3_600_000) == NOW - 3_600_000


def test_new_time_stamps_begin_a_new_count() -> None:
    clock = CaptureClock()
    clock.captured_at_ms(50_000, NOW)
    assert clock.captured_at_ms(0, NOW + 100) == NOW + 100
    clock.forget()
    assert clock.captured_at_ms(5, NOW + 200) == NOW + 200


def test_a_camera_whose_time_stamps_run_slow_does_not_age_its_pictures() -> None:
    clock = CaptureClock()
    for second in range(3600):
        now = NOW + second * 1000
        captured = clock.captured_at_ms(second * 1000 * 0.9999, now)
    assert captured == pytest.approx(now, abs=5)
