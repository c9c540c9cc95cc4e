"""Examines the documentation of a code base."""

from agents.review.reviewer import Reviewer


class DocumentationReviewer(Reviewer):
    """Examines the documentation of a code base."""

    type = "documentation"
    name = "Documentation reviewer"
    purpose = "See that people can understand, install and use what is built"
    capabilities = ("documentation review", "licence")
    domain = "documentation"


AGENT = DocumentationReviewer
