"""Teams of members who fail, dawdle and keep silent: each ends once, and its transcript has each contribution once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from random import Random
from typing import Any

from pydantic import BaseModel

from aos.agents import Agent, Turn, on
from aos.agents.work import TEAM_CONTRIBUTE, Contribution, ContributionRequest
from aos.kernel.deadletter import DeadLetter
from aos.kernel.errors import NotFound, RetryableError, TerminalError
from aos.kernel.journal import JournalEntry
from aos.kernel.message import Message
from aos.kernel.policy import AgentPolicy, RetryPolicy
from aos.kernel.turn import ERROR_TYPE
from aos.kernel.turn import Turn as KernelTurn
from aos.testing.simulation.workload import Actor, Ending, Workload
from aos.workflows.messages import TEAM_START
from aos.workflows.teams.definition import APPROVAL_TOKEN, Team
from aos.workflows.teams.team_agent import TEAM_CANCEL, TeamAgent
from aos.workflows.teams.team_state import LINE, RESULT, TeamState, line_key

_MEMBERS = 4
_PATIENCE = 30
_RETRIES = AgentPolicy(retry=RetryPolicy(max_attempts=30, max_delay=20))


class _Said(BaseModel):
    applied: dict[str, int] = {}
    """How often it answered, by the id of what it was asked."""


class _Member(Agent[_Said]):
    type = "member"
    purpose = "Say something, if at all"
    listed = False
    policy = _RETRIES

    def __init__(self, chance: Random) -> None:
        super().__init__()
        self._chance = chance

    @on(TEAM_CONTRIBUTE)
    async def contribute(self, turn: Turn, state: _Said, asked: ContributionRequest) -> Contribution | None:
        way = self._chance.choices(("say", "later", "never", "fail", "retry"), (70, 12, 4, 7, 7))[0]
        if way == "retry":
            raise RetryableError("Not now.")
        if way == "fail":
            raise TerminalError("Never.")
        identity = turn.message.first_id
        state.applied[identity] = state.applied.get(identity, 0) + 1
        ending = f" {APPROVAL_TOKEN}" if self._chance.random() < 0.15 else ""
        vote = self._chance.choice(asked.options) if asked.expects == "vote" else None
        said = Contribution(content=f"{identity}{ending}", vote=vote)
        if way == "say":
            return said
        if way == "later":
            kept = {"held": turn.hold_reply(), "said": said.model_dump(mode="json")}
            turn.remind(identity, "member.later", kept, after=timedelta(seconds=self._chance.uniform(1, 2 * _PATIENCE)))
        return None

    @on("member.later")
    async def later(self, turn: Turn, _: _Said, kept: dict[str, Any]) -> None:
        turn.reply_to_held(kept["held"], kept["said"])


class Teams(Workload):
    name = "teams"
    max_deliveries = 5
    checks = (
        "each team ended once",
        "each contribution once in the transcript, in order",
        "nobody asked twice for a contribution",
        "teams within teams end with them",
    )

    def actors(self) -> Sequence[Actor | Agent[Any]]:
        initial: dict[str, Any] = {"asked": [], "outcomes": {}}
        return [TeamAgent(_find), _Member(self.chance), Actor("client", self._act, _RETRIES, initial)]

    def letters(self) -> list[list[Message]]:
        orders = [
            {"id": definition["kind"], "definition": definition, "stop": self.chance.choice((None, None, 2, 25))}
            for definition in (self._conversation(), self._crew(), self._debate(), self._boardroom())
        ]
        return [[self.message("owner", number, "client", "go", order) for number, order in enumerate(orders)]]

    def _team(self, kind: str, members: int, **fields: Any) -> dict[str, Any]:
        names = [{"name": f"m{number}", "agent": f"member:{number}"} for number in range(members)]
        limits = {"patience": _PATIENCE, "time": self.chance.choice((None, None, 45)), "turns": 12}
        return {"kind": kind, "members": names, "limits": limits, **fields}

    def _conversation(self, turns: int = 6) -> dict[str, Any]:
        team = self._team("conversation", 3)
        return {**team, "limits": {**team["limits"], "turns": turns}}

    def _crew(self) -> dict[str, Any]:
        tasks = [
            {"id": "talk", "description": "Talk", "team": self._conversation(4)},
            {"id": "last", "description": "End", "member": "m1"},
        ]
        return self._team("hybrid", 3, tasks=tasks, manager=self.chance.choice((None, "m2")), revisions=1)

    def _debate(self) -> dict[str, Any]:
        return self._team("debate", 3, rounds=self.chance.choice((1, 2)), judge=self.chance.choice((None, "m2")))

    def _boardroom(self) -> dict[str, Any]:
        return self._team("boardroom", _MEMBERS, deadline=_PATIENCE, chair=self.chance.choice((None, "m0")))

    async def _act(self, turn: KernelTurn) -> None:
        data, state = turn.message.data, turn.state
        if turn.request is not None:
            state["outcomes"].setdefault(turn.request.note, []).append([turn.message.type, data])
        elif turn.message.type == "stop":
            turn.send(f"team:{data}", TEAM_CANCEL, {"reason": "Enough."})
        else:
            state["asked"].append(data["id"])
            start = {"definition": data["definition"], "task": f"Work on {data['id']}"}
            turn.ask(f"team:{data['id']}", TEAM_START, start, note=data["id"])
            if data["stop"] is not None:
                turn.remind(data["id"], "stop", data["id"], after=timedelta(seconds=data["stop"]))

    def acceptable(self, letter: DeadLetter) -> bool:
        known = letter.message is not None and letter.message["type"] in (TEAM_CONTRIBUTE, TEAM_START)
        return known and letter.error["code"] in ("terminal_error", "deadline_exceeded")

    def check(self, ending: Ending) -> Iterator[str]:
        client = ending.states.get("client", {"asked": [], "outcomes": {}})
        if sorted(client["asked"]) != ["boardroom", "conversation", "debate", "hybrid"]:
            yield f"the client set to work {client['asked']}"
        teams = {agent: state for agent, state in ending.states.items() if agent.startswith("team:")}
        for agent, stored in teams.items():
            state, entries = TeamState.model_validate(stored), ending.journals[agent]
            rows = ending.rows.get(agent, {})
            if state.started_at is not None:
                yield from (f"{agent}: {problem}" for problem in _ended_once(state, entries, rows))
            yield from (f"{agent}: {problem}" for problem in _transcript(state, entries, rows))
            yield from (f"{agent}: {problem}" for problem in _asked_once(state, entries))
            yield from (f"{agent}: {problem}" for problem in _sub_teams(entries, ending))
        for name in client["asked"]:
            yield from _one_outcome(name, client["outcomes"].get(name, []), ending)
        yield from _applied_once(ending, teams)
        yield from (f"{agent} has requests open" for agent in ending.waiting)


def _find(name: str) -> Team:
    raise NotFound(f"There is no team {name!r}: all are described with the order.")


def _one_outcome(name: str, outcomes: Sequence[Any], ending: Ending) -> Iterator[str]:
    result = ending.rows.get(f"team:{name}", {}).get(RESULT)
    if len(outcomes) != 1:
        yield f"who set team {name} to work got {outcomes}"
    elif outcomes[0][0] != ERROR_TYPE and outcomes[0][1] != result:
        yield f"who set team {name} to work got {outcomes[0]}, and its result is {result}"
    elif outcomes[0][0] == ERROR_TYPE and outcomes[0][1]["code"] != "delivery_failed":
        yield f"who set team {name} to work got {outcomes[0]}"


def _ended_once(state: TeamState, entries: Sequence[JournalEntry], rows: Mapping[str, Any]) -> Iterator[str]:
    ends = [fact for entry in entries for fact in entry.facts if fact["kind"] == "team.ended"]
    if len(ends) != 1 or not state.status.is_final or RESULT not in rows:
        yield f"it is {state.status.value} and ended {ends}"
        return
    asks = len(_sent(entries, TEAM_CONTRIBUTE)) + len(_sent(entries, TEAM_START))
    result = rows[RESULT]
    if (result["transcript_length"], result["iterations"]) != (state.lines, asks):
        yield f"its result has {result['transcript_length']} lines and {result['iterations']} asks, not {asks}"


def _transcript(state: TeamState, entries: Sequence[JournalEntry], rows: Mapping[str, Any]) -> Iterator[str]:
    """Lines are numbered without a gap, written once, and are what members answered, in the order it was received."""
    keys = sorted(key for key in rows if key.startswith(LINE))
    written = sorted(key for entry in entries for key in entry.rows if key.startswith(LINE))
    expected = [line_key(number + 1) for number in range(state.lines)]
    if not keys == written == expected:
        yield f"it has the lines {keys}, wrote {written}, and counts {state.lines}"
        return
    answers = [record["message"]["data"] for record in _taken(entries, f"{TEAM_CONTRIBUTE}.reply")]
    received = [answer["content"] for answer in answers]
    lines = [rows[key]["content"] for key in keys if rows[key]["who"].startswith("m")]
    if lines != received[: len(lines)] or len(set(lines)) != len(lines):
        yield f"its transcript is {lines}, and it was told {received}"
    if not state.status.is_final and len(lines) != len(received):
        yield f"its transcript lacks some of {received}"


def _asked_once(state: TeamState, entries: Sequence[JournalEntry]) -> Iterator[str]:
    asked = Counter(
        (body["to"], body["data"]["task"], json.dumps(body["data"]["transcript"]))
        for body in _sent(entries, TEAM_CONTRIBUTE)
    )
    yield from (f"{to} was asked {times} times for {task!r}" for (to, task, _), times in asked.items() if times > 1)
    if state.turns != asked.total() + len(_sent(entries, TEAM_START)):
        yield f"it counts {state.turns} asks and sent {asked.total()}"


def _sub_teams(entries: Sequence[JournalEntry], ending: Ending) -> Iterator[str]:
    """The team has its answer, or has stopped it; and one that was stopped asks nobody any more."""
    ended = next((n for n, entry in enumerate(entries) if _is_end(entry)), len(entries))
    answered = {record["message"]["source"] for record in _taken(entries[: ended + 1], f"{TEAM_START}.reply")}
    stopped = {body["to"] for body in _sent(entries, TEAM_CANCEL)}
    for body in _sent(entries, TEAM_START):
        if body["to"] not in answered | stopped:
            yield f"it has ended, and {body['to']} was not told"
    seen_stop = False
    for entry in entries:
        if seen_stop and _sent([entry], TEAM_CONTRIBUTE):
            yield f"it was stopped, and asked somebody in turn {entry.version}"
        seen_stop = seen_stop or bool(_taken([entry], TEAM_CANCEL))
    for body in _sent(entries, TEAM_START):
        state = TeamState.model_validate(ending.states.get(body["to"], {}))
        if state.started_at is not None and not state.status.is_final:
            yield f"its team {body['to']} is at work still"


def _applied_once(ending: Ending, teams: Mapping[str, Any]) -> Iterator[str]:
    asked = {body["id"] for agent in teams for body in _sent(ending.journals[agent], TEAM_CONTRIBUTE)}
    for number in range(_MEMBERS):
        applied = ending.states.get(f"member:{number}", {"applied": {}})["applied"]
        for identity, times in applied.items():
            if times != 1 or identity not in asked:
                yield f"member {number} contributed {times} times to {identity}"


def _is_end(entry: JournalEntry) -> bool:
    return any(fact["kind"] == "team.ended" for fact in entry.facts)


def _sent(entries: Sequence[JournalEntry], type_: str) -> list[dict[str, Any]]:
    return [record["body"] for entry in entries for record in entry.sent if record["body"]["type"] == type_]


def _taken(entries: Sequence[JournalEntry], type_: str) -> list[Mapping[str, Any]]:
    return [
        record
        for entry in entries
        for record in entry.received
        if record["outcome"] == "applied" and record["message"]["type"] == type_
    ]
