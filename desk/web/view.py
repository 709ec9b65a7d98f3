"""A view of the desk: one folder below ``desk/``, its routes and its entry in the navigation."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.routing import Route

from desk.access.roles import Role


@dataclass(frozen=True, slots=True)
class View:
    """What the composition root puts into the page.

    ``path`` is where the navigation leads; ``role`` who sees the entry. The routes' own marks
    decide who gets in.
    """

    title: str
    path: str
    role: Role
    routes: Sequence[Route]
