"""Puts the view of throughput together: what looks, what is kept, and the pages over it."""

from contextlib import ExitStack
from functools import partial

import pika
from jinja2 import Environment

from desk.access.roles import Role
from desk.background import running
from desk.journal import Journal
from desk.settings import DeskSettings
from desk.throughput import dead_letter_view
from desk.throughput import view as throughput_view
from desk.throughput.collector import Collector
from desk.throughput.dead_letter_box import DeadLetterBox
from desk.throughput.depths import QueueDepths
from desk.throughput.ring import Ring
from desk.web.view import View


def view(
    settings: DeskSettings,
    broker: pika.connection.Parameters,
    templates: Environment,
    journal: Journal,
    stack: ExitStack,
) -> View:
    """The view; its collector looks until the stack is closed."""
    ring = Ring(settings.desk_look_s)
    collector = Collector(
        ring, QueueDepths(broker), workers=settings.workers(), cameras=settings.camera_pages()
    )
    stack.enter_context(
        running("throughput", partial(collector.run, interval_s=settings.desk_look_s))
    )
    letters = dead_letter_view.routes(DeadLetterBox(broker), journal)
    routes = [*throughput_view.routes(ring, templates), *letters]
    return View("Throughput", "/throughput", Role.VIEWER, routes)
