"""AMQP 1.0 on the wire: types, performatives, messages and frames. No input or output, no other room."""
