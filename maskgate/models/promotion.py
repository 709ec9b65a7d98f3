"""Changes the champion on all running workers: one step in Redis, which workers follow."""

import time

from msgspec import msgpack
from redis import Redis
from redis.exceptions import ResponseError

from maskgate.models.records import Models, read
from maskgate.protocol.errors import MaskgateError, StoreError
from maskgate.protocol.models import (
    HISTORY_KEY,
    HOLDING_TTL_MS,
    MAX_PROMOTIONS,
    MODELS_KEY,
    WORKERS_KEY,
    ModelId,
)
from maskgate.redis_functions import library
from maskgate.runtime.store import store_errors

#: All running workers serve a promoted model within this time.
SWAP_S = 5.0
_LOOK_EVERY_S = 0.1
#: Fewer digits of a SHA-256 name no model.
_LEAST_DIGITS = 8


class PromotionError(MaskgateError):
    """The champion was not changed; the message says why."""


def find(models: Models, word: str) -> ModelId:
    """The model with this name, SHA-256 or beginning of it, of those that workers hold.

    Raises:
        PromotionError: there is none, or more than one.
    """
    found = [
        each
        for each in models.known
        if word == each.name
        or (len(word) >= _LEAST_DIGITS and each.sha256.startswith(word.lower()))
    ]
    if len(found) == 1:
        return found[0]
    known = ", ".join(f"{each.name} ({each.sha256[:12]})" for each in models.known) or "none"
    msg = f"{word!r} names {len(found) or 'no'} model{'s' if found else ''}; known: {known}"
    raise PromotionError(msg)


def promote(
    client: Redis,
    seen: Models,
    model: ModelId,
    *,
    by: str,
    why: str = "",
    forced: bool = False,
    action: str = "promote",
) -> int:
    """Make a model the champion if nobody changed it since ``seen``; returns the new generation.

    Every running worker must hold it, unless ``forced``: then those that don't keep theirs.

    Raises:
        PromotionError: another operator was first, it is champion already, or a running worker
            does not hold it.
        StoreError: Redis does not answer or refuses.
    """
    before = seen.champion if seen.champion != model else None
    argument = {
        "generation": seen.generation,
        "champion": model.sha256,
        "champion_name": model.name,
        "previous": before.sha256 if before else "",
        "previous_name": before.name if before else "",
        "forced": forced,
        "ttl_ms": HOLDING_TTL_MS,
        "action": action,
        "by": by,
        "why": why,
        "history_length": MAX_PROMOTIONS,
    }
    what, generation, *lacking = _call(client, msgpack.encode(argument))
    if what != "promoted":
        raise PromotionError(_refusal(what, model, generation, lacking))
    return int(generation)


def rollback(
    client: Redis, seen: Models, *, by: str, why: str = "", forced: bool = False
) -> tuple[ModelId, int]:
    """Make the previous champion champion again; returns it and the new generation.

    Raises:
        PromotionError: as :func:`promote`; or nobody was champion before.
        StoreError: Redis does not answer or refuses.
    """
    model = seen.previous
    if model is None:
        msg = "nobody was champion before: there is nothing to go back to"
        raise PromotionError(msg)
    generation = promote(client, seen, model, by=by, why=why, forced=forced, action="rollback")
    return model, generation


def wait_until_served(client: Redis, model: ModelId, timeout_s: float) -> list[str]:
    """Wait until all running workers serve a model; returns those that don't at the end.

    Raises:
        StoreError: Redis does not answer or refuses.
    """
    deadline_s = time.monotonic() + timeout_s
    while others := read(client).not_serving(model):
        if time.monotonic() >= deadline_s:
            break
        time.sleep(_LOOK_EVERY_S)
    return others


def _call(client: Redis, argument: bytes) -> list[str]:
    function, keys = library().function("promote"), (MODELS_KEY, WORKERS_KEY, HISTORY_KEY)
    with store_errors():
        try:
            # redis-py has no type for what a function returns.
            answer: list[str] = client.fcall(function, len(keys), *keys, argument)
        except ResponseError as error:
            if "Function not found" not in str(error):
                raise
            msg = f"Redis lacks the functions {library().name}: run 'maskgate functions'"
            raise StoreError(msg) from None
    return answer


def _refusal(what: str, model: ModelId, generation: str, lacking: list[str]) -> str:
    return {
        "conflict": f"the champion was changed meanwhile (generation {generation}): look again",
        "already": f"{model.name} is champion already",
        "nobody": "no worker is running that could say whether it holds the model",
        "not_held": f"{model.name} is not held by {', '.join(lacking)}. Start these workers with "
        "it, or force: they then keep their model and say so",
    }.get(what, f"Redis answered {what!r}")
