"""Who is asked about what, and what the answers make of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.labels.agreement import cohens_kappa
from desk.labels.key import Key
from desk.labels.outcomes import Answer
from desk.labels.rules import Labelling
from desk.labels.store import LabelStore
from tests.review_crops import NOW_MS, review_crop


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LabelStore]:
    store = LabelStore(tmp_path, Key(bytes(32)), clock=lambda: NOW_MS, twice=0)
    yield store
    store.close()


@pytest.fixture
def twice(tmp_path: Path) -> Iterator[LabelStore]:
    """Every crop is shown to two labellers."""
    store = LabelStore(tmp_path, Key(bytes(32)), clock=lambda: NOW_MS, twice=1)
    yield store
    store.close()


def labelling(store: LabelStore, crops: int) -> Labelling:
    for _ in range(crops):
        store.add(review_crop())
    return Labelling(store.database, store.clock)


def answer_all(labelling: Labelling, labeller: str, *answers: Answer) -> list[str]:
    seen = []
    for answer in answers:
        crop_id = labelling.next(labeller)
        assert crop_id is not None
        seen.append(crop_id)
        assert labelling.answer(crop_id, labeller, answer)
    return seen


def test_a_labeller_sees_each_crop_once(store: LabelStore) -> None:
    work = labelling(store, 3)
    assert work.next("anna") == work.next("anna"), "the same one until it is answered"
    seen = answer_all(work, "anna", *[Answer.MASK] * 3)
    assert len(set(seen)) == 3
    assert work.next("anna") is None
    assert not work.answer(seen[0], "anna", Answer.NO_MASK), "an answer is given once"
    assert work.settled() == dict.fromkeys(seen, Answer.MASK)


def test_two_labellers_do_not_get_the_same_crop_unless_both_are_asked(store: LabelStore) -> None:
    work = labelling(store, 2)
    first, second = work.next("anna"), work.next("bert")
    assert first != second
    assert work.next("carl") is None, "both are shown to somebody"
    assert work.progress("anna").open == 2
    assert first is not None
    work.answer(first, "anna", Answer.MASK)
    assert work.next("bert") == second
    assert (work.progress("bert").open, work.progress("anna").own) == (1, 1)


def test_a_crop_for_two_is_shown_to_two_and_never_to_one_twice(twice: LabelStore) -> None:
    work = labelling(twice, 1)
    [crop_id] = answer_all(work, "anna", Answer.MASK)
    assert work.next("anna") is None
    assert work.settled() == {}, "the second answer is missing"
    assert answer_all(work, "bert", Answer.MASK) == [crop_id]
    assert work.next("carl") is None
    assert work.settled() == {crop_id: Answer.MASK}


def test_a_crop_on_which_two_differ_has_no_label(twice: LabelStore) -> None:
    work = labelling(twice, 1)
    answer_all(work, "anna", Answer.MASK)
    answer_all(work, "bert", Answer.WORN_BADLY)
    assert work.settled() == {}
    outcomes = work.outcomes()
    assert (outcomes.conflicts, sum(outcomes.labels.values())) == (1, 0)


def test_a_crop_that_nobody_can_tell_has_no_label(store: LabelStore) -> None:
    work = labelling(store, 1)
    answer_all(work, "anna", Answer.CANT_TELL)
    assert work.settled() == {}
    assert work.outcomes().labels[Answer.CANT_TELL] == 1


def test_undo_takes_back_the_last_answer_of_this_labeller(twice: LabelStore) -> None:
    work = labelling(twice, 2)
    first, second = answer_all(work, "anna", Answer.MASK, Answer.NO_MASK)
    answer_all(work, "bert", Answer.MASK)
    assert work.undo("anna") == second
    assert work.next("anna") == second
    assert work.settled() == {first: Answer.MASK}
    assert work.undo("anna") == first
    assert work.settled() == {}
    assert work.undo("anna") is None
    assert work.progress("bert").own == 1


def test_a_deleted_crop_can_not_be_answered(store: LabelStore) -> None:
    work = labelling(store, 1)
    crop_id = work.next("anna")
    assert crop_id is not None
    store.remove([crop_id])
    assert not work.answer(crop_id, "anna", Answer.MASK)


def test_the_share_of_crops_for_two_is_the_one_of_the_setting(tmp_path: Path) -> None:
    store = LabelStore(tmp_path, Key(bytes(32)), clock=lambda: NOW_MS, twice=0.2)
    labelling(store, 200)
    [(asked,)] = store.database.rows("SELECT sum(asked) FROM crops")
    assert 200 + 40 - 28 < asked < 200 + 40 + 28  # 5 standard deviations


def test_kappa_is_the_one_computed_by_hand() -> None:
    # 100 crops; both mask 45, both no mask 35, first mask only 15, second mask only 5:
    # observed 0.80, by chance 0.60·0.50 + 0.40·0.50 = 0.50, kappa (0.80-0.50)/(1-0.50) = 0.60.
    pairs = [("m", "m")] * 45 + [("n", "n")] * 35 + [("m", "n")] * 15 + [("n", "m")] * 5
    found = cohens_kappa(pairs)
    assert found.kappa == pytest.approx(0.60, abs=1e-12)
    assert found.n == 100


def test_kappa_without_crops_or_with_one_answer_alone_is_not_defined() -> None:
    assert cohens_kappa([]).kappa is None
    assert cohens_kappa([("m", "m")] * 5).kappa is None
    assert cohens_kappa([("m", "n")] * 5).kappa == 0


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), min_size=1))
def test_kappa_is_at_most_1_and_the_same_from_both_sides(pairs: list[tuple[str, str]]) -> None:
    found = cohens_kappa(pairs)
    assert found == cohens_kappa([(b, a) for a, b in pairs])
    assert found.kappa is None or -1 <= found.kappa <= 1
    if all(a == b for a, b in pairs):
        assert found.kappa in (1, None)


def test_kappa_of_the_labellers_counts_crops_that_both_answered(twice: LabelStore) -> None:
    work = labelling(twice, 4)
    answer_all(work, "anna", Answer.MASK, Answer.MASK, Answer.NO_MASK, Answer.NO_MASK)
    answer_all(work, "bert", Answer.MASK, Answer.MASK, Answer.NO_MASK)
    agreement = work.outcomes().agreement
    assert (agreement.kappa, agreement.n) == (1.0, 3)
