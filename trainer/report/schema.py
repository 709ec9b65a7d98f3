"""The file report.json: the names of its fields are those here."""

from msgspec import Struct

from trainer.evaluation.calibration import Reliability
from trainer.evaluation.held_out_domains import DomainMetrics
from trainer.evaluation.holdout import DoubtfulLabel
from trainer.evaluation.latency import Latency
from trainer.evaluation.metrics import Interval, Metrics
from trainer.evaluation.results import ComparisonRow, CrossValidationSummary
from trainer.evaluation.robustness import CorruptionCurve


class ModelNumbers(Struct, frozen=True, kw_only=True):
    """The model file; ``latency_ratio`` compares it with the published notebook's CNN."""

    name: str
    file: str
    sha256: str
    bytes: int
    input: str
    temperature: float
    threshold: float
    uncertain_from: float
    uncertain_to: float
    latency_us: dict[str, Latency]
    latency_ratio: float
    card: str


class Machine(Struct, frozen=True):
    """What the numbers were measured with."""

    processor: str
    onnxruntime: str
    torch: str


class SourceCounts(Struct, frozen=True):
    """How many images of a source show a mask, and how many do not."""

    source: str
    mask: int
    no_mask: int


class SharedPhotographs(Struct, frozen=True):
    """How many photographs are in all of these sources."""

    sources: list[str]
    photographs: int


class DataNumbers(Struct, frozen=True, kw_only=True):
    """The images; ``with_and_without`` photographs are in both classes."""

    sources: list[SourceCounts]
    images: int
    skipped: int
    sha256: str
    photographs: int
    with_and_without: int
    shared: list[SharedPhotographs]
    measured_on: int


class SourceMetrics(Metrics, frozen=True, kw_only=True):
    """The metrics of a source; ``ece`` is the expected calibration error."""

    source: str
    ece: float


class ThresholdMetrics(Metrics, frozen=True, kw_only=True):
    """The metrics at one threshold, without an uncertain band."""

    threshold: float


class Outcomes(Struct, frozen=True):
    """The share of each outcome."""

    mask: float
    no_mask: float
    uncertain: float


class SliceMetrics(Metrics, frozen=True, kw_only=True):
    """The metrics of the images with one tag."""

    slice: str
    outcomes: Outcomes


class IncorrectMasks(Struct, frozen=True):
    """Outcomes of incorrectly worn masks; ``gate`` has them by the gate's action."""

    source: str
    n: int
    outcomes: Outcomes
    gate: dict[str, float]


class NewDomainRow(Struct, frozen=True):
    """A measure over ``doors`` held-out domains, and the interval for one more domain."""

    measure: str
    mean: float
    doors: int
    interval: Interval | None


class NewDomain(Struct, frozen=True):
    """What to expect of a domain that no training used."""

    rows: list[NewDomainRow]
    names: list[str]


class RobustnessImages(Struct, frozen=True):
    """The images that were corrupted."""

    pictures: int
    sources: list[str]


class ReportNumbers(Struct, frozen=True, kw_only=True):
    """The file report.json."""

    model: ModelNumbers
    machine: Machine
    data: DataNumbers
    measured: list[SourceMetrics]
    thresholds: list[ThresholdMetrics]
    calibration: Reliability
    cross_validation: CrossValidationSummary | None
    left_out: list[DomainMetrics] | None
    new_door: NewDomain | None
    slices: list[SliceMetrics]
    worn_incorrectly: list[IncorrectMasks] | None
    robustness_on: RobustnessImages
    robustness: list[CorruptionCurve]
    comparison: list[ComparisonRow]
    doubtful_labels: list[DoubtfulLabel]
