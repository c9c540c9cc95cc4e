"""An agent that pursues a purpose: it sets goals, weighs options by it, and has each turn scored against it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar

from pydantic import BaseModel

from aos.agents.agent import State
from aos.agents.alignment import Alignment, by_model, by_words
from aos.agents.course import flags_of, score_turn
from aos.agents.handlers import on
from aos.agents.perpetual_agent import PerpetualAgent
from aos.agents.purpose import DEFAULT_SCOPE, Purpose, PurposeBudget, Retirement, SuccessMetric
from aos.agents.pursuit import PURSUIT, Pursuit
from aos.agents.similarity import text_of
from aos.agents.stored_state import own_part
from aos.agents.turn import Turn
from aos.governance.decision import Option, as_record, weigh
from aos.kernel.errors import InvalidInput, NotFound, SettingInvalid
from aos.kernel.message import format_time

ADD_GOAL = "goal.add"
PROGRESS_GOAL = "goal.progress"
_MAX_TEXT = 600
_MAX_OPTIONS = 20
_OURS = ("goal.", "aos.")


class NewGoal(BaseModel):
    description: str
    success_criteria: list[str] = []
    deadline: datetime | None = None


class GoalProgress(BaseModel):
    goal_id: str
    progress: float
    notes: str | None = None


class PurposeDrivenAgent(PerpetualAgent[State]):
    """A perpetual agent with a purpose.

    Subclass it and set `purpose`, or make one: `PurposeDrivenAgent("ceo", "Lead the company to growth", "ceo")`. In a
    turn, `self.pursuit(turn)` is the state of its goals and metrics. After each turn, what was received and done is
    scored by its words against the purpose, and entered with the same commit; see `aos.agents.course` for the flags.

    Attributes:
        purpose: What it is there for; required.
        purpose_scope, success_criteria, success_metric, budget, cadence, retirement: See `Purpose`.
        alignment_threshold, patience: See `Purpose`.
        personas: Kinds of agent it is, by which a LoRA adapter is found.
    """

    purpose_scope: str = DEFAULT_SCOPE
    success_criteria: tuple[str, ...] = ()
    success_metric: SuccessMetric | None = None
    budget: PurposeBudget | None = None
    cadence: timedelta | None = None
    retirement: Retirement = Retirement()
    alignment_threshold: float = 0.1
    patience: int = 20
    personas: ClassVar[tuple[str, ...]] = ("generic",)

    def __init__(
        self,
        agent_id: str | None = None,
        purpose: str | None = None,
        adapter_name: str | None = None,
        *,
        purpose_scope: str | None = None,
        success_criteria: Sequence[str] | None = None,
        **options: Any,
    ) -> None:
        self.purpose = purpose or self.purpose
        self.purpose_scope = purpose_scope or self.purpose_scope
        if success_criteria is not None:
            self.success_criteria = tuple(success_criteria)
        super().__init__(agent_id, adapter_name=adapter_name, **options)
        if not self.purpose.strip():
            raise SettingInvalid(f"Agent type {self.type!r} has no `purpose`. Say what it is there for.")

    @cached_property
    def whole_purpose(self) -> Purpose:
        """The purpose with all that belongs to it."""
        return Purpose(
            statement=self.purpose,
            scope=self.purpose_scope,
            success_criteria=tuple(self.success_criteria),
            vocabulary=self.capabilities,
            metric=self.success_metric,
            budget=self.budget,
            cadence=self.cadence,
            retirement=self.retirement,
            threshold=self.alignment_threshold,
            patience=self.patience,
        )

    def get_agent_type(self) -> list[str]:
        """The personas of this agent."""
        return list(self.personas)

    def pursuit(self, turn: Turn) -> Pursuit:
        """How the pursuit of the purpose goes; what is changed in it is committed with the turn."""
        found = turn.state.get(PURSUIT)
        if not isinstance(found, Pursuit):
            found = turn.state[PURSUIT] = Pursuit.model_validate(found or {})
        return found

    async def evaluate_purpose_alignment(self, action: Any, turn: Turn | None = None) -> dict[str, Any]:
        """Score how well an action serves the purpose.

        Args:
            action: Words, or a JSON value whose texts are taken.
            turn: In a turn the active goals count too, and a model judges where one is configured.

        Returns:
            `action`, `aligned`, `alignment_score` (0 to 1), `reasoning`, `timestamp`, `method`.

        Raises:
            NotAllowedNow: outside a turn, and not registered with a running system.
        """
        if turn is None:
            return by_words(self.whole_purpose, action, now=self._now()).model_dump(mode="json")
        return (await self._align(turn, action)).model_dump(mode="json")

    async def make_purpose_driven_decision(self, turn: Turn, decision: Mapping[str, Any]) -> dict[str, Any]:
        """Choose the option that serves the purpose best, and put the decision on record and into memory.

        Args:
            turn: The turn it is made in.
            decision: `question`, and `options`: texts, or objects with a `name` and whatever describes them.

        Returns:
            `decision_id`, `context`, `selected_option` (as it was given), `reasoning`, `alignment_score`, `confidence`,
            `alternatives` (all options, best first, each with its score and reason), `timestamp`.

        Raises:
            InvalidInput: there are no options, too many, or two of one name.
        """
        given = {_name_of(option): option for option in decision.get("options", ())}
        if not given or len(given) != len(decision["options"]) or len(given) > _MAX_OPTIONS:
            raise InvalidInput(f"A decision needs 1 to {_MAX_OPTIONS} `options`, each with a name of its own.")
        question = str(decision.get("question") or "Which option serves the purpose best?")
        scored = {name: await self._align(turn, option) for name, option in given.items()}
        chosen = weigh(
            question,
            [
                Option(name=name, merits={"alignment": alignment.alignment_score}, reason=alignment.reasoning)
                for name, alignment in scored.items()
            ],
            {"alignment": 1.0},
        )
        pursuit = self.pursuit(turn)
        pursuit.purpose_metrics.decisions_made += 1
        made = {
            "decision_id": f"decision_{pursuit.purpose_metrics.decisions_made}",
            "context": dict(decision),
            "selected_option": given[chosen.selected],
            "reasoning": chosen.rationale,
            "alignment_score": scored[chosen.selected].alignment_score,
            "confidence": chosen.confidence,
            "alternatives": [alternative.model_dump() for alternative in chosen.alternatives],
            "timestamp": format_time(turn.now),
        }
        turn.decide(question, chosen.selected, **as_record(chosen))
        await self.context(turn).add_memory({"type": "decision", "decision": made})
        return made

    @on(ADD_GOAL)
    async def answer_new_goal(self, turn: Turn, _: Any, goal: NewGoal) -> dict[str, Any]:
        """Set a goal somebody sends."""
        pursuit = self.pursuit(turn)
        goal_id = pursuit.add_goal(goal.description, goal.success_criteria, goal.deadline, now=turn.now)
        return {"goal_id": goal_id}

    @on(PROGRESS_GOAL)
    async def answer_goal_progress(self, turn: Turn, _: Any, report: GoalProgress) -> dict[str, Any]:
        """Take up a report on a goal's progress."""
        pursuit = self.pursuit(turn)
        if not pursuit.update_goal_progress(report.goal_id, report.progress, report.notes, now=turn.now):
            raise NotFound(f"{turn.agent!r} has no active goal {report.goal_id!r}.")
        return {"goal_id": report.goal_id, "completed": report.goal_id in pursuit.completed_goals}

    async def add_goal(
        self, description: str, success_criteria: Sequence[str] = (), deadline: datetime | None = None
    ) -> str:
        """Set a goal from outside, as a turn of its own; in a handler use `pursuit(turn).add_goal`. Returns its id.

        Raises:
            InvalidInput: the goal cannot be set.
            NotAllowedNow: the agent is not registered with a running system.
        """
        goal = NewGoal(description=description, success_criteria=list(success_criteria), deadline=deadline)
        return str((await self.act(ADD_GOAL, goal.model_dump(mode="json")))["goal_id"])

    async def update_goal_progress(self, goal_id: str, progress: float, notes: str | None = None) -> bool:
        """Report on a goal from outside, as a turn of its own; False where no such goal is active."""
        if goal_id not in (await self._stored_pursuit(None)).active_goals:
            return False
        await self.act(PROGRESS_GOAL, GoalProgress(goal_id=goal_id, progress=progress, notes=notes).model_dump())
        return True

    async def get_purpose_status(self, address: str | None = None) -> dict[str, Any]:
        """How the pursuit of the purpose goes."""
        pursuit, head = await self._stored_pursuit(address), await self._head(address)
        metric = self.success_metric
        return {
            "agent_id": address or self.type,
            "purpose": self.purpose,
            "purpose_scope": self.purpose_scope,
            "success_criteria": list(self.success_criteria),
            "metrics": pursuit.purpose_metrics.model_dump(),
            "active_goals": len(pursuit.active_goals),
            "completed_goals": len(pursuit.completed_goals),
            "goals": [
                goal.model_dump(mode="json")
                for goal in (*pursuit.active_goals.values(), *pursuit.completed_goals.values())
            ],
            "is_running": self.is_running,
            "total_events_processed": head.counters.get("applied", 0) if head else 0,
            "alignment": pursuit.course.alignment if pursuit.course.scored else None,
            "success_metric": metric and {"name": metric.name, "target": metric.target, "value": pursuit.course.value},
            "spent": pursuit.course.spent,
            "flags": flags_of(self.whole_purpose, pursuit, self._now()),
        }

    async def health_check(self, address: str | None = None) -> dict[str, Any]:
        """As `PerpetualAgent.health_check`, with `purpose_flags`: what is wrong with the pursuit, and why."""
        pursuit = await self._stored_pursuit(address)
        flags = flags_of(self.whole_purpose, pursuit, self._now())
        return {**await super().health_check(address), "purpose_flags": flags}

    async def _take(self, turn: Turn) -> None:
        born = PURSUIT not in turn.state
        pursuit = self.pursuit(turn)
        if born:
            await self.context(turn).update_context(
                {
                    "purpose": self.purpose,
                    "purpose_scope": self.purpose_scope,
                    "success_criteria": list(self.success_criteria),
                }
            )
        before = own_part(turn.state)
        await super()._take(turn)
        if not turn.message.type.startswith(_OURS):
            self._score(turn, pursuit, changed=own_part(turn.state) != before)
        turn.state[PURSUIT] = pursuit.to_state()

    def _send_answer(self, turn: Turn, answer: Any) -> None:
        if isinstance(answer, dict) and "handler_results" in answer:
            alignment = by_words(self.whole_purpose, _turn_text(turn), goals=self._goals(turn), now=turn.now)
            said = alignment.model_dump(mode="json", exclude={"action"})
            answer = {**answer, "purpose": self.purpose, "purpose_alignment": said}
        super()._send_answer(turn, answer)

    def _score(self, turn: Turn, pursuit: Pursuit, *, changed: bool) -> None:
        alignment = by_words(self.whole_purpose, _turn_text(turn), goals=self._goals(turn), now=turn.now)
        metrics = pursuit.purpose_metrics
        metrics.purpose_evaluations += 1
        metrics.purpose_aligned_actions += alignment.aligned
        done = turn.done
        measured = self.success_metric is not None or bool(pursuit.active_goals)
        useful = pursuit.progressed or (not measured and (changed or bool(done.sent or done.decisions)))
        new = score_turn(
            self.whole_purpose, pursuit, aligned=alignment.aligned, useful=useful, usage=done.usage, now=turn.now
        )
        turn.record("purpose.scored", score=alignment.alignment_score, aligned=alignment.aligned, useful=useful)
        for flag, reason in new.items():
            turn.record("purpose.flagged", flag=flag, reason=reason)

    async def _align(self, turn: Turn, action: Any) -> Alignment:
        goals = self._goals(turn)
        if turn.can_think:
            alignment = await by_model(self.whole_purpose, action, turn, goals=goals)
        else:
            alignment = by_words(self.whole_purpose, action, goals=goals, now=turn.now)
        return alignment

    def _goals(self, turn: Turn) -> tuple[str, ...]:
        return tuple(goal.description for goal in self.pursuit(turn).active_goals.values())

    async def _stored_pursuit(self, address: str | None) -> Pursuit:
        head = await self._head(address)
        return Pursuit.model_validate(json.loads(head.state).get(PURSUIT) or {}) if head else Pursuit()


def _turn_text(turn: Turn) -> str:
    """What the turn was about: what it received, and what it did so far."""
    done = turn.done
    decided = " ".join(f"{decision['question']} {decision['selected']}" for decision in done.decisions)
    received = text_of(turn.message.data, _MAX_TEXT)
    return f"{turn.message.type} {turn.message.subject or ''} {received} {' '.join(done.sent)} {decided}"[
        : 2 * _MAX_TEXT
    ]


def _name_of(option: Any) -> str:
    if isinstance(option, Mapping):
        return str(option.get("name") or option.get("action") or option.get("description") or "")
    return str(option)
