"""Put the definitions of exchanges, queues and policies on a running broker.

    maskgate topology apply --management-url http://admin:secret@127.0.0.1:15672

Clients never declare: they have no right to. The broker imports
``deploy/rabbitmq/definitions.json`` when it starts, or this command imports it; running it again
changes nothing.
"""

import base64
import json
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import unquote, urlsplit

from maskgate.protocol.errors import BrokerError, ConfigurationError

_PACKAGED = Path(__file__).parent / "definitions.json"
_CHECKOUT = Path(__file__).parents[2] / "deploy" / "rabbitmq" / "definitions.json"
#: A wheel holds a copy; a checkout has the file in ``deploy/``.
DEFINITIONS = _PACKAGED if _PACKAGED.is_file() else _CHECKOUT
_TIMEOUT_S = 10


def apply(management_url: str, definitions: Path = DEFINITIONS) -> None:
    """Import the definitions over RabbitMQ's management API; what exists already stays as it is.

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
            answer = error.read(500).decode(errors="replace")
            msg = f"the broker at {host} refuses the definitions: {error.code} {answer}"
        raise BrokerError(msg) from None
    except OSError as error:
        msg = f"no answer from the management API at {host}: {error}"
        raise BrokerError(msg) from None
