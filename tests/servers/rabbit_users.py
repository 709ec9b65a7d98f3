"""Users of a test's broker, made through its management API: ten times faster than rabbitmqctl."""

from collections.abc import Sequence

from pydantic import SecretStr

from maskgate.operations.management import Management
from maskgate.protocol.topology import LIVE_EXCHANGE
from tests.servers.rabbit_server import RabbitServer

NOTHING = "^$"


def add_user(
    rabbit: RabbitServer, name: str, rights: Sequence[str], live_keys: str = NOTHING
) -> str:
    """A user with the rights to configure, write and read; returns its URL."""
    management = Management(rabbit.management_url, SecretStr("guest"))
    configure, write, read = rights
    management.put("users", name, body={"password": "word", "tags": ""})
    body = {"configure": configure, "write": write, "read": read}
    management.put("permissions", "/", name, body=body)
    topic = {"exchange": LIVE_EXCHANGE, "write": live_keys, "read": NOTHING}
    management.put("topic-permissions", "/", name, body=topic)
    return f"amqp://{name}:word@127.0.0.1:{rabbit.port}/%2F"
