-- Says that there are counts of audit samples of a model, so that readers find it without KEYS.
-- KEYS: 1 the models that have counts, by the time of their last sample in seconds
-- ARGV: 1 a MessagePack map:
--   model   its name
--   models  how many are kept
--   ttl_ms  how long the key is kept after the last sample
local index = KEYS[1]
local batch = cmsgpack.unpack(ARGV[1])
call_or_replace(index, 'ZADD', redis.call('TIME')[1], batch.model)
redis.call('ZREMRANGEBYRANK', index, 0, -batch.models - 1)
redis.call('PEXPIRE', index, batch.ttl_ms)
