-- Counts audit samples in a model's confusion matrix: each crop id once, however often delivered.
-- KEYS: 1 the counts, 2 the crop ids counted so far, by time
-- ARGV: 1 a MessagePack map:
--   ids_remembered  how many crop ids to keep
--   samples         array of maps: crop_id label outcome slice; a value that is not known is absent
local counts_key, seen_key = KEYS[1], KEYS[2]
local batch = cmsgpack.unpack(ARGV[1])
local time = redis.call('TIME')
for _, sample in ipairs(batch.samples) do
    local id = sample.crop_id
    if not id or call_or_replace(seen_key, 'ZADD', 'NX', time[1], id) == 1 then
        local cell = sample.label and sample.label .. '.' .. sample.outcome or sample.outcome
        call_or_replace(counts_key, 'HINCRBY', cell, 1)
        if sample.slice then
            call_or_replace(counts_key, 'HINCRBY', sample.slice .. ':' .. cell, 1)
        end
    end
end
local excess = redis.call('ZCARD', seen_key) - batch.ids_remembered
if excess > 0 then
    redis.call('ZREMRANGEBYRANK', seen_key, 0, excess - 1)
end
return redis.call('HGETALL', counts_key)
