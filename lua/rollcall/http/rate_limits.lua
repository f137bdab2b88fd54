-- Rate limits, observed in advance: when an answer says that nothing remains, the client's next request waits for the
-- reset instead of earning a 429.

local header = require "rollcall.http.header"

local Limits = {}
Limits.__index = Limits

local rate_limits = {}

-- Longest wait for a reset, in seconds: a server that names a day far away must not stop the client for good.
local LONGEST = 3600

-- Seconds since 1970 are above the first, milliseconds above the second: some servers send the time of the reset,
-- others the seconds until then.
local EPOCH, EPOCH_MILLISECONDS = 1e9, 1e11

--- Index of the least number of a list; nil for an empty one.
local function index_of_least(list)
  local place = list[1] and 1
  for i = 2, #list do
    place = list[i] < list[place] and i or place
  end
  return place
end

--- Seconds from now until the reset that a header states; nil for none.
---@param text string?
---@param place integer? index to use if the header has that many values; otherwise the least: if that is too early, the
---  server says so
---@return number?
local function seconds_until(text, place)
  local numbers = header.numbers(text)
  if not numbers[1] then
    local date = header.date(text or "")
    return date and date - os.time()
  end
  local number = place and numbers[place] or numbers[index_of_least(numbers)]
  if number > EPOCH_MILLISECONDS then
    number = number / 1000
  end
  return number > EPOCH and number - os.time() or number
end

--- The digits of a number in a header's parameters.
local function parameter(text, name)
  return text:match("[%s,;]" .. name .. "%s*=%s*(%d+)") or text:match("^" .. name .. "%s*=%s*(%d+)")
end

--- The header that has everything: `"default";r=0;t=5` or `limit=100, remaining=0, reset=5`, once for each of several
--- policies. The policy with the least left counts; of several of those, the one with the latest reset.
local function combined(transfer)
  local text = transfer:header "ratelimit"
  if not text then
    return nil
  end
  -- Each begins with its name, in quotes, or with its limit; what is before the first one is a policy, too.
  text = text:lower():gsub('"[^"]*"', "\n"):gsub("limit%s*=", "\n%0")
  local least, reset
  for policy in text:gmatch "[^\n]+" do
    local remaining = header.number(parameter(policy, "remaining") or parameter(policy, "r"))
    local seconds = seconds_until(parameter(policy, "reset") or parameter(policy, "t"))
    if remaining and (not least or remaining < least or remaining == least and (seconds or 0) > (reset or 0)) then
      least, reset = remaining, seconds
    end
  end
  return least, reset
end

-- Names of the headers for the remaining requests and for the reset, and seconds until the reset if no header states
-- it.
local SPELLINGS = {
  { "ratelimit-remaining", "ratelimit-reset" },
  { "x-ratelimit-remaining-second", nil, 1 },
  { "x-ratelimit-remaining", "x-ratelimit-reset" },
  { "x-rate-limit-remaining", "x-rate-limit-reset" },
}

--- How many requests are left according to an answer, and in how many seconds there are more; nil if it does not say.
---@param transfer rollcall.Transfer
---@return number? remaining
---@return number? seconds
function rate_limits.remaining(transfer)
  local remaining, reset = combined(transfer)
  if remaining then
    return remaining, reset
  end
  for _, names in ipairs(SPELLINGS) do
    local all = header.numbers(transfer:header(names[1]))
    local place = index_of_least(all) -- whose reset counts
    if place then
      return all[place], names[3] or seconds_until(transfer:header("x-ratelimit-reset-after"), place)
        or seconds_until(transfer:header(names[2]), place)
    end
  end
end

--- Seconds until there are more requests, of an answer that does not say how many are left.
local function reset_alone(transfer)
  local text = (transfer:header "ratelimit" or ""):lower()
  local seconds = seconds_until(parameter(text, "reset") or parameter(text, "t"))
    or seconds_until(transfer:header "x-ratelimit-reset-after")
  for _, names in ipairs(SPELLINGS) do
    seconds = seconds or names[2] and seconds_until(transfer:header(names[2]))
  end
  return seconds
end

--- How long an answer asks to wait: Retry-After if present (it is about this client); otherwise, if no request is left,
--- which 429 implies, the time to the reset, which may be the end of a longer window.
---@param transfer rollcall.Transfer
---@return number? seconds
---@return boolean is_spent none is left
function rate_limits.wait_asked(transfer)
  local remaining, reset = rate_limits.remaining(transfer)
  if remaining == nil and transfer:status() == 429 then
    reset = reset_alone(transfer)
    remaining = reset and 0
  end
  local is_spent = remaining ~= nil and remaining <= 0
  local seconds = header.retry_after(transfer)
  if not seconds and is_spent and reset then
    seconds = math.min(math.max(reset, 0), LONGEST)
  end
  return seconds, is_spent
end

function rate_limits.new()
  return setmetatable({ open_at = 0 }, Limits)
end

--- Reads the headers of an answer.
---@param transfer rollcall.Transfer
---@param now number
function Limits:observe(transfer, now)
  local seconds, is_spent = rate_limits.wait_asked(transfer)
  if seconds and is_spent then
    self.open_at = math.max(self.open_at, now + math.min(seconds, LONGEST))
  end
end

--- Seconds until the next request may be sent, 0 for now.
---@param now number
---@return number
function Limits:wait(now)
  return math.max(0, self.open_at - now)
end

return rate_limits
