"""``maskgate COMMAND``: the door's commands and the operator's; ``maskgate COMMAND --help`` lists options."""

import sys
from collections.abc import Sequence
from importlib import import_module

from maskgate.runtime.exit_codes import ExitCode

#: Command, module whose ``main`` runs it, what it does. A door needs no broker client: modules are
#: imported when their command is run.
_COMMANDS = {
    "wait": (
        "gate",
        "wait for a decision about one camera; exit 0 recognise, 1 remove the mask, 2 manual",
    ),
    "watch": ("gate", "show every camera's verdicts and decisions"),
    "alive": ("gate", "exit 0 if a worker is running"),
    "topology": ("operations.topology", "put exchanges, queues and policies on a running broker"),
    "permissions": ("operations.permissions", "try what each role may do on running servers"),
    "secrets": (
        "operations.secrets",
        "make passwords, broker definitions and Redis ACL for one installation",
    ),
}


def main(argv: Sequence[str]) -> int:
    """The command line; returns an exit code."""
    name = argv[0] if argv else ""
    if name not in _COMMANDS:
        wanted = name in ("-h", "--help")
        print(_usage(), file=sys.stdout if wanted else sys.stderr)
        return ExitCode.OK if wanted else 2
    module = _COMMANDS[name][0]
    if module == "gate":
        return int(import_module("maskgate.gate.commands").main(argv))
    return int(import_module(f"maskgate.{module}").main(argv[1:]))


def run() -> None:
    """The console script."""
    sys.exit(main(sys.argv[1:]))


def _usage() -> str:
    commands = "\n".join(f"  {name:12} {text}" for name, (_, text) in _COMMANDS.items())
    return f"usage: maskgate COMMAND [options]\n\n{commands}\n\nmaskgate COMMAND --help lists its options."


if __name__ == "__main__":
    run()
