-- The command `rollcall` in a process of its own, on this Lua and with this run's tool.

local core = require "rollcall.core"

local command = {}

local SCRIPT = "lua/rollcall/cli/rollcall"
local LONGEST_WAIT = 120 -- seconds; valgrind takes half a minute for what is there at once without it

function command.quote(word)
  return "'" .. tostring(word):gsub("'", "'\\''") .. "'"
end

--- The line for a shell that runs it.
---@param arguments string[]
---@param variables table<string, string|false>? of the environment; false takes one away
function command.line(arguments, variables)
  local taken, given = {}, {}
  for name, value in pairs(variables or {}) do
    if value then
      given[#given + 1] = name .. "=" .. command.quote(value)
    else
      taken[#taken + 1] = "-u " .. name
    end
  end
  -- A configuration of whoever runs the tests is none of theirs.
  local line = ("env -u ROLLCALL_CONFIG -u NO_COLOR %s XDG_CONFIG_HOME=/nonexistent %s %s %s"):format(
    table.concat(taken, " "), table.concat(given, " "),
    assert(os.getenv "RUN_LUA", "the specs are run by `make test`"), SCRIPT)
  for _, argument in ipairs(arguments) do
    line = line .. " " .. command.quote(argument)
  end
  return line
end

function command.read(path)
  local file = io.open(path, "rb")
  local text = file and file:read "*a"
  if file then
    file:close()
  end
  return text
end

function command.write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

--- Runs a line of a shell: what it printed, what it complained of, its status.
function command.shell(line)
  local output, errors, status = os.tmpname(), os.tmpname(), os.tmpname()
  os.execute(("{ %s\n} >%s 2>%s </dev/null; echo $? >%s"):format(line, output, errors, status))
  local result = { output = command.read(output), errors = command.read(errors),
    status = tonumber(command.read(status)) }
  os.remove(output)
  os.remove(errors)
  os.remove(status)
  return result.output, result.errors, result.status
end

--- Runs the command.
---@param arguments string[]
---@param variables table<string, string|false>?
---@return string output
---@return string errors
---@return integer status
function command.run(arguments, variables)
  return command.shell(command.line(arguments, variables))
end

--- Can one be had here? Not in a chroot without /dev/pts.
---@return boolean
function command.has_terminals()
  local output = command.shell "script -qec 'echo yes' /dev/null"
  return output:find "yes" ~= nil
end

--- Waits until something is so, and answers what it gave; raises where it does not come.
---@param is_so fun(): any
function command.await(is_so)
  local ends_at = core.now() + LONGEST_WAIT
  while core.now() < ends_at do
    local value = is_so()
    if value then
      return value
    end
    os.execute "sleep 0.1"
  end
  error(("what was waited for has not come in %d seconds"):format(LONGEST_WAIT), 2)
end

function command.lines(text)
  local list = {}
  for line in text:gmatch "([^\n]*)\n" do
    list[#list + 1] = line
  end
  return list
end

return command
