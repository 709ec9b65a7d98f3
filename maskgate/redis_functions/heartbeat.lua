-- Says that a worker is running, and returns the time in milliseconds since the epoch.
-- KEYS: 1 the workers' key
-- ARGV: 1 for how many milliseconds this holds
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('SET', KEYS[1], now, 'PX', ARGV[1])
return now
