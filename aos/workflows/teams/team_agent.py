"""The agent behind a team at work: it asks members, keeps the transcript, and stops at the limits.

There is one for each task given to a team, `team:<id>`. Which member is asked when is up to the play of its kind.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from aos.agents import Agent, Turn, on, on_reply
from aos.kernel.errors import InvalidInput, NotAllowedNow
from aos.kernel.turn import ERROR_TYPE
from aos.workflows.messages import (
    TEAM_CONTRIBUTE,
    TEAM_START,
    TEAM_TYPE,
    Contribution,
    ContributionRequest,
    TeamResult,
    TeamStart,
)
from aos.workflows.teams.definition import Boardroom, Team, parse_team
from aos.workflows.teams.play import Delegation, Finish, Move, Question, Table
from aos.workflows.teams.plays import play_of
from aos.workflows.teams.team_state import KEPT, MOST_SHOWN, TeamState, TeamStatus, line_key
from aos.workflows.teams.voice import voice_address

TEAM_CANCEL = "team.cancel"
ESCALATED = "team.escalated"
_LIMIT = "limit"
_LAST = 20
"""Lines of the transcript in a result."""


class CancelTeam(BaseModel):
    reason: str = "cancelled on request"


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
        if state.team:
            raise NotAllowedNow(f"Team {turn.agent!r} is at work already. Use another id.")
        state.held = turn.hold_reply()
        team = self._team_of(asked)
        state.team = team.model_dump(mode="json")
        state.task, state.inputs = asked.task, asked.inputs
        state.status, state.started_at = TeamStatus.RUNNING, turn.now
        if team.limits.time is not None:
            turn.remind(_LIMIT, "team.limit", after=team.limits.time)
        table = _table(turn, state)
        await self._do(turn, state, team, play_of(team).begin(table), table)

    @on_reply("*")
    async def answered(self, turn: Turn, state: TeamState, answer: Any) -> None:
        request = turn.request
        if request is None or state.status.is_final or request.note["who"] not in state.open:
            return
        who = request.note["who"]
        del state.open[who]
        team = parse_team(state.team)
        play = play_of(team)
        said = _said(turn, answer)
        if isinstance(said, Contribution):
            state.cost_usd += said.cost_usd
            state.tokens += said.tokens
            if not request.note["aside"]:
                _write(turn, state, team, who, said)
            table = _table(turn, state)
            move = play.heard(table, who, said)
        else:
            turn.record("team.missed", member=who, error=dict(said))
            table = _table(turn, state)
            move = play.missed(table, who, said)
        await self._do(turn, state, team, move, table)

    @on("team.limit")
    async def time_is_up(self, turn: Turn, state: TeamState, _: Any) -> None:
        if not state.status.is_final:
            await self._finish(turn, state, Finish(False, False, "timeout", output=_last(state)))

    @on(TEAM_CANCEL)
    async def cancel(self, turn: Turn, state: TeamState, request: CancelTeam) -> None:
        if state.team and not state.status.is_final:
            finish = Finish(False, False, "cancelled", output=request.reason)
            await self._finish(turn, state, finish, TeamStatus.CANCELLED)

    def _team_of(self, asked: TeamStart) -> Team:
        if (asked.definition is None) == (asked.name is None):
            raise InvalidInput("Name a team with `name`, or give its `definition`; one of them.")
        definition = self._declared(asked.name).model_dump(mode="json") if asked.name else asked.definition
        if not asked.limits:
            return parse_team(definition)
        stated = definition or {}
        return parse_team({**stated, "limits": {**stated.get("limits", {}), **asked.limits}})

    async def _do(self, turn: Turn, state: TeamState, team: Team, move: Move, table: Table) -> None:
        """Carry out a move, as far as the limits allow."""
        state.memo = table.memo
        for name, value in move.keeps.items():
            turn.rows.put(KEPT + name, value)
        finish = move.finish
        if finish is None and move.asks:
            finish = self._over_the_limit(state, team, len(move.asks))
        if finish is not None:
            await self._finish(turn, state, finish)
            return
        for ask in move.asks:
            context = {name: await turn.rows.get(KEPT + name) for name in ask.shows}
            if isinstance(ask, Delegation):
                self._delegate(turn, state, team, ask, context)
            else:
                self._question(turn, state, team, ask, context)
            state.turns += 1

    def _over_the_limit(self, state: TeamState, team: Team, more: int) -> Finish | None:
        if team.limits.usd is not None and state.cost_usd >= team.limits.usd:
            return Finish(False, False, "budget_exceeded", output=_last(state))
        if state.turns + more > team.limits.turns:
            return Finish(False, False, "max_iterations_reached", output=_last(state))
        return None

    def _question(self, turn: Turn, state: TeamState, team: Team, ask: Question, context: Mapping[str, Any]) -> None:
        member = team.member(ask.member)
        request = ContributionRequest(
            team=turn.agent,
            role=member.role,
            goal=member.goal,
            instructions=member.instructions,
            task=ask.prompt,
            transcript=state.window,
            context={**({"inputs": state.inputs} if state.inputs else {}), **context},
            speak_as=member.name,
            expects=ask.expects,
            options=list(ask.options),
        )
        to = member.agent or voice_address(turn.agent, member.name)
        patience = team.deadline if isinstance(team, Boardroom) else team.limits.patience
        note = {"who": member.name, "aside": ask.aside, "delegated": False}
        data = request.model_dump(mode="json")
        turn.ask(to, TEAM_CONTRIBUTE, data, note=note, timeout=patience, conversation_id=turn.agent)
        state.open[member.name] = to

    def _delegate(self, turn: Turn, state: TeamState, team: Team, ask: Delegation, context: Mapping[str, Any]) -> None:
        start = TeamStart(
            definition=ask.team.model_dump(mode="json"), task=ask.prompt, inputs={**state.inputs, **context}
        )
        to = f"{turn.agent}.{ask.name}"
        note = {"who": ask.name, "aside": False, "delegated": True}
        turn.ask(to, TEAM_START, start.model_dump(mode="json"), note=note, timeout=team.limits.patience)
        state.open[ask.name] = to

    async def _finish(self, turn: Turn, state: TeamState, finish: Finish, status: TeamStatus | None = None) -> None:
        output = finish.output
        if finish.outputs:
            output = {name: await turn.rows.get(KEPT + name) for name in finish.outputs}
        state.status = status or (TeamStatus.COMPLETED if finish.success else TeamStatus.FAILED)
        state.finished_at, state.reason = turn.now, finish.reason
        result = TeamResult(
            success=finish.success,
            approved=finish.approved,
            output=output,
            transcript_length=state.lines,
            messages=state.window[-_LAST:],
            agent_count=len(state.team["members"]),
            iterations=state.turns,
            reason=finish.reason,
            conversation_id=turn.agent,
            cost_usd=round(state.cost_usd, 6),
            scores=dict(finish.scores),
        )
        state.result = result.model_dump(mode="json")
        for address in state.open.values():
            if address.startswith(f"{TEAM_TYPE}:"):
                turn.send(address, TEAM_CANCEL, {"reason": f"{turn.agent} has ended."})
        state.open = {}
        turn.forget(_LIMIT)
        if finish.decision is not None:
            turn.decide(**finish.decision)
        if finish.escalate_to is not None:
            turn.send(finish.escalate_to, ESCALATED, {"team": turn.agent, "task": state.task, "reason": finish.reason})
        turn.record("team.ended", status=state.status.value, reason=finish.reason, approved=finish.approved)
        turn.spend(team_turns=state.turns)
        turn.reply_to_held(state.held, state.result, type=f"{TEAM_START}.reply")


def _table(turn: Turn, state: TeamState) -> Table:
    return Table(task=state.task, window=state.window, memo=state.memo, now=turn.now, id=turn.agent)


def _write(turn: Turn, state: TeamState, team: Team, who: str, said: Contribution) -> None:
    """Append a line to the transcript, and to the window as far as it is shown."""
    state.lines += 1
    line = {"number": state.lines, "who": who, "at": turn.now.isoformat(), **said.model_dump(mode="json")}
    turn.rows.put(line_key(state.lines), line)
    shown = {"who": who, "content": said.content[:MOST_SHOWN]}
    state.window = [*state.window, shown][-team.limits.window :]
    turn.record("team.said", member=who, line=state.lines, vote=said.vote, content=said.content[:500])


def _said(turn: Turn, answer: Any) -> Contribution | Mapping[str, Any]:
    """What a member or a team within the team said; an error as JSON where it said nothing."""
    if turn.message.type == ERROR_TYPE:
        return answer if isinstance(answer, dict) else {}
    if turn.request is not None and turn.request.note["delegated"]:
        result = TeamResult.model_validate(answer)
        if not result.success:
            return {"code": "team_failed", "message": f"The team ended without success: {result.reason}."}
        text = result.output if isinstance(result.output, str) else json.dumps(result.output, ensure_ascii=False)
        return Contribution(content=text, data=result.output, cost_usd=result.cost_usd)
    if isinstance(answer, str):
        return Contribution(content=answer)
    try:
        return Contribution.model_validate(answer)
    except ValidationError as error:
        if isinstance(answer, dict) and "content" not in answer:
            return Contribution(content=json.dumps(answer, ensure_ascii=False), data=answer)
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "it"
        return {"code": "contribution_invalid", "message": f"The contribution cannot be used: {where}: {first['msg']}."}


def _last(state: TeamState) -> Any:
    return state.window[-1]["content"] if state.window else None
