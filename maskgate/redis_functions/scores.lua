-- Adds what a worker counted of its live crops since it last did; returns 1, or 0 if it was added
-- before: a worker whom no answer reached sends the same again.
-- KEYS: 1 the cameras by time, 2 the numbers of the worker's last counts by slot, then for each camera:
-- the counts of an hour, the tracks that were counted as visits
-- ARGV: 1 a MessagePack map:
--   slot, number    of these counts; the numbers of a slot grow
--   number_ttl_ms   how long it is remembered
--   hour_ttl_ms     how long an hour is kept after its last crop
--   camera_kept_ms  how long a camera stays in the set
--   tracks_kept     how many tracks of a camera are remembered
--   tracks_ttl_ms   and for how long after the last new one
--   cameras         array of maps, in the order of the keys:
--     id           the camera
--     cells        array: cell, cell ...
--     counts       array: what to add to each
--     visits       array of maps: cell (where visits are counted), untracked (a number), tracks (ids)
local cameras_key, number_key = KEYS[1], KEYS[2]
local batch = cmsgpack.unpack(ARGV[1])
local known = tonumber(call_or_replace(number_key, 'HGET', batch.slot) or '')
if known and known >= batch.number then
    return 0
end
-- First of all: counts that an error interrupts are lost in part, and never added twice.
call_or_replace(number_key, 'HSET', batch.slot, batch.number)
redis.call('PEXPIRE', number_key, batch.number_ttl_ms)
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local now = string.format('%.0f', now_ms)

-- How many of these tracks were not seen before, whichever worker saw them.
local function first_seen(seen_key, tracks)
    local count = 0
    for _, track in ipairs(tracks) do
        count = count + call_or_replace(seen_key, 'ZADD', 'NX', now, track)
    end
    if count > 0 then
        local excess = redis.call('ZCARD', seen_key) - batch.tracks_kept
        if excess > 0 then
            redis.call('ZREMRANGEBYRANK', seen_key, 0, excess - 1)
        end
        redis.call('PEXPIRE', seen_key, batch.tracks_ttl_ms)
    end
    return count
end

-- Two commands, whatever the number of cells: HINCRBY for each would hold Redis up for longer.
local function add(hour_key, cells, counts)
    local found, fields = call_or_replace(hour_key, 'HMGET', unpack(cells)), {}
    for i, cell in ipairs(cells) do
        fields[2 * i - 1] = cell
        fields[2 * i] = string.format('%.0f', (tonumber(found[i] or '') or 0) + counts[i])
    end
    redis.call('HSET', hour_key, unpack(fields))
end

for i, camera in ipairs(batch.cameras) do
    local hour_key, seen_key = KEYS[2 * i + 1], KEYS[2 * i + 2]
    add(hour_key, camera.cells, camera.counts)
    for _, visits in ipairs(camera.visits) do
        local came = visits.untracked + first_seen(seen_key, visits.tracks)
        if came > 0 then
            call_or_replace(hour_key, 'HINCRBY', visits.cell, came)
        end
    end
    redis.call('PEXPIRE', hour_key, batch.hour_ttl_ms)
    call_or_replace(cameras_key, 'ZADD', now, camera.id)
end
call_or_replace(cameras_key, 'ZREMRANGEBYSCORE', '-inf',
    string.format('%.0f', now_ms - batch.camera_kept_ms))
redis.call('PEXPIRE', cameras_key, batch.camera_kept_ms)
return 1
