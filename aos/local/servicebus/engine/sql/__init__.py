"""The service's SQL for subscription rules: conditions and actions, compiled to functions of a message."""

from aos.local.servicebus.engine.sql.actions import compile_action
from aos.local.servicebus.engine.sql.conditions import compile_condition

__all__ = ["compile_action", "compile_condition"]
