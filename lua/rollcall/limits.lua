-- Rate limits before they bite: when an answer says that nothing remains, the client's next
-- request waits for the reset instead of earning a 429.

local Limits = {}
Limits.__index = Limits

local limits = {}

function limits.new()
  return setmetatable({ open_at = 0 }, Limits)
end

--- Reads the headers of an answer.
---@param transfer userdata
---@param now number
function Limits:observe(transfer, now)
  local remaining = tonumber(transfer:header("ratelimit-remaining") or "")
  local reset = tonumber(transfer:header("ratelimit-reset") or "")
  if not remaining then
    remaining = tonumber(transfer:header("x-ratelimit-remaining-second") or "")
    reset = 1
  end
  if not remaining then
    remaining = tonumber(transfer:header("x-ratelimit-remaining") or "")
    reset = tonumber(transfer:header("x-ratelimit-reset") or "")
  end
  if remaining and remaining <= 0 and reset then
    -- Some servers say when, others in how many seconds.
    local seconds = reset > 1e9 and reset - os.time() or reset
    self.open_at = math.max(self.open_at, now + math.min(math.max(seconds, 0), 3600))
  end
end

--- Seconds until the next request may leave, 0 for now.
---@param now number
---@return number
function Limits:wait(now)
  return math.max(0, self.open_at - now)
end

return limits
