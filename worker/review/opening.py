"""Puts the sampling of crops to label together, if the site has switched it on."""

from pathlib import Path

import pika
import structlog
from prometheus_client import CollectorRegistry

from worker.review.publisher import ReviewPublisher
from worker.review.rates import read
from worker.review.sampler import ReviewSampler

log = structlog.get_logger()


def review(
    file: Path | None, parameters: pika.connection.Parameters, registry: CollectorRegistry
) -> ReviewSampler | None:
    """The sampler for the rates of ``file``; None without a file: no object, no thread, no cost.

    Raises:
        ConfigurationError: the file can't be used.
    """
    if file is None:
        return None
    rates = read(file)
    log.info("review.on", cameras=sorted(rates))
    return ReviewSampler(rates, ReviewPublisher(parameters, registry))
