-- What rollcall.spawn answers, and how the function of one ends, whatever the host.

local errors = require "rollcall.errors"

---@class rollcall.Task a function that runs beside the rest of the program
---@field cancel fun(self: rollcall.Task): boolean ends it: the stream that it is in is closed and fails with an
---  error of kind "closed", as does every later one of it. Whether there was something left to end

---@class rollcall.Outcome what on_done is called with: the error or nil, then what the function answered
---@field n integer
---@field [integer] any

local task = {}

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

local CANCELLED = "the task was cancelled"

--- What a stream fails with that is waited for in a cancelled task.
---@return rollcall.Error
function task.cancelled()
  return errors.new("closed", CANCELLED)
end

--- For xpcall. A text gets a traceback; error objects, and what else is no text, stay what they are.
local function trace(problem)
  if type(problem) == "string" or problem == nil then
    return debug.traceback(problem or "nil was raised as an error", 2)
  end
  return problem
end

--- What failed as methods of streams do, which answer nil and the error, has failed.
local function outcome(good, ...)
  local first, second = ...
  if good and first == nil and errors.is(second) then
    return { n = 1, second }
  elseif good then
    return { n = select("#", ...) + 1, nil, ... }
  end
  return { n = 1, first }
end

--- Calls it to its end, and catches its error.
---@param f function
---@return rollcall.Outcome
function task.call(f)
  return outcome(xpcall(f, trace))
end

--- Has the function of a cancelled task failed by just that, as an error or as a text that was made of it?
local function is_cancelled(problem)
  if errors.is(problem) then
    return problem.kind == "closed"
  end
  return type(problem) == "string" and problem:find(CANCELLED, 1, true) ~= nil
end

--- Tells on_done; without it, raises what the function failed by, for the host to report. That it was cancelled is not.
---@param on_done (fun(err: any, ...: any))?
---@param found rollcall.Outcome
---@param was_cancelled boolean?
function task.report(on_done, found, was_cancelled)
  local problem = found[1]
  if on_done then
    on_done(unpack(found, 1, found.n))
  elseif problem ~= nil and not (was_cancelled and is_cancelled(problem)) then
    error("rollcall.spawn: " .. tostring(problem), 0)
  end
end

--- Raises unless both can be called, at the caller of who calls this.
function task.check(f, on_done)
  if type(f) ~= "function" then
    error("spawn: expected a function, got a " .. type(f), 3)
  elseif on_done ~= nil and type(on_done) ~= "function" then
    error("spawn: on_done: expected a function, got a " .. type(on_done), 3)
  end
end

return task
