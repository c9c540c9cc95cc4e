"""What follows from events: patterns that find those that belong together, and rules from one event to actions."""
