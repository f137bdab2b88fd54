-- rollcall sandbox: both APIs on loopback, from a checkout.

local core = require "rollcall.core"
local failure = require "rollcall.cli.failure"

local sandbox = { summary = "Serve both APIs on loopback, to try the command with." }

sandbox.description = [[
Starts examples/sandbox of the checkout that this command is run from, and prints the variables that let the
other commands, in another shell, talk to it. It runs until Ctrl-C.]]

sandbox.epilog = "Exit status: that of the sandbox; 2 where this is no checkout."

function sandbox.declare(command)
  command:argument "dir":description "Where it writes; build/sandbox of the checkout by default.":args "?"
end

--- The sandbox's script in the checkout that this file is part of; nil if it was installed.
local function checkout()
  local place = debug.getinfo(1, "S").source:match "^@(.*)lua/rollcall/cli/sandbox%.lua$"
  local script = place and (place == "" and "." or place:gsub("/$", "")) .. "/examples/sandbox/sandbox"
  local file = script and io.open(script)
  if not file then
    return nil
  end
  file:close()
  return script
end

---@param session rollcall.cli.Session
function sandbox.run(session)
  local script = checkout()
  if not script then
    failure.usage("the sandbox is part of rollcall's source: clone https://github.com/rollcall-lua/rollcall and call "
      .. "`make sandbox` there; then set here what it prints")
  end
  local dir = session.args.dir or script:gsub("examples/sandbox/sandbox$", "build/sandbox")
  -- From here on the script handles signals: it stops the server however it ends.
  local _, problem = core.terminal.replace(script, "run", dir)
  failure.raise(failure.FAILED, ("cannot run %s: %s"):format(script, problem))
end

return sandbox
