-- Counts audit samples into a model's confusion matrix, each crop id once, however often it is delivered.
-- KEYS: 1 the counts, 2 the crop ids counted so far (by time)
-- ARGV: 1 how many crop ids to remember, then four a sample: crop id, label ('' if unreadable), outcome, slice ('' for none)
local time = redis.call('TIME')
for i = 2, #ARGV, 4 do
    local crop_id, label, outcome, slice = unpack(ARGV, i, i + 3)
    if crop_id == '' or ours(KEYS[2], 'ZADD', 'NX', time[1], crop_id) == 1 then
        local cell = label == '' and outcome or label .. '.' .. outcome
        ours(KEYS[1], 'HINCRBY', cell, 1)
        if slice ~= '' then
            ours(KEYS[1], 'HINCRBY', slice .. ':' .. cell, 1)
        end
    end
end
local excess = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[1])
if excess > 0 then
    redis.call('ZREMRANGEBYRANK', KEYS[2], 0, excess - 1)
end
return redis.call('HGETALL', KEYS[1])
