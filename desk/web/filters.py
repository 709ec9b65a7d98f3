"""How numbers and times are written on pages."""

from datetime import UTC, datetime

_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"))


def age(duration_ms: float | None) -> str:
    """A time span for people: ``0.4 s``, ``12 s``, ``5 min``, ``3 h``, ``2 d``."""
    if duration_ms is None:
        return "–"
    for unit_ms, name in _UNITS:
        if duration_ms >= unit_ms:
            return f"{int(duration_ms // unit_ms)} {name}"
    return f"{duration_ms / 1000:.1f} s" if duration_ms < 10_000 else f"{duration_ms / 1000:.0f} s"


def utc(at_ms: int | None) -> str:
    """A time in UTC, to the millisecond."""
    if at_ms is None:
        return "–"
    try:
        at = datetime.fromtimestamp(at_ms / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return "?"
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}"


def number(value: float | None, digits: int = 2) -> str:
    """A number with so many digits; a dash for none."""
    return "–" if value is None else f"{value:.{digits}f}"


def signed(value: float) -> str:
    """A number with its sign and one digit, such as log-odds: ``+3.4``, ``−0.1``."""
    return f"{value:+.1f}".replace("-", "−")


def took(duration_ms: float) -> str:
    """A short time span: ``12 ms``, ``1.4 s``."""
    return f"{duration_ms:.0f} ms" if abs(duration_ms) < 1000 else age(duration_ms)


FILTERS = {"signed": signed, "took": took, "age": age, "utc": utc, "number": number}
