"""The commands of a door and of an operator, by name."""

from collections.abc import Sequence
from importlib import import_module

from maskgate.runtime.command_line import choose
from maskgate.runtime.exit_codes import ExitCode

#: Each command with the module that parses and runs it, and its help text. A module is imported
#: when its command runs: a door needs no broker client.
COMMANDS = {
    "wait": (
        "maskgate.gate.commands",
        "wait for a decision; exit 0: recognise, 10: remove the mask, any other: manual",
    ),
    "watch": ("maskgate.gate.commands", "show the verdicts and decisions of all cameras"),
    "alive": ("maskgate.gate.commands", "exit 0 if a worker is running, else 69"),
    "topology": (
        "maskgate.operations.commands",
        "bring exchanges, queues, policies and users of a running broker up to date",
    ),
    "camera": (
        "maskgate.operations.commands",
        "register a camera on a running broker, renew its password, or revoke it",
    ),
    "functions": (
        "maskgate.operations.functions",
        "load the functions that workers call in Redis",
    ),
    "models": (
        "maskgate.models.commands",
        "show which model decides, promote another one, go back, report to an auditor",
    ),
    "permissions": (
        "maskgate.operations.commands",
        "test on running servers what each role may do",
    ),
    "secrets": (
        "maskgate.operations.commands",
        "make or update passwords, broker definitions and Redis ACL of an installation",
    ),
    "completion": ("maskgate.completion", "print a completion script for bash or zsh"),
}


def main(argv: Sequence[str]) -> int:
    """Run one command; returns an exit code.

    Raises:
        SystemExit: after ``--help`` (0, but 2 if more was asked: ``maskgate --help wait lobby``
            must not open a door), or if the command is missing or unknown (2).
    """
    texts = {name: text for name, (_, text) in COMMANDS.items()}
    try:
        name = choose(
            "maskgate", "The door's and the operator's commands of maskgate.", texts, argv
        )
    except SystemExit as ended:
        raise SystemExit(ended.code if len(argv) == 1 else ExitCode.MANUAL) from None
    return int(import_module(COMMANDS[name][0]).main(argv))
