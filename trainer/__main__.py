"""``python -m trainer COMMAND``: parse the command line and run a command.

``--help`` lists the commands; each is described in a module of ``trainer.commands``.
"""

import argparse
import sys
from collections.abc import Sequence

import structlog

from maskgate.protocol.errors import ConfigurationError, ModelError
from maskgate.runtime import logs
from maskgate.runtime.exit_codes import ExitCode
from trainer.commands import (
    audit_labels,
    compare,
    crossval,
    ensemble,
    estimate,
    evaluate,
    export,
    loso,
    reference_scores,
    report,
    size,
    train,
)
from trainer.commands.options import Command, with_recipe
from trainer.training.distributed import leave_process_group

COMMANDS = (
    train.COMMAND,
    evaluate.COMMAND,
    estimate.COMMAND,
    crossval.COMMAND,
    ensemble.COMMAND,
    loso.COMMAND,
    compare.COMMAND,
    audit_labels.COMMAND,
    size.COMMAND,
    export.COMMAND,
    reference_scores.COMMAND,
    report.COMMAND,
)

log = structlog.get_logger()


def main(argv: Sequence[str]) -> int:
    """Run the command line ``argv``; returns an exit code."""
    logs.configure("trainer")
    options = vars(parser().parse_args(argv))
    command: Command = options.pop("command")
    try:
        command.run(**(with_recipe(options) if command.trains else options))
    except ConfigurationError as error:
        log.error("trainer.bad_configuration", error=str(error))
        return ExitCode.BAD_CONFIGURATION
    except ModelError as error:
        log.error("trainer.bad_model", error=str(error))
        return ExitCode.BAD_MODEL
    finally:
        leave_process_group()
    return ExitCode.OK


def parser() -> argparse.ArgumentParser:
    """The parser of all commands; it puts the chosen :class:`Command` in ``command``."""
    whole = argparse.ArgumentParser(
        prog="python -m trainer", description="Train, check and export mask classifiers."
    )
    subparsers = whole.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        subparser = subparsers.add_parser(command.name, help=command.help)
        command.add_options(subparser)
        subparser.set_defaults(command=command)
    return whole


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
