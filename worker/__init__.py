"""Queue → batch → classify → verdict store; audit ledger; metrics. Run it: ``python -m worker``."""
