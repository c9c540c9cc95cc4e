"""The broker's side of the protocol: connections, sessions and links in front of the engine."""
