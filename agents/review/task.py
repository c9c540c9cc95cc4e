"""The task: three examiners side by side, then the CTO weighs what they found."""

from datetime import timedelta

from aos.agents import TaskType

REQUEST = "review.requested"
VERDICT = "review.weigh"

TASK_TYPE = TaskType(
    name="code_review",
    title="Review",
    request=REQUEST,
    examiners=("code", "security", "documentation"),
    verdict=VERDICT,
    decider="cto",
    patience=timedelta(minutes=10),
)
