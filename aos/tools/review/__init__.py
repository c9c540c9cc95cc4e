"""Examines a source tree on disk, and reports what it found: pure analysis, without agents or storage."""
