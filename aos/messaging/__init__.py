"""What business apps and agents say to each other, on the wire."""
