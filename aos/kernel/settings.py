"""Names and limits the kernel works with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QuestionTerms:
    """How long a message waits for a person's answer.

    Attributes:
        seconds: After these without an answer the question expires; 0 for never.
        notice: How many seconds before that people are reminded; 0 for not at all.
    """

    seconds: float = 0.0
    notice: float = 0.0


@dataclass(frozen=True, slots=True)
class KernelSettings:
    """Settings of the kernel.

    Attributes:
        inbox: The queue with sessions that holds all mailboxes.
        events: The topic that carries topic events.
        agents_table: Heads, journals and steps.
        dead_letters_table: The dead-letter store.
        orders_table: What operators ordered for agent types and teams.
        cache_seconds: How long a head is trusted after its turn; at most the session idle time of the trigger,
            within which the mailbox stays with this instance.
        cache_size: Heads kept in memory.
        turn_seconds: What all messages of one turn may take together; less than the function's own time-out.
        journal_data_bytes: Larger payloads of received messages are journaled by their digest only.
        questions: How long a message waits for a person's answer, where its question does not say.
    """

    inbox: str = "agent-inbox"
    events: str = "agent-events"
    agents_table: str = "agents"
    dead_letters_table: str = "deadletters"
    orders_table: str = "orders"
    cache_seconds: float = 5.0
    cache_size: int = 1_000
    turn_seconds: float = 600.0
    journal_data_bytes: int = 8 * 1024
    questions: QuestionTerms = QuestionTerms()
