"""Promotion and rollback from the page: into the journal first, then into Redis."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from redis import Redis

from desk.journal import Journal
from maskgate.models.promotion import PromotionError, find, promote
from maskgate.models.records import Models, read
from maskgate.protocol.errors import MaskgateError
from maskgate.protocol.models import ModelId

_MAX_WHY = 500

_Form = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Changes:
    """What operators change. The form has ``generation``, as the page showed it, and ``why``."""

    client: Redis
    journal: Journal

    def promote(self, who: str, form: _Form) -> None:
        """Make the model with the form's ``sha256`` champion; ``force`` is ``yes`` or absent.

        Raises:
            PromotionError: nothing was changed.
            StoreError: Redis does not answer or refuses.
            JournalError: it could not be written down; nothing was changed.
        """
        self._change("promote", who, form, lambda seen: find(seen, form.get("sha256", "")))

    def roll_back(self, who: str, form: _Form) -> None:
        """Make the champion before champion again.

        Raises:
            PromotionError, StoreError, JournalError: as :meth:`promote`.
        """
        self._change("rollback", who, form, _previous)

    def _change(
        self, action: str, who: str, form: _Form, choose: Callable[[Models], ModelId]
    ) -> None:
        try:
            self._try(action, who, form, choose)
        except PromotionError as error:
            self.journal.write(who, f"{action}_refused", reason=str(error))
            raise

    def _try(self, action: str, who: str, form: _Form, choose: Callable[[Models], ModelId]) -> None:
        seen, why = read(self.client), form.get("why", "").strip()[:_MAX_WHY]
        if form.get("generation", "") != str(seen.generation):
            msg = "the champion was changed since you loaded this page: look again"
            raise PromotionError(msg)
        model, forced = choose(seen), form.get("force") == "yes"
        self.journal.write(
            who,
            action,
            model=model.name,
            sha256=model.sha256,
            before=seen.champion.name if seen.champion else "",
            generation=seen.generation + 1,
            forced=forced,
            why=why,
        )
        try:
            promote(self.client, seen, model, by=who, why=why, forced=forced, action=action)
        except PromotionError:
            raise
        except MaskgateError as error:
            # Nobody knows whether Redis did it: the next reading tells.
            self.journal.write(who, f"{action}_in_doubt", reason=str(error))
            raise


def _previous(seen: Models) -> ModelId:
    if seen.previous is None:
        msg = "nobody was champion before: there is nothing to go back to"
        raise PromotionError(msg)
    return seen.previous
