"""What labelled audit samples say about a model: the counts in Redis, and their measures."""
