"""Work seen through by agents of its own: tasks that business apps ask for, and cases on a state machine."""
