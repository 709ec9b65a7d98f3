"""The rights of each role on the broker and on Redis. ``maskgate permissions`` tries each one."""

from maskgate.operations.live_keys import ANY_CAMERA, pattern_of
from maskgate.protocol.audit import AUDIT_KEYS
from maskgate.protocol.camera_state import CAMERA_KEYS
from maskgate.protocol.known_cameras import CAMERAS_KEY
from maskgate.protocol.models import MODELS_KEY, MODELS_KEYS, PAIRS_KEYS, WORKERS_KEY
from maskgate.protocol.scores import SCORES_KEYS
from maskgate.protocol.topology import (
    AUDIT_EXCHANGE,
    AUDIT_QUEUE,
    DEAD_EXCHANGE,
    DEAD_QUEUE,
    LIVE_EXCHANGE,
    LIVE_QUEUE,
    REVIEW_EXCHANGE,
    REVIEW_QUEUE,
)
from maskgate.protocol.verdict import (
    ALIVE_KEY,
    ATTEMPTS_KEYS,
    CHANNEL_PATTERN,
    HISTORY_KEYS,
    TRACKS_KEYS,
    VERDICT_KEYS,
    VISITS_KEYS,
)

NOTHING = "^$"
#: Role → its camera in the compose file: one draws faces, the other films a drawn video.
ROLE_CAMERAS = {"drawn": "lobby", "filmed": "entrance"}
#: Role → configure, write, read, as regular expressions. Only the administrator declares. A
#: site's own cameras are no role: ``maskgate camera add`` makes a user for each.
BROKER_RIGHTS = {
    "admin": (".*", ".*", ".*"),
    "worker": (
        NOTHING,
        f"^({DEAD_EXCHANGE}|{REVIEW_EXCHANGE})$".replace(".", r"\."),
        f"^({LIVE_QUEUE}|{AUDIT_QUEUE})$".replace(".", r"\."),
    ),
    "drawn": (NOTHING, f"^({LIVE_EXCHANGE}|{AUDIT_EXCHANGE})$", NOTHING),
    "filmed": (NOTHING, f"^{LIVE_EXCHANGE}$", NOTHING),
    "auditor": (NOTHING, f"^{AUDIT_EXCHANGE}$", NOTHING),
    "operator": (
        NOTHING,
        f"^({LIVE_EXCHANGE}|{AUDIT_EXCHANGE})$",
        f"^{DEAD_QUEUE}$".replace(".", r"\."),
    ),
    # The page for a bank's people. A view that reads a queue or publishes adds its name here, and
    # the cell to INTENDED_BROKER in permissions.py. Its operators do what "operator" may.
    "desk": (
        NOTHING,
        f"^({LIVE_EXCHANGE}|{AUDIT_EXCHANGE})$",
        f"^({DEAD_QUEUE}|{REVIEW_QUEUE})$".replace(".", r"\."),
    ),
}
#: Role → the live keys that it may publish. Without a pattern, a role that may write to ``crops``
#: could publish any. An operator puts dead letters back under the key they came with.
LIVE_KEYS = {role: pattern_of([camera]) for role, camera in ROLE_CAMERAS.items()} | {
    "operator": ANY_CAMERA,
    "desk": ANY_CAMERA,
}
#: Without CLIENT SETINFO: Redis 7.0 does not know it and would refuse the whole ACL file; redis-py
#: works without it.
REDIS_RIGHTS = {
    "admin": "~* &* +@all",
    "worker": (
        f"resetkeys ~{VERDICT_KEYS} ~{HISTORY_KEYS} ~{TRACKS_KEYS} ~{VISITS_KEYS} "
        f"~{CAMERA_KEYS} ~{AUDIT_KEYS} ~{ALIVE_KEY} ~{ATTEMPTS_KEYS} "
        f"~{SCORES_KEYS} ~{CAMERAS_KEY} "
        # It restores the champion that Redis lost. The history of promotions is not its to write.
        f"~{MODELS_KEY} ~{WORKERS_KEY} ~{PAIRS_KEYS} "
        f"resetchannels &{CHANNEL_PATTERN} "
        "-@all +fcall +info +time +set +hset +hdel +hget +hgetall +hincrby +hincrbyfloat +del "
        "+xadd +lpush +ltrim +lrange +pexpire +pexpireat +publish +zadd +zcard +zremrangebyrank "
        "+zremrangebyscore +hmget +ping +hello +client|setname"
    ),
    "deployer": "resetkeys resetchannels -@all +function|load +function|list +ping +hello "
    "+client|setname",
    "gate": (
        f"resetkeys %R~{VERDICT_KEYS} %R~{HISTORY_KEYS} %R~{VISITS_KEYS} %R~{CAMERA_KEYS} "
        f"%R~{ALIVE_KEY} "
        f"resetchannels &{CHANNEL_PATTERN} "
        "-@all +get +mget +hgetall +hmget +zrange +pttl +xread +xrange +xrevrange +subscribe "
        "+unsubscribe +psubscribe +punsubscribe +ping +hello +client|setname"
    ),
    # The page for a bank's people reads. A view that needs another key or command adds it here, and
    # a probe to redis_probes.py with its cell in INTENDED_REDIS in permissions.py.
    "desk": (
        f"resetkeys %R~{VERDICT_KEYS} %R~{HISTORY_KEYS} %R~{VISITS_KEYS} %R~{CAMERA_KEYS} "
        f"%R~{ALIVE_KEY} %R~{CAMERAS_KEY} %R~{AUDIT_KEYS} %R~{SCORES_KEYS} %R~{PAIRS_KEYS} "
        # An operator promotes models: one function writes these, and nothing else is writable.
        f"~{MODELS_KEY} ~{MODELS_KEYS} "
        f"resetchannels &{CHANNEL_PATTERN} "
        "-@all +get +mget +hgetall +hmget +zrange +zrevrange +pttl +xrange +xrevrange +lrange "
        "+fcall +time +hget +hset +del +xadd "
        "+subscribe +unsubscribe +psubscribe +punsubscribe +ping +hello +client|setname"
    ),
}
