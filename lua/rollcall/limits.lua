-- Rate limits before they bite: when an answer says that nothing remains, the client's next
-- request waits for the reset instead of earning a 429.

local retry = require "rollcall.retry"

local Limits = {}
Limits.__index = Limits

local limits = {}

-- What a server says of a day far away is not believed, lest the client never sends again.
local LONGEST = 3600

function limits.new()
  return setmetatable({ open_at = 0 }, Limits)
end

--- Reads the headers of an answer.
---@param transfer userdata
---@param now number
function Limits:observe(transfer, now)
  local remaining = retry.number(transfer:header("ratelimit-remaining"))
  local reset = retry.number(transfer:header("ratelimit-reset"))
  if not remaining then
    remaining = retry.number(transfer:header("x-ratelimit-remaining-second"))
    reset = 1
  end
  if not remaining then
    remaining = retry.number(transfer:header("x-ratelimit-remaining"))
    reset = retry.number(transfer:header("x-ratelimit-reset"))
  end
  if remaining and remaining <= 0 and reset then
    -- Some servers say when, others in how many seconds.
    local seconds = reset > 1e9 and reset - os.time() or reset
    self.open_at = math.max(self.open_at, now + math.min(math.max(seconds, 0), LONGEST))
  end
end

--- Seconds until the next request may leave, 0 for now.
---@param now number
---@return number
function Limits:wait(now)
  return math.max(0, self.open_at - now)
end

return limits
