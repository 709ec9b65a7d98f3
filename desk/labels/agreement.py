"""How well two labellers agree, beyond chance."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Agreement:
    """Cohen's ``kappa`` over ``n`` crops that two labellers answered.

    None where it is not defined: no crops, or one and the same answer to all of them.
    """

    kappa: float | None
    n: int


def cohens_kappa(pairs: Sequence[tuple[Hashable, Hashable]]) -> Agreement:
    """Cohen's kappa (J. Cohen, Educational and Psychological Measurement 20, 1960).

    Each pair has the answers of the first and of the second labeller to one crop. 1 is perfect
    agreement, 0 is what chance gives to labellers with these frequencies of answers.
    """
    n = len(pairs)
    first, second = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    # In whole numbers until the end: two frequencies of 1 must be recognised.
    agreed = sum(a == b for a, b in pairs) * n
    by_chance = sum(first[answer] * second[answer] for answer in first)
    if n == 0 or by_chance == n * n:
        return Agreement(None, n)
    return Agreement((agreed - by_chance) / (n * n - by_chance), n)
