package redisstore

import goredis "github.com/redis/go-redis/v9"

// The scripts run on the server, one at a time, by its clock (TIME): each is
// one atomic step. Every one of them may be sent twice, by a client that lost
// the connection before the answer: the attempt, drawn anew for each call,
// finds out what was done the first time, and the answer is the same.
//
// Numbers (generations and fences) are never less than the server's clock in
// microseconds and always more than the last one of the same owner, which is
// kept for 30 days. So they do not repeat after a delete, after expiry, after a
// restart that lost the last seconds, nor when the clock is put back, unless it
// is by more than a month. They stay below 2^53, which is what a script can
// count to, until the year 2255.
const prelude = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local function number(key)
	local last = tonumber(redis.call('GET', key) or '0')
	local n = string.format('%.0f', math.max(last + 1, t[1] * 1000000 + t[2]))
	redis.call('SET', key, n, 'EX', 2592000)
	return n
end
local function live(key)
	local e = redis.call('HMGET', key, 'generation', 'expires', 'attempt')
	if not e[1] or (e[2] ~= '0' and tonumber(e[2]) <= now) then return '0', '' end
	return e[1], e[3]
end
`

// The answers of scripts that are no numbers of an entry or lease.
const (
	saysNotFound = "none"
	saysConflict = "conflict"
	saysHeld     = "held"
	saysDone     = "done"
)

// KEYS entry, index, number; ARGV expected, attempt, expires (0: never), key, value
var putScript = goredis.NewScript(prelude + `
local have, attempt = live(KEYS[1])
if attempt == ARGV[2] then return have end
if have ~= ARGV[1] then return 'conflict' end
local n = number(KEYS[3])
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'generation', n, 'expires', ARGV[3], 'attempt', ARGV[2], 'key', ARGV[4], 'value', ARGV[5])
if ARGV[3] == '0' then
	redis.call('ZADD', KEYS[2], '+inf', ARGV[4])
else
	redis.call('PEXPIREAT', KEYS[1], ARGV[3])
	redis.call('ZADD', KEYS[2], ARGV[3], ARGV[4])
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
return n
`)

// KEYS entry, index, deleted; ARGV expected, attempt, key
var deleteScript = goredis.NewScript(prelude + `
if redis.call('GET', KEYS[3]) == ARGV[2] then return 'done' end
local have = live(KEYS[1])
if have == '0' then return 'none' end
if have ~= ARGV[1] then return 'conflict' end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[3])
redis.call('SET', KEYS[3], ARGV[2], 'PX', 60000)
return 'done'
`)

// KEYS lease, number; ARGV ttl in milliseconds, attempt
var leaseScript = goredis.NewScript(prelude + `
local l = redis.call('HMGET', KEYS[1], 'fence', 'attempt')
if l[1] then
	if l[2] == ARGV[2] then return l[1] end
	return 'held'
end
local n = number(KEYS[2])
redis.call('HSET', KEYS[1], 'fence', n, 'attempt', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return n
`)

// KEYS lease; ARGV fence
var releaseScript = goredis.NewScript(`
if redis.call('HGET', KEYS[1], 'fence') == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 'done'
`)

// KEYS index
var listScript = goredis.NewScript(prelude + `
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. string.format('%.0f', now), '+inf')
`)
