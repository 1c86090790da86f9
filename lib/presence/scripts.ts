/**
 * What Redis does for presence, in Lua. A principal is a sorted set of its sessions, scored by the
 * millisecond of Redis at which their lease ends. Of what says whether that can be believed, `nodes`
 * is a sorted set of those who hold sessions, scored alike, and `kept` a hash: `since` when leases
 * have been kept without a break, by which `run` of Redis, and `at` which moment the last were taken.
 */

const NOW = `
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function ms(value) return string.format('%.0f', value) end
local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
-- Begins anew when data was lost, or comes from before a restart: what was written since is missing.
local function keptSince(kept)
  local found = redis.call('HMGET', kept, 'since', 'run')
  if found[1] and found[2] == run then return tonumber(found[1]) end
  redis.call('HSET', kept, 'since', ms(now), 'run', run)
  return now
end
-- Somebody should have renewed by now, and nobody has: it was Redis that was away.
local function paused(nodes, kept, lease)
  local at = tonumber(redis.call('HGET', kept, 'at') or now)
  return now - at > lease / 2 and redis.call('ZCARD', nodes) > 0
end
`;

/** Sessions that one principal can have; those that end first are forgotten. */
const MAX_SESSIONS = 100;
/** For so long nodes that ended without a goodbye are remembered. */
const NODES_MS = 3_600_000;

/**
 * KEYS nodes, kept, and for each session its principal; ARGV holder, lease, and the sessions.
 * Answers with the positions, from 1, of those whose principal had no live session.
 */
export const HOLD = `${NOW}
local lease = tonumber(ARGV[2])
local ends = ms(now + lease)
keptSince(KEYS[2])
if paused(KEYS[1], KEYS[2], lease) then redis.call('HSET', KEYS[2], 'since', ms(now)) end
redis.call('HSET', KEYS[2], 'at', ms(now))
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ms(now))
redis.call('ZADD', KEYS[1], ends, ARGV[1])
redis.call('PEXPIRE', KEYS[1], ${NODES_MS})
local came = {}
for i = 3, #KEYS do
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', ms(now))
  if redis.call('ZCARD', KEYS[i]) == 0 then came[#came + 1] = i - 2 end
  redis.call('ZADD', KEYS[i], ends, ARGV[i])
  redis.call('ZREMRANGEBYRANK', KEYS[i], 0, -${MAX_SESSIONS + 1})
  redis.call('PEXPIREAT', KEYS[i], ends)
end
return came
`;

/** KEYS nodes, and principals; ARGV holder, grace, 1 when it holds no more, and the sessions. */
export const RELEASE = `${NOW}
local grace = tonumber(ARGV[2])
local ends = ms(now + grace)
for i = 2, #KEYS do
  local old = tonumber(redis.call('ZSCORE', KEYS[i], ARGV[i + 2]) or 0)
  if old > now then
    redis.call('ZADD', KEYS[i], ends, ARGV[i + 2])
    if redis.call('PTTL', KEYS[i]) < grace then redis.call('PEXPIREAT', KEYS[i], ends) end
  end
end
if ARGV[3] == '1' then redis.call('ZREM', KEYS[1], ARGV[1]) end
return 1
`;

/**
 * KEYS nodes, kept, and principals; ARGV the time to settle, and lease. Answers `{0}` when it is not
 * known, or 1 and then 1 or 0 for each principal.
 */
export const READ = `${NOW}
local since = keptSince(KEYS[2])
if now - since < tonumber(ARGV[1]) or paused(KEYS[1], KEYS[2], tonumber(ARGV[2])) then return {0} end
local answer = {1}
for i = 3, #KEYS do
  answer[i - 1] = math.min(1, redis.call('ZCOUNT', KEYS[i], '(' .. ms(now), '+inf'))
end
return answer
`;
