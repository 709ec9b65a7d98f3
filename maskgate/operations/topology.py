"""Bring a running broker up to date: exchanges, queues, bindings, policies, users and rights.

    export MASKGATE_MANAGEMENT_PASSWORD_FILE=/etc/maskgate/rabbitmq/admin
    maskgate topology apply --management-url http://admin@127.0.0.1:15672

Clients never declare: they have no right to. The broker imports its definitions when it starts, or
this command imports them; running it again changes nothing.
"""

import json
from pathlib import Path
from typing import Any

from maskgate.operations.differences import differences, fixed_differences
from maskgate.operations.management import Management
from maskgate.protocol.errors import ConfigurationError

_PACKAGED = Path(__file__).parent / "definitions.json"
_CHECKOUT = Path(__file__).parents[2] / "deploy" / "rabbitmq" / "definitions.json"
#: A wheel holds a copy; a checkout has the file in ``deploy/``.
DEFINITIONS = _PACKAGED if _PACKAGED.is_file() else _CHECKOUT


def apply(
    management: Management, definitions: Path = DEFINITIONS, *, replace_exchanges: bool = False
) -> list[str]:
    """Import the definitions; returns what changed. Nothing is removed.

    RabbitMQ ignores an exchange or a queue in an import that it has with another type. Exchanges
    hold no messages: ``replace_exchanges`` deletes such a one, and the import makes it anew.

    Raises:
        ConfigurationError: the file can't be used, or RabbitMQ can't change what is there into it.
        BrokerError: the broker can't be reached or refuses.
    """
    try:
        wanted = json.loads(definitions.read_bytes())
    except (OSError, ValueError) as error:
        msg = f"{definitions}: {error}"
        raise ConfigurationError(msg) from None
    found = management.get("definitions")
    changed, fixed = differences(found, wanted), fixed_differences(found, wanted)
    _refuse(fixed["exchanges"] if not replace_exchanges else [], fixed["queues"])
    for name in fixed["exchanges"]:
        management.delete("exchanges", "/", name)
    management.post("definitions", body=wanted)
    return changed


def _refuse(exchanges: list[Any], queues: list[Any]) -> None:
    if exchanges:
        msg = (
            f"exchange {', '.join(exchanges)}: has another type, which RabbitMQ can't change. "
            "Run this again with --replace-exchanges: it loses no message, and producers send "
            "again what the broker refuses for that moment"
        )
        raise ConfigurationError(msg)
    if queues:
        msg = (
            f"queue {', '.join(queues)}: has another type, which RabbitMQ can't change. Stop the "
            "producers, let the workers empty it, delete it with 'rabbitmqctl delete_queue NAME' "
            "and run this again"
        )
        raise ConfigurationError(msg)
