"""What is kept for users of the system: artifacts, and documents under keys."""
