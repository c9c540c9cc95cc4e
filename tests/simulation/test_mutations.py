"""The simulation can fail: a kernel that is broken in one way is found out within a few seeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aos.kernel.dedupe import DedupeWindow
from aos.kernel.gate import Gate
from aos.kernel.kernel import Kernel
from aos.kernel.message import Message
from aos.kernel.steps import StepRows
from aos.kernel.turn import TAKE_UP_TYPE
from aos.testing.simulation import WORKLOADS, Report, simulate
from aos.workflows.human.request_state import RequestState
from aos.workflows.teams import team_agent
from aos.workflows.teams.team_agent import TeamAgent
from aos.workflows.teams.team_state import TeamState
from aos.workflows.teams.transcript import write
from tests.simulation import mutations

SEEDS = 40


def first_failure(workload: str, **broken: Any) -> Report | None:
    for seed in range(SEEDS):
        report = simulate(WORKLOADS[workload], seed, **broken)
        if report.problems:
            return report
    return None


@pytest.mark.parametrize("workload", ["transfers", "chain"])
@pytest.mark.parametrize(
    "alter",
    [mutations.publishing_before_the_commit, mutations.not_publishing_again],
    ids=lambda alter: alter.__name__,
)
def test_a_broken_kernel_is_found_out(workload: str, alter: Callable[[Kernel], None]) -> None:
    report = first_failure(workload, alter=alter)
    assert report is not None
    assert str(report.seed) in report.command


@pytest.mark.parametrize("workload", ["transfers", "chain"])
def test_a_kernel_that_recognises_no_message_is_found_out(workload: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def forget(window: DedupeWindow, key: str) -> None:
        return None

    monkeypatch.setattr(DedupeWindow, "version_of", forget)
    report = first_failure(workload)
    assert report is not None


@pytest.mark.parametrize("workload", ["transfers", "chain"])
def test_tables_without_fences_are_found_out(workload: str) -> None:
    report = first_failure(workload, guise=mutations.Unfenced)
    assert report is not None


def test_paying_without_looking_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async def trust(rows: StepRows) -> None:
        return None

    monkeypatch.setattr(StepRows, "confirm", trust)
    report = first_failure("steps")
    assert report is not None
    assert any("again" in problem for problem in report.problems)


def test_a_gate_that_lets_everything_through_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    handle = Gate.handle

    async def careless(gate: Gate, message: Message) -> None:
        await (handle(gate, message) if message.type == TAKE_UP_TYPE else gate._line.handle(message))

    monkeypatch.setattr(Gate, "handle", careless)
    report = first_failure("pauses")
    assert report is not None
    assert any("while it was" in problem for problem in report.problems)


def test_mail_that_overtakes_what_was_put_aside_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    handle = Gate.handle

    async def hasty(gate: Gate, message: Message) -> None:
        is_open = gate._batch.head.standing.state == "open" and message.type != TAKE_UP_TYPE
        await (gate._line.handle(message) if is_open else handle(gate, message))

    monkeypatch.setattr(Gate, "handle", hasty)
    report = first_failure("pauses")
    assert report is not None
    assert any("out of order" in problem for problem in report.problems)


def test_a_request_that_takes_an_answer_after_its_end_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def ajar(state: RequestState) -> bool:
        return state.request is not None

    monkeypatch.setattr(RequestState, "is_open", property(ajar))
    report = first_failure("approvals")
    assert report is not None


def test_a_team_that_leaves_its_own_teams_behind_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    finish = TeamAgent._finish

    async def hasty(agent: TeamAgent, work: Any, *how: Any) -> None:
        work.state.open.clear()
        await finish(agent, work, *how)

    monkeypatch.setattr(TeamAgent, "_finish", hasty)
    report = first_failure("teams")
    assert report is not None
    assert any("was not told" in problem for problem in report.problems)


def test_a_transcript_with_a_line_written_over_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(turn: Any, state: TeamState, who: str, said: Any) -> None:
        write(turn, state, who, said)
        state.lines = min(state.lines, 2)

    monkeypatch.setattr(team_agent, "write", careless)
    report = first_failure("teams")
    assert report is not None
    assert any("it has the lines" in problem for problem in report.problems)
