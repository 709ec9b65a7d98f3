"""``maskgate COMMAND``: the command line of the library."""

import sys

from maskgate.commands import main


def run() -> None:
    """The console script."""
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
