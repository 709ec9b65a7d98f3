"""An independent record of every crop: what was sent, and what the observers saw of it.

Every confirmed crop needs an outcome, an audit entry or a dead letter. Delivery is at least once,
so only a crop's first outcome counts. A door must never read a decision that no fresh crop of its
own camera justifies, nor open while anybody in front of the camera wears a mask.
"""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from maskgate.gate.decide import Action, Decision
from maskgate.protocol.queue import Refusal
from maskgate.protocol.verdict import Outcome
from tests.faults.people import People

#: The outcomes that are verdicts; the history has others, too.
_VERDICTS = (Outcome.MASK, Outcome.NO_MASK, Outcome.UNCERTAIN)
TOO_MANY_ATTEMPTS = "too_many_attempts"


@dataclass(frozen=True, slots=True)
class Sent:
    """A crop that was offered, with its expected outcome; None if it must be unreadable."""

    camera: str
    track: str
    captured_at_ms: int
    outcome: Outcome | None
    audit: bool = False


@dataclass(frozen=True, slots=True)
class Balance:
    """The totals. ``lost`` and the fields after it must be empty."""

    offered: int
    confirmed: int
    refused: int
    in_doubt: int
    ends: Mapping[str, int]
    written_again: int
    lost: list[str]
    unknown: list[str]
    contradicted: list[str]
    wrong_opens: list[str]
    counted_twice: list[str]

    @property
    def adds_up(self) -> bool:
        """Whether ``lost`` and all fields after it are empty."""
        return not (
            self.lost or self.unknown or self.contradicted or self.wrong_opens or self.counted_twice
        )


@dataclass(slots=True)
class Ledger:
    """The records; the sender, the observers and the doors write them from their own threads."""

    sent: dict[str, Sent] = field(default_factory=dict)
    confirmed: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    ends: dict[str, list[Outcome]] = field(default_factory=dict)
    audited: set[str] = field(default_factory=set)
    dead: dict[str, str] = field(default_factory=dict)
    wrong_opens: list[str] = field(default_factory=list)
    counted_twice: list[str] = field(default_factory=list)
    went_back: list[str] = field(default_factory=list)
    foreign: set[str] = field(default_factory=set)  # an attacker's: nothing is known of them
    people: People = field(default_factory=People)
    reads: Counter[Action] = field(default_factory=Counter)
    reads_of_people: Counter[Action] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)
    _newest_ms: dict[tuple[str, str], int] = field(default_factory=dict)
    _on_track: Counter[tuple[str, str]] = field(default_factory=Counter)

    def offer(self, crop_id: str, sent: Sent) -> None:
        """Record a crop before it is sent: its outcome may arrive before the broker's confirm."""
        with self.lock:
            self.sent[crop_id] = sent
            self._on_track[sent.camera, sent.track] += 1

    def settled(self, crop_id: str, refusal: Refusal | None) -> None:
        """Record a confirm or a refusal; one crop can have both.

        A crop that is sent again may be refused although its first copy arrived.
        """
        with self.lock:
            (self.confirmed if refusal is None else self.refused).add(crop_id)

    def ended(self, crop_id: str, outcome: Outcome, decided_at_ms: int, written_at_ms: int) -> None:
        """Record an entry of a camera's history, decided by a worker and written by Redis."""
        with self.lock:
            self.ends.setdefault(crop_id, []).append(outcome)
            self.people.written(crop_id, decided_at_ms, written_at_ms)
            if outcome is Outcome.MASK and (sent := self.sent.get(crop_id)):
                self.people.masked(sent.camera, written_at_ms, sent.captured_at_ms)

    def read(
        self, camera: str, decision: Decision, asked_at_ms: int, track: str | None = None
    ) -> None:
        """Record a door's decision and check that a fresh crop of its camera justifies it.

        ``track`` None: the decision is about everybody in front of the camera.
        """
        with self.lock:
            (self.reads if track is None else self.reads_of_people)[decision.action] += 1
            verdict = decision.verdict
            if decision.action is Action.MANUAL or verdict is None:
                return
            sent = self.sent.get(verdict.crop_id)
            expected = {Outcome.MASK: Action.REMOVE_MASK, Outcome.NO_MASK: Action.RECOGNISE}
            justified = (
                sent is not None
                and (sent.camera, sent.track, sent.captured_at_ms)
                == (camera, verdict.track_id, verdict.captured_at_ms)
                and not sent.audit
                and sent.outcome is not None
                and expected.get(sent.outcome) is decision.action
                and asked_at_ms - sent.captured_at_ms < verdict.ttl_ms
            )
            if not justified:
                self.wrong_opens.append(f"{camera}: {decision} at {asked_at_ms}, sent {sent}")
            if track is None:
                if decision.action is Action.RECOGNISE:
                    self.people.opened(camera, verdict)
            else:
                self._check_order(camera, track, verdict.captured_at_ms)
            if verdict.crops > self._on_track[camera, verdict.track_id]:
                self.counted_twice.append(
                    f"{camera}: {verdict.crops} crops counted, "
                    f"{self._on_track[camera, verdict.track_id]} sent"
                )

    def _check_order(self, camera: str, track: str, captured_at_ms: int) -> None:
        # After a flush or restart, Redis accepts an older crop that is still fresh. Otherwise it
        # never does.
        newest_ms = self._newest_ms.get((camera, track), 0)
        if captured_at_ms < newest_ms:
            self.went_back.append(f"{camera} {track}: {captured_at_ms} after {newest_ms}")
        self._newest_ms[camera, track] = captured_at_ms

    def unsettled(self) -> list[str]:
        """The confirmed crops without an outcome, audit entry or dead letter so far."""
        with self.lock:
            return [crop_id for crop_id in self.confirmed if not self._ended(crop_id)]

    def balance(self) -> Balance:
        """The totals so far."""
        lost = self.unsettled()
        with self.lock:
            first: Counter[str] = Counter()
            for crop_id in self.sent.keys() & (self.ends.keys() | self.dead.keys() | self.audited):
                reported = self.ends.get(crop_id)
                if reported:
                    first["verdict" if reported[0] in _VERDICTS else reported[0].value] += 1
                else:
                    first["audited" if crop_id in self.audited else self.dead[crop_id]] += 1
            contradicted = [
                f"{crop_id}: {outcome}, not {self.sent[crop_id].outcome}"
                for crop_id, reported in self.ends.items()
                if crop_id in self.sent
                for outcome in reported
                if outcome is not Outcome.EXPIRED
                and outcome is not (self.sent[crop_id].outcome or Outcome.UNREADABLE)
            ]
            settled = self.confirmed | self.refused
            return Balance(
                offered=len(self.sent),
                confirmed=len(self.confirmed),
                refused=len(self.refused - self.confirmed),
                in_doubt=len(self.sent.keys() - settled),
                ends=dict(first),
                written_again=sum(len(reported) - 1 for reported in self.ends.values()),
                lost=lost,
                unknown=sorted(
                    (self.ends.keys() | self.dead.keys() | self.audited)
                    - self.sent.keys()
                    - self.foreign
                ),
                contradicted=contradicted,
                wrong_opens=self.wrong_opens + self.people.wrong_opens(),
                counted_twice=list(self.counted_twice),
            )

    def _ended(self, crop_id: str) -> bool:
        return crop_id in self.ends or crop_id in self.dead or crop_id in self.audited
