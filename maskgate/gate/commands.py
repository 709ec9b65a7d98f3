"""``maskgate wait``, ``maskgate watch`` and ``maskgate alive``: the composition root of the gate.

``wait`` exits 0 for recognise and 10 for remove the mask. Any other code is manual, also that of
``--help``, of a traceback or of a signal: docs/adr/0038-exit-codes-of-wait.md.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence

import msgspec

from maskgate.gate.client import Gate
from maskgate.gate.decide import Action, Decision
from maskgate.gate.settings import AliveSettings, GateSettings, WaitSettings, WatchSettings
from maskgate.protocol.crop import is_id
from maskgate.protocol.errors import ConfigurationError, MaskgateError
from maskgate.runtime import logs, store
from maskgate.runtime.clock import now_ms
from maskgate.runtime.command_line import CHECK, settings_parser
from maskgate.runtime.exit_codes import ExitCode
from maskgate.runtime.settings import SettingsT, load
from maskgate.runtime.stop import Stop
from maskgate.runtime.store import connect

_EXITS = {
    Action.RECOGNISE: ExitCode.OK,
    Action.REMOVE_MASK: ExitCode.REMOVE_MASK,
    Action.MANUAL: ExitCode.MANUAL,
}


def main(argv: Sequence[str]) -> int:
    """Run the command that ``argv`` begins with; returns an exit code."""
    logs.configure("gate")
    name, *options = argv
    if CHECK in options and _can_check(name):
        return _check(name, options)
    return _RUN[name](options)


def parser(name: str) -> argparse.ArgumentParser:
    """The command line of one command."""
    return settings_parser(_SETTINGS[name], f"maskgate {name}", check=_can_check(name))[0]


def _load(kind: type[SettingsT], name: str, options: Sequence[str]) -> SettingsT:
    return load(kind, options, f"maskgate {name}", check=_can_check(name))


def _can_check(name: str) -> bool:
    """Whether a command has ``--check``: not ``wait``, whose exit code 0 opens a door."""
    return name != "wait"


def _check(name: str, options: Sequence[str]) -> int:
    try:
        settings = _load(_SETTINGS[name], name, options)
        lines = store.check(settings)
        _check_cameras(settings)
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.BAD_CONFIGURATION
    print(*lines, "valid", sep="\n")
    return ExitCode.OK


def _check_cameras(settings: GateSettings) -> None:
    for camera in settings.cameras if isinstance(settings, WatchSettings) else ():
        if not is_id(camera):
            msg = f"camera {camera!r} is not 1 to 64 of A-Z a-z 0-9 _ -"
            raise ConfigurationError(msg)


def _wait(argv: Sequence[str]) -> int:
    try:
        decision = _decide(_load(WaitSettings, "wait", argv))
    except SystemExit:  # after --help or a usage error
        return ExitCode.MANUAL
    except MaskgateError as error:
        decision = Decision(Action.MANUAL, str(error))
    except KeyboardInterrupt:
        decision = Decision(Action.MANUAL, "interrupted")
    # What the caller can't read is no decision.
    return _EXITS[decision.action] if _print(decision) else ExitCode.MANUAL


def _decide(settings: WaitSettings) -> Decision:
    with _gate(settings) as gate:
        return gate.decision(
            settings.camera,
            settings.track,
            timeout_s=settings.timeout_s,
            min_evidence=settings.min_evidence,
            newer_than_ms=settings.newer_than,
        )


def _print(decision: Decision) -> bool:
    """Print a decision as JSON; False if standard output is closed, full or without a reader."""
    verdict = decision.verdict
    printed = {
        "decision": decision.action,
        "reason": decision.reason,
        "age_ms": now_ms() - verdict.captured_at_ms if verdict else None,
        "verdict": verdict and msgspec.to_builtins(verdict),
    }
    if sys.stdout is None:
        return False
    try:
        print(json.dumps(printed), flush=True)
    except OSError:
        _discard_output()
        return False
    return True


def _watch(argv: Sequence[str]) -> int:
    from rich.console import Console  # noqa: PLC0415  (only watch needs rich)

    from maskgate.gate.watch import watch  # noqa: PLC0415  (only watch needs rich)

    stop = Stop.on_signals()
    try:
        settings = _load(WatchSettings, "watch", argv)
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
        _discard_output()  # as in `maskgate watch | head`
    return ExitCode.OK


def _alive(argv: Sequence[str]) -> int:
    try:
        with _gate(_load(AliveSettings, "alive", argv)) as gate:
            alive = gate.workers_alive()
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.BAD_CONFIGURATION
    except MaskgateError as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.UNAVAILABLE
    print("a worker is at work" if alive else "no worker is at work")
    return ExitCode.OK if alive else ExitCode.UNAVAILABLE


def _gate(settings: GateSettings) -> Gate:
    return Gate(
        *settings.redis_login(), timeout_s=settings.redis_timeout_s, tls=settings.redis_tls()
    )


def _discard_output() -> None:
    # Python flushes standard output at exit; another failure would change the exit code.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


_SETTINGS: dict[str, type[GateSettings]] = {
    "wait": WaitSettings,
    "watch": WatchSettings,
    "alive": AliveSettings,
}
_RUN: dict[str, Callable[[Sequence[str]], int]] = {
    "wait": _wait,
    "watch": _watch,
    "alive": _alive,
}
