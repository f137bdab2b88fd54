-- Runs busted inside an nginx worker, in a timer: every call of the specs yields to the worker.
--
-- spec/run starts an nginx of one process that runs this file when its worker starts. SPECS are the specs, TAP goes to
-- the standard output, and the status is busted's.

local TICK = 0.005 -- seconds

local rollcall = require "rollcall"

local exit = {}

-- nginx's own goes to its log, and busted's end would take the worker with it.
_G.print = function(...)
  local texts = {}
  for i = 1, select("#", ...) do
    texts[i] = tostring((select(i, ...)))
  end
  io.stdout:write(table.concat(texts, "\t"), "\n")
end
local end_process = os.exit
rawset(os, "exit", function(status)
  error(setmetatable({ status = status == true and 0 or tonumber(status) or 1 }, exit), 0)
end)

_G.arg = { [0] = "busted", "-o", "TAP" }
for name in os.getenv("SPECS"):gmatch "%S+" do
  assert(loadfile(name)) -- busted's TAP would hide what is wrong with a spec that does not compile
  table.insert(_G.arg, name)
end

-- The worker goes on meanwhile.
local ticks = 0
ngx.timer.every(TICK, function()
  ticks = ticks + 1
end)

rollcall.spawn(function()
  local good, err = pcall(require "busted.runner", { standalone = false })
  if not good and err ~= nil then -- nil is busted's own word for tests that fail
    error(err, 0)
  end
  return good and 0 or 1
end, function(err, status)
  if getmetatable(err) == exit then
    status = err.status
  elseif err ~= nil then
    io.stdout:write("not ok 1 - the runner\n", tostring(err), "\n")
    status = 1
  end
  if ticks < 10 then
    io.stdout:write(("not ok 1 - %d ticks of the worker\n"):format(ticks))
    status = 1
  end
  io.stdout:flush()
  end_process(status)
end)
