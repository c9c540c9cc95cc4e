"""What runs in processes of its own: analysis libraries applied to files, from JSON on stdin to JSON on stdout."""
