-- When a request is retried, and after how long. One object per client, whose requests share its quota, so that a
-- server in trouble is not kept in it.

local core = require "rollcall.core"

---@class rollcall.RetryOptions
---@field attempts integer? most times that a request is sent, 5
---@field base number? seconds before the second attempt, doubled for each further one, 0.5
---@field cap number? most seconds of that delay, 8
---@field jitter number? the share of the delay that is left out at random, from 0 to 1, 0.25
---@field max_retry_after number? seconds; a longer Retry-After is an error at once, 120
---@field quota integer? of the client: a retry takes 5, after a timeout 10; success gives them back; 500

---@class rollcall.Retry
local Retry = {}
Retry.__index = Retry

local defaults = { attempts = 5, base = 0.5, cap = 8, jitter = 0.25, max_retry_after = 120, quota = 500 }
-- Server failures that a retry does not fix: it lacks the method, or the version of HTTP.
local LASTING = { [501] = true, [505] = true }
local RETRY_COST, TIMEOUT_COST = 5, 10

local retry = {}

local number = { type = "number", min = 0 }

retry.schema = { type = "table|boolean", fields = {
  attempts = { type = "integer", min = 1 },
  base = number,
  cap = number,
  jitter = { type = "number", min = 0, max = 1 },
  max_retry_after = number,
  quota = number,
}, test = function(value)
  return value ~= true or "expected false, or a table of options"
end }

---@param options rollcall.RetryOptions|false|nil
---@return rollcall.Retry
function retry.new(options)
  local self = setmetatable({}, Retry)
  for name, value in pairs(defaults) do
    self[name] = options and options[name] or value
  end
  if options == false then
    self.attempts = 1
  end
  self.left = self.quota
  -- A small generator of its own: math.random belongs to the script.
  self.seed = math.floor(core.now() * 1e6) % 2147483647
  return self
end

function Retry:random()
  self.seed = (self.seed * 48271 + 11) % 2147483647
  return self.seed / 2147483647
end

--- Seconds as shown in messages.
---@param seconds number
---@return string
function retry.shown(seconds)
  return (seconds < 100 and "%.3g" or "%.0f"):format(seconds)
end

--- May a retry of this answer succeed soon? Any error status with Retry-After counts, too.
local function is_passing(status, retry_after)
  return status == 408 or status == 429 or status >= 500 and status < 600 and not LASTING[status]
    or status >= 400 and retry_after ~= nil
end

--- Did a request fail in a way that a retry may fix?
local function is_transient(err)
  return err.kind == "network" or err.kind == "timeout" or err.kind == "rate_limit"
    or err.kind == "decode" and err.code == "unexpected_end"
    or err.status ~= nil and is_passing(err.status, err.retry_after)
end

--- What a retry takes of the quota.
---@param err rollcall.Error
---@return integer
function retry.cost(err)
  return err.kind == "timeout" and TIMEOUT_COST or RETRY_COST
end

--- The seconds after which a request that failed like this may be retried; nil: it may not.
---@param err rollcall.Error
---@param attempts integer made so far
---@return number?
---@return string? problem why not, if the failure was one to retry
function Retry:delay(err, attempts)
  if not is_transient(err) or attempts >= self.attempts then
    return nil
  end
  if err.retry_after and err.retry_after > self.max_retry_after then
    return nil, ("it asks to wait %s seconds, and max_retry_after is %s"):format(retry.shown(err.retry_after),
      retry.shown(self.max_retry_after))
  end
  local cost = retry.cost(err)
  if self.left < cost then
    return nil, "it is not sent again: the client's quota of retries is used up"
  end
  self.left = self.left - cost
  local wait = math.min(self.cap, self.base * 2 ^ (attempts - 1))
  wait = wait * (1 - self.jitter * self:random())
  return math.max(wait, err.retry_after or 0)
end

--- Gives back to the quota what the retries of an answered request took; 1 if there were none.
---@param cost integer
function Retry:succeeded(cost)
  self.left = math.min(self.quota, self.left + math.max(1, cost))
end

return retry
