"""The review of a code base: what its agents share, and the task that brings them together."""

from agents.review.task import TASK_TYPE

__all__ = ["TASK_TYPE"]
