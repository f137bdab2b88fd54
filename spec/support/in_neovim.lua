-- Runs busted inside headless Neovim, in a task: every call of the specs yields to the editor's loop.
--
--   nvim --headless -u NONE -i NONE -n -S spec/support/in_neovim.lua
--
-- SPECS are the specs, TAP goes to the standard output, and the status is busted's.

-- Of every handle that a spec has made it is known in the end whether it was closed.
local handles = {}
for _, kind in ipairs { "poll", "prepare", "idle", "timer" } do
  local make = vim.loop["new_" .. kind]
  vim.loop["new_" .. kind] = function(...)
    local handle, problem, code = make(...)
    handles[#handles + 1] = handle
    return handle, problem, code
  end
end

local rollcall = require "rollcall"

local exit = {}

-- Neovim's own go to its messages, or end it at once.
_G.print = function(...)
  local texts = {}
  for i = 1, select("#", ...) do
    texts[i] = tostring((select(i, ...)))
  end
  io.stdout:write(table.concat(texts, "\t"), "\n")
end
require("busted.compatibility").exit = function(status)
  error(setmetatable({ status = status == true and 0 or tonumber(status) or 1 }, exit), 0)
end

_G.arg = { [0] = "busted", "-o", "TAP" }
for name in os.getenv("SPECS"):gmatch "%S+" do
  assert(loadfile(name)) -- busted's TAP would hide what is wrong with a spec that does not compile
  table.insert(_G.arg, name)
end

-- The editor's loop goes on meanwhile. Nothing here wakes it.
local rounds, counter = 0, vim.loop.new_check()
counter:start(function()
  rounds = rounds + 1
end)

rollcall.spawn(function()
  require "busted.runner" { standalone = false }
end, function(err)
  local status = getmetatable(err) == exit and err.status or err == nil and 0 or 1
  if getmetatable(err) ~= exit and err ~= nil then
    io.stdout:write("not ok 1 - the runner\n", tostring(err), "\n")
  end
  counter:close()
  local left = 0
  for _, handle in ipairs(handles) do
    left = left + (handle:is_closing() and 0 or 1)
  end
  if rounds < 100 or left > 0 or #handles < 5 then
    io.stdout:write(("not ok 1 - %d rounds of the editor's loop, %d of %d handles are left\n"):format(
      rounds, left, #handles))
    status = 1
  end
  io.stdout:flush()
  vim.cmd(status == 0 and "qall!" or status .. "cquit!")
end)
