-- Finalizers, on both Luas, and calls in whose middle one runs.

local finalizer = {}

--- Has the collector call this.
---@param f fun()
function finalizer.new(f)
  local newproxy = rawget(_G, "newproxy")
  if newproxy then -- a table has no finalizer on LuaJIT
    getmetatable(newproxy(true)).__gc = f
  else
    setmetatable({}, { __gc = f })
  end
end

--- Calls until a finalizer has run: by the garbage made before each call, the collector takes a step in its midst.
---@param call fun(n: number) with another number each time
---@param f fun() the finalizer
function finalizer.call_until_finalized(call, f)
  collectgarbage() -- however much there was before, it comes round soon
  local pause, step = collectgarbage("setpause", 100), collectgarbage("setstepmul", 1000)
  local ran = false
  finalizer.new(function()
    ran = true
    f()
  end)
  local n = 0.5
  while not ran do
    collectgarbage "stop"
    for _ = 1, 100 do
      local _ = { n }
    end
    collectgarbage "restart"
    call(n)
    n = n + 1
  end
  collectgarbage("setpause", pause)
  collectgarbage("setstepmul", step)
end

return finalizer
