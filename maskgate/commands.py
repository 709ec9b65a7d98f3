"""The commands of a door and of an operator, by name."""

from collections.abc import Sequence
from importlib import import_module

from maskgate.runtime.command_line import choose

#: Each command with the module that parses and runs it, and its help text. A module is imported
#: when its command runs: a door needs no broker client.
COMMANDS = {
    "wait": (
        "maskgate.gate.commands",
        "wait for a decision about one camera; exit 0: recognise, 1: remove the mask, 2: manual",
    ),
    "watch": ("maskgate.gate.commands", "show the verdicts and decisions of all cameras"),
    "alive": ("maskgate.gate.commands", "exit 0 if a worker is running, else 1"),
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
    """Run one command; returns an exit code."""
    texts = {name: text for name, (_, text) in COMMANDS.items()}
    name = choose("maskgate", "The door's and the operator's commands of maskgate.", texts, argv)
    return int(import_module(COMMANDS[name][0]).main(argv))
