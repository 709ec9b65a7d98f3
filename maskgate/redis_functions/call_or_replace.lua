-- The verdict store puts this before each script.
-- Runs a command on a key that only workers write. A value of another type is deleted, so that it
-- can't stop every verdict. Any other error, such as a full Redis, ends the script: the value that
-- is there is still good.
local function call_or_replace(key, command, ...)
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
