"""Write the report of a model file: numbers as JSON, and one HTML page.

The page shows images of the data sets: do not publish it.
"""

from pathlib import Path

import structlog

from maskgate.inference.model import Model
from trainer.evaluation.metrics import p_mask_of
from trainer.evaluation.results import write_json
from trainer.report.inputs import ReportInputs
from trainer.report.numbers import report_numbers
from trainer.report.page import page

log = structlog.get_logger()


def write_report(inputs: ReportInputs, out: Path) -> None:
    """Write ``out/report.html`` and ``out/report.json``.

    Raises:
        ModelError: the model file can't be used.
    """
    model = Model.load(inputs.model_path)
    p_mask = p_mask_of(model, inputs.measured.pixels)
    numbers = report_numbers(inputs, model, p_mask)
    write_json(numbers, out / "report.json", indent=1)
    (out / "report.html").write_text(page(inputs, numbers, p_mask))
    overall = numbers.measured[0]
    log.info("report.done", file=str(out / "report.html"), n=overall.n, **overall.by_name())
