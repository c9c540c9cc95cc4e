"""Logs, correlation and redaction: what is seen of the system while it runs."""
