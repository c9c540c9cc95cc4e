"""What agents remember of what was said to them and by them, conversation by conversation."""

from aos.agents.conversations.conversation import Conversation
from aos.agents.conversations.entry import Entry, Summary
from aos.agents.conversations.limits import ConversationLimits

__all__ = ["Conversation", "ConversationLimits", "Entry", "Summary"]
