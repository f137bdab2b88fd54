-- When a request is sent again, and after how long. One object a client, whose quota its requests
-- share, so that a server in trouble is not kept there.

local core = require "rollcall.core"

---@class rollcall.RetryOptions
---@field attempts integer? how often a request is sent at most, 5
---@field base number? seconds before the second attempt, doubled for each further one, 0.5
---@field cap number? the most seconds of it, 8
---@field jitter number? the share that is left out at random, from 0 to 1, 0.25
---@field max_retry_after number? a longer Retry-After is an error at once, seconds, 120
---@field quota integer? of the client: 5 a retry, 10 after a timeout, given back by success, 500

---@class rollcall.Retry
local Retry = {}
Retry.__index = Retry

local defaults = { attempts = 5, base = 0.5, cap = 8, jitter = 0.25, max_retry_after = 120, quota = 500 }
-- Failures of the server's that another attempt does not mend: it lacks the method, or the version of HTTP.
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
  -- Its own small generator: math.random belongs to the script.
  self.seed = math.floor(core.now() * 1e6) % 2147483647
  return self
end

function Retry:random()
  self.seed = (self.seed * 48271 + 11) % 2147483647
  return self.seed / 2147483647
end

--- So many seconds as a message has them.
---@param seconds number
---@return string
function retry.shown(seconds)
  return (seconds < 100 and "%.3g" or "%.0f"):format(seconds)
end

--- Is it an answer that may be another one soon? Any may that says when to come again.
local function is_passing(status, retry_after)
  return status == 408 or status == 429 or status >= 500 and status < 600 and not LASTING[status]
    or status >= 400 and retry_after ~= nil
end

--- Did a request end in a way that another attempt may mend?
local function is_transient(err)
  return err.kind == "network" or err.kind == "timeout" or err.kind == "rate_limit"
    or err.kind == "decode" and err.code == "unexpected_end"
    or err.status ~= nil and is_passing(err.status, err.retry_after)
end

--- What another attempt takes of the quota.
---@param err rollcall.Error
---@return integer
function retry.cost(err)
  return err.kind == "timeout" and TIMEOUT_COST or RETRY_COST
end

--- May a request that ended like this be sent again, and after how many seconds? nil: no.
---@param err rollcall.Error
---@param attempts integer made so far
---@return number?
---@return string? problem why not, where it might have been
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

--- A request was answered: what its retries took of the quota is given back; where it had none, a little.
---@param cost integer
function Retry:succeeded(cost)
  self.left = math.min(self.quota, self.left + math.max(1, cost))
end

return retry
