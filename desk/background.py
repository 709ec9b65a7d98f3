"""Threads that run beside the page, with the fields that each of its log lines has."""

import threading
from collections.abc import Callable
from contextvars import copy_context


def background(name: str, run: Callable[..., object], *arguments: object) -> threading.Thread:
    """A thread that does not keep the process alive; the caller starts it.

    Python 3.11 to 3.13 give a new thread an empty context, and with it log lines without the name
    of their process.
    """
    return threading.Thread(
        target=copy_context().run, args=(run, *arguments), name=name, daemon=True
    )
