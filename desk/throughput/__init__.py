"""How much goes through the site: rates, latencies, outcomes, queues, workers, dead letters."""
