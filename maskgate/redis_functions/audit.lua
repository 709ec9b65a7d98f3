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
--     weight        how many crops it stands for; absent: one. See maskgate/protocol/audit.py
local day_key, hour_key, newest_key, seen_key, cameras_key = unpack(KEYS)
local batch = cmsgpack.unpack(ARGV[1])
local time = redis.call('TIME')
local counts, camera_counts = {}, {}

-- Counts a sample in a cell, and what its weight and the square of it add.
local function count(cells, cell, weight)
    cells[cell] = (cells[cell] or 0) + 1
    if weight then
        local more, square = cell .. '~w', cell .. '~w2'
        cells[more] = (cells[more] or 0) + weight - 1
        cells[square] = (cells[square] or 0) + weight * weight - 1
    end
end

-- Adds counts to a hash. What weights add need not be whole.
local function add(key, cells)
    for cell, number in pairs(cells) do
        if string.find(cell, '~', 1, true) then
            call_or_replace(key, 'HINCRBYFLOAT', cell, string.format('%.17g', number))
        else
            call_or_replace(key, 'HINCRBY', cell, number)
        end
    end
end

for _, sample in ipairs(batch.samples) do
    local id = sample.crop_id
    if not id or call_or_replace(seen_key, 'ZADD', 'NX', time[1], id) == 1 then
        local weight = sample.weight
        local suffix = weight and string.format('~%.17g', weight) or ''
        call_or_replace(newest_key, 'LPUSH', sample.cells[1] .. suffix)
        for _, cell in ipairs(sample.cells) do
            count(counts, cell, weight)
        end
        if sample.camera_cell then
            count(camera_counts, sample.camera_cell, weight)
        end
    end
end
add(day_key, counts)
add(hour_key, counts)
add(cameras_key, camera_counts)
call_or_replace(newest_key, 'LTRIM', 0, batch.newest - 1)
local excess = call_or_replace(seen_key, 'ZCARD') - batch.ids_remembered
if excess > 0 then
    redis.call('ZREMRANGEBYRANK', seen_key, 0, excess - 1)
end
for i, key in ipairs(KEYS) do
    redis.call('PEXPIRE', key, batch.ttl_ms[i])
end
