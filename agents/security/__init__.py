"""Examines the security of a code base."""

from agents.review.reviewer import Reviewer


class SecurityReviewer(Reviewer):
    """Examines the security of a code base."""

    type = "security"
    domain = "security"


AGENT = SecurityReviewer
