"""What is expected at a site: of all cameras together and of each one, and its alarms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from maskgate.estimates.alarms import Alarm, alarms
from maskgate.estimates.performance import Estimate, estimate
from maskgate.estimates.reading import Hour, total
from maskgate.inference.card import ReferenceScores


@dataclass(frozen=True, slots=True)
class Outlook:
    """The estimates of one model over some hours. Without a reference there are no alarms."""

    all_cameras: Estimate
    cameras: Mapping[str, Estimate]
    alarms: Sequence[Alarm]


def outlook(hours: Mapping[str, Sequence[Hour]], reference: ReferenceScores | None) -> Outlook:
    """Compute it; ``hours`` are those of a model by camera, ``reference`` is of its card.

    Each camera has a share of masks of its own, so all together are not the sum of the cameras.
    """
    share = reference.calibrated_share if reference else 0.5
    scores = {camera: total(of) for camera, of in hours.items()}
    everything = [hour for of in hours.values() for hour in of]
    return Outlook(
        all_cameras=estimate(total(everything), share),
        cameras={camera: estimate(of, share) for camera, of in sorted(scores.items())},
        alarms=alarms(hours, reference) if reference else (),
    )
