"""What a process tells whoever started it."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Named after sysexits.h, whose numbers they share."""

    OK = 0
    USAGE = 64
    BAD_DATA = 65
    BAD_MODEL = 66
    UNAVAILABLE = 69
    SOFTWARE = 70
    BAD_CONFIGURATION = 78
