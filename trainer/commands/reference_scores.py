"""``reference-scores``: write into a model's card how its probabilities are distributed."""

import argparse
from pathlib import Path

from maskgate.inference.card import encode
from maskgate.inference.model import Model
from maskgate.protocol.errors import ConfigurationError
from trainer.commands import options
from trainer.data.labelled_images import find, load, require_both_classes
from trainer.evaluation.label_free import reference_of
from trainer.evaluation.metrics import p_mask_of
from trainer.export.reference_scores import updated_text, with_reference


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``reference-scores``."""
    options.add_data(parser)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.onnx")


def reference_scores(*, data: list[Path], model: Path, out: Path) -> None:
    """Write ``out`` and its card beside it: the model with the reference scores of these images.

    The images must be ones that no training used.

    Raises:
        ConfigurationError: the images can't be used, or are of one class only.
        ModelError: the model file can't be used.
    """
    loaded, content = Model.load(model), model.read_bytes()
    files = find(data)
    require_both_classes(files)
    images = load(files, loaded.card.input)
    reference = reference_of(
        p_mask_of(loaded, images.pixels),
        images.labels,
        loaded.card,
        sources=images.sources,
        data_sha256=images.sha256,
    )
    if reference is None:
        msg = "only images of one class can be decoded: both are needed"
        raise ConfigurationError(msg)
    out.write_bytes(with_reference(content, reference))
    written = Model.load(out)
    out.with_suffix(".json").write_text(encode(written.card) + "\n")
    text = model.with_suffix(".md")
    if text.is_file():
        sizes = len(content), out.stat().st_size
        out.with_suffix(".md").write_text(updated_text(text.read_text(), loaded, written, *sizes))
    print(f"{out}: SHA-256 {written.sha256}, reference scores of {len(images.labels)} images")


COMMAND = options.Command(
    "reference-scores",
    "write into a model's card how its probabilities are distributed on labelled images",
    add_options,
    reference_scores,
)
