"""What the desk knows about all doors at one moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from maskgate.gate.doors import Door


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All doors, by one read. ``alive`` None: nobody knows, because Redis does not answer."""

    at_ms: int
    doors: Sequence[Door] = ()
    alive: bool | None = None
    #: When each camera was last seen, where the workers write it.
    seen_ms: Mapping[str, int] = field(default_factory=dict)
    trouble: str = ""
