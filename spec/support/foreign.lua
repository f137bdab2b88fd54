-- Servers that are not ours, as spec/support/packages.sh installs them: npm's packages below the build folder, run by
-- node, and Debian's for Python.
--
-- A starter script (spec/support/NAME.js, NAME.py) gets its arguments and, as the last, the path of a file. It listens
-- on a free port of loopback, writes the port to the file, and ends with its standard input.

local core = require "rollcall.core"

local foreign = {}

local MODULES = (os.getenv "BUILD" or "build") .. "/npm/node_modules"
local PYTHON = "/usr/bin/python3" -- Debian's, for which its packages are; another may come before it in the PATH

local interpreters = { js = ("NODE_PATH='%s' exec node"):format(MODULES), py = "exec " .. PYTHON }

local function first_line(path)
  local file = io.open(path)
  local line = file and file:read "*l"
  if file then
    file:close()
  end
  return line
end

--- Is a package of npm's there? Nil and why not, for `pending`.
---@param name string
---@return boolean?
---@return string? reason
function foreign.has_package(name)
  if first_line(("%s/%s/package.json"):format(MODULES, name)) then
    return true
  end
  return nil, name .. " is not installed: npm was not there, or could not reach a registry"
end

--- Is a module of Python's there? Nil and why not, for `pending`.
---@param name string
---@return boolean?
---@return string? reason
function foreign.has_module(name)
  local found = first_line(PYTHON) and os.execute(
    ([[LD_PRELOAD= %s -c 'import importlib.util, sys; sys.exit(not importlib.util.find_spec("%s"))' 2>/dev/null]])
      :format(PYTHON, name))
  if found == true or found == 0 then
    return true
  end
  return nil, ("Python's %s is not installed"):format(name)
end

---@class spec.Foreign
---@field address string its base URL
---@field process file* its standard input
local Foreign = {}
Foreign.__index = Foreign

--- Starts a server, and waits until it listens.
---@param script string in spec/support, such as "json_server.js"
---@param ... string|number for the script; no quotes in them
---@return spec.Foreign
function foreign.start(script, ...)
  collectgarbage() -- a process inherits the connections that nobody has closed yet
  local path = os.tmpname()
  local words = { "LD_PRELOAD=", interpreters[script:match "%.(%w+)$"], "spec/support/" .. script }
  for i = 1, select("#", ...) do
    words[#words + 1] = ("'%s'"):format((select(i, ...)))
  end
  words[#words + 1] = ("'%s'"):format(path)
  local process = assert(io.popen(table.concat(words, " "), "w"))
  local port
  for _ = 1, 2000 do
    port = first_line(path)
    if port and port ~= "" then
      break
    end
    core.wait({}, 0.01)
  end
  os.remove(path)
  if not port or port == "" then
    process:close()
    error(script .. " did not start")
  end
  return setmetatable({ address = "http://127.0.0.1:" .. port, process = process }, Foreign)
end

function Foreign:stop()
  self.process:close()
end

return foreign
