-- Says which models a worker holds; returns the champion's hash, flat, empty if nobody was promoted.
-- If Redis lost the hash, or has an older one than the worker knows, it is restored.
-- KEYS: 1 the champion, 2 what the workers hold
-- ARGV: 1 a MessagePack map:
--   worker  its name
--   holds   a map, kept as JSON with the time
--   ttl_ms  after this time without a word, a worker is forgotten
--   known   absent, or what it knows of the champion: generation, changed_at, and fields, an array:
--           name, value, name, value ...
local models_key, workers_key = unpack(KEYS)
local said = cmsgpack.unpack(ARGV[1])
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

local function number(field)
    return tonumber(call_or_replace(models_key, 'HGET', field) or '') or 0
end

-- By generation; if two operators were given the same one by a Redis that was lost between, by time.
-- What is no SHA-256 is older than anything.
local function is_newer(known)
    local champion = call_or_replace(models_key, 'HGET', 'champion') or ''
    local is_sound = #champion == 64 and not string.find(champion, '[^0-9a-f]')
    local generation = is_sound and number('generation') or 0
    return known.generation > generation
        or known.generation == generation and known.changed_at > number('changed_at')
end

if said.known and is_newer(said.known) then
    redis.call('DEL', models_key)
    redis.call('HSET', models_key, unpack(said.known.fields))
    redis.call('HSET', models_key, 'restored_by', said.worker)
end
said.holds.seen_at = now_ms
local found = call_or_replace(workers_key, 'HGETALL')
for i = 1, #found, 2 do
    local is_read, holding = pcall(cjson.decode, found[i + 1])
    local seen_at = is_read and type(holding) == 'table' and tonumber(holding.seen_at) or 0
    if seen_at < now_ms - said.ttl_ms then
        redis.call('HDEL', workers_key, found[i])
    end
end
redis.call('HSET', workers_key, said.worker, cjson.encode(said.holds))
redis.call('PEXPIRE', workers_key, said.ttl_ms)
return call_or_replace(models_key, 'HGETALL')
