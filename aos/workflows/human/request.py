"""What agents ask of people, and what people answer: the models, and what they must be like."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from aos.workflows.definition.duration import PositiveDuration
from aos.workflows.human.action import MOST_BYTES, Action, action_digest, canonical
from aos.workflows.human.unsafe_words import unsafe_words
from aos.workflows.messages import HUMAN_ASK, REQUEST_TYPE

TYPE = REQUEST_TYPE
ASK = HUMAN_ASK
ANSWER = "human.answer"
WITHDRAW = "human.withdraw"
QUESTION_PREFIX = "q-"
"""Begins the ids of questions that messages wait for; no request has such an id."""
TOPIC = "aos.requests"
"""Events: `request.opened`, `.reminded`, `.escalated`, `.answered`, `.expired`, `.withdrawn`."""

Kind = Literal["approval", "question", "choice", "correction", "file"]
Via = Literal["api", "cli", "link", "default", "policy"]

_SEED_NAMES = {"request_id": "id", "input_type": "kind", "timeout": "expires_in", "default_value": "default"}
_SEED_TIMEOUT = 300
"""Seconds a request under the names of the `UserInput` contract waits where it does not say."""

Person = Annotated[str, Field(min_length=1, max_length=100)]
MOST_PEOPLE = 90
"""Audience and escalations together: each has the request in a list, and all lists change in one transaction."""
RequestId = Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._@+-]{0,79})?$")]


class Escalation(BaseModel):
    """Who is to know as well when there is no answer `after` so long; they may answer from then on."""

    model_config = ConfigDict(extra="forbid")

    after: PositiveDuration
    to: list[Person] = Field(min_length=1, max_length=20)

    @field_validator("to", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class HumanRequest(BaseModel):
    """What a person is asked.

    Attributes:
        id: The request's id, which its address `request:<id>` ends with.
        kind: What is wanted: a yes or no, words, one of `choices`, JSON that fits `schema`, or an artifact.
        prompt: What is asked, in a sentence or a few.
        details: What is needed to answer; for a correction, what is to be corrected.
        choices: What may be chosen.
        default: What counts once the request has expired. Without one the requester gets `request_expired`.
        answer_schema: `schema`, the JSON Schema of a correction.
        accept, max_bytes: Content types (`application/pdf`, `image/*`) and size of a file.
        audience: Who may answer; anybody where it is empty.
        requester: Who asks; set from the sender.
        action: What an approval allows.
        policy_version: The policy under which a person is asked.
        expires_in: How long it waits; for ever where it is left out.
        remind_every: How often the audience is reminded.
        escalate: Who else is told, and when.
        auto_approve_safe: Approve at once where neither prompt, details nor action has an unsafe word.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True, serialize_by_alias=True)

    id: RequestId = ""
    kind: Kind = "approval"
    prompt: str = Field(min_length=1, max_length=4_000)
    details: Any = None
    choices: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(default=[], max_length=100)
    default: Any = None
    answer_schema: dict[str, Any] | None = Field(default=None, alias="schema")
    accept: list[Annotated[str, Field(pattern=r"^[a-z0-9.+-]+/(\*|[a-z0-9.+-]+)$")]] = Field(default=[], max_length=20)
    max_bytes: int = Field(default=100 * 1024 * 1024, ge=1)
    audience: list[Person] = Field(default=[], max_length=30)
    requester: str = Field(default="", max_length=200)
    action: Action | None = None
    policy_version: str = Field(default="", max_length=200)
    expires_in: PositiveDuration | None = None
    remind_every: Annotated[PositiveDuration, Field(ge=timedelta(minutes=1))] | None = None
    escalate: list[Escalation] = Field(default=[], max_length=10)
    auto_approve_safe: bool = False

    @model_validator(mode="before")
    @classmethod
    def _seed_names(cls, data: Any) -> Any:
        """Take the names of the `UserInput` contract, too."""
        if not isinstance(data, dict):
            return data
        named = {_SEED_NAMES.get(key, key): value for key, value in data.items() if key != "metadata"}
        if "input_type" in data:
            named.setdefault("expires_in", _SEED_TIMEOUT)
            named["expires_in"] = named["expires_in"] or _SEED_TIMEOUT
            named["choices"] = named.get("choices") or []
        if data.get("metadata"):
            named.setdefault("details", data["metadata"])
        if named.get("kind") == "text":
            named["kind"] = "question"
        return named

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        from aos.workflows.human.values import check_schema, check_value

        if (self.kind == "choice") != bool(self.choices) or len(set(self.choices)) != len(self.choices):
            raise ValueError("`choices` go with the kind `choice`, at least one, each once")
        if (self.kind == "correction") != (self.answer_schema is not None):
            raise ValueError("`schema` goes with the kind `correction`, which needs one")
        if self.answer_schema is not None:
            check_schema(self.answer_schema)
        if len(canonical(self.details).encode()) > MOST_BYTES:
            raise ValueError(f"`details` are over {MOST_BYTES:,} bytes: name an artifact instead")
        if self.default is not None:
            self.default = check_value(self, self.default)
        self._check_times()
        self._check_safety()
        return self

    def _check_times(self) -> None:
        self.escalate = sorted(self.escalate, key=lambda step: step.after)
        if self.expires_in is not None and any(step.after >= self.expires_in for step in self.escalate):
            raise ValueError("`escalate` has a step at or after the end of `expires_in`")
        if len({*self.audience, *(person for step in self.escalate for person in step.to)}) > MOST_PEOPLE:
            raise ValueError(f"`audience` and `escalate` name more than {MOST_PEOPLE} people")
        if self.default is not None and self.expires_in is None:
            raise ValueError("`default` counts when the request expires: give `expires_in` as well")

    def _check_safety(self) -> None:
        if self.auto_approve_safe and self.kind != "approval":
            raise ValueError("`auto_approve_safe` goes with the kind `approval`")
        if self.kind == "approval" and self.default is True and self.unsafe_words:
            named = ", ".join(self.unsafe_words)
            raise ValueError(f"only a person may approve this ({named}): `default` can be false at the most")

    @property
    def unsafe_words(self) -> list[str]:
        """The words for which a person has to decide."""
        return unsafe_words(self.prompt, self.details, self.action.what if self.action else None)

    @property
    def digest(self) -> str:
        """That of the action; without one, of what is asked."""
        if self.action is not None:
            return self.action.digest
        asked = {"kind": self.kind, "prompt": self.prompt, "details": self.details, "choices": self.choices}
        return action_digest(asked)


class HumanAnswer(BaseModel):
    """What a person answered, as the requester gets it.

    Attributes:
        request_id, kind: What it answers.
        value: What was asked for; on an approval, whether it is approved.
        approved: On an approval, whether it is.
        by: Who answered; `default` or `policy` where nobody did.
        at: When.
        comment: Why, in the person's words.
        via: How it came; `default` and `policy` as under `by`.
    """

    request_id: str
    kind: Kind
    value: Any = None
    approved: bool | None = None
    by: str
    at: datetime
    comment: str = ""
    via: Via = "api"


class GivenAnswer(BaseModel):
    """An answer on its way to the request.

    Attributes:
        value, approved: What is answered; `approved` is a shorter word for the value of an approval.
        by: Who answers.
        comment: Why.
        via: How it comes.
        digest: Of the action the person saw.
    """

    model_config = ConfigDict(extra="forbid")

    value: Any = None
    approved: bool | None = None
    by: Person
    comment: str = Field(default="", max_length=4_000)
    via: Literal["api", "cli", "link"] = "api"
    digest: str | None = None


class Withdrawal(BaseModel):
    """Why a request is withdrawn."""

    reason: str = Field(default="no longer needed", max_length=1_000)


def request_address(request_id: str) -> str:
    """The address of the agent behind a request."""
    return f"{TYPE}:{request_id}"
