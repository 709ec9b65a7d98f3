"""Puts labelling together, if the site has a key for it."""

from contextlib import ExitStack, closing

import pika

from desk.access.roles import Role
from desk.journal import Journal
from desk.labels import views as pages
from desk.labels.intake import LabelIntake
from desk.labels.key import load
from desk.labels.rules import Labelling
from desk.labels.store import LabelStore
from desk.settings import LabelSettings
from desk.web.view import View
from maskgate.protocol.errors import ConfigurationError
from maskgate.runtime.clock import now_ms


def open_store(settings: LabelSettings) -> LabelStore:
    """The store of the settings.

    Raises:
        ConfigurationError: no key is set, or key or store can't be used.
    """
    if settings.desk_labels_key_file is None:
        msg = "MASKGATE_DESK_LABELS_KEY_FILE: no key is set, so no crops are kept"
        raise ConfigurationError(msg)
    key = load(settings.desk_labels_key_file)
    return LabelStore(settings.labels_dir(), key, clock=now_ms, twice=settings.desk_labels_twice)


def views(
    settings: LabelSettings,
    login: pika.connection.Parameters,
    journal: Journal,
    stack: ExitStack,
) -> list[View]:
    """The view, with the thread that takes crops from the queue; none without a key.

    Raises:
        ConfigurationError: as :func:`open_store`.
    """
    if settings.desk_labels_key_file is None:
        return []
    store = stack.enter_context(closing(open_store(settings)))
    stack.enter_context(LabelIntake(store, login))
    labelling = Labelling(store.database, store.clock)
    return [View("Labels", "/labels", Role.LABELLER, pages.routes(store, labelling, journal))]
