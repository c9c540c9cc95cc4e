"""The embedded stack: Azurite, a Service Bus emulator and a Functions host, for laptops and tests."""
