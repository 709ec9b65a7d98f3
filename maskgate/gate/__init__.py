"""Verdict store → decision for the door.

from maskgate import Gate

with Gate("redis://gate:secret@127.0.0.1:6379/0") as gate:
    print(gate.decision("lobby", timeout_s=2).action)
"""

from maskgate.gate.client import Gate
from maskgate.gate.decide import Action, Decision, decide
from maskgate.gate.history import Gap
from maskgate.gate.ids import BadIdError
from maskgate.gate.visit import Visit, decide_visit, together
from maskgate.protocol.camera_state import CameraState
from maskgate.runtime.tls import TlsFiles

__all__ = [
    "Action",
    "BadIdError",
    "CameraState",
    "Decision",
    "Gap",
    "Gate",
    "TlsFiles",
    "Visit",
    "decide",
    "decide_visit",
    "together",
]
