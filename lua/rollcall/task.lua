-- Tasks of rollcall.spawn: their interface and how they end, the same in every host.

local errors = require "rollcall.errors"

---@class rollcall.Task a function that runs concurrently with the rest of the program
---@field cancel fun(self: rollcall.Task): boolean ends it: the stream it waits in is closed and fails with an error of
---  kind "closed", as does every later stream in it. Returns whether there was something left to end

---@class rollcall.Outcome the arguments of on_done: the error or nil, then the function's results
---@field n integer
---@field [integer] any

local task = {}

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

local CANCELLED = "the task was cancelled"

--- The error of a stream that waits in a cancelled task.
---@return rollcall.Error
function task.cancelled()
  return errors.new("closed", CANCELLED)
end

--- A handler for xpcall: strings and nil get a traceback; error objects and other values stay as they are.
local function trace(problem)
  if type(problem) == "string" or problem == nil then
    return debug.traceback(problem or "nil was raised as an error", 2)
  end
  return problem
end

--- `nil, err`, as stream methods return it, counts as failure.
local function outcome(good, ...)
  local first, second = ...
  if good and first == nil and errors.is(second) then
    return { n = 1, second }
  elseif good then
    return { n = select("#", ...) + 1, nil, ... }
  end
  return { n = 1, first }
end

--- Runs a function to its end and catches its error.
---@param f function
---@return rollcall.Outcome
function task.call(f)
  return outcome(xpcall(f, trace))
end

--- Is the cancellation itself what a cancelled task failed with, as an error object or as a string made of it?
local function is_cancelled(problem)
  if errors.is(problem) then
    return problem.kind == "closed"
  end
  return type(problem) == "string" and problem:find(CANCELLED, 1, true) ~= nil
end

--- Calls on_done; without it, raises the function's error, if any, for the host to report, but not a cancellation.
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

--- Raises at the caller's caller unless both are functions (on_done may be nil).
function task.check(f, on_done)
  if type(f) ~= "function" then
    error("spawn: expected a function, got a " .. type(f), 3)
  elseif on_done ~= nil and type(on_done) ~= "function" then
    error("spawn: on_done: expected a function, got a " .. type(on_done), 3)
  end
end

return task
