"""Loads the challenger, or says why it is refused."""

from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry

from maskgate.inference.card import InputShape
from maskgate.inference.model import Model
from maskgate.protocol.errors import ModelError
from worker.models.succession import Succession
from worker.settings import WorkerSettings

log = structlog.get_logger()


def succession_of(
    settings: WorkerSettings, worker: str, champion: Model, registry: CollectorRegistry
) -> Succession:
    """Champion and challenger of a worker; one that is refused is logged, and there is none."""
    challenger, refused, path = None, "", settings.challenger_path
    try:
        if path:
            challenger = load_challenger(path, settings.challenger_sha256, champion)
            log.info(
                "challenger.loaded",
                model=challenger.card.name,
                model_sha256=challenger.sha256,
                share=settings.challenger_share,
            )
    except ModelError as error:
        refused = str(error)
        log.error("challenger.refused", error=refused)
    return Succession(
        worker,
        champion,
        challenger,
        share=settings.challenger_share,
        refused=refused,
        registry=registry,
    )


def load_challenger(path: Path, sha256: str | None, champion: Model) -> Model:
    """The challenger, verified like the champion that this worker is configured with.

    Raises:
        ModelError: it is not pinned, :meth:`maskgate.inference.model.Model.load` refuses it, it is
            the champion itself or has its name, or the crops of this site lack what it looks at.
    """
    if sha256 is None:
        msg = f"model {path}: not pinned: MASKGATE_CHALLENGER_SHA256 is missing"
        raise ModelError(msg)
    challenger = Model.load(path, sha256)
    for wrong in _complaints(challenger, champion):
        msg = f"model {path}: {wrong}"
        raise ModelError(msg)
    return challenger


def _complaints(challenger: Model, champion: Model) -> list[str]:
    """Cameras send thumbnails of the champion's size: a smaller picture can be made of them."""
    theirs, sent = challenger.card.input, champion.card.input
    checks = {
        "is the champion": challenger.sha256 != champion.sha256,
        f"has the champion's name, {champion.card.name}: verdicts could not be told apart": (
            challenger.card.name != champion.card.name
        ),
        f"looks at {_told(theirs)}, and cameras send {_told(sent)}: details can't be made up": (
            theirs.height <= sent.height and theirs.width <= sent.width
        ),
        f"looks at {_told(theirs)}, and cameras send {_told(sent)}: it needs colours": (
            theirs.channels <= sent.channels
        ),
    }
    return [complaint for complaint, holds in checks.items() if not holds]


def _told(shape: InputShape) -> str:
    return f"{shape.width}x{shape.height} px {'in colour' if shape.channels == 3 else 'in grey'}"
