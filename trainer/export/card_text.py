"""The model card for people."""

from typing import Any

from maskgate.inference.card import ModelCard

_TEXT = """# Model card: {name}

| | |
|---|---|
| file | `{file}`, {size:,} bytes, SHA-256 `{sha256}` |
| network | {architecture}, {parameters:,} parameters, written as {written} |
| input | {width} × {height} px, {colour}, preprocessing `{preprocessing}` |
| output | calibrated probability of a mask (temperature {temperature}) |
| outcome | `mask` from {threshold}, `uncertain` between {low} and {high} |
| trained | {trained_at}, {samples:,} augmented samples, {minutes:.1f} minutes, seed {seed}{taught} |
| began with | {began} |
| training data | SHA-256 `{data_sha256}` |

## Intended use
Tells a door with face recognition whether the face on a crop wears a mask that covers mouth and nose, so that it can ask for the
mask to be removed.
Not for: liveness, identity, judging people, enforcing hygiene rules.

## Trained and validated on
{sources}

Pictures of people from the web, for research use; the licences are those of the data sets named, none of them is in this repository.

## Measured
- `validation`: the pictures that training was watched on; no photograph of them was trained on.
- `door`: sources that no training has seen; threshold and uncertain band were chosen with their help.
- `new_door`: other networks of the same kind, each trained for a shorter time without a source and asked about it, on average.
  A new door should be expected between these two.
- `door_temperature`: what log odds are divided by so that probabilities mean at those doors what they say.
- `crossval`: grouped folds of the reference set.

{metrics}

Written as, on the validation pictures:
{variants}

## Limits
- Masks worn below the nose are often called `mask`.
- Hard, and so often wrong or uncertain: profiles, beards, hands and cups at the mouth, scarves, chin straps, skin-coloured or printed
  masks.
- Whoever looks at a new door should run audit samples there and look at `audit.report`: lenses, light and people differ from those above.
"""


def card_text(card: ModelCard, facts: dict[str, Any], file: str, sha256: str, size: int) -> str:
    """Markdown from the card and what the training knew."""
    sources = "\n".join(
        f"- {name}: {counts['mask']:,} with mask, {counts['no_mask']:,} without"
        for name, counts in facts["sources"].items()
    )
    metrics = "\n".join(f"- {name}: {value:.4f}" for name, value in card.metrics.items())
    variants = "\n".join(
        f"- {name}: accuracy {v['accuracy']:.4f}, {v['size_bytes']:,} bytes, mean difference from torch {v['p_mask_off']:.4f}"
        for name, v in facts["variants"].items()
    )
    return _TEXT.format(
        name=card.name,
        file=file,
        size=size,
        written=facts["precision"],
        taught=f", taught by {facts['teachers']} larger networks" if facts["teachers"] else "",
        variants=variants,
        sha256=sha256,
        architecture=card.architecture,
        parameters=facts["parameters"],
        width=card.input.width,
        height=card.input.height,
        colour="RGB (grey is repeated)" if card.input.channels > 1 else "grey",
        preprocessing=card.preprocessing,
        temperature=card.temperature,
        threshold=card.threshold,
        low=card.uncertain_from,
        high=card.uncertain_to,
        trained_at=card.trained_at,
        samples=facts["samples"],
        minutes=facts["seconds"] / 60,
        seed=facts["seed"],
        began=facts.get("began", "random weights"),
        data_sha256=card.data_sha256,
        sources=sources,
        metrics=metrics,
    )
