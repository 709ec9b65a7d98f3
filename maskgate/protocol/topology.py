"""Names of exchanges, queues and routing keys.

``deploy/rabbitmq/definitions.json`` defines them. Clients have no right to declare any.
"""

LIVE_EXCHANGE = "crops"
AUDIT_EXCHANGE = "audit"
DEAD_EXCHANGE = "crops.dead"
REVIEW_EXCHANGE = "review"
#: Binds the live queue to the key of every camera.
LIVE_BINDING = "live.*"
AUDIT_KEY = "audit"
REVIEW_KEY = "review"
LIVE_QUEUE = "crops.live"
AUDIT_QUEUE = "crops.audit"
DEAD_QUEUE = "crops.dead"
REVIEW_QUEUE = "crops.review"
_LIVE = "live."


def live_key(camera_id: str) -> str:
    """The routing key of a camera's live crops. The broker lets a camera publish its own only."""
    return _LIVE + camera_id


def key_owner(routing_key: str) -> str | None:
    """What a live routing key names as its camera, not checked yet; None for any other key."""
    return routing_key.removeprefix(_LIVE) if routing_key.startswith(_LIVE) else None
