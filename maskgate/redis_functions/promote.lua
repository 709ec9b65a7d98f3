-- Makes another model the champion, unless another operator was first or a worker does not hold it.
-- Returns an array: what happened, the generation, and the names of workers that don't hold it.
-- KEYS: 1 the champion, 2 what the workers hold, 3 the history of promotions
-- ARGV: 1 a MessagePack map:
--   generation  the one that the operator saw; 0: nobody was promoted
--   champion, champion_name   SHA-256 and name of the model
--   previous, previous_name   who is champion by configuration, if nobody was promoted
--   forced      whether workers that don't hold it are passed over
--   ttl_ms      a worker that was silent for so long is not running
--   action, by, why  for the history
--   history_length   how many promotions are kept
local models_key, workers_key, history_key = unpack(KEYS)
local wanted = cmsgpack.unpack(ARGV[1])
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local known = {}
local fields = call_or_replace(models_key, 'HGETALL')
for i = 1, #fields, 2 do
    known[fields[i]] = fields[i + 1]
end
local generation = tonumber(known.generation or '') or 0
local function answer(what, workers)
    return {what, string.format('%.0f', generation), unpack(workers or {})}
end

if generation ~= wanted.generation then
    return answer('conflict')
elseif known.champion == wanted.champion then
    return answer('already')
end
local alive, lacking = 0, {}
local found = call_or_replace(workers_key, 'HGETALL')
for i = 1, #found, 2 do
    local is_read, holding = pcall(cjson.decode, found[i + 1])
    if is_read and type(holding) == 'table'
        and (tonumber(holding.seen_at) or 0) >= now_ms - wanted.ttl_ms then
        alive = alive + 1
        local held = false
        for _, role in ipairs({'champion', 'challenger'}) do
            local model = holding[role]
            held = held or type(model) == 'table' and model.sha256 == wanted.champion
        end
        if not held then
            table.insert(lacking, found[i])
        end
    end
end
if not wanted.forced and alive == 0 then
    return answer('nobody')
elseif not wanted.forced and #lacking > 0 then
    return answer('not_held', lacking)
end
generation = generation + 1
local previous = known.champion or wanted.previous
local previous_name = known.champion_name or wanted.previous_name
local written = string.format('%.0f', generation)
redis.call('DEL', models_key)
redis.call('HSET', models_key, 'champion', wanted.champion, 'champion_name', wanted.champion_name,
    'previous', previous, 'previous_name', previous_name, 'generation', written,
    'changed_at', string.format('%.0f', now_ms))
call_or_replace(history_key, 'XADD', 'MAXLEN', wanted.history_length, '*',
    'generation', written, 'action', wanted.action, 'champion', wanted.champion,
    'champion_name', wanted.champion_name, 'previous', previous, 'previous_name', previous_name,
    'by', wanted.by, 'why', wanted.why, 'forced', wanted.forced and '1' or '0')
return answer('promoted', lacking)
