"""Adds the reference scores to a model file that has none, and changes nothing else in it."""

import msgspec
import onnx
from onnx.helper import set_model_props

from maskgate.inference.card import METADATA_KEY, ReferenceScores, encode
from maskgate.inference.model import Model
from maskgate.protocol.errors import ModelError


def with_reference(content: bytes, reference: ReferenceScores) -> bytes:
    """The file with another card: the same graph, weights, name and golden vector.

    Raises:
        ModelError: a worker would refuse the file.
    """
    card = msgspec.structs.replace(Model.from_bytes(content).card, reference_scores=reference)
    graph = onnx.load_from_string(content)
    others = {prop.key: prop.value for prop in graph.metadata_props if prop.key != METADATA_KEY}
    set_model_props(graph, {**others, METADATA_KEY: encode(card)})
    written: bytes = graph.SerializeToString(deterministic=True)
    if Model.from_bytes(written).card != card:
        msg = "the card did not survive"
        raise ModelError(msg)
    return written


def updated_text(text: str, before: Model, after: Model, size_before: int, size: int) -> str:
    """The Markdown card of a file, with the hash and the size of the other one."""
    return text.replace(before.sha256, after.sha256).replace(
        f"{size_before:,} bytes, SHA-256", f"{size:,} bytes, SHA-256"
    )
