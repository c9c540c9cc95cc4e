"""What a team is: its members, how they work together, when it is done, and what it may cost."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from aos.kernel.address import is_address
from aos.kernel.errors import InvalidInput
from aos.workflows.definition.duration import PositiveDuration
from aos.workflows.teams.rubric import Rubric

Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
_SHAPE = ConfigDict(frozen=True, extra="forbid")
APPROVAL_TOKEN = "%APPR%"  # noqa: S105  # a word of a conversation, no secret


class Member(BaseModel):
    """Somebody in a team.

    Attributes:
        name: Within the team.
        agent: Address of the agent that takes the part. Without one, a model speaks by the instructions.
        role, goal, instructions: What it is told of itself.
        weight: Of its vote.
    """

    model_config = _SHAPE

    name: Slug
    agent: str | None = None
    role: str = ""
    goal: str = ""
    instructions: str = ""
    weight: float = Field(default=1.0, gt=0, le=100)

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if self.agent is None and not (self.instructions or self.role):
            raise ValueError(f"member {self.name!r} needs an `agent`, or a `role` or `instructions` for a model")
        if self.agent is not None and not is_address(self.agent):
            raise ValueError(f"{self.agent!r} is no agent's address")
        return self


class Limits(BaseModel):
    """Where a team stops, done or not.

    Attributes:
        turns: Contributions asked of members; a team within the team counts as one. Kinds have defaults of their own.
        time: From start to end.
        usd: What models may cost, as far as members tell.
        patience: How long a member may take for a contribution.
        window: Newest lines of the transcript that a member is shown.
    """

    model_config = _SHAPE

    turns: int = Field(default=10, ge=1, le=1_000)
    time: PositiveDuration | None = None
    usd: float | None = Field(default=None, gt=0)
    patience: PositiveDuration = timedelta(minutes=10)
    window: int = Field(default=20, ge=1, le=100)


class _Team(BaseModel):
    model_config = _SHAPE
    turns: ClassVar[int] = 10

    name: Slug = "team"
    description: str = ""
    members: tuple[Member, ...] = Field(min_length=1, max_length=15)
    limits: Limits = Limits()

    @model_validator(mode="before")
    @classmethod
    def _turns_of_the_kind(cls, data: Any) -> Any:
        """Limits without `turns` have those of the kind."""
        stated = data.get("limits", {}) if isinstance(data, dict) else None
        return {**data, "limits": {"turns": cls.turns, **stated}} if isinstance(stated, dict) else data

    @model_validator(mode="after")
    def _names(self) -> Self:
        names = [member.name for member in self.members]
        double = {name for name in names if names.count(name) > 1}
        if double:
            raise ValueError(f"two members are called {', '.join(sorted(double))}")
        for field, name in self._named():
            if name not in names:
                raise ValueError(f"`{field}` names {name!r}, who is no member; there are: {', '.join(names)}")
        return self

    def _named(self) -> list[tuple[str, str]]:
        """Fields that name members, with the names."""
        return []

    def member(self, name: str) -> Member:
        return next(member for member in self.members if member.name == name)


class Conversation(_Team):
    """Members speak in turn until one says the token, or a limit is reached.

    Attributes:
        speakers: `round_robin` in the order of the members; `selected` by the selector, who is asked before each
            contribution.
        selector: Who selects.
        token: Ends it with approval when it is in one of the last `token_window` lines. Empty for none.
    """

    kind: Literal["conversation"] = "conversation"
    speakers: Literal["round_robin", "selected"] = "round_robin"
    selector: str | None = None
    token: str = APPROVAL_TOKEN
    token_window: int = Field(default=3, ge=1, le=20)

    @model_validator(mode="after")
    def _selection(self) -> Self:
        if self.speakers == "selected" and self.selector is None:
            raise ValueError("speakers that are selected need a `selector`")
        if len([member for member in self.members if member.name != self.selector]) < 1:
            raise ValueError("nobody is there to speak but the selector")
        return self

    def _named(self) -> list[tuple[str, str]]:
        return [("selector", self.selector)] if self.selector else []


class Handoff(_Team):
    """The first member begins; whoever speaks may hand over to another, and is done where he does not."""

    kind: Literal["handoff"] = "handoff"


class CrewTask(BaseModel):
    """A piece of a crew's work.

    Attributes:
        id: Within the crew.
        description, expected: What is to be done, and what should come of it.
        member: Who does it; in turn where it is left out.
        team: A conversation (or another team) that does it instead: this makes a hybrid.
        needs: Tasks whose outputs it is shown; all before it where it is left out.
    """

    model_config = _SHAPE

    id: Slug
    description: str = Field(min_length=1)
    expected: str = ""
    member: str | None = None
    team: Team | None = None
    needs: tuple[str, ...] | None = None


class Crew(_Team):
    """Tasks in order, each by the member in charge; with a manager, none counts before he has accepted it.

    Attributes:
        tasks: In the order they are done.
        manager: Looks at each output, and may have it done again.
        revisions: How often at most, for each task.
    """

    turns: ClassVar[int] = 300

    kind: Literal["crew", "hybrid"] = "crew"
    tasks: tuple[CrewTask, ...] = Field(min_length=1, max_length=100)
    manager: str | None = None
    revisions: int = Field(default=2, ge=0, le=20)

    def _named(self) -> list[tuple[str, str]]:
        manager = [("manager", self.manager)] if self.manager else []
        return [*manager, *((f"tasks.{task.id}.member", task.member) for task in self.tasks if task.member)]

    @model_validator(mode="after")
    def _tasks(self) -> Self:
        known: list[str] = []
        nobody = all(member.name == self.manager for member in self.members)
        for task in self.tasks:
            if task.id in known:
                raise ValueError(f"two tasks are called {task.id!r}")
            if task.id == "inputs":
                raise ValueError("no task can be called 'inputs': what the team is given for its work is")
            if task.member is not None and task.team is not None:
                raise ValueError(f"task {task.id!r} has a `member` and a `team`: leave one out")
            if nobody and task.member is None and task.team is None:
                raise ValueError(f"nobody is there to do task {task.id!r} but the manager")
            for needed in task.needs or ():
                if needed not in known:
                    raise ValueError(f"task {task.id!r} needs {needed!r}, which is no task before it")
            known.append(task.id)
        return self


class Debate(_Team):
    """All take a position, answer each other for some rounds, and the judge decides; without a judge the most do.

    Attributes:
        rounds: Positions of each member.
        judge: Who decides, having no position of his own.
    """

    turns: ClassVar[int] = 200

    kind: Literal["debate"] = "debate"
    rounds: int = Field(default=2, ge=1, le=10)
    judge: str | None = None

    @model_validator(mode="after")
    def _debaters(self) -> Self:
        names = [member.name for member in self.members if member.name != self.judge]
        if not names:
            raise ValueError("nobody is there to debate but the judge")
        if "inputs" in names:
            raise ValueError("no debater can be called 'inputs': what the team is given for its work is")
        return self

    def _named(self) -> list[tuple[str, str]]:
        return [("judge", self.judge)] if self.judge else []


class Judged(_Team):
    """The producer works until the rubric is met: what can be checked is checked, the rest the judge scores.

    Attributes:
        producer: Who does the work.
        judge: Who scores criteria without a check of their own.
        rubric: What it is measured by.
        tries: Works of the producer at most.
    """

    turns: ClassVar[int] = 100

    kind: Literal["judge"] = "judge"
    producer: str
    judge: str | None = None
    rubric: Rubric
    tries: int = Field(default=3, ge=1, le=50)

    def _named(self) -> list[tuple[str, str]]:
        return [("producer", self.producer), *([("judge", self.judge)] if self.judge else [])]

    @model_validator(mode="after")
    def _scorable(self) -> Self:
        open_ones = [criterion.name for criterion in self.rubric.criteria if criterion.check is None]
        if open_ones and self.judge is None:
            raise ValueError(f"criteria without a check need a `judge`: {', '.join(open_ones)}")
        return self


class Boardroom(_Team):
    """Members vote on a motion, by weight, until the deadline.

    Attributes:
        options: What may be voted for.
        deadline: How long a vote is open.
        quorum: Share of the members' weight that must have voted.
        majority: Share of the given weight that an option must have more than.
        decisive: Options of which one carries the motion; the first where it is left out.
        chair: Decides where no option has the majority.
        escalate_to: Agent that is told of a motion that came to nothing.
    """

    turns: ClassVar[int] = 100

    kind: Literal["boardroom"] = "boardroom"
    options: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] = Field(
        default=("approve", "reject"), min_length=2, max_length=20
    )
    deadline: PositiveDuration = timedelta(seconds=3_600)
    quorum: float = Field(default=0.6, gt=0, le=1)
    majority: float = Field(default=0.5, ge=0, lt=1)
    decisive: tuple[str, ...] = ()
    chair: str | None = None
    escalate_to: str | None = None

    @model_validator(mode="after")
    def _motion(self) -> Self:
        if len(set(self.options)) < len(self.options):
            raise ValueError("`options` has one of them twice")
        unknown = [option for option in self.decisive if option not in self.options]
        if unknown:
            raise ValueError(f"`decisive` names {unknown[0]!r}, which is no option")
        if self.escalate_to is not None and not is_address(self.escalate_to):
            raise ValueError(f"{self.escalate_to!r} is no agent's address")
        return self

    def _named(self) -> list[tuple[str, str]]:
        return [("chair", self.chair)] if self.chair else []


Team = Annotated[Conversation | Handoff | Crew | Debate | Judged | Boardroom, Field(discriminator="kind")]
"""Any kind of team."""
CrewTask.model_rebuild()
Crew.model_rebuild()
_TEAM: TypeAdapter[Team] = TypeAdapter(Team)


def parse_team(value: Any) -> Team:
    """A team from JSON.

    Raises:
        InvalidInput: it is none; the message names the fields.
    """
    try:
        return _TEAM.validate_python(value)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'team'}: {e['msg']}" for e in error.errors()[:5])
        raise InvalidInput(f"This is no team: {problems}.") from error
