"""What ``maskgate watch`` shows of people, as lines and as a table."""

import re
from io import StringIO

from rich.console import Console

from maskgate.gate import Action, Decision, Visit
from maskgate.gate.screen import Screen
from maskgate.protocol.camera_state import CameraCondition, CameraState
from maskgate.protocol.verdict import Outcome, Verdict
from maskgate.runtime.clock import now_ms

NOW_MS = now_ms()


def a_verdict(outcome: Outcome, p_mask: float, evidence: float, track: str) -> Verdict:
    return Verdict(
        crop_id="c",
        track_id=track,
        outcome=outcome,
        p_mask=p_mask,
        captured_at_ms=NOW_MS,
        decided_at_ms=NOW_MS,
        model="m",
        crops=5,
        agreeing=5,
        evidence=evidence,
    )


def a_visit(track: str, action: Action) -> Visit:
    masked = action is Action.REMOVE_MASK
    verdict = (
        a_verdict(Outcome.MASK, 0.99, 3.9, track)
        if masked
        else a_verdict(Outcome.NO_MASK, 0.01, -4.1, track)
    )
    reason = "mask" if masked else "no mask"
    return Visit(track, action, reason, verdict, NOW_MS - 2500, NOW_MS - 2000)


def a_screen(*visits: Visit) -> Screen:
    decision = Decision(Action.REMOVE_MASK, "mask [x]", a_visit("a", Action.REMOVE_MASK).verdict)
    return Screen(
        trouble="", news={"lobby": 2}, decisions={"lobby": decision}, visits={"lobby": visits}
    )


def text(screen: Screen, width: int = 140) -> str:
    out = StringIO()
    Console(file=out, width=width).print(screen.table())
    return out.getvalue()


def test_each_person_has_a_line_when_coming_changing_and_leaving() -> None:
    screen = a_screen(a_visit("a", Action.REMOVE_MASK), a_visit("b", Action.RECOGNISE))
    assert list(screen.lines()) == [
        "lobby remove_mask (mask [x]) p_mask=0.99 evidence=+3.9 wake_ups=2",
        "lobby/a remove_mask (mask) p_mask=0.99 evidence=+3.9 crops=5",
        "lobby/b recognise (no mask) p_mask=0.01 evidence=-4.1 crops=5",
    ]
    assert list(screen.lines()) == []
    screen.visits["lobby"] = (a_visit("a", Action.RECOGNISE), a_visit("b", Action.RECOGNISE))
    assert list(screen.lines()) == ["lobby/a recognise (no mask) p_mask=0.01 evidence=-4.1 crops=5"]
    screen.visits["lobby"] = (a_visit("b", Action.RECOGNISE),)
    assert list(screen.lines()) == ["lobby/a left, was recognise, seen for 2.5 s"]
    assert list(screen.lines()) == []


def test_each_person_has_a_row_below_the_camera() -> None:
    track = "3f2a91c8d4e5f60718293a4b5c6d7e8f"
    shown = text(a_screen(a_visit(track, Action.RECOGNISE), a_visit("b", Action.REMOVE_MASK)))
    rows = [
        [cell.strip() for cell in line.split("│")[1:-1]]
        for line in shown.splitlines()
        if line.startswith("│")
    ]
    assert [(row[0], row[1], row[5]) for row in rows] == [
        ("lobby", "mask", "remove_mask (mask [x])"),
        ("3f2a91c8", "no_mask", "recognise (no mask)"),
        ("b", "mask", "remove_mask (mask)"),
    ]


def test_a_narrow_terminal_still_shows_each_action() -> None:
    screen = a_screen(a_visit("3f2a91c8d4e5f607", Action.REMOVE_MASK))
    screen.states["lobby"] = a_state(CameraCondition.NO_SIGNAL)
    assert text(screen, 80).count("remove_mask") == 2


def a_state(condition: CameraCondition, detail: str = "") -> CameraState:
    at_ms = now_ms()  # its age is shown
    return CameraState(
        state=condition, since_ms=at_ms - 12_000, sent_at_ms=at_ms, detail=detail, fps=9.87
    )


def test_a_camera_has_a_line_when_its_state_changes() -> None:
    screen = a_screen()
    assert not [line for line in screen.lines() if "camera" in line]
    for state, line in (
        (a_state(CameraCondition.UP), "lobby camera is up"),
        (a_state(CameraCondition.NO_SIGNAL, "[refused]"), "lobby camera is no_signal ([refused])"),
        (None, "lobby camera state unknown"),
    ):
        screen.states["lobby"] = state
        assert list(screen.lines()) == [line]
        assert list(screen.lines()) == []


def test_a_cameras_state_is_in_the_table() -> None:
    screen = a_screen()
    assert "up 9.9 fps" not in text(screen)
    screen.states["lobby"] = a_state(CameraCondition.UP)
    assert "up 9.9 fps" in text(screen)
    screen.states["lobby"] = a_state(CameraCondition.NO_SIGNAL, "[refused]")
    assert re.search(r"no_signal for 1[2-9] s", text(screen))


def test_people_are_gone_from_the_screen_while_redis_is() -> None:
    screen = a_screen(a_visit("a", Action.RECOGNISE))
    assert "recognise" in "\n".join(screen.lines())
    screen.lose("no answer")
    assert [line.partition(" ")[0] for line in screen.lines()] == ["redis", "lobby"]
    assert "recognise" not in text(screen)
    screen.trouble = ""
    assert [line.partition(",")[0] for line in screen.lines()][-1] == "lobby/a left"
