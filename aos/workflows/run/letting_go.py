"""Gives up what a run waits for, and what it started for that: other runs, teams, requests to people, timers."""

from __future__ import annotations

from aos.workflows.human.asking import withdraw_request
from aos.workflows.messages import CANCEL
from aos.workflows.run.run import Run
from aos.workflows.run.run_state import Call
from aos.workflows.teams.team_agent import TEAM_CANCEL

WORK_CANCEL = "work.cancel"


def let_go(run: Run, key: str, reason: str) -> None:
    """Forget a call and take back what was asked. Whatever is answered still is too late."""
    call = run.state.calls.pop(key)
    run.turn.forget(f"call-{key}")
    take_back(run, call, reason)


def let_go_of(run: Run, place: int, reason: str) -> None:
    """Forget all that is under way for a step."""
    for key, _ in list(run.calls_of(place)):
        let_go(run, key, reason)
    if str(place) in run.state.fans or str(place) in run.state.rounds:
        run.turn.forget(f"call-{place}")
    run.state.fans.pop(str(place), None)
    run.state.rounds.pop(str(place), None)


def take_back(run: Run, call: Call, reason: str) -> None:
    """Tell whoever was asked that it is not needed any more; agents only where they want to know."""
    because = {"reason": reason}
    if call.kind in ("workflow", "part"):
        run.turn.send(call.to, CANCEL, because)
    elif call.kind == "team":
        run.turn.send(call.to, TEAM_CANCEL, because)
    elif call.kind == "human":
        withdraw_request(run.turn, call.to, reason)
    elif call.kind == "agent" and run.takes(call.to, WORK_CANCEL):
        run.turn.send(call.to, WORK_CANCEL, {"run_id": run.id, **because})
