-- What a whole walk may cost: requests, bytes, seconds. The walks of several accounts share one.

---@class rollcall.Budget
---@field max_requests integer? each attempt counts
---@field max_bytes integer? as received
---@field deadline number? seconds
---@field ends_at number? time of core.now at which the deadline passes, set by the first call of `exceeded`
---@field walks rollcall.Walk[] that share it
---@field spent { requests: integer, bytes: integer } bytes: of ended transfers
local Budget = {}
Budget.__index = Budget

local budget = {}

---@param query rollcall.Query checked
---@return rollcall.Budget
function budget.new(query)
  return setmetatable({
    max_requests = query.max_requests,
    max_bytes = query.max_bytes,
    deadline = query.deadline,
    walks = {},
    spent = { requests = 0, bytes = 0 },
  }, Budget)
end

function Budget:spend(name, n)
  if self.spent[name] then
    self.spent[name] = self.spent[name] + n
  end
end

--- What is wrong with one more request; nil if it is within the budget.
---@return string?
function Budget:requests_exceeded()
  if self.max_requests and self.spent.requests >= self.max_requests then
    return ("the walk's %d requests are used up"):format(self.max_requests)
  end
end

--- Seconds until the deadline; nil if there is none, or before the first call of `exceeded`.
---@param now number
---@return number?
function Budget:seconds_left(now)
  return self.ends_at and self.ends_at - now
end

--- Can it be used up in the middle of a transfer?
function Budget:limits_transfers()
  return self.deadline ~= nil or self.max_bytes ~= nil
end

--- What is used up at this time, as a message; nil for nothing. The first call starts the deadline.
---@param now number
---@return string?
function Budget:exceeded(now)
  if self.deadline then
    self.ends_at = self.ends_at or now + self.deadline
    if now >= self.ends_at then
      return ("the walk's deadline of %g seconds has passed"):format(self.deadline)
    end
  end
  if self.max_bytes then
    local bytes = self.spent.bytes
    for _, one in ipairs(self.walks) do
      bytes = bytes + one:running_bytes()
    end
    if bytes > self.max_bytes then
      return ("the walk's %d bytes are used up"):format(self.max_bytes)
    end
  end
end

return budget
