"""The fault tests' own judge of doors: it must find what it is there to find."""

from maskgate.protocol.verdict import Outcome, Verdict
from tests.faults.people import People


def bare(decided_at_ms: int) -> Verdict:
    return Verdict(
        crop_id="c",
        track_id="a",
        outcome=Outcome.NO_MASK,
        p_mask=0.01,
        captured_at_ms=decided_at_ms - 5,
        decided_at_ms=decided_at_ms,
        model="m",
        crops=1,
        agreeing=1,
    )


def test_opening_while_somebody_is_known_to_wear_a_mask_is_wrong() -> None:
    people = People()
    people.masked("lobby", 10_000, 9_990)
    people.opened("lobby", bare(12_000))
    people.opened("yard", bare(12_000))
    assert len(people.wrong_opens()) == 1


def test_who_is_not_known_yet_or_has_gone_or_was_forgotten_does_not_count() -> None:
    people = People()
    people.masked("lobby", 10_000, 9_990)
    for at_ms in (9_999, 10_000, 12_990):
        people.opened("lobby", bare(at_ms))
    assert not people.wrong_opens()
    people.opened("lobby", bare(12_989))
    assert len(people.wrong_opens()) == 1
    people.forget(11_000, 11_000)
    assert not people.wrong_opens()


def test_what_was_decided_before_redis_forgot_and_written_after_it_knows_of_nobody() -> None:
    people = People()
    people.masked("lobby", 10_000, 9_990)
    people.forget(10_010, 10_020)
    people.opened("lobby", bare(10_005))
    assert len(people.wrong_opens()) == 1, "as far as anybody knows it was written at once"
    people.written("c", 10_005, 10_015)
    assert not people.wrong_opens()


def test_a_mask_that_was_decided_first_and_written_last_was_not_known() -> None:
    people = People()
    people.masked("lobby", 10_500, 9_990)
    people.written("c", 10_400, 10_450)
    people.opened("lobby", bare(10_400))
    assert not people.wrong_opens()
    people.written("c", 10_401, 10_501)
    people.opened("lobby", bare(10_401))
    assert len(people.wrong_opens()) == 1
