-- The loop of a plain script: a wait blocks, in poll(2), until one of the engines has something to do.

local core = require "rollcall.core"
local task = require "rollcall.task"

---@type rollcall.Loop
local blocking = { wait = core.wait }

local Task = {}
Task.__index = Task

function Task.cancel()
  return false
end

--- Nothing else can run meanwhile: the function runs to its end before this returns.
---@param f function
---@param on_done function?
---@return rollcall.Task
function blocking.spawn(f, on_done)
  local outcome = task.call(f)
  if on_done then
    task.report(on_done, outcome)
  elseif outcome[1] ~= nil then
    error(outcome[1], 0)
  end
  return setmetatable({}, Task)
end

return blocking
