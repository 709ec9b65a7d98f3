"""Which networks a comparison trains."""

from dataclasses import dataclass, fields, replace

from trainer.networks.architectures import NETWORKS
from trainer.networks.pretrained import PUBLIC_WEIGHTS
from trainer.training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Candidate:
    """A network to train: its input side, its width, and one changed option (``NAME=VALUE``)."""

    network: str
    side_px: int
    width: float
    change: str = ""

    def __str__(self) -> str:
        return f"{self.network}-{self.side_px}-{self.width:g}{self.change and '-' + self.change}"

    def recipe(self, common: Recipe) -> Recipe:
        """The common recipe, changed for this candidate.

        It starts from public weights if the common recipe wants that and the network has some.
        """
        own = replace(
            common,
            network=self.network,
            side_px=self.side_px,
            width=self.width,
            pretrained=common.pretrained and self.network in PUBLIC_WEIGHTS,
        )
        if not self.change:
            return own
        name, _, value = self.change.partition("=")
        return replace(own, **{name: type(getattr(own, name))(float(value))})


def candidate(text: str) -> Candidate:
    """Parse ``NETWORK:SIDE:WIDTH``.

    Raises:
        ValueError: the text has another form, or there is no such network.
    """
    network, side_px, width = text.split(":")
    if network not in NETWORKS:
        raise ValueError(text)
    return Candidate(network, int(side_px), float(width))


def change(text: str) -> str:
    """Parse ``NAME=VALUE`` of a recipe's option that is a number.

    Raises:
        ValueError: there is no such option, or the value is not a number.
    """
    name, _, value = text.partition("=")
    if name not in {
        field.name for field in fields(Recipe) if isinstance(field.default, int | float)
    }:
        raise ValueError(text)
    return f"{name}={float(value):g}"
