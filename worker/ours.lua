-- Before every script: the verdict store puts it there.
-- These keys are ours: whatever of another type stands there is removed rather than let it stop every verdict. Any other error,
-- such as a Redis that is full, ends the script: what stands there is still good.
local function ours(key, command, ...)
    local answer = redis.pcall(command, key, ...)
    if type(answer) == 'table' and answer.err then
        if not string.find(answer.err, 'WRONGTYPE', 1, true) then
            error(answer.err, 0)
        end
        redis.call('DEL', key)
        return redis.call(command, key, ...)
    end
    return answer
end
