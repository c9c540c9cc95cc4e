"""Examines the documentation of a code base."""

from agents.review.reviewer import Reviewer


class DocumentationReviewer(Reviewer):
    """Examines the documentation of a code base."""

    type = "documentation"
    domain = "documentation"


AGENT = DocumentationReviewer
