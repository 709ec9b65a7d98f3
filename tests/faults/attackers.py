"""Two attackers with real users of the broker: one has a camera's key, one the auditor's."""

import random
import threading
from collections.abc import Callable
from typing import Any

import pika
from pika.exceptions import AMQPError

from maskgate.operations.live_keys import pattern_of
from maskgate.operations.rights import BROKER_RIGHTS, NOTHING
from maskgate.protocol.crop import new_crop_id
from maskgate.protocol.topology import AUDIT_EXCHANGE, AUDIT_KEY, LIVE_EXCHANGE, live_key
from maskgate.runtime.clock import now_ms
from tests.faults.hostile import IMAGES
from tests.faults.ledger import Ledger
from tests.faults.load import CAMERAS
from tests.servers.rabbit_server import RabbitServer

STOLEN_CAMERA = "stolen"
_PASSWORD = "word"
_RIGHTS = {"camera": (NOTHING, f"^{LIVE_EXCHANGE}$", NOTHING), "auditor": BROKER_RIGHTS["auditor"]}
#: What a sender may write into a message beside the contract's fields.
_FORGED: list[dict[str, Any]] = [
    {},
    {"x-death": [{"queue": "crops.dead", "reason": "expired"}]},
    {"x-death": [1]},
    {"CC": [live_key(CAMERAS[0])]},
    {"dead_from": "crops.audit", "x-delivery-count": 1_000_000},
]

Act = Callable[[Any, random.Random, str], None]


def add_users(rabbit: RabbitServer) -> None:
    """The users whose keys were stolen, with the rights that an installation gives them."""
    users = {"camera-stolen": _RIGHTS["camera"], "auditor": _RIGHTS["auditor"]}
    for user, rights in users.items():
        rabbit.ctl("add_user", user, _PASSWORD)
        rabbit.ctl("set_permissions", user, *rights)
    own = pattern_of([STOLEN_CAMERA])
    rabbit.ctl("set_topic_permissions", "camera-stolen", LIVE_EXCHANGE, own, NOTHING)


class Attacker:
    """A thread that does something hostile so many times a second, and connects again."""

    def __init__(self, rabbit: RabbitServer, ledger: Ledger, user: str, act: Act) -> None:
        self.tried = 0
        self._url = rabbit.url.replace("guest:guest", f"{user}:{_PASSWORD}")
        self._ledger, self._act, self._random = ledger, act, random.Random(user)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=user)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with pika.BlockingConnection(pika.URLParameters(self._url)) as connection:
                    self._attack(connection)
            except AMQPError:
                self._stop.wait(0.1)  # the broker closed it: that is what it is for

    def _attack(self, connection: Any) -> None:
        channel = connection.channel()
        while not self._stop.wait(0.02):
            self.tried += 1
            crop_id = new_crop_id()
            self._ledger.foreign.add(crop_id)
            self._act(channel, self._random, crop_id)
            connection.process_data_events(0)
            if not channel.is_open:
                channel = connection.channel()


def as_camera(channel: Any, choice: random.Random, crop_id: str) -> None:
    """Any picture, under any track and time, under the stolen key and others' keys."""
    key = live_key(choice.choice([STOLEN_CAMERA] * 50 + [*CAMERAS, "invented"]))
    picture = choice.choice(IMAGES)
    headers = {
        "camera_id": choice.choice([STOLEN_CAMERA, *CAMERAS]),
        "track_id": choice.choice(["a", crop_id]),
        "captured_at": now_ms() + choice.choice([-100_000, 0, 0, 200, 3_600_000]),
        **choice.choice(_FORGED),
    }
    properties = pika.BasicProperties(
        picture.content_type, message_id=crop_id, type="face-crop.v1", headers=headers
    )
    channel.basic_publish(LIVE_EXCHANGE, key, picture.body, properties)


def as_auditor(channel: Any, choice: random.Random, crop_id: str) -> None:
    """False labels, invented slices, and live crops that the auditor may not send."""
    exchange, key = choice.choice(
        [(AUDIT_EXCHANGE, AUDIT_KEY)] * 50 + [(LIVE_EXCHANGE, live_key(CAMERAS[0]))]
    )
    picture = choice.choice(IMAGES)
    headers = {
        "camera_id": choice.choice(CAMERAS),
        "captured_at": now_ms(),
        "label": choice.choice(["mask", "no_mask", "sure"]),
        "slice": f"invented-{choice.randrange(10_000)}",
        **choice.choice(_FORGED),
    }
    properties = pika.BasicProperties(
        picture.content_type, message_id=crop_id, type="face-crop.v1", headers=headers
    )
    channel.basic_publish(exchange, key, picture.body, properties)
