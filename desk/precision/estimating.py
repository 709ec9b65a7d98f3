"""What ``maskgate.estimates`` says of the last 24 hours, for the page."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from redis import Redis

from desk.precision.expected import Estimates, ReadEstimates
from maskgate.estimates.outlook import outlook
from maskgate.estimates.reading import ByModel, Hour, HoursReader
from maskgate.inference import card
from maskgate.inference.card import ReferenceScores
from maskgate.protocol.errors import ConfigurationError, ModelError
from maskgate.runtime.clock import Clock

#: Model → what the card says of it.
References = Mapping[str, ReferenceScores]


def references(cards: Sequence[Path]) -> References:
    """The reference scores of models, from the cards beside them.

    Raises:
        ConfigurationError: a card can't be read, or has no reference scores.
    """
    found = {}
    for path in cards:
        try:
            read = card.read(path)
        except ModelError as error:
            raise ConfigurationError(str(error)) from None
        if read.reference_scores is None:
            msg = f"model card {path}: no reference scores; see python -m trainer reference-scores"
            raise ConfigurationError(msg)
        found[read.name] = read.reference_scores
    return found


def estimating(client: Redis, known: References, clock: Clock) -> ReadEstimates:
    """The function that reads the estimates of a model by its name.

    Without a name it is the model that classified most crops: before the first audit sample, too,
    there is something to see.
    """
    reader = HoursReader(client)

    def estimates(model: str) -> Estimates:
        by_model = reader.read(clock())
        name = model or _busiest(by_model)
        hours = by_model.get(name)
        return _shown(hours, known.get(name)) if hours else Estimates()

    return estimates


def _busiest(by_model: ByModel) -> str:
    crops = {
        model: sum(hour.scores.crops for of in cameras.values() for hour in of)
        for model, cameras in by_model.items()
    }
    return max(crops, key=crops.__getitem__, default="")


def _shown(hours: Mapping[str, Sequence[Hour]], reference: ReferenceScores | None) -> Estimates:
    found = outlook(hours, reference)
    return Estimates(
        all_cameras=found.all_cameras,
        cameras=found.cameras,
        alarms={alarm.camera: alarm.text for alarm in found.alarms},
    )
