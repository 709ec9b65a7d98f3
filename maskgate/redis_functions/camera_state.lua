-- Writes a camera's state unless a newer one is known; returns 1 if it was written.
-- KEYS: 1 the camera's state
-- ARGV: 1 a MessagePack map:
--   sent_at_ms   when it was sent
--   ttl_ms       how long it stands after it was sent
--   max_skew_ms  how far ahead of this clock it may be stamped
--   channel, wake_up  where doors wait for news, and what is published there
--   fields       array: name, value, name, value ...
local state = cmsgpack.unpack(ARGV[1])
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
if state.sent_at_ms <= now_ms - state.ttl_ms or state.sent_at_ms > now_ms + state.max_skew_ms then
    return 0
end
local known_ms = tonumber(call_or_replace(KEYS[1], 'HGET', 'sent_at') or '')
if known_ms and known_ms >= state.sent_at_ms then
    return 0
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], unpack(state.fields))
redis.call('PEXPIREAT', KEYS[1], state.sent_at_ms + state.ttl_ms)
redis.call('PUBLISH', state.channel, state.wake_up)
return 1
