"""Formal conversations: who may speak, what may follow what, who signs, and how they end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from aos.agents import Agent, Turn, on, on_event, on_reply
from aos.agents.conversations.formal import WHEN
from aos.agents.conversations.formal_types import ConversationRole, ConversationStatus, ConversationType
from aos.api.app import create_app
from tests.harness import MemorySystem

ADDRESS = "conversation:deal"


class Notes(BaseModel):
    answers: list[Any] = []
    told: list[Any] = []


class Party(Agent[Notes]):
    """Does what it is told in a conversation, and keeps what it is answered."""

    type = "party"

    @on("do")
    async def do(self, turn: Turn, state: Notes, data: dict[str, Any]) -> None:
        turn.ask(data["to"], data["type"], data["data"])

    @on_reply("*")
    async def answered(self, turn: Turn, state: Notes, answer: Any) -> None:
        state.answers.append(answer)

    @on("conversation.said")
    async def said(self, turn: Turn, state: Notes, data: dict[str, Any]) -> None:
        state.told.append(data)

    @on("conversation.signature_requested")
    async def wanted(self, turn: Turn, state: Notes, data: dict[str, Any]) -> None:
        state.told.append(data)


class Watcher(Agent[Notes]):
    type = "watcher"

    @on_event("conversations")
    async def heard(self, turn: Turn, state: Notes, data: dict[str, Any]) -> None:
        state.told.append(data["status"])


class Table:
    """Three parties and an observer around one conversation."""

    def __init__(self) -> None:
        self.world = MemorySystem(Party(), Watcher())

    async def open(self, **fields: Any) -> Any:
        roles = {"party:a": "coordinator_agent", "party:b": "agent", "party:c": "observer"}
        request = {"type": "service_agreement", "title": "Ice", "participants": roles, **fields}
        return await self.does("a", "open", request)

    async def does(self, who: str, act: str, data: Any = None) -> Any:
        """The answer that a party gets, or its error's code."""
        envelope = {"to": ADDRESS, "type": f"conversation.{act}", "data": data if data is not None else {}}
        await self.world.system.directory.send(f"party:{who}", "do", envelope)
        await self.world.settle(until=timedelta(seconds=1))
        answer = (await self.world.state(f"party:{who}"))["answers"][-1]
        return answer.get("code") or answer["status"]

    async def person(self, act: str, data: Any = None, **fields: Any) -> None:
        await self.world.system.directory.send(ADDRESS, f"conversation.{act}", data or {}, **fields)
        await self.world.settle(until=timedelta(seconds=1))

    async def conversation(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.world.state(ADDRESS))["conversation"]
        return found

    async def told(self, who: str) -> list[Any]:
        told: list[Any] = (await self.world.state(who))["told"]
        return told


async def test_a_conversation_goes_from_opening_to_the_last_signature() -> None:
    table = Table()
    assert await table.open(required_signers=["party:a", "party:b"], priority="high") == "initiated"
    assert await table.does("a", "message", {"content": "Ice?", "expects": ["party:b"]}) == "pending_response"
    assert await table.does("b", "message", {"content": "A ton."}) == "active"
    assert await table.does("a", "propose", {"name": "price", "terms": {"usd": 100}}) == "active"
    assert await table.does("a", "request_signatures") == "pending_signature"
    wanted = (await table.told("party:b"))[-1]
    assert (wanted["agreements"], wanted["conversation"]) == ({"price": {"usd": 100}}, ADDRESS)
    assert await table.does("b", "sign", {"signer_name": "Bo", "digest": wanted["digest"]}) == "pending_signature"
    assert await table.does("b", "sign") == "not_allowed_now"
    assert await table.does("a", "sign") == "completed"
    conversation = await table.conversation()
    assert [(s["signer_agent"], s["signer_name"], s["signature_type"]) for s in conversation["signatures"]] == [
        ("party:b", "Bo", "digital"),
        ("party:a", "party:a", "digital"),
    ]
    assert {s["digest"] for s in conversation["signatures"]} == {wanted["digest"]}
    watched = ["initiated", "pending_response", "active", "pending_signature", "completed"]
    assert await table.told("watcher") == watched
    assert await table.does("b", "message", {"content": "Wait!"}) == "not_allowed_now"


async def test_participants_are_told_what_was_said_and_from_whom_an_answer_is_expected() -> None:
    table = Table()
    await table.open()
    await table.does("a", "message", {"content": "Ice?", "message_type": "question", "expects": ["party:b"]})
    [told] = await table.told("party:b")
    assert (told["sender"], told["role"], told["content"]) == ("party:a", "coordinator_agent", "Ice?")
    assert (told["message_type"], told["expects_you"]) == ("question", True)
    assert (await table.told("party:c"))[0]["expects_you"] is False


async def test_only_participants_speak_and_only_those_awaited_while_an_answer_is_pending() -> None:
    table = Table()
    await table.open(participants={"party:a": "agent", "party:b": "agent", "party:c": "agent", "party:o": "observer"})
    assert await table.does("x", "message", {"content": "Hi"}) == "permission_denied"
    assert await table.does("o", "message", {"content": "Hi"}) == "permission_denied"
    assert await table.does("a", "message", {"content": "b?", "expects": ["party:o"]}) == "validation_error"
    await table.does("a", "message", {"content": "b?", "expects": ["party:b"]})
    assert await table.does("c", "message", {"content": "I say"}) == "not_allowed_now"
    assert await table.does("a", "message", {"content": "Still waiting"}) == "pending_response"
    assert await table.does("b", "message", {"content": "Here"}) == "active"
    assert await table.does("c", "message", {"content": "I say"}) == "active"


@pytest.mark.parametrize("wrong", [{"required_signers": ["party:x"]}, {"required_signers": ["party:c"]}, {"type": "x"}])
async def test_what_makes_no_sense_is_not_opened(wrong: dict[str, Any]) -> None:
    table = Table()
    assert await table.open(**wrong) == "validation_error"
    assert await table.open() == "initiated"
    assert await table.open() == "already_exists"


async def test_only_required_signers_sign_and_only_the_terms_they_know() -> None:
    table = Table()
    await table.open(required_signers=["party:b"])
    await table.does("a", "propose", {"name": "price", "terms": 100})
    assert await table.does("a", "sign") == "permission_denied"
    assert await table.does("b", "sign", {"digest": "0" * 64}) == "validation_error"
    assert await table.does("b", "sign") == "completed"


async def test_terms_that_somebody_signed_are_changed_no_more() -> None:
    table = Table()
    await table.open(required_signers=["party:a", "party:b"])
    await table.does("a", "propose", {"name": "price", "terms": 100})
    assert await table.does("a", "sign") == "active"
    assert await table.does("b", "propose", {"name": "price", "terms": 90}) == "not_allowed_now"


async def test_consensus_is_everybodys_acceptance_of_every_agreement() -> None:
    table = Table()
    await table.open(requires_consensus=True)
    await table.does("b", "propose", {"name": "price", "terms": 100})
    assert await table.does("a", "complete") == "not_allowed_now"
    assert await table.does("a", "accept", {"name": "colour"}) == "validation_error"
    await table.does("a", "accept", {"name": "price"})
    await table.does("b", "propose", {"name": "price", "terms": 110})
    assert await table.does("a", "complete") == "not_allowed_now"
    await table.does("a", "accept", {"name": "price"})
    assert await table.does("b", "complete") == "permission_denied"
    assert await table.does("a", "complete") == "completed"


async def test_a_person_approves_and_no_agent_or_word_from_outside_does() -> None:
    table = Table()
    await table.open(required_signers=["party:b"], requires_human_oversight=True)
    await table.does("a", "propose", {"name": "price", "terms": 100})
    assert await table.does("b", "sign") == "pending_signature"
    assert await table.does("a", "approve") == "permission_denied"
    await table.person("approve", labels=frozenset({"untrusted:mail"}))
    assert (await table.conversation())["status"] == "pending_signature"
    await table.person("approve", {"reason": "Fair."})
    assert (await table.conversation())["status"] == "completed"


async def test_a_signature_can_be_handed_on_where_that_is_allowed() -> None:
    table = Table()
    await table.open(required_signers=["party:b"])
    await table.does("a", "propose", {"name": "price", "terms": 100})
    assert await table.does("b", "delegate", {"to": "party:c"}) == "validation_error"
    assert await table.does("b", "delegate", {"to": "party:a"}) == "active"
    assert await table.does("b", "sign") == "permission_denied"
    assert await table.does("a", "sign") == "completed"
    other = Table()
    await other.open(required_signers=["party:b"], delegation_allowed=False)
    assert await other.does("b", "delegate", {"to": "party:a"}) == "permission_denied"


async def test_what_is_missing_for_the_end_is_said() -> None:
    table = Table()
    assert await table.does("a", "message", {"content": "Hi"}) == "not_found"
    await table.open(required_signers=["party:b"])
    assert await table.does("a", "complete") == "not_allowed_now"
    assert await table.does("a", "delegate", {"to": "party:b"}) == "not_allowed_now"
    await table.does("a", "propose", {"name": "price", "terms": 100})
    assert await table.does("b", "request_signatures") == "permission_denied"
    await table.does("a", "request_signatures")
    assert await table.does("b", "delegate", {"to": "party:a"}) == "pending_signature"
    assert (await table.told("party:a"))[-1]["agreements"] == {"price": 100}
    other = Table()
    await other.open(requires_human_oversight=True)
    await other.does("b", "message", {"content": "Done."})
    assert await other.does("a", "request_signatures") == "not_allowed_now"
    assert await other.does("a", "complete") == "not_allowed_now"
    await other.person("approve")
    assert await other.does("a", "complete") == "completed"


async def test_nobody_can_pose_as_somebody_else_by_choosing_an_address() -> None:
    class Person(Party):
        type = "person"

    table = Table()
    table.world.registry.register(Person())
    await table.open(requires_human_oversight=True)
    envelope = {"to": ADDRESS, "type": "conversation.approve", "data": {}}
    await table.world.system.directory.send("person", "do", envelope)
    await table.world.settle(until=timedelta(seconds=1))
    assert (await table.world.state("person"))["answers"][-1]["code"] == "permission_denied"


async def test_it_rests_goes_on_where_it_was_and_is_ended_by_its_champion_or_a_person() -> None:
    table = Table()
    assert await table.open(draft=True) == "draft"
    assert await table.does("b", "message", {"content": "Hi"}) == "not_allowed_now"
    assert await table.does("b", "start") == "permission_denied"
    assert await table.does("a", "start") == "initiated"
    await table.does("a", "message", {"content": "b?", "expects": ["party:b"]})
    assert await table.does("a", "suspend", {"reason": "Lunch"}) == "suspended"
    assert await table.does("b", "message", {"content": "Hi"}) == "not_allowed_now"
    assert await table.does("a", "resume") == "pending_response"
    assert await table.does("b", "terminate") == "permission_denied"
    await table.person("terminate", {"reason": "Enough."})
    assert ((await table.conversation())["status"], (await table.conversation())["reason"]) == ("terminated", "Enough.")


async def test_it_expires_when_its_time_is_over_and_not_by_command() -> None:
    table = Table()
    in_an_hour = (table.world.clock.now() + timedelta(hours=1)).isoformat()
    assert await table.open(expires_at="2020-01-01T00:00:00Z") == "validation_error"
    await table.open(expires_at=in_an_hour)
    assert await table.does("a", "expired") == "permission_denied"
    await table.world.settle(until=timedelta(minutes=59))
    assert (await table.conversation())["status"] == "initiated"
    await table.world.settle(until=timedelta(minutes=2))
    assert (await table.conversation())["status"] == "expired"


async def test_the_api_lists_by_participant_role_and_missing_signature_and_shows_the_transcript() -> None:
    table = Table()
    await table.open(required_signers=["party:b"])
    await table.does("a", "message", {"content": "Ice?"})
    transport = httpx.ASGITransport(create_app(table.world.system))
    async with httpx.AsyncClient(transport=transport, base_url="http://aos") as api:

        async def ids(**query: Any) -> list[str]:
            found = (await api.get("/api/v1/conversations", params=query)).json()["conversations"]
            return [each["conversation"] for each in found]

        assert await ids(participant="party:c") == await ids(role="observer", status="active") == [ADDRESS]
        assert await ids(participant="party:b", to_sign=True) == await ids(role="agent", to_sign=True) == [ADDRESS]
        assert await ids(participant="party:a", to_sign=True) == await ids(role="admin") == []
        shown = (await api.get("/api/v1/conversations/deal")).json()
        assert (shown["title"], shown["status"], shown["messages"][0]["content"]) == ("Ice", "active", "Ice?")
        assert shown["messages"][0]["sender_role"] == "coordinator_agent"
        assert (await api.get("/api/v1/conversations")).status_code == 422
        assert (await api.get("/api/v1/conversations/none")).status_code == 404
        await table.does("b", "sign")
        assert await ids(participant="party:b", to_sign=True) == []
        assert await ids(role="agent", status="completed") == [ADDRESS]


def test_the_contracts_types_roles_and_statuses_are_all_there() -> None:
    assert (len(ConversationType), len(ConversationRole), len(ConversationStatus)) == (20, 13, 9)
    assert not any(status.is_final for statuses in WHEN.values() for status in statuses)
