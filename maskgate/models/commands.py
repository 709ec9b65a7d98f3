"""``maskgate models {list, promote, rollback, history, report}``."""

import argparse
import getpass
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from redis import Redis

from maskgate.models import promotion, records
from maskgate.models.paired import compare, disagreements
from maskgate.models.report import report
from maskgate.protocol.crop import is_id
from maskgate.protocol.errors import ConfigurationError, MaskgateError
from maskgate.protocol.models import Holding, ModelId
from maskgate.runtime.clock import now_ms
from maskgate.runtime.command_line import HelpFormatter
from maskgate.runtime.exit_codes import ExitCode
from maskgate.runtime.settings import RedisSettings, load
from maskgate.runtime.store import connect

_TIMEOUT_S = 5.0
_CAMERAS = 10

_Run = Callable[[Redis, argparse.Namespace], int]


def main(argv: Sequence[str]) -> int:
    """Run the command; returns an exit code."""
    arguments = parser().parse_args(argv[1:])
    run: _Run = arguments.run
    try:
        with _client(arguments) as client:
            return run(client, arguments)
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.BAD_CONFIGURATION
    except promotion.PromotionError as error:
        print(f"not changed: {error}", file=sys.stderr)
        return ExitCode.SOFTWARE
    except MaskgateError as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.UNAVAILABLE


def parser(_name: str = "models") -> argparse.ArgumentParser:
    """The command line of this command."""
    own = argparse.ArgumentParser(
        prog="maskgate models",
        description="Which model decides: look, promote another one, go back, report.",
        formatter_class=HelpFormatter,
    )
    commands = own.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _command(commands, "list", "print champion, challenger and what each worker holds", _list)
    promoting = _command(commands, "promote", "make a model champion on all workers", _promote)
    promoting.add_argument(
        "model", metavar="MODEL", help="its name, or 8 or more digits of its SHA-256"
    )
    back = _command(commands, "rollback", "make the previous champion champion again", _rollback)
    for each in (promoting, back):
        _add_reasons(each)
    _command(commands, "history", "print all promotions, the newest first", _history)
    reporting = _command(
        commands, "report", "print which model decided at a door, and when", _report
    )
    reporting.add_argument("--camera", required=True, metavar="NAME", help="the door's camera")
    for name, text in (("from", "the beginning of the history"), ("to", "now")):
        reporting.add_argument(
            f"--{name}",
            dest=f"{name}_ms",
            type=_time,
            metavar="TIME",
            help=f"such as 2026-11-27 or 2026-11-27T14:30, UTC (default: {text})",
        )
    return own


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, text: str, run: _Run
) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=text,
        usage=f"maskgate models {name} {'MODEL ' if name == 'promote' else ''}[options]",
        description=text.capitalize() + ".",
        formatter_class=HelpFormatter,
    )
    command.add_argument(
        "--redis-url",
        metavar="URL",
        help="Redis, with the user desk or admin (default: MASKGATE_REDIS_URL). Its password comes "
        "from MASKGATE_REDIS_PASSWORD or MASKGATE_REDIS_PASSWORD_FILE",
    )
    command.set_defaults(run=run)
    return command


def _add_reasons(command: argparse.ArgumentParser) -> None:
    command.add_argument("--by", metavar="NAME", help="who does it (default: the login name)")
    command.add_argument("--why", default="", metavar="TEXT", help="the reason, for the history")
    command.add_argument(
        "--force",
        action="store_true",
        help="even if a running worker does not hold the model: it keeps the one it has",
    )


def _client(arguments: argparse.Namespace) -> Redis:
    options = ["--redis-url", arguments.redis_url] if arguments.redis_url else []
    settings = load(RedisSettings, options, "maskgate models")
    return connect(
        *settings.redis_login(), name="models", timeout_s=_TIMEOUT_S, tls=settings.redis_tls()
    )


def _list(client: Redis, _: argparse.Namespace) -> int:
    models = records.read(client)
    champion = models.champion
    since = (
        f"generation {models.generation}, since {_told(models.reign.changed_at_ms)}"
        if models.reign
        else "as configured: nobody was promoted"
    )
    print(f"champion: {_named(champion)} ({since})")
    if models.previous:
        print(f"previous: {_named(models.previous)}")
    for name, holding in models.workers.items():
        print(f"{name}: {_held(holding, champion)}")
    if not models.workers:
        print("no worker is running")
    for challenger in models.challengers if champion else []:
        _print_pair(client, champion.name if champion else "", challenger.name)
    return ExitCode.OK


def _held(holding: Holding, champion: ModelId | None) -> str:
    text = f"serves {_named(holding.champion)}"
    if champion and holding.champion.sha256 != champion.sha256:
        text += ", NOT the champion"
    if holding.challenger:
        text += f"; compares {_named(holding.challenger)} on {holding.share:.0%} of its batches"
    return text + (f"; refused a challenger: {holding.refused}" if holding.refused else "")


def _print_pair(client: Redis, champion: str, challenger: str) -> None:
    audit, live = records.pair_counts(client, champion, challenger)
    print(f"\n{challenger} against {champion}, labelled samples:\n  {compare(audit).text}")
    cameras = disagreements(live)
    crops, differ = sum(each.n for each in cameras), sum(each.differ for each in cameras)
    print(f"  of {crops} live crops they differ in {differ}")
    for each in cameras[:_CAMERAS]:
        print(f"  {each.camera}: {each.differ} of {each.n}, {each.opposed} mask against no mask")


def _promote(client: Redis, arguments: argparse.Namespace) -> int:
    seen = records.read(client)
    model = promotion.find(seen, arguments.model)
    generation = promotion.promote(
        client,
        seen,
        model,
        by=arguments.by or _login_name(),
        why=arguments.why,
        forced=arguments.force,
    )
    return _followed(client, model, generation)


def _rollback(client: Redis, arguments: argparse.Namespace) -> int:
    model, generation = promotion.rollback(
        client,
        records.read(client),
        by=arguments.by or _login_name(),
        why=arguments.why,
        forced=arguments.force,
    )
    return _followed(client, model, generation)


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # the latter from Python 3.13 on
        msg = "this user has no login name, as in a container: say who does it with --by NAME"
        raise ConfigurationError(msg) from None


def _followed(client: Redis, model: ModelId, generation: int) -> int:
    """Print whether all workers serve the model by now; 70 if one does not."""
    print(f"champion: {_named(model)}, generation {generation}", flush=True)
    others = promotion.wait_until_served(client, model, promotion.SWAP_S)
    if others:
        print(
            f"after {promotion.SWAP_S:.0f} s these workers serve another model: {', '.join(others)}"
        )
        return ExitCode.SOFTWARE
    print("all running workers serve it. To make it permanent, configure the workers with it")
    return ExitCode.OK


def _history(client: Redis, _: argparse.Namespace) -> int:
    for each in records.promotions(client):
        print(
            f"{_told(each.at_ms)}  {each.generation:>3}  {each.action:8}  {each.champion_name} "
            f"({each.champion[:12]}), before {each.previous_name or '?'}, by {each.by or '?'}"
            f"{', forced' if each.forced else ''}{': ' + each.why if each.why else ''}"
        )
    return ExitCode.OK


def _report(client: Redis, arguments: argparse.Namespace) -> int:
    if not is_id(arguments.camera):
        msg = f"--camera: {arguments.camera!r} is not 1 to 64 of A-Z a-z 0-9 _ -"
        raise ConfigurationError(msg)
    from_ms = arguments.from_ms or 0
    to_ms = now_ms() if arguments.to_ms is None else arguments.to_ms
    found = report(client, arguments.camera, from_ms, to_ms)
    if found.begins_ms is None:
        print(f"{arguments.camera}: no history")
    elif found.begins_ms > from_ms:
        print(f"the history of {arguments.camera} begins {_told(found.begins_ms)}")
    for span in found.spans:
        print(
            f"{_told(span.from_ms)} to {_told(span.to_ms)}  {span.model}  {span.verdicts} verdicts"
        )
    for each in reversed(records.promotions(client, from_ms=from_ms, to_ms=to_ms)):
        print(f"{_told(each.at_ms)} {each.action} of {each.champion_name} by {each.by or '?'}")
    return ExitCode.OK


def _named(model: ModelId | None) -> str:
    return f"{model.name} ({model.sha256[:12]})" if model else "unknown: workers differ"


def _told(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def _time(text: str) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        msg = f"{text!r} is no time such as 2026-11-27T14:30"
        raise argparse.ArgumentTypeError(msg) from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
