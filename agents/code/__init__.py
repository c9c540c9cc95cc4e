"""Examines the code itself of a code base."""

from agents.review.reviewer import Reviewer


class CodeReviewer(Reviewer):
    """Examines the code itself of a code base."""

    type = "code"
    name = "Code reviewer"
    purpose = "Keep code simple, correct and easy to change"
    capabilities = ("code review", "complexity", "structure")
    domain = "code"


AGENT = CodeReviewer
