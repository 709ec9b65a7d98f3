"""``python -m maskgate {wait CAMERA, watch [CAMERA …], alive}``: the composition root.

``wait`` exits 0 for recognise, 1 for remove the mask, 2 for manual: and manual is every failure.
"""

import json
import os
import sys
from collections.abc import Callable, Sequence

import msgspec

from maskgate.gate.client import Gate
from maskgate.gate.decide import Action, Decision
from maskgate.gate.settings import GateSettings, WaitSettings, WatchSettings
from maskgate.protocol.errors import ConfigurationError, MaskgateError
from maskgate.runtime import logs
from maskgate.runtime.clock import now_ms
from maskgate.runtime.exit_codes import ExitCode
from maskgate.runtime.settings import load
from maskgate.runtime.stop import Stop
from maskgate.runtime.store import connect

_EXITS = {Action.RECOGNISE: 0, Action.REMOVE_MASK: 1, Action.MANUAL: 2}


def main(argv: Sequence[str]) -> int:
    """The command line; returns an exit code."""
    logs.configure("gate")
    command = _COMMANDS.get(argv[0]) if argv else None
    if command is None:
        print(
            "usage: python -m maskgate {wait CAMERA | watch [CAMERA …] | alive} [options]; --help after any lists them",
            file=sys.stderr,
        )
        return 0 if argv and argv[0] in ("-h", "--help") else 2
    return command(argv[1:])


def _wait(argv: Sequence[str]) -> int:
    decision = Decision(Action.MANUAL, "interrupted")
    try:
        settings = load(WaitSettings, argv, "python -m maskgate wait")
        with _gate(settings) as gate:
            decision = gate.decision(
                settings.camera,
                settings.track,
                timeout_s=settings.timeout_s,
                min_agreeing=settings.min_agreeing,
            )
    except MaskgateError as error:
        decision = Decision(Action.MANUAL, str(error))
    except KeyboardInterrupt:
        pass
    verdict = decision.verdict
    age_ms = now_ms() - verdict.captured_at_ms if verdict else None
    told = {
        "decision": decision.action,
        "reason": decision.reason,
        "age_ms": age_ms,
        "verdict": verdict and msgspec.to_builtins(verdict),
    }
    try:
        print(json.dumps(told), flush=True)
    except OSError:
        _discard_output()
        return _EXITS[Action.MANUAL]  # whoever was to read this has not
    return _EXITS[decision.action]


def _watch(argv: Sequence[str]) -> int:
    # Here, because a door that only waits has no need of rich.
    from rich.console import Console  # noqa: PLC0415  (only watch needs rich)

    from maskgate.gate.watch import watch  # noqa: PLC0415  (only watch needs rich)

    stop = Stop.on_signals()
    try:
        settings = load(WatchSettings, argv, "python -m maskgate watch")
        timeout_s = max(1.0, settings.redis_timeout_s)
        client = connect(
            *settings.redis_login(),
            name="gate-watch",
            timeout_s=timeout_s,
            tls=settings.redis_tls(),
        )
        gate = _gate(settings)
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.BAD_CONFIGURATION
    try:
        with gate:
            watch(
                gate,
                client,
                settings.cameras,
                stop=stop,
                console=Console(soft_wrap=True),
                interval_s=settings.interval_s,
            )
    except BrokenPipeError:
        _discard_output()  # `… | head` has seen enough
    return ExitCode.OK


def _alive(argv: Sequence[str]) -> int:
    try:
        settings = load(GateSettings, argv, "python -m maskgate alive")
        with _gate(settings) as gate:
            print("a worker is at work" if gate.workers_alive() else "no worker is at work")
    except MaskgateError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _gate(settings: GateSettings) -> Gate:
    return Gate(
        *settings.redis_login(), timeout_s=settings.redis_timeout_s, tls=settings.redis_tls()
    )


def _discard_output() -> None:
    # Python flushes standard output once more when it ends, and would make of another failure an exit code of its own.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


_COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "wait": _wait,
    "watch": _watch,
    "alive": _alive,
}
