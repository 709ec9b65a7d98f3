-- Counts what champion and challenger said of the same crops: each audit sample once.
-- KEYS: 1 counts of audit samples, 2 the crop ids counted, by time, 3 counts of live crops
-- ARGV: 1 a MessagePack map:
--   samples         array of maps: crop_id and cell
--   live            map: cell -> how many
--   ttl_ms          how long each key is kept after its last crop
--   ids_remembered  how many crop ids are kept
local audit_key, seen_key, live_key = unpack(KEYS)
local batch = cmsgpack.unpack(ARGV[1])
local time = redis.call('TIME')
for _, sample in ipairs(batch.samples) do
    if call_or_replace(seen_key, 'ZADD', 'NX', time[1], sample.crop_id) == 1 then
        call_or_replace(audit_key, 'HINCRBY', sample.cell, 1)
    end
end
for cell, count in pairs(batch.live) do
    call_or_replace(live_key, 'HINCRBY', cell, count)
end
local excess = call_or_replace(seen_key, 'ZCARD') - batch.ids_remembered
if excess > 0 then
    redis.call('ZREMRANGEBYRANK', seen_key, 0, excess - 1)
end
for _, key in ipairs(KEYS) do
    redis.call('PEXPIRE', key, batch.ttl_ms)
end
