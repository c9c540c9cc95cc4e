"""What keeps a fault small: breakers, bulkheads, rate limits, retries, load shedding, idempotency."""
