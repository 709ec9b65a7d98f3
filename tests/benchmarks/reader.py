"""Tells when each verdict became readable: ``python -m tests.benchmarks.reader CAMERAS``.

Blocks on the doors' streams; at its end prints, as JSON, the monotonic clock's nanoseconds at which it held each crop id.
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
    """Read until asked to stop."""
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
