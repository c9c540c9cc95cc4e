"""Examines the security of a code base."""

from agents.review.reviewer import Reviewer


class SecurityReviewer(Reviewer):
    """Examines the security of a code base."""

    type = "security"
    name = "Security reviewer"
    purpose = "Find what an attacker could use before one does"
    capabilities = ("security review", "secrets")
    domain = "security"


AGENT = SecurityReviewer
