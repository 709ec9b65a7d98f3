-- The ends of some crops of one camera, written as one: history, verdicts, wake-up.
-- KEYS: 1 the camera's verdict, 2 its history, 3… its tracks' verdicts
-- ARGV: 1 time to live and 2 skew in ms, 3 history length, 4 history's time to live in ms, 5 model, then seven a crop:
--       index of its track's key (0: may not touch a verdict), crop id, track id, outcome, p_mask, captured_at, reason
local ttl_ms, skew_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local now = string.format('%.0f', now_ms)
local woken_by = nil
local written = 0

for i = 6, #ARGV, 7 do
    local track, crop_id, track_id, outcome, p_mask, captured_at, reason = unpack(ARGV, i, i + 6)
    ours(KEYS[2], 'XADD', 'MAXLEN', '~', ARGV[3], '*', 'crop_id', crop_id, 'track_id', track_id, 'outcome', outcome, 'p_mask', p_mask,
         'captured_at', captured_at, 'decided_at', now, 'model', ARGV[5], 'reason', reason)
    local captured_ms = tonumber(captured_at)
    if track ~= '0' and captured_ms + ttl_ms > now_ms and captured_ms <= now_ms + skew_ms then
        local track_key = KEYS[tonumber(track)]
        local before = ours(track_key, 'HMGET', 'captured_at', 'crops', 'of_' .. outcome)
        if captured_ms > (tonumber(before[1] or nil) or 0) then
            local verdict = {'crop_id', crop_id, 'track_id', track_id, 'outcome', outcome, 'p_mask', p_mask,
                'captured_at', captured_at, 'decided_at', now, 'model', ARGV[5],
                'crops', (tonumber(before[2] or nil) or 0) + 1, 'agreeing', (tonumber(before[3] or nil) or 0) + 1}
            redis.call('HSET', track_key, 'of_' .. outcome, verdict[18], unpack(verdict))
            redis.call('PEXPIREAT', track_key, captured_ms + ttl_ms)
            if captured_ms > (tonumber(ours(KEYS[1], 'HMGET', 'captured_at')[1] or nil) or 0) then
                redis.call('HSET', KEYS[1], unpack(verdict))
                redis.call('PEXPIREAT', KEYS[1], captured_ms + ttl_ms)
                written = written + 1
            end
            woken_by = crop_id
        end
    end
end
redis.call('PEXPIRE', KEYS[2], ARGV[4])
if woken_by then
    redis.call('PUBLISH', KEYS[2], woken_by)
end
return written
