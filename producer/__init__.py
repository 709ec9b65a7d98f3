"""Sends crops and audit samples to the queue, from folders or drawn: ``python -m producer``."""
