"""Threads that run beside the page, with the fields that each of its log lines has."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context


def background(name: str, run: Callable[..., object], *arguments: object) -> threading.Thread:
    """A thread that does not keep the process alive; the caller starts it.

    Python 3.11 to 3.13 give a new thread an empty context, and with it log lines without the name
    of their process.
    """
    return threading.Thread(
        target=copy_context().run, args=(run, *arguments), name=name, daemon=True
    )


@contextmanager
def running(name: str, run: Callable[[threading.Event], object]) -> Iterator[None]:
    """Run something in a thread inside the ``with``; it ends when its event is set."""
    stop = threading.Event()
    thread = background(name, run, stop)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
