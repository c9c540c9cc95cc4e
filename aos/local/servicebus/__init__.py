"""A Service Bus emulator that speaks AMQP 1.0 to the unmodified SDK, and a lean receiver on the same codec."""
