"""``python -m demo``: all of maskgate in one process, without servers.

A queue in this process, an embedded Valkey, a camera that films a video, drawn people or the
pictures of a folder, two workers and a gate. At the end it prints who came and the totals, and
exits 0 only if published = verdicts + unreadable + expired + refused.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from demo import folder, people
from demo.installation import DEFAULTS
from maskgate.inference.model import Model
from maskgate.protocol.errors import MaskgateError
from maskgate.runtime import logs
from maskgate.runtime.command_line import HelpFormatter
from maskgate.runtime.exit_codes import ExitCode


def main(argv: Sequence[str]) -> int:
    """The command line; returns an exit code."""
    arguments = _parser().parse_args(argv)
    logs.configure("demo", level="warning")
    console = Console(soft_wrap=True)
    try:
        model = Model.load(DEFAULTS.model_path)
        if arguments.images is None:
            adds_up = people.run(arguments.video, model, console, seconds=arguments.seconds)
        else:
            adds_up = folder.run(
                arguments.images, model, console, seconds=arguments.seconds, rate=arguments.rate
            )
    except MaskgateError as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.BAD_CONFIGURATION
    return ExitCode.OK if adds_up else ExitCode.SOFTWARE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m demo",
        formatter_class=HelpFormatter,
        description="Run all of maskgate in one process and print who came and the totals.",
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--video", type=Path, metavar="FILE", help="video to play (default: drawn people)"
    )
    source.add_argument("--images", type=Path, metavar="DIR", help="folder of crops to send")
    parser.add_argument(
        "--seconds",
        type=float,
        metavar="SECONDS",
        default=25.0,
        help="duration in seconds, unless a video is played (default: %(default)s)",
    )
    parser.add_argument(
        "--rate",
        type=float,
        default=500.0,
        help="crops per second, with --images (default: %(default)s)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
