-- Counts audit samples of a model: each crop id once, however often delivered.
-- KEYS: 1 the day's counts, 2 the hour's, 3 the newest samples, 4 the crop ids counted, by time,
--       5 the day's counts by camera
-- ARGV: 1 a MessagePack map:
--   ttl_ms          of each key, in their order: how long it is kept after its last sample
--   newest          how many of the newest samples are kept
--   ids_remembered  how many crop ids are kept
--   samples         array of maps:
--     crop_id       absent if it is not known
--     cells         what to count; the first one stands for the sample among the newest
--     camera_cell   what to count by camera; absent if the camera is not known
local day_key, hour_key, newest_key, seen_key, cameras_key = unpack(KEYS)
local batch = cmsgpack.unpack(ARGV[1])
local time = redis.call('TIME')
local counts, camera_counts = {}, {}
for _, sample in ipairs(batch.samples) do
    local id = sample.crop_id
    if not id or call_or_replace(seen_key, 'ZADD', 'NX', time[1], id) == 1 then
        call_or_replace(newest_key, 'LPUSH', sample.cells[1])
        for _, cell in ipairs(sample.cells) do
            counts[cell] = (counts[cell] or 0) + 1
        end
        local cell = sample.camera_cell
        if cell then
            camera_counts[cell] = (camera_counts[cell] or 0) + 1
        end
    end
end
for cell, count in pairs(counts) do
    call_or_replace(day_key, 'HINCRBY', cell, count)
    call_or_replace(hour_key, 'HINCRBY', cell, count)
end
for cell, count in pairs(camera_counts) do
    call_or_replace(cameras_key, 'HINCRBY', cell, count)
end
call_or_replace(newest_key, 'LTRIM', 0, batch.newest - 1)
local excess = call_or_replace(seen_key, 'ZCARD') - batch.ids_remembered
if excess > 0 then
    redis.call('ZREMRANGEBYRANK', seen_key, 0, excess - 1)
end
for i, key in ipairs(KEYS) do
    redis.call('PEXPIRE', key, batch.ttl_ms[i])
end
