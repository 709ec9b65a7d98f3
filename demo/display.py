"""What a demo prints: the door's decisions meanwhile, and the totals at the end."""

import time

import numpy as np
from rich.console import Console
from rich.live import Live

from demo.ledger import Ledger
from maskgate.audit.report import AuditReport
from maskgate.audit.share import Share
from maskgate.gate.client import Gate
from maskgate.gate.decide import Action
from maskgate.gate.screen import Screen
from maskgate.protocol.queue import Tally
from maskgate.protocol.verdict import Outcome

_LINE_S = 2.0


def show_decisions(url: str, camera: str, seconds: float, ledger: Ledger, console: Console) -> None:
    """Show the door's decisions: a table on a terminal, a line every two seconds elsewhere."""
    deadline_s = time.monotonic() + seconds
    screen = Screen(trouble="", news={camera: 0})
    with Gate(url, timeout_s=1) as gate:
        if console.is_terminal:
            with Live(screen.table(), console=console, auto_refresh=False) as live:
                while time.monotonic() < deadline_s:
                    screen.look(gate)
                    live.update(screen.table(), refresh=True)
                    time.sleep(0.2)
            return
        while (left_s := deadline_s - time.monotonic()) > 0:
            time.sleep(min(_LINE_S, left_s))
            decision = gate.decision(camera)
            verdict = decision.verdict
            shown = (
                f"{verdict.outcome.value} p={verdict.p_mask:.2f} evidence {verdict.log_odds:+.1f}"
                if verdict
                else "no verdict"
            )
            console.print(
                f"{camera}: {shown} → {decision.action}; {len(ledger.entries)} crops ended",
                highlight=False,
            )
            if decision.action is Action.MANUAL and verdict is None:
                console.print(f"  ({decision.reason})", highlight=False)


def show_totals(
    console: Console,
    tally: Tally,
    samples: Tally,
    *,
    ledger: Ledger,
    audit: AuditReport,
    seconds: float,
) -> bool:
    """Print the totals; returns whether they add up."""
    outcomes = ledger.outcomes()
    verdicts = outcomes[Outcome.MASK] + outcomes[Outcome.NO_MASK] + outcomes[Outcome.UNCERTAIN]
    unreadable, expired = outcomes[Outcome.UNREADABLE], outcomes[Outcome.EXPIRED]
    total = verdicts + unreadable + expired + tally.refused
    adds_up = total == tally.offered and (verdicts > 0 or not tally.offered)
    equal = "=" if total == tally.offered else "≠"
    console.print(
        f"published {tally.offered} {equal} verdicts {verdicts} + unreadable {unreadable} "
        f"+ expired {expired} + refused {tally.refused}",
        highlight=False,
    )
    console.print(
        f"verdicts  mask {outcomes[Outcome.MASK]}, no_mask {outcomes[Outcome.NO_MASK]}, "
        f"uncertain {outcomes[Outcome.UNCERTAIN]}",
        highlight=False,
    )
    p50, p99 = np.percentile(ledger.latencies_ms() or [0], (50, 99))
    console.print(
        f"throughput {verdicts / seconds:.0f} crops/s, latency p50 {p50:.0f} ms, p99 {p99:.0f} ms",
        highlight=False,
    )
    adds_up &= audit.n == samples.accepted
    if samples.offered:
        _show_audit(console, samples, audit)
    console.print("the totals add up" if adds_up else "THE TOTALS DON'T ADD UP", highlight=False)
    return adds_up


def _show_audit(console: Console, samples: Tally, audit: AuditReport) -> None:
    console.print(
        f"audit     {audit.n} of {samples.accepted} samples, each sent once; "
        f"uncertain {audit.uncertain}, unreadable {audit.unreadable}",
        highlight=False,
    )
    for name, share in audit.shares.items():
        console.print(f"  {name:10} {_shown(share)}", highlight=False)


def _shown(share: Share) -> str:
    low, high = share.interval()
    return (
        "–" if share.value is None else f"{share.value:.3f} [{low:.3f}, {high:.3f}] (n={share.n})"
    )
