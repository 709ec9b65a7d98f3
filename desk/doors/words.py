"""What a door's state is called on a page, and which colour goes with it."""

from collections import Counter
from collections.abc import Iterable

from maskgate.gate.decide import Action
from maskgate.gate.visit import Visit
from maskgate.protocol.camera_state import CameraState
from maskgate.protocol.verdict import Outcome

_ACTIONS = {
    Action.RECOGNISE: ("recognise", "good"),
    Action.REMOVE_MASK: ("remove mask", "warn"),
    Action.MANUAL: ("manual", ""),
}
_OUTCOMES = {
    Outcome.NO_MASK: ("no mask", "good"),
    Outcome.MASK: ("mask", "warn"),
    Outcome.UNCERTAIN: ("uncertain", ""),
    Outcome.UNREADABLE: ("unreadable", "bad"),
    Outcome.EXPIRED: ("expired", "bad"),
}


def action(value: Action) -> tuple[str, str]:
    """An action's words and the class of its badge."""
    return _ACTIONS[value]


def outcome(value: Outcome) -> tuple[str, str]:
    """An outcome's words and the class of its badge."""
    return _OUTCOMES[value]


def condition(state: CameraState | None) -> tuple[str, str]:
    """A camera state's words and the class of its badge."""
    if state is None:
        return "unknown", ""
    return str(state.state).replace("_", " "), "good" if state.is_up else "bad"


def people(visits: Iterable[Visit]) -> str:
    """How many people there are and what is decided about them: ``3: 2 recognise, 1 manual``."""
    counts = Counter(action(visit.action)[0] for visit in visits)
    told = ", ".join(f"{count} {words}" for words, count in counts.items())
    return f"{counts.total()}: {told}" if counts else ""


FILTERS = {"action": action, "outcome": outcome, "condition": condition, "people": people}
