-- Writes the results of some crops of one camera, all or none: history, verdicts, wake-up.
-- KEYS: 1 the camera's verdict, 2 its history, 3 and more: the verdicts of its tracks
-- ARGV: 1 a MessagePack map:
--   settings    a map:
--     model           its name
--     ttl_ms          how long a verdict stands after its crop was captured
--     max_skew_ms     how far ahead of this clock a crop may be stamped
--     history_length  about how many entries are kept
--     history_ttl_ms  how long the history is kept after its last entry
--   track_keys  track id -> position of its verdict in KEYS
--   crops       array of maps: crop_id track_id outcome p_mask captured_at_ms reason;
--               a value that is not known is absent
local batch = cmsgpack.unpack(ARGV[1])
local settings, track_keys = batch.settings, batch.track_keys
local model, history_length = settings.model, settings.history_length
local camera_key, history_key = KEYS[1], KEYS[2]
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local now = string.format('%.0f', now_ms)
local has_verdict = {mask = true, no_mask = true, uncertain = true}

local function read(key)
    local found = call_or_replace(
        key, 'HMGET', 'captured_at', 'crops', 'of_mask', 'of_no_mask', 'of_uncertain')
    for i = 1, 5 do
        found[i] = tonumber(found[i] or nil) or 0
    end
    return {captured_at_ms = found[1], crops = found[2],
            mask = found[3], no_mask = found[4], uncertain = found[5]}
end

local function p_mask_of(crop)
    return crop.p_mask and string.format('%.4f', crop.p_mask) or ''
end

-- Called once per key, after the last crop: no client sees what lies between.
local function write(key, verdict, ...)
    local crop = verdict.crop
    redis.call('HSET', key, 'crop_id', crop.crop_id, 'track_id', crop.track_id,
        'outcome', crop.outcome, 'p_mask', p_mask_of(crop),
        'captured_at', crop.captured_at_ms, 'decided_at', now, 'model', model,
        'crops', verdict.crops, 'agreeing', verdict[crop.outcome], 'ttl_ms', settings.ttl_ms, ...)
    redis.call('PEXPIREAT', key, verdict.captured_at_ms + settings.ttl_ms)
end

-- A verdict stands only for a crop captured between these two, exclusive and inclusive.
local oldest_ms, newest_ms = now_ms - settings.ttl_ms, now_ms + settings.max_skew_ms
local tracks, camera, camera_ms = {}, nil, nil
local newest_crop_id = nil
for _, crop in ipairs(batch.crops) do
    local outcome, captured_at_ms = crop.outcome, crop.captured_at_ms
    call_or_replace(history_key, 'XADD', 'MAXLEN', '~', history_length, '*',
        'crop_id', crop.crop_id or '', 'track_id', crop.track_id or '', 'outcome', outcome,
        'p_mask', p_mask_of(crop), 'captured_at', captured_at_ms or '', 'decided_at', now,
        'model', model, 'reason', crop.reason or '')
    if has_verdict[outcome] and captured_at_ms > oldest_ms and captured_at_ms <= newest_ms then
        local key = KEYS[track_keys[crop.track_id]]
        local verdict = tracks[key] or read(key)
        tracks[key] = verdict
        if captured_at_ms > verdict.captured_at_ms then
            verdict.crop, verdict.captured_at_ms = crop, captured_at_ms
            verdict.crops, verdict[outcome] = verdict.crops + 1, verdict[outcome] + 1
            camera_ms = camera_ms or read(camera_key).captured_at_ms
            if captured_at_ms > camera_ms then
                camera, camera_ms = verdict, captured_at_ms
            end
            newest_crop_id = crop.crop_id
        end
    end
end

-- The camera first: if Redis is full before the track is written, the next attempt still finds its
-- crop newer than the track's verdict, and writes both.
if camera then
    write(camera_key, camera)
end
for key, verdict in pairs(tracks) do
    if verdict.crop then
        write(key, verdict, 'of_mask', verdict.mask, 'of_no_mask', verdict.no_mask,
            'of_uncertain', verdict.uncertain)
    end
end
redis.call('PEXPIRE', history_key, settings.history_ttl_ms)
if newest_crop_id then
    redis.call('PUBLISH', history_key, newest_crop_id)
end
