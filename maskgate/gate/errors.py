"""The errors of a door's reads."""

from collections.abc import Iterator
from contextlib import contextmanager

from maskgate.protocol.verdict import BadVerdictError
from maskgate.runtime.store import store_errors


@contextmanager
def gate_errors() -> Iterator[None]:
    """Turn the driver's errors into maskgate's.

    Raises:
        StoreError: Redis does not answer, or refuses the command.
        BadVerdictError: a value is not text.
    """
    try:
        with store_errors():
            yield
    except UnicodeDecodeError as error:
        msg = f"not a verdict: {error}"
        raise BadVerdictError(msg) from None
