"""The model card as Markdown."""

from collections.abc import Mapping
from pathlib import Path

from maskgate.inference.model import Model
from trainer.export.precision import Variant
from trainer.training.facts import TrainingFacts

_TEXT = """# Model card: {name}

| | |
|---|---|
| file | `{file}`, {size:,} bytes, SHA-256 `{sha256}` |
| network | {architecture}, {parameters:,} parameters, written as {written} |
| input | {width} × {height} px, {colour}, preprocessing `{preprocessing}` |
| output | calibrated probability of a mask (temperature {temperature}) |
| outcome | `mask` from {threshold}, `uncertain` between {low} and {high} |
| trained | {trained} |
| started from | {began} |
| training data | SHA-256 `{data_sha256}` |

## Intended use
The model tells a door with face recognition whether the face on a crop wears a mask that covers
mouth and nose, so that the door can ask the person to remove it.
It is not for: liveness, identity, judging people, enforcing hygiene rules.

## Trained and validated on
{sources}

The images show people and come from the web, for research use. The licences are those of the data
sets named; none of these data sets is in this repository.

## Measured
- `validation`: images that were used to watch the training; it trained on none of their
  photographs.
- `door`: sources that no training used; they helped to choose the threshold and the uncertain
  band.
- `new_door`: the mean over other networks of the same kind. Each was trained for a shorter time
  without one source and then tested on it. Expect a new door between `new_door` and `door`.
- `door_temperature`: log odds are divided by it to calibrate the probabilities at those doors.
- `crossval`: grouped folds of the reference set.

{metrics}

On the validation images, by precision:
{variants}

## Limits
- Masks below the nose are often classified as `mask`.
- Often wrong or uncertain: profiles, beards, hands and cups at the mouth, scarves, chin straps,
  skin-coloured or printed masks.
- Lenses, light and people of a new door differ from those above: run audit samples there and read
  `audit.report`.
"""


def card_text(
    model: Model,
    facts: TrainingFacts,
    path: Path,
    *,
    precision: str,
    variants: Mapping[str, Variant],
) -> str:
    """Markdown for the written file ``path``, from its card and the facts of its training."""
    card = model.card
    return _TEXT.format(
        name=card.name,
        file=path.name,
        size=path.stat().st_size,
        written=precision,
        trained=_trained(card.trained_at, facts),
        sha256=model.sha256,
        architecture=card.architecture,
        parameters=facts.parameters,
        width=card.input.width,
        height=card.input.height,
        colour="RGB (grey is repeated)" if card.input.channels > 1 else "grey",
        preprocessing=card.preprocessing,
        temperature=card.temperature,
        threshold=card.threshold,
        low=card.uncertain_from,
        high=card.uncertain_to,
        began=facts.began,
        data_sha256=card.data_sha256,
        sources="\n".join(
            f"- {name}: {counts.mask:,} with mask, {counts.no_mask:,} without"
            for name, counts in facts.sources.items()
        ),
        metrics="\n".join(f"- {name}: {value:.4f}" for name, value in card.metrics.items()),
        variants="\n".join(_line(variant) for variant in variants.values()),
    )


def _trained(date: str, facts: TrainingFacts) -> str:
    teachers = f", taught by {facts.teachers} larger networks" if facts.teachers else ""
    minutes = f"{facts.seconds / 60:.1f} minutes"
    return f"{date}, {facts.samples:,} augmented samples, {minutes}, seed {facts.seed}{teachers}"


def _line(variant: Variant) -> str:
    return (
        f"- {variant.precision}: accuracy {variant.accuracy:.4f}, {variant.size_bytes:,} bytes, "
        f"mean difference from torch {variant.p_mask_off:.4f}"
    )
