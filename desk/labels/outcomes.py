"""What the answers of all labellers together make of the crops."""

from dataclasses import dataclass
from enum import StrEnum

from desk.labels.agreement import Agreement, cohens_kappa
from desk.labels.database import Database

#: By the answers of a crop, from the least to the largest word, and whether one is missing.
_OUTCOMES = """
WITH each AS (SELECT crop_id, min(answer) AS low, max(answer) AS high FROM answers GROUP BY crop_id)
SELECT low, high, missing > 0, count(*) FROM each JOIN crops USING (crop_id) GROUP BY 1, 2, 3
"""
#: The answers to one crop in the order of the labellers' names: for two labellers, each side of a
#: pair is one of them.
_PAIRS = """
SELECT a.answer, b.answer, count(*) FROM answers a JOIN answers b
ON a.crop_id = b.crop_id AND a.labeller < b.labeller GROUP BY 1, 2
"""


class Answer(StrEnum):
    """What a labeller says about a crop."""

    MASK = "mask"
    NO_MASK = "no_mask"
    WORN_BADLY = "worn_badly"
    CANT_TELL = "cant_tell"


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What all answers together say: crops by label, ``conflicts``, and the agreement."""

    labels: dict[Answer, int]
    conflicts: int
    agreement: Agreement


def read_settled(database: Database) -> dict[str, Answer]:
    """Crop id → label, of the crops that have all answers, which agree and can be used."""
    rows = database.rows(
        "SELECT crop_id, min(answer) FROM answers JOIN crops USING (crop_id) "
        "WHERE missing = 0 GROUP BY crop_id HAVING min(answer) = max(answer)"
    )
    labels = {crop_id: Answer(answer) for crop_id, answer in rows}
    return {crop_id: label for crop_id, label in labels.items() if label is not Answer.CANT_TELL}


def read_outcomes(database: Database) -> Outcomes:
    """What all answers together say."""
    labels, conflicts = dict.fromkeys(Answer, 0), 0
    for low, high, is_open, crops in database.rows(_OUTCOMES):
        if low != high:
            conflicts += crops
        elif not is_open:
            labels[Answer(low)] += crops
    pairs: list[tuple[str, str]] = []
    for first, second, crops in database.rows(_PAIRS):
        pairs += [(first, second)] * crops
    return Outcomes(labels, conflicts, cohens_kappa(pairs))
