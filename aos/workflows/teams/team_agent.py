"""The agent behind a team at work: it asks members, keeps the transcript, and stops at the limits.

There is one for each task given to a team, `team:<id>`. Which member is asked when is up to the play of its kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from aos.agents import Agent, Turn, on, on_reply
from aos.agents.work import TEAM_CONTRIBUTE, ContributionRequest
from aos.kernel.errors import NotAllowedNow
from aos.kernel.turn import ERROR_TYPE
from aos.workflows.messages import TEAM_START, TEAM_TYPE, TeamResult, TeamStart
from aos.workflows.teams.declared_teams import team_of
from aos.workflows.teams.definition import Boardroom, Team, parse_team
from aos.workflows.teams.hearing import heard
from aos.workflows.teams.play import Delegation, Finish, Move, Question, Table
from aos.workflows.teams.plays import play_of
from aos.workflows.teams.sub_team import left_to_spend, longest, sub_team_address
from aos.workflows.teams.team_state import KEPT, MOST_TASK, ORDER, RESULT, Order, TeamState, TeamStatus
from aos.workflows.teams.transcript import newest, write
from aos.workflows.teams.voice import voice_address

TEAM_CANCEL = "team.cancel"
ESCALATED = "team.escalated"
_LIMIT = "limit"
_LAST = 20
"""Lines of the transcript in a result."""
_MOST_WORDS = 4_000
"""Characters of a text in a decision; the transcript has all."""


class CancelTeam(BaseModel):
    reason: str = "cancelled on request"


@dataclass(frozen=True, slots=True)
class _Work:
    """A turn of a team at work: its state, its definition, and what it is to do."""

    turn: Turn
    state: TeamState
    team: Team
    order: Order

    async def table(self) -> Table:
        """What the play sees."""
        state, turn = self.state, self.turn
        shown = await newest(turn, state, self.team.limits.window)
        return Table(task=self.order.task, window=shown, memo=state.memo, now=turn.now, id=turn.agent)

    async def last(self) -> str | None:
        """The newest line."""
        lines = await newest(self.turn, self.state, 1)
        return lines[0]["content"] if lines else None


class TeamAgent(Agent[TeamState]):
    """Sees one task of a team through.

    Args:
        find: Gives the declared team of a name; raises `NotFound`.
    """

    type = TEAM_TYPE
    name = "Team"
    purpose = "Bring the members of a team together on one task"
    listed = False

    def __init__(self, find: Callable[[str], Team]) -> None:
        super().__init__()
        self._declared = find

    @on(TEAM_START)
    async def start(self, turn: Turn, state: TeamState, asked: TeamStart) -> None:
        if state.started_at is not None:
            raise NotAllowedNow(f"Team {turn.agent!r} was set to work already. Use another id.")
        team = team_of(asked, self._declared)
        order = Order(team=team.model_dump(mode="json"), task=asked.task, inputs=asked.inputs)
        turn.rows.put(ORDER, order.model_dump(mode="json"))
        state.held = turn.hold_reply()
        state.name, state.kind, state.task = team.name, team.kind, asked.task[:MOST_TASK]
        state.status, state.started_at = TeamStatus.RUNNING, turn.now
        work = _Work(turn, state, team, order)
        if state.stopped is not None:
            await self._finish(work, _cancelled(state.stopped), TeamStatus.CANCELLED)
            return
        if team.limits.time is not None:
            turn.remind(_LIMIT, "team.limit", after=team.limits.time)
        table = await work.table()
        await self._do(work, play_of(team).begin(table), table)

    @on_reply("*")
    async def answered(self, turn: Turn, state: TeamState, answer: Any) -> None:
        request = turn.request
        if request is None or state.status.is_final or request.note["who"] not in state.open:
            return
        who, of_team = request.note["who"], request.note["delegated"]
        address = state.open.pop(who)
        work = await _at_work(turn, state)
        play = play_of(work.team)
        told = heard(turn.message.type, answer, of_team=of_team)
        state.cost_usd += told.cost_usd
        state.tokens += told.tokens
        if told.said is not None:
            if not request.note["aside"]:
                write(turn, state, who, told.said)
            table = await work.table()
            move = play.heard(table, who, told.said)
        else:
            if of_team and turn.message.type == ERROR_TYPE:
                turn.send(address, TEAM_CANCEL, {"reason": f"{turn.agent} has waited long enough."})
            turn.record("team.missed", member=who, error=dict(told.error))
            table = await work.table()
            move = play.missed(table, who, told.error)
        await self._do(work, move, table)

    @on("team.limit")
    async def time_is_up(self, turn: Turn, state: TeamState, _: Any) -> None:
        if state.status is TeamStatus.RUNNING:
            work = await _at_work(turn, state)
            await self._finish(work, Finish(False, False, "timeout", output=await work.last()))

    @on(TEAM_CANCEL)
    async def cancel(self, turn: Turn, state: TeamState, request: CancelTeam) -> None:
        if state.status is TeamStatus.RUNNING:
            await self._finish(await _at_work(turn, state), _cancelled(request.reason), TeamStatus.CANCELLED)
        elif state.status is TeamStatus.PENDING:
            # The order is on its way still: messages may overtake each other.
            state.stopped = request.reason

    async def _do(self, work: _Work, move: Move, table: Table) -> None:
        """Carry out a move, as far as the limits allow."""
        turn, state = work.turn, work.state
        state.memo = table.memo
        for name, value in move.keeps.items():
            turn.rows.put(KEPT + name, value)
        finish = move.finish
        if finish is None and move.asks:
            finish = await self._over_the_limit(work, len(move.asks))
        if finish is not None:
            await self._finish(work, finish)
            return
        for ask in move.asks:
            context = {name: await turn.rows.get(KEPT + name) for name in ask.shows}
            if isinstance(ask, Delegation):
                self._delegate(work, ask, context)
            else:
                self._question(work, ask, context, table)
            state.turns += 1

    async def _over_the_limit(self, work: _Work, more: int) -> Finish | None:
        state, limits = work.state, work.team.limits
        if limits.usd is not None and state.cost_usd >= limits.usd:
            return Finish(False, False, "budget_exceeded", output=await work.last())
        if state.turns + more > limits.turns:
            return Finish(False, False, "max_iterations_reached", output=await work.last())
        return None

    def _question(self, work: _Work, ask: Question, context: Mapping[str, Any], table: Table) -> None:
        turn, team, inputs = work.turn, work.team, work.order.inputs
        member = team.member(ask.member)
        request = ContributionRequest(
            team=turn.agent,
            role=member.role,
            goal=member.goal,
            instructions=member.instructions,
            task=ask.prompt,
            transcript=list(table.window),
            context={**({"inputs": inputs} if inputs else {}), **context},
            speak_as=member.name,
            expects=ask.expects,
            options=list(ask.options),
        )
        to = member.agent or voice_address(turn.agent, member.name)
        patience = team.deadline if isinstance(team, Boardroom) else team.limits.patience
        note = {"who": member.name, "aside": ask.aside, "delegated": False}
        data = request.model_dump(mode="json")
        turn.ask(to, TEAM_CONTRIBUTE, data, note=note, timeout=patience, conversation_id=turn.agent)
        work.state.open[member.name] = to

    def _delegate(self, work: _Work, ask: Delegation, context: Mapping[str, Any]) -> None:
        turn = work.turn
        start = TeamStart(
            definition=ask.team.model_dump(mode="json"),
            task=ask.prompt,
            inputs={**work.order.inputs, **context},
            limits=left_to_spend(work.team, work.state.cost_usd, ask.team),
        )
        to = sub_team_address(turn.agent, ask.name, ask.attempt)
        note = {"who": ask.name, "aside": False, "delegated": True}
        turn.ask(to, TEAM_START, start.model_dump(mode="json"), note=note, timeout=longest(ask.team))
        work.state.open[ask.name] = to

    async def _finish(self, work: _Work, finish: Finish, status: TeamStatus | None = None) -> None:
        turn, state = work.turn, work.state
        state.status = status or (TeamStatus.COMPLETED if finish.success else TeamStatus.FAILED)
        state.finished_at, state.reason = turn.now, finish.reason
        result = TeamResult(
            success=finish.success,
            approved=finish.approved,
            output=await _output(turn, finish),
            transcript_length=state.lines,
            messages=await newest(turn, state, _LAST),
            agent_count=len(work.team.members),
            iterations=state.turns,
            reason=finish.reason,
            conversation_id=turn.agent,
            cost_usd=round(state.cost_usd, 6),
            scores=dict(finish.scores),
        ).model_dump(mode="json")
        turn.rows.put(RESULT, result)
        for address in state.open.values():
            if address.startswith(f"{TEAM_TYPE}:"):
                turn.send(address, TEAM_CANCEL, {"reason": f"{turn.agent} has ended."})
        state.open, state.memo = {}, {}
        turn.forget(_LIMIT)
        if finish.decision is not None:
            turn.decide(**{name: _shortened(value) for name, value in finish.decision.items()})
        if finish.escalate_to is not None:
            told = {"team": turn.agent, "task": work.order.task, "reason": finish.reason}
            turn.send(finish.escalate_to, ESCALATED, told)
        turn.record("team.ended", status=state.status.value, reason=finish.reason, approved=finish.approved)
        turn.spend(team_turns=state.turns)
        turn.reply_to_held(state.held, result, type=f"{TEAM_START}.reply")


async def _at_work(turn: Turn, state: TeamState) -> _Work:
    order = Order.model_validate(await turn.rows.get(ORDER))
    return _Work(turn, state, parse_team(order.team), order)


async def _output(turn: Turn, finish: Finish) -> Any:
    if finish.kept is not None:
        return await turn.rows.get(KEPT + finish.kept)
    if finish.outputs:
        return {name: await turn.rows.get(KEPT + name) for name in finish.outputs}
    return finish.output


def _cancelled(reason: str) -> Finish:
    return Finish(False, False, "cancelled", output=reason)


def _shortened(value: Any) -> Any:
    return value[:_MOST_WORDS] if isinstance(value, str) else value
