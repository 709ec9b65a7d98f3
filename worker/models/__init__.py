"""The models that a worker holds: the champion, which decides, and the challenger beside it."""
