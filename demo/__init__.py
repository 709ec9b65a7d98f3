"""All of maskgate in one process, without servers: ``python -m demo``."""
