"""``python -m tests.servers``: RabbitMQ and Redis on free ports until Ctrl-C, for debugging.

Prints the variables that a process needs to find them, ready for ``eval`` or for a debugger.
"""

import signal

from tests.servers.rabbit_server import rabbit_server
from tests.servers.redis_server import redis_server


def main() -> None:
    """Start both servers, print where they are, wait for SIGINT or SIGTERM, stop both."""
    stopping = {signal.SIGINT, signal.SIGTERM}
    # Blocked before the servers start, so that an early Ctrl-C cannot leave one running.
    signal.pthread_sigmask(signal.SIG_BLOCK, stopping)
    with rabbit_server() as rabbit, redis_server() as redis:
        print(f"export MASKGATE_BROKER_URL={rabbit.url}")
        print(f"export MASKGATE_REDIS_URL={redis.url}")
        print(f"# RabbitMQ's pages: {rabbit.management_url}", flush=True)
        signal.sigwait(stopping)


if __name__ == "__main__":
    main()
