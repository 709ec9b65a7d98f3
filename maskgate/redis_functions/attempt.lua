-- Counts that a worker begins to process a crop that was delivered before; returns how often.
-- KEYS: 1 the crop's attempts
-- ARGV: 1 for how many milliseconds they are remembered
local count = call_or_replace(KEYS[1], 'HINCRBY', 'n', 1)
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return count
