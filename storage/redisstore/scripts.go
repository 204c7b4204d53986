package redisstore

import goredis "github.com/redis/go-redis/v9"

// The scripts run on the server, one at a time, by its clock (TIME): each is
// one atomic step. A client that lost the connection before the answer may send
// a script twice: the attempt, drawn anew for each call, shows what was done the
// first time, and the answer is the same.
//
// Numbers (generations and fences) are never less than the server's clock in
// microseconds and always more than the last one of the same owner, which is
// kept for 30 days. So they do not repeat after a delete, after expiry, after a
// restart that lost the last seconds, nor when the clock is put back, unless it
// is by more than a month. They stay below 2^53, which is what a script can
// count to, until the year 2255.
//
// An index lists an owner's keys by expiry, and expires with the last of them.
// A change is published to those who watch, at once or, while somebody holds the
// lease, at its release. A client that may not publish (ACL) can write nevertheless.
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
local function tidy(index)
	redis.call('ZREMRANGEBYSCORE', index, '-inf', now)
	local last = redis.call('ZREVRANGE', index, 0, 0, 'WITHSCORES')
	if last[2] == 'inf' then
		redis.call('PERSIST', index)
	elseif last[2] then
		redis.call('PEXPIREAT', index, last[2])
	end
end
local function changed(lease, channel, id)
	if redis.call('EXISTS', lease) == 0 then redis.pcall('PUBLISH', channel, id) end
end
`

// The answers of scripts that are not numbers of an entry or lease.
const (
	saysNotFound = "none"
	saysConflict = "conflict"
	saysHeld     = "held"
	saysDone     = "done"
)

// KEYS entry, lease, index, number
// ARGV channel, id, expected, attempt, key, expires (0: never), value, fence (0: none to release)
var putScript = goredis.NewScript(prelude + `
local have, attempt = live(KEYS[1])
if attempt == ARGV[4] then return have end
if have ~= ARGV[3] then return 'conflict' end
local n = number(KEYS[4])
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'generation', n, 'expires', ARGV[6], 'attempt', ARGV[4], 'key', ARGV[5], 'value', ARGV[7])
if ARGV[6] == '0' then
	redis.call('ZADD', KEYS[3], '+inf', ARGV[5])
else
	redis.call('PEXPIREAT', KEYS[1], ARGV[6])
	redis.call('ZADD', KEYS[3], ARGV[6], ARGV[5])
end
tidy(KEYS[3])
if ARGV[8] ~= '0' and redis.call('HGET', KEYS[2], 'fence') == ARGV[8] then redis.call('DEL', KEYS[2]) end
changed(KEYS[2], ARGV[1], ARGV[2])
return n
`)

// KEYS entry, lease, index, deleted
// ARGV channel, id, expected, attempt, key
var deleteScript = goredis.NewScript(prelude + `
if redis.call('GET', KEYS[4]) == ARGV[4] then return 'done' end
local have = live(KEYS[1])
if have == '0' then return 'none' end
if have ~= ARGV[3] then return 'conflict' end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[3], ARGV[5])
tidy(KEYS[3])
redis.call('SET', KEYS[4], ARGV[4], 'PX', 60000)
changed(KEYS[2], ARGV[1], ARGV[2])
return 'done'
`)

// KEYS entry, lease, number
// ARGV ttl in milliseconds, attempt
//
// The answer is "held", or the fence and the fields of the entry. A lease that
// has longer to run than it was given for was given before the server's clock
// was put back: its time is counted again from now, so that it ends.
var leaseScript = goredis.NewScript(prelude + `
local l = redis.call('HMGET', KEYS[2], 'fence', 'attempt', 'ttl')
if l[1] and l[2] ~= ARGV[2] then
	if l[3] and redis.call('PTTL', KEYS[2]) > tonumber(l[3]) then redis.call('PEXPIRE', KEYS[2], l[3]) end
	return {'held'}
end
local n = l[1] or number(KEYS[3])
if not l[1] then
	redis.call('HSET', KEYS[2], 'fence', n, 'attempt', ARGV[2], 'ttl', ARGV[1])
	redis.call('PEXPIRE', KEYS[2], ARGV[1])
end
local e = redis.call('HGETALL', KEYS[1])
table.insert(e, 1, n)
return e
`)

// KEYS lease
// ARGV channel, id, fence
var releaseScript = goredis.NewScript(prelude + `
if redis.call('HGET', KEYS[1], 'fence') == ARGV[3] then
	redis.call('DEL', KEYS[1])
	changed(KEYS[1], ARGV[1], ARGV[2])
end
return 'done'
`)

// KEYS index
var listScript = goredis.NewScript(prelude + `
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. string.format('%.0f', now), '+inf')
`)
