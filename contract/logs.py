"""Logs: one JSON object a line on standard error, or coloured text where a person is looking."""

import logging
import sys

import structlog

LEVELS = ("debug", "info", "warning", "error")


def configure(process: str, *, level: str = "info", as_json: bool | None = None) -> None:
    """Set up structlog for this process; JSON unless standard error is a terminal.

    Events are named ``subject.happening``; times are UTC; the process's name is on every line.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer()
            if (sys.stderr.isatty() if as_json is None else not as_json)
            else structlog.processors.JSONRenderer(default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    structlog.contextvars.bind_contextvars(process=process)
    # pika tells every reconnect as an error with a traceback; what matters of it is raised and logged by us.
    logging.getLogger("pika").setLevel(logging.CRITICAL)
