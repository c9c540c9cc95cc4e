"""An agent that leads: it decides between options, consults others before it does, plans, coordinates and reviews."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from statistics import fmean
from typing import Any, ClassVar

from pydantic import ValidationError

from aos.agents.agent import State
from aos.agents.consultation import OpenConsultation, Opinion, add_opinion, open_consultation
from aos.agents.handlers import on, on_reply
from aos.agents.leadership_messages import (
    Choice,
    Consultation,
    CoordinationRequest,
    DecisionRequest,
    Initiative,
    PlanRequest,
    Query,
    ReviewRequest,
)
from aos.agents.leadership_roles import REPLY_TYPES, ROLE_FOCUS, ROLE_PERSONA, focus_of
from aos.agents.purpose_driven_agent import PurposeDrivenAgent
from aos.agents.similarity import statements
from aos.agents.turn import Turn
from aos.governance.decision import Decision, Option, as_record, weigh
from aos.kernel.errors import InvalidInput
from aos.kernel.message import format_time
from aos.kernel.turn import ERROR_TYPE

CONSULT = "decision_consultation"
COSTS = frozenset({"risk", "resources"})
"""Criteria of which little is good."""


class LeadershipAgent(PurposeDrivenAgent[State]):
    """A purpose-driven agent with a role in a leadership team.

    `LeadershipAgent("cfo", role="CFO")` is one; a subclass sets `role` and adds handlers of its own. It understands the
    messages of `REPLY_TYPES`; an option is chosen by the weighted mean of its merits, of how well it serves the
    agent's purpose, and of what the stakeholders think of it.

    Attributes:
        role: One of `ROLE_FOCUS`.
        decision_threshold: Least score of an option that is approved; one below it is escalated to people.
        leadership_style, strategic_horizon: How it leads, and how far it plans ahead.
        criteria: How much each criterion matters, those that any option states.
        patience_with_others: How long a stakeholder may take.
    """

    role: str = "CEO"
    decision_threshold: float = 0.7
    leadership_style: str = "collaborative"
    strategic_horizon: str = "quarterly"
    criteria: ClassVar[Mapping[str, float]] = {
        "impact": 1.0,
        "feasibility": 1.0,
        "risk": 1.0,
        "alignment": 1.0,
        "resources": 1.0,
        "support": 1.0,
    }
    patience_with_others: ClassVar[timedelta] = timedelta(minutes=10)

    def __init__(
        self,
        agent_id: str | None = None,
        purpose: str | None = None,
        adapter_name: str | None = None,
        *,
        role: str | None = None,
        **options: Any,
    ) -> None:
        role = role or self.role
        focus = focus_of(role)
        self.capabilities = tuple(dict.fromkeys((*self.capabilities, *focus)))
        purpose = purpose or self.purpose or f"Lead as {role}: {', '.join(focus[:-1])} and {focus[-1]}"
        super().__init__(agent_id, purpose, adapter_name, role=role, **options)

    @property
    def focus_areas(self) -> tuple[str, ...]:
        return focus_of(self.role)

    def get_agent_type(self) -> list[str]:
        return list(dict.fromkeys(("leadership", ROLE_PERSONA[self.role])))

    def _reply_type(self, message_type: str) -> str | None:
        return REPLY_TYPES.get(message_type)

    async def make_decision(
        self, turn: Turn, context: Mapping[str, Any], stakeholders: Sequence[str] = (), mode: str = "autonomous"
    ) -> dict[str, Any]:
        """Decide between options, at once or after the stakeholders have answered.

        Args:
            turn: The turn it is asked for in.
            context: `question` and `options` as in `DecisionRequest`, and whatever belongs to it.
            stakeholders: Agents to ask first. Whoever sent the turn's message gets the outcome as its reply.
            mode: Recorded with the decision.

        Returns:
            `id`, `agent_id`, `context`, `mode`, `stakeholders`, `timestamp`, `decision` (the chosen option's name),
            `outcome` (`approved` or `escalated`), `score`, `confidence`, `rationale`, `alternatives`. While
            stakeholders are asked, `decision` is None and `outcome` is `consulting`.

        Raises:
            InvalidInput: there are no options, or two have one name.
        """
        try:
            request = DecisionRequest.model_validate({**context, "stakeholders": stakeholders, "context": context})
        except ValidationError as error:
            raise InvalidInput(f"The decision needs a `question` and `options`: {error}") from error
        if len({option.name for option in request.options}) != len(request.options):
            raise InvalidInput("Two options have one name. Give each a name of its own.")
        if not stakeholders:
            return await self._decide(turn, turn.message.id, OpenConsultation(request=request), mode)
        consultation_id = await self.consult_stakeholders(turn, request)
        return {
            **self._record(turn, consultation_id, request, "consultative"),
            "decision": None,
            "outcome": "consulting",
        }

    async def consult_stakeholders(self, turn: Turn, request: DecisionRequest) -> str:
        """Ask each stakeholder what it thinks of the options; returns the consultation's id.

        The decision is made, and sent to whoever asked for it, in the turn that receives the last answer. One who
        does not answer in time, or with an error, has no say.

        Raises:
            NotAllowedNow: too many consultations are open.
        """
        consultation_id = turn.message.id
        request.stakeholders = list(dict.fromkeys(request.stakeholders))
        open_consultation(turn, consultation_id, OpenConsultation(request=request, held=turn.hold_reply()))
        question = Consultation(question=request.question, options=request.options).model_dump(mode="json")
        for stakeholder in request.stakeholders:
            turn.ask(stakeholder, CONSULT, question, note=consultation_id, timeout=self.patience_with_others)
        return consultation_id

    @on("decision_request")
    async def answer_decision_request(self, turn: Turn, _: Any, request: DecisionRequest) -> dict[str, Any] | None:
        """Decide; where others are to be asked first, the answer follows when they have answered."""
        context = request.model_dump(mode="json", exclude={"stakeholders", "context"})
        made = await self.make_decision(turn, {**request.context, **context}, request.stakeholders)
        return None if made["outcome"] == "consulting" else made

    @on_reply(CONSULT)
    async def take_opinion(self, turn: Turn, _: Any, answer: dict[str, Any]) -> None:
        """Take up a stakeholder's opinion; decide when it was the last."""
        if turn.request is None:
            return
        if turn.message.type == ERROR_TYPE:
            opinion = Opinion(error=str(answer.get("message", "no answer")))
        else:
            opinion = Opinion.read({name: answer[name] for name in ("scores", "reasoning") if name in answer})
        complete = add_opinion(turn, turn.request.note, turn.request.to, opinion)
        if complete is not None:
            made = await self._decide(turn, turn.request.note, complete, "consultative")
            turn.reply_to_held(complete.held, made, type=REPLY_TYPES["decision_request"])

    @on(CONSULT)
    async def answer_consultation(self, turn: Turn, _: Any, asked: Consultation) -> dict[str, Any]:
        """Say what this role thinks of a colleague's options."""
        scored = {option.name: await self._align(turn, _text(option)) for option in asked.options}
        best = max(scored, key=lambda name: scored[name].strength)
        return {
            "agent_id": turn.agent,
            "role": self.role,
            "scores": {name: alignment.strength for name, alignment in scored.items()},
            "preferred": best,
            "reasoning": scored[best].reasoning,
        }

    @on("strategic_planning")
    async def answer_planning(self, turn: Turn, _: Any, request: PlanRequest) -> dict[str, Any]:
        """Order initiatives by how well they serve the purpose, and take those that do as goals."""
        planned = []
        for initiative in dict.fromkeys(request.initiatives):
            alignment = await self._align(turn, initiative)
            planned.append({"initiative": initiative, "score": alignment.strength, "reasoning": alignment.reasoning})
            if alignment.aligned:
                planned[-1]["goal_id"] = self.pursuit(turn).add_goal(initiative, [request.objective], now=turn.now)
        return {
            "objective": request.objective,
            "horizon": request.horizon or self.strategic_horizon,
            "focus_areas": list(self.focus_areas),
            "initiatives": sorted(planned, key=lambda each: -float(str(each["score"]))),
        }

    @on("team_coordination")
    async def answer_coordination(self, turn: Turn, _: Any, request: CoordinationRequest) -> dict[str, Any]:
        """Match each task with the member whose capabilities it is most like; of equals, the one with least to do."""
        load = dict.fromkeys((member.agent for member in request.members), 0)
        assignments, unassigned = [], []
        for task in request.tasks:
            fit = {m.agent: statements((" ".join(m.capabilities),)).compare(task).score for m in request.members}
            best = max(fit, key=lambda agent: (fit[agent], -load[agent]))
            if fit[best] == 0:
                unassigned.append(task)
                continue
            load[best] += 1
            assignments.append({"task": task, "agent": best, "score": fit[best]})
        turn.record("team.coordinated", assigned=len(assignments), unassigned=len(unassigned))
        return {"assignments": assignments, "unassigned": unassigned}

    @on("performance_review")
    async def answer_review(self, turn: Turn, _: Any, request: ReviewRequest) -> dict[str, Any]:
        """Compare results with targets."""
        ratios = {
            name: round(min(1.0, max(0.0, request.results.get(name, 0.0) / target)), 4)
            for name, target in request.targets.items()
            if target > 0
        }
        if len(ratios) < len(request.targets):
            raise InvalidInput("A target must be above zero. Leave out what is not aimed at.")
        score = round(fmean(ratios.values()), 4)
        turn.record("performance.reviewed", subject=request.subject, score=score)
        return {
            "subject": request.subject,
            "score": score,
            "meets_expectations": score >= self.decision_threshold,
            "ratios": ratios,
            "achieved": [name for name, ratio in ratios.items() if ratio >= 1],
            "missed": [name for name, ratio in ratios.items() if ratio < 1],
        }

    @on("leadership_query")
    async def answer_query(self, turn: Turn, _: Any, query: Query) -> dict[str, Any]:
        """Say whose affair a question is, and what is known of it; with a model, answer it."""
        alignment = await self._align(turn, query.question)
        owner = statements(tuple(" ".join(focus) for focus in ROLE_FOCUS.values())).compare(query.question)
        roles = [role for role, focus in ROLE_FOCUS.items() if " ".join(focus) == owner.statement]
        said: dict[str, Any] = {
            "question": query.question,
            "within_purpose": alignment.aligned,
            "reasoning": alignment.reasoning,
            "responsible_role": roles[0] if roles else None,
            "active_goals": [goal.description for goal in self.pursuit(turn).active_goals.values()],
        }
        if turn.can_think:
            said["answer"] = await self._answer(turn, query)
        return said

    @on("strategic_initiative")
    async def answer_initiative(self, turn: Turn, _: Any, initiative: Initiative) -> dict[str, Any]:
        """Take an initiative as a goal where it serves the purpose."""
        text = f"{initiative.name}. {initiative.description}".strip()
        alignment = await self._align(turn, text)
        goal_id = self.pursuit(turn).add_goal(text, now=turn.now) if alignment.aligned else None
        return {
            "initiative": initiative.name,
            "accepted": alignment.aligned,
            "score": alignment.strength,
            "reasoning": alignment.reasoning,
            "goal_id": goal_id,
        }

    async def _decide(self, turn: Turn, id: str, consultation: OpenConsultation, mode: str) -> dict[str, Any]:
        request = consultation.request
        decision = await self._weigh(turn, consultation)
        approved = decision.score >= self.decision_threshold
        turn.decide(
            request.question,
            decision.selected,
            **as_record(decision),
            evidence=[
                {"source": name, "type": "consultation", "content": opinion.error or opinion.reasoning}
                for name, opinion in consultation.opinions.items()
            ],
        )
        self.pursuit(turn).purpose_metrics.decisions_made += 1
        made = {
            **self._record(turn, id, request, mode),
            "decision": decision.selected,
            "outcome": "approved" if approved else "escalated",
            "score": decision.score,
            "confidence": decision.confidence,
            "rationale": decision.rationale,
            "alternatives": [alternative.model_dump() for alternative in decision.alternatives],
            "opinions": {name: opinion.model_dump() for name, opinion in consultation.opinions.items()},
        }
        await self.context(turn).add_memory({"type": "decision", "decision": made})
        return made

    async def _weigh(self, turn: Turn, consultation: OpenConsultation) -> Decision:
        options = []
        for option in consultation.request.options:
            alignment = await self._align(turn, _text(option))
            merits: dict[str, float] = {"alignment": alignment.strength}
            merits |= {name: 1 - value if name in COSTS else value for name, value in option.merits.items()}
            support = consultation.support(option.name)
            if support is not None:
                merits["support"] = support
            options.append(Option(name=option.name, merits=merits, reason=alignment.reasoning))
        stated = {name for option in options for name in option.merits}
        weights = {name: weight for name, weight in self.criteria.items() if name in stated}
        return weigh(consultation.request.question, options, weights)

    def _record(self, turn: Turn, id: str, request: DecisionRequest, mode: str) -> dict[str, Any]:
        return {
            "id": id,
            "agent_id": turn.agent,
            "context": request.context,
            "mode": mode,
            "stakeholders": request.stakeholders,
            "timestamp": format_time(turn.now),
        }

    async def _answer(self, turn: Turn, query: Query) -> str:
        """Let a model answer; where the message belongs to a conversation, it is shown what was said there before."""
        from aos.llm.request import ModelRequest

        instructions = self.system_message or f"You are the {self.role}. Your purpose: {self.purpose}."
        if turn.message.conversation_id is None:
            alone = ModelRequest.ask(query.question, system=instructions, max_tokens=1_000)
            return (await turn.think(alone, name="leadership query")).text
        conversation = await self.conversation(turn)
        conversation.append(query.question)
        request = ModelRequest(messages=conversation.messages(system=instructions), max_tokens=1_000)
        answer = (await turn.think(request, name="leadership query")).text
        conversation.append(answer, role="assistant")
        return answer


def _text(option: Choice) -> str:
    return f"{option.name}. {option.description}"
