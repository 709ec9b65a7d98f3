"""Names of exchanges, queues and routing keys.

``deploy/rabbitmq/definitions.json`` defines them. Clients have no right to declare any.
"""

LIVE_EXCHANGE = "crops"
AUDIT_EXCHANGE = "audit"
DEAD_EXCHANGE = "crops.dead"
LIVE_KEY = "live"
AUDIT_KEY = "audit"
LIVE_QUEUE = "crops.live"
AUDIT_QUEUE = "crops.audit"
DEAD_QUEUE = "crops.dead"
