"""From the crop queue to verdicts in Redis. Run it: ``python -m worker``."""
