"""Verdict store → decision for the door.

from gate import Gate

with Gate("redis://gate:secret@127.0.0.1:6379/0") as gate:
    print(gate.decision("lobby", timeout_s=2).action)
"""

from contract.tls import TlsFiles
from gate.client import BadIdError, Gate
from gate.decide import Action, Decision, decide

__all__ = ["Action", "BadIdError", "Decision", "Gate", "TlsFiles", "decide"]
