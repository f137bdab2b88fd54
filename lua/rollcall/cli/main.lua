-- The command line: its options, and how it ends.

local argparse = require "argparse"
local completion = require "rollcall.cli.completion"
local core = require "rollcall.core"
local errors = require "rollcall.errors"
local failure = require "rollcall.cli.failure"
local output = require "rollcall.cli.output"
local session = require "rollcall.cli.session"
local time = require "rollcall.time"
local version = require "rollcall.version"

local main = {}

local COMMANDS = { "users", "find", "review", "diff", "sources", "check", "sandbox" }

local WIDTH = 80 -- of the help

local function moment(text)
  local seconds = time.parse(text)
  if not seconds then
    return nil, ("%s: expected a time of RFC 3339, such as 2025-10-03T12:00:00Z, or a date alone"):format(text)
  elseif not pcall(time.format, seconds) then
    return nil, ("%s: expected a time of the years 0 to 9999 in UTC"):format(text)
  end
  return seconds
end

--- A text for argparse, which breaks lines itself: one line for each paragraph. Indented lines stay as they are; they
--- must have at most WIDTH bytes.
local function flow(text)
  return (text:gsub("([^\n])\n(%S)", "%1 %2"))
end

--- Declares the options that every command takes.
local function declare_common(command)
  command:option "--config"
    :description "The configuration, instead of $ROLLCALL_CONFIG or ~/.config/rollcall/rollcall.lua."
    :argname "<file>"
  command:option "--now":description "Count days back from this time, RFC 3339 or a date, instead of from now."
    :argname "<time>":convert(failure.of_option("--now", moment))
  command:flag "-q" "--quiet":description "No progress, no notes and no warnings on stderr; errors only."
  command:flag "-v" "--verbose":description "Each request, answer, retry and page on stderr, without secrets."
end

--- Has -h and --help show the help. Nothing here exits the process itself: what is open is closed first.
local function declare_help(command)
  command:add_help { action = function()
    output.print(command:get_help() .. "\n")
  end }
end

local function declare_completion(root)
  local command = root:command "completion":summary "Print what completes the command in bash, zsh or fish."
    :description [[
Prints a shell's completion script:

  bash   eval "$(rollcall completion bash)"
  zsh    eval "$(rollcall completion zsh)", or into a file _rollcall in a
         directory of $fpath
  fish   rollcall completion fish | source]]
  declare_help(command)
  command:argument "shell":choices(completion.SHELLS):action(function(_, _, shell)
    output.print(completion.script(root, shell))
  end)
end

local function parser()
  local root = argparse "rollcall"
    :description "Every user of every account of your payment platforms, from a shell."
    :epilog(flow [[
Sources, that is accounts and their credentials, are in ~/.config/rollcall/rollcall.lua (see `rollcall sources
--help`), or in the environment: TESOURO_CLIENT_ID and TESOURO_CLIENT_SECRET; DINTERO_CLIENT_ID,
DINTERO_CLIENT_SECRET and DINTERO_ACCOUNT.

Exit status: 0 found, 1 none or differences, 2 wrong usage or configuration, 3 it was tried and failed. 128 and
the signal's number after Ctrl-C and the like.]])
    :add_help(false):help_max_width(WIDTH):usage_max_width(WIDTH)
  root:command_target "command"
  declare_help(root)
  root:flag "--version":description "Show the version and exit.":action(function()
    output.print("rollcall " .. version .. "\n")
  end)
  for _, name in ipairs(COMMANDS) do
    local command = require("rollcall.cli." .. name)
    local declared = root:command(name):summary(command.summary):description(flow(command.description))
      :epilog(flow(command.epilog)):help_max_width(WIDTH):usage_max_width(WIDTH)
    declare_help(declared)
    command.declare(declared)
    declare_common(declared)
  end
  declare_completion(root)
  function root.error(at, message)
    failure.raise(failure.USAGE, ("%s\n\nrollcall: %s"):format(at:get_usage(), message))
  end
  return root
end

--- The arguments, with a negative number joined to the option before it: argparse would parse it as an option and not
--- say what was expected.
local function join_negative(arguments)
  local list, is_behind_options = {}, false
  for _, argument in ipairs(arguments) do
    local before = list[#list] or ""
    is_behind_options = is_behind_options or argument == "--"
    if not is_behind_options and argument:find "^%-%d" and before:find "^%-%-[%a-]+$" then
      list[#list] = before .. "=" .. argument
    else
      list[#list + 1] = argument
    end
  end
  return list
end

--- Reports why a run ended early, and returns its status.
local function conclude(run, raised)
  core.terminal.release()
  local name, status = core.terminal.caught() -- it may be why something else went wrong
  if name then
    run:take_signal(name, status)
  end
  if run.signal then
    if not run.is_told then
      run.is_told = true
      run:tell_position "interrupted"
    end
    return run.signal_status
  elseif failure.is(raised) then
    if raised.message then
      run:complain(raised.message)
    end
    return raised.status
  elseif errors.is(raised) then
    run:report(raised)
  elseif run:is_of_configuration(tostring(raised)) then
    run:complain(("a function of the configuration failed: %s. There it can call nothing; a provider with functions is "
      .. "a module rollcall.providers.NAME of your own"):format(tostring(raised):match "^[^\n]*"))
  else
    run:complain("this is a mistake in rollcall itself: " .. tostring(raised))
  end
  return failure.FAILED
end

local function with_traceback(raised)
  if failure.is(raised) or errors.is(raised) or type(raised) ~= "string" then
    return raised
  end
  return debug.traceback(raised, 2)
end

--- Runs a command line.
---@param arguments string[]
---@return integer status of the process
function main.run(arguments)
  local root = parser()
  local parsed, args = pcall(root.parse, root, join_negative(arguments))
  if not parsed then
    if not failure.is(args) then
      error(args, 0)
    elseif args.message then
      io.stderr:write(args.status == failure.USAGE and "" or "rollcall: ", args.message, "\n")
    end
    return args.status
  end
  local run = session.new(args)
  local good, status = xpcall(function()
    return require("rollcall.cli." .. args.command).run(run)
  end, with_traceback)
  if not good then
    status = conclude(run, status)
  end
  local finished, problem = pcall(run.finish, run)
  if not finished then
    status = conclude(run, problem)
  end
  return status
end

return main
