-- Says that there are counts of audit samples of a model, so that readers find it without KEYS.
-- KEYS: 1 the models that have counts, by the time of their last sample in microseconds
-- ARGV: 1 a MessagePack map:
--   model   its name
--   models  how many are kept
--   ttl_ms  how long the key is kept after the last sample
local index = KEYS[1]
local batch = cmsgpack.unpack(ARGV[1])
local time = redis.call('TIME')
call_or_replace(index, 'ZADD', string.format('%.0f', time[1] * 1000000 + time[2]), batch.model)
redis.call('ZREMRANGEBYRANK', index, 0, -batch.models - 1)
redis.call('PEXPIRE', index, batch.ttl_ms)
