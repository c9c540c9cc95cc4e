"""The review of a code base: what its agents share, and `code_review.workflow.yaml`, which brings them together."""
