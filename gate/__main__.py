"""``python -m gate {wait CAMERA, watch [CAMERA …], alive}``: the composition root.

``wait`` exits 0 for recognise, 1 for remove the mask, 2 for manual: and manual is every failure.
"""

import json
import sys
from collections.abc import Callable, Sequence

import msgspec
from rich.console import Console

from contract import logs
from contract.clock import now_ms
from contract.errors import ConfigurationError, MaskgateError
from contract.exit_codes import ExitCode
from contract.settings import load
from contract.stop import Stop
from contract.store import connect
from gate.client import Gate
from gate.decide import Action, Decision
from gate.settings import GateSettings, WaitSettings, WatchSettings
from gate.watch import watch

_EXITS = {Action.RECOGNISE: 0, Action.REMOVE_MASK: 1, Action.MANUAL: 2}


def main(argv: Sequence[str]) -> int:
    """The command line; returns an exit code."""
    logs.configure("gate")
    command = _COMMANDS.get(argv[0]) if argv else None
    if command is None:
        print("usage: python -m gate {wait CAMERA | watch [CAMERA …] | alive} [options]; --help after any lists them", file=sys.stderr)
        return 0 if argv and argv[0] in ("-h", "--help") else 2
    return command(argv[1:])


def _wait(argv: Sequence[str]) -> int:
    try:
        settings = load(WaitSettings, argv, "python -m gate wait")
        with Gate(*settings.redis_login(), timeout_s=settings.redis_timeout_s) as gate:
            decision = gate.decision(settings.camera, settings.track, timeout_s=settings.timeout_s, min_agreeing=settings.min_agreeing)
    except MaskgateError as error:
        decision = Decision(Action.MANUAL, str(error))
    verdict = decision.verdict
    age_ms = now_ms() - verdict.captured_at_ms if verdict else None
    print(
        json.dumps(
            {"decision": decision.action, "reason": decision.reason, "age_ms": age_ms, "verdict": verdict and msgspec.to_builtins(verdict)}
        )
    )
    return _EXITS[decision.action]


def _watch(argv: Sequence[str]) -> int:
    try:
        settings = load(WatchSettings, argv, "python -m gate watch")
        client = connect(*settings.redis_login(), name="gate-watch", timeout_s=max(1.0, settings.redis_timeout_s))
        gate = Gate(*settings.redis_login(), timeout_s=settings.redis_timeout_s)
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.BAD_CONFIGURATION
    with gate:
        watch(gate, client, settings.cameras, stop=Stop.on_signals(), console=Console(soft_wrap=True), interval_s=settings.interval_s)
    return ExitCode.OK


def _alive(argv: Sequence[str]) -> int:
    try:
        settings = load(GateSettings, argv, "python -m gate alive")
        with Gate(*settings.redis_login(), timeout_s=settings.redis_timeout_s) as gate:
            print("a worker is at work" if gate.workers_alive() else "no worker is at work")
    except MaskgateError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


_COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {"wait": _wait, "watch": _watch, "alive": _alive}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
