"""Examines the code of a code base."""

from agents.review.reviewer import Reviewer


class CodeReviewer(Reviewer):
    """Examines the code of a code base."""

    type = "code"
    domain = "code"


AGENT = CodeReviewer
