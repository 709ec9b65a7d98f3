"""How the processes exit."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Names and numbers of sysexits.h. A usage error exits with 2, as argparse has it."""

    OK = 0
    BAD_DATA = 65
    BAD_MODEL = 66
    UNAVAILABLE = 69
    SOFTWARE = 70
    BAD_CONFIGURATION = 78
