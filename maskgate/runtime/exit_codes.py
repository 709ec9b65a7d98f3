"""How the processes exit."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Names and numbers of sysexits.h, and three codes that a door reads from ``maskgate wait``.

    Only ``OK`` and ``REMOVE_MASK`` have a meaning for a door; any other code is manual, also one
    that Python, a shell or a container engine chooses (docs/adr/0038-exit-codes-of-wait.md).
    """

    OK = 0
    #: No verdict, no decision. Also a usage error, as argparse has it.
    MANUAL = 2
    #: Nothing else exits with 10: not a traceback (1), sysexits.h (64 to 78), a full disk at exit
    #: (120), timeout, docker and shells (124 to 128), a signal (128 + n) or ssh (255).
    REMOVE_MASK = 10
    BAD_DATA = 65
    BAD_MODEL = 66
    UNAVAILABLE = 69
    SOFTWARE = 70
    BAD_CONFIGURATION = 78
