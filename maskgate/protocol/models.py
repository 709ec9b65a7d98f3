"""Which model is champion, and what compares it with the challenger: keys and records in Redis.

The champion's verdicts count. A model is known by the SHA-256 of its file, and to people by the
name in its card.
"""

from collections.abc import Mapping
from typing import Annotated

import msgspec

from maskgate.protocol.crop import MAX_TIME_MS
from maskgate.protocol.errors import MaskgateError

#: A hash: :class:`Reign`. Absent until the first promotion.
MODELS_KEY = "models"
#: A hash: a worker's name → :class:`Holding` as JSON.
WORKERS_KEY = "models:workers"
#: A stream of :class:`Promotion`, the newest :data:`MAX_PROMOTIONS`.
HISTORY_KEY = "models:history"
MAX_PROMOTIONS = 1000
#: Patterns for access rules. Workers may not write the history.
MODELS_KEYS = "models:*"
PAIRS_KEYS = "pairs:*"
#: A worker that has not said for so long what it holds is not running.
HOLDING_TTL_MS = 5000


class BadModelRecordError(MaskgateError):
    """A value in Redis is not a record of models."""


_Time = Annotated[int, msgspec.Meta(ge=0, lt=MAX_TIME_MS)]
_Sha256 = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
_Name = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9._-]{1,64}\Z")]


class ModelId(msgspec.Struct, frozen=True):
    """A model file: the name in its card, and its SHA-256."""

    name: _Name
    sha256: _Sha256


class Reign(msgspec.Struct, frozen=True, kw_only=True):
    """The hash ``models``: who is champion since when, and who was before.

    Each promotion adds 1 to ``generation``. ``previous`` is empty if nobody knew who was.
    ``restored_by`` is the worker that wrote the hash after Redis lost it.
    """

    champion: _Sha256
    champion_name: _Name
    previous: Annotated[str, msgspec.Meta(pattern=r"\A([0-9a-f]{64})?\Z")] = ""
    previous_name: str = ""
    generation: Annotated[int, msgspec.Meta(ge=1, lt=MAX_TIME_MS)]
    changed_at_ms: _Time = msgspec.field(name="changed_at")
    restored_by: str = ""


class Holding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one worker says of itself each second. All models in it were verified on loading."""

    champion: ModelId
    challenger: ModelId | None = None
    #: The share of live batches that both classify.
    share: float = 0.0
    #: Why it does not hold the challenger that it was configured with.
    refused: str = ""
    #: The newest promotion that it knows; it may not hold the model.
    generation: int = 0
    #: By Redis's clock, when it last said so. Redis writes this.
    seen_at_ms: int = msgspec.field(name="seen_at", default=0)

    def holds(self, sha256: str) -> bool:
        """Whether the worker could serve this model at once."""
        return sha256 in {each.sha256 for each in (self.champion, self.challenger) if each}


class Promotion(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the stream ``models:history``; ``at_ms`` is the time of its id."""

    at_ms: _Time
    generation: int
    action: str
    champion: str
    champion_name: str
    previous: str = ""
    previous_name: str = ""
    by: str = ""
    why: str = ""
    #: Whether workers that did not hold the model were passed over.
    forced: bool = False


def pairs_audit_key(champion: str, challenger: str) -> str:
    """The hash that counts audit samples by ``label.champion_outcome.challenger_outcome``.

    ``champion`` and ``challenger`` are names. The braces are literal: one slot on a cluster.
    """
    return f"{_pair(champion, challenger)}:audit"


def pairs_seen_key(champion: str, challenger: str) -> str:
    """The crop ids of the samples counted, by time."""
    return f"{_pair(champion, challenger)}:seen"


def pairs_live_key(champion: str, challenger: str) -> str:
    """The hash that counts live crops by ``camera.champion_outcome.challenger_outcome``."""
    return f"{_pair(champion, challenger)}:live"


def parse_reign(fields: Mapping[str, str]) -> Reign | None:
    """Read the hash ``models``; None if nobody was promoted.

    Raises:
        BadModelRecordError: the hash is something else.
    """
    if not fields:
        return None
    try:
        return msgspec.convert(fields, Reign, strict=False)
    except msgspec.ValidationError as error:
        msg = f"{MODELS_KEY} holds no champion: {error}"
        raise BadModelRecordError(msg) from None


def parse_holding(text: str) -> Holding | None:
    """Read what a worker said; None if it is something else, which counts as nothing said."""
    try:
        return msgspec.json.decode(text, type=Holding)
    except (msgspec.MsgspecError, ValueError):
        return None


def parse_promotion(entry_id: str, fields: Mapping[str, str]) -> Promotion | None:
    """Read an entry of the history; None if it is something else."""
    at_ms = entry_id.partition("-")[0]
    try:
        return msgspec.convert({**fields, "at_ms": at_ms}, Promotion, strict=False)
    except msgspec.ValidationError:
        return None


def _pair(champion: str, challenger: str) -> str:
    return f"pairs:{{{champion}:{challenger}}}"
