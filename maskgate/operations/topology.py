"""Put the definitions of exchanges, queues and policies on a running broker.

    maskgate topology apply --management-url http://admin:secret@127.0.0.1:15672

Clients never declare: they have no right to. The broker imports ``deploy/rabbitmq/definitions.json`` when it starts, or is
given it by this command, as often as one likes.
"""

import argparse
import base64
import json
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import unquote, urlsplit

from maskgate.protocol.errors import BrokerError, ConfigurationError, MaskgateError
from maskgate.runtime.exit_codes import ExitCode

_PACKAGED = Path(__file__).parent / "definitions.json"
_CHECKOUT = Path(__file__).parents[2] / "deploy" / "rabbitmq" / "definitions.json"
#: The wheel carries a copy of the file that a checkout has in ``deploy/``.
DEFINITIONS = _PACKAGED if _PACKAGED.is_file() else _CHECKOUT
_TIMEOUT_S = 10


def apply(management_url: str, definitions: Path = DEFINITIONS) -> None:
    """Import the definitions over RabbitMQ's management API; what is there already stays as it is.

    Raises:
        ConfigurationError: the URL or the file can't be used.
        BrokerError: the broker can't be reached or refuses.
    """
    parts = urlsplit(management_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        msg = "--management-url: not an http:// or https:// URL"
        raise ConfigurationError(msg)
    host = parts.netloc.rpartition("@")[2]
    try:
        body = definitions.read_bytes()
        json.loads(body)
    except (OSError, ValueError) as error:
        msg = f"{definitions}: {error}"
        raise ConfigurationError(msg) from None
    request = urllib.request.Request(  # noqa: S310  (the scheme is checked above)
        f"{parts.scheme}://{host}{parts.path.rstrip('/')}/api/definitions", data=body, method="POST"
    )
    login = f"{unquote(parts.username or 'guest')}:{unquote(parts.password or 'guest')}"
    request.add_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
    request.add_header("Content-Type", "application/json")
    try:
        urllib.request.urlopen(request, timeout=_TIMEOUT_S).close()  # noqa: S310  (as above)
    except urllib.error.HTTPError as error:
        with error:
            msg = f"the broker at {host} refuses the definitions: {error.code} {error.read(500).decode(errors='replace')}"
        raise BrokerError(msg) from None
    except OSError as error:
        msg = f"no answer from the management API at {host}: {error}"
        raise BrokerError(msg) from None


def main(argv: list[str]) -> int:
    """The command line; returns an exit code."""
    parser = argparse.ArgumentParser(prog="maskgate topology", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("apply", help="put the definitions on a running broker")
    command.add_argument("--management-url", required=True, help="http://USER:PASSWORD@HOST:15672")
    command.add_argument(
        "--definitions", type=Path, default=DEFINITIONS, help="default: %(default)s"
    )
    arguments = parser.parse_args(argv)
    try:
        apply(arguments.management_url, arguments.definitions)
    except MaskgateError as error:
        print(f"error: {error}", file=sys.stderr)
        return (
            ExitCode.BAD_CONFIGURATION
            if isinstance(error, ConfigurationError)
            else ExitCode.UNAVAILABLE
        )
    print(f"applied {arguments.definitions.name}")
    return ExitCode.OK
