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

-- What the headers of the limit are called, and in how many seconds it is reset where none says so.
local SPELLINGS = {
  { "ratelimit-remaining", "ratelimit-reset" },
  { "x-ratelimit-remaining-second", nil, 1 },
  { "x-ratelimit-remaining", "x-ratelimit-reset" },
  { "x-rate-limit-remaining", "x-rate-limit-reset" },
}

--- How many requests are left, as an answer says, and when there will be more; nil where it says nothing.
---@param transfer userdata
---@return number? remaining
---@return number? reset in so many seconds, or at a time
function limits.remaining(transfer)
  for _, names in ipairs(SPELLINGS) do
    local remaining = retry.number(transfer:header(names[1]))
    if remaining then
      return remaining, names[3] or retry.number(transfer:header(names[2]))
    end
  end
end

--- Reads the headers of an answer.
---@param transfer userdata
---@param now number
function Limits:observe(transfer, now)
  local remaining, reset = limits.remaining(transfer)
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
