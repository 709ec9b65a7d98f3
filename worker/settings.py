"""The settings of a worker: see ``python -m worker --help``."""

from pathlib import Path

from pydantic import Field

from maskgate.protocol.verdict import DEFAULT_TTL_MS, MAX_TTL_MS
from maskgate.runtime.settings import BrokerSettings, RedisSettings, TracesSettings

SHIPPED_MODEL = Path(__file__).parent.parent / "deploy" / "model" / "mask.onnx"


class WorkerSettings(BrokerSettings, RedisSettings, TracesSettings):
    """One worker process. All workers of a site have the same settings."""

    model_path: Path = Field(SHIPPED_MODEL, description="the ONNX file to serve")
    model_sha256: str | None = Field(
        None, pattern=r"^[0-9a-fA-F]{64}$", description="SHA-256 of the only model file to accept"
    )
    challenger_path: Path | None = Field(
        None, description="a second ONNX file, compared with the first (default: none)"
    )
    challenger_sha256: str | None = Field(
        None, pattern=r"^[0-9a-fA-F]{64}$", description="SHA-256 of that file; required for it"
    )
    challenger_share: float = Field(
        0.05, ge=0, le=1, description="share of the batches that both classify"
    )
    verdict_ttl_ms: int = Field(
        DEFAULT_TTL_MS,
        ge=100,
        le=MAX_TTL_MS,
        description="how long a verdict stands after its crop was captured",
    )
    max_age_ms: int | None = Field(
        None,
        ge=1,
        description="older crops are expired and not decoded (default: half of VERDICT_TTL_MS)",
    )
    max_skew_ms: int = Field(
        250, ge=0, le=60_000, description="how far ahead of Redis's clock a crop may be stamped"
    )
    max_batch: int = Field(64, ge=1, le=1024, description="most crops classified at once")
    prefetch: int = Field(
        256,
        ge=1,
        le=65_535,
        description="most live crops that are received and not acknowledged; at 256 KiB each",
    )
    history_length: int = Field(
        10_000, ge=1, description="about how many entries of a camera's history are kept"
    )
    audit_slices: str = Field(
        "",
        pattern=r"^([A-Za-z0-9_-]{1,64}(,[A-Za-z0-9_-]{1,64}){0,19})?$",
        description="up to 20 slices of audit samples to report by name, separated by commas; "
        "the others are reported together (default: none)",
    )
    scores: bool = Field(
        default=True,
        description="count the probabilities of live crops in Redis, by camera and hour: from them "
        "precision is estimated without labels",
    )
    review_file: Path | None = Field(
        None,
        description="TOML file of the cameras whose crops people shall label (default: none)",
    )
    redis_timeout_s: float = Field(
        1.0, gt=0, le=60, description="how long Redis may take to answer"
    )
    metrics_port: int = Field(
        0, ge=0, le=65_535, description="port of /metrics, /healthz and /readyz; 0: none"
    )
    metrics_host: str = Field("127.0.0.1", description="the address that they listen on")
    stalled_after_s: float = Field(
        30.0, gt=0, description="a loop that has not turned for so long hangs: not ready"
    )
    report_interval_s: float = Field(
        10.0, gt=0, description="time between two lines of statistics in the log"
    )

    @property
    def crop_max_age_ms(self) -> int:
        """The age from which a live crop is expired: by default half of a verdict's time to live.

        Under overload, the crops in the queue become as old as this. The other half is what a door
        has to read the verdict.
        """
        return self.max_age_ms or self.verdict_ttl_ms // 2
