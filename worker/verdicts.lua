-- The ends of some crops of one camera, written as one: history, verdicts, wake-up.
-- KEYS: 1 the camera's verdict, 2 its history, 3… its tracks' verdicts
-- ARGV: 1 time to live and 2 skew in ms, 3 history length, 4 history's time to live in ms, 5 model, 6 the crops as one MessagePack array, seven
--       values each: index of its track's key (0: may not touch a verdict), crop id, track id, outcome, p_mask, captured_at, reason
local ttl_ms, skew_ms, model = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[5]
local crops = cmsgpack.unpack(ARGV[6])
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local now = string.format('%.0f', now_ms)

local function standing(key)
    local found = ours(key, 'HMGET', 'captured_at', 'crops', 'of_mask', 'of_no_mask', 'of_uncertain')
    for i = 1, 5 do
        found[i] = tonumber(found[i] or nil) or 0
    end
    return {captured_ms = found[1], crops = found[2], mask = found[3], no_mask = found[4], uncertain = found[5]}
end

-- What several crops of a batch do to a key is written once, when it is known: nobody can look in between.
local function write(key, verdict, ...)
    local crop_id, track_id, outcome, p_mask, captured_at = unpack(crops, verdict.at + 1, verdict.at + 5)
    redis.call('HSET', key, 'crop_id', crop_id, 'track_id', track_id, 'outcome', outcome, 'p_mask', p_mask, 'captured_at', captured_at,
        'decided_at', now, 'model', model, 'crops', verdict.crops, 'agreeing', verdict[outcome], ...)
    redis.call('PEXPIREAT', key, verdict.captured_ms + ttl_ms)
end

local tracks, camera, camera_ms = {}, nil, nil
local woken_by = nil
for i = 1, #crops, 7 do
    local track, crop_id, track_id, outcome, p_mask, captured_at, reason = unpack(crops, i, i + 6)
    ours(KEYS[2], 'XADD', 'MAXLEN', '~', ARGV[3], '*', 'crop_id', crop_id, 'track_id', track_id, 'outcome', outcome, 'p_mask', p_mask,
        'captured_at', captured_at, 'decided_at', now, 'model', model, 'reason', reason)
    local captured_ms = tonumber(captured_at)
    if track > 0 and captured_ms + ttl_ms > now_ms and captured_ms <= now_ms + skew_ms then
        local verdict = tracks[track] or standing(KEYS[track])
        tracks[track] = verdict
        if captured_ms > verdict.captured_ms then
            verdict.at, verdict.captured_ms = i, captured_ms
            verdict.crops, verdict[outcome] = verdict.crops + 1, verdict[outcome] + 1
            camera_ms = camera_ms or standing(KEYS[1]).captured_ms
            if captured_ms > camera_ms then
                camera, camera_ms = verdict, captured_ms
            end
            woken_by = crop_id
        end
    end
end

-- The camera first: should Redis be full half-way, writing again still finds its crop newer than what stands for the track.
if camera then
    write(KEYS[1], camera)
end
for track, verdict in pairs(tracks) do
    if verdict.at then
        write(KEYS[track], verdict, 'of_mask', verdict.mask, 'of_no_mask', verdict.no_mask, 'of_uncertain', verdict.uncertain)
    end
end
redis.call('PEXPIRE', KEYS[2], ARGV[4])
if woken_by then
    redis.call('PUBLISH', KEYS[2], woken_by)
end
