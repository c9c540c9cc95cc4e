"""The administration endpoint: entities over HTTP in Atom XML, as `ServiceBusAdministrationClient` speaks it."""
