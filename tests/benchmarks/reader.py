"""``python -m tests.benchmarks.reader CAMERAS``: records when each verdict became readable.

Blocks on the cameras' history streams. On exit it prints a JSON object: crop id to the time when
it was read, in ns of the monotonic clock.
"""

import json
import os
import sys
import time
from typing import Any

from redis import Redis

from maskgate.protocol.verdict import history_key
from maskgate.runtime.stop import Stop

_BLOCK_MS = 200


def main(cameras: int) -> None:
    """Read until SIGINT or SIGTERM."""
    stop, seen = Stop.on_signals(), {}
    client = Redis.from_url(os.environ["MASKGATE_REDIS_URL"])
    since: dict[Any, Any] = {history_key(f"door-{i}"): "0" for i in range(cameras)}
    client.ping()
    print("ready", flush=True)
    while not stop.requested:
        found: Any = client.xread(since, block=_BLOCK_MS)
        now_ns = time.monotonic_ns()
        for key, entries in found.items() if isinstance(found, dict) else found:
            for entry, fields in entries[0] if isinstance(found, dict) else entries:
                since[key.decode()] = entry
                seen[fields[b"crop_id"].decode()] = now_ns
    print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
