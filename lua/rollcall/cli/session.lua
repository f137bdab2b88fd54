-- What the commands share in one run: sources and their clients, stdout and stderr, progress, signals, and the position
-- of a walk.

local blocking = require "rollcall.loop.blocking"
local config = require "rollcall.cli.config"
local core = require "rollcall.core"
local failure = require "rollcall.cli.failure"
local frozen = require "rollcall.provider.frozen"
local one_line = require "rollcall.one_line"
local output = require "rollcall.cli.output"
local progress = require "rollcall.cli.progress"
local query = require "rollcall.cli.query"
local rollcall = require "rollcall"

---@class rollcall.cli.Session
---@field args table as argparse returns it
---@field output rollcall.cli.Output
---@field now number seconds since 1970 from which days are counted back; set with the sources
---@field origin string? where the sources come from, once they were read
---@field names string[]? of all sources, once they were read
---@field unavailable rollcall.cli.Source[] that failed before anything was requested
---@field count integer of users received
---@field is_terminal boolean stdout is one
---@field loop table for the clients: waits, and checks for signals
---@field progress rollcall.cli.Progress? once a walk is watched on a terminal
---@field saving { resume: rollcall.cli.Resume, parts: (fun(): table<string, string>), due: number }? with --resume
---@field signal string? name of the signal that ended the run
---@field signal_status integer? the exit status for it
---@field is_told boolean? the signal was reported
---@field checkpoint_of_all (fun(): string)? of a walk: its checkpoint as text
---@field on_begin fun()? of a listing: writes what comes before its first row
---@field on_signal fun()? of a listing: completes the output after a signal
---@field is_waiting (fun(): boolean)? of a command that writes late: has it written nothing yet?
local Session = {}
Session.__index = Session

local session = {}

local LONGEST_WAIT = 0.25 -- seconds between checks of signals and the clock
local BETWEEN_SAVES = 1 -- seconds between checkpoints in a file

local function is_plain()
  return (os.getenv "NO_COLOR" or "") ~= "" or os.getenv "TERM" == "dumb"
end

---@param args table
---@return rollcall.cli.Session
function session.new(args)
  local self = setmetatable({
    args = args,
    count = 0, -- of users received
    unavailable = {},
    output = output.new(io.stdout),
    is_terminal = core.terminal.is_terminal(1),
  }, Session)
  self.loop = { wait = function(engines, seconds)
    self:idle(seconds)
    blocking.wait(engines, math.min(seconds, LONGEST_WAIT))
    self:look_at_signals()
  end }
  self.output.before = self.is_terminal and function()
    self:clear_progress()
  end or nil
  return self
end

-- -- messages --------------------------------------------------------------------------------------

--- On a terminal: flush stdout before a message on stderr, so that they appear in order.
function Session:write_before()
  if not self.is_terminal or self.output.broken then
    return
  end
  pcall(function() -- the message is shown whatever becomes of the output
    if self.signal and self.on_signal then
      self.on_signal()
    end
    self.output:flush()
  end)
end

--- Writes a message to stderr, also with --quiet: an error or a warning.
---@param line string
function Session:complain(line)
  self:write_before()
  self:clear_progress()
  local lines = {}
  for part in (line .. "\n"):gmatch "([^\n]*)\n" do
    lines[#lines + 1] = one_line(part)
  end
  io.stderr:write("rollcall: ", table.concat(lines, "\n"), "\n")
end

--- Writes a message to stderr, unless --quiet was given.
---@param line string
function Session:say(line)
  if not self.args.quiet then
    self:complain(line)
  end
end

--- May stdout have colours and the like?
---@return boolean
function Session:is_bold()
  return self.is_terminal and not is_plain()
end

--- The width of stdout's terminal; nil if it is none.
---@return integer?
function Session:columns()
  return self.is_terminal and (core.terminal.columns(1) or 80) or nil
end

--- Begins to show the walk's progress if stderr is a terminal. If stdout is one, too, only until the first row is
--- written.
---@param parts { name: string, stats: function }[]
function Session:watch(parts)
  local is_wanted = not self.args.quiet and not self.args.verbose and core.terminal.is_terminal(2)
    and os.getenv "TERM" ~= "dumb"
  if is_wanted then
    self.progress = progress.new(io.stderr, 2)
    self.progress:watch(parts)
  end
end

function Session:clear_progress()
  if self.progress then
    self.progress:clear()
  end
end

---@param seconds number? to wait at most, if the walk is about to wait
function Session:draw(seconds)
  local is_among_rows = self.is_terminal and not (self.is_waiting and self.is_waiting())
  if self.progress and not is_among_rows then
    self.progress:draw(seconds)
  end
end

function Session:report(err, source)
  local advice = failure.advice(err, source and source.name)
  local text = tostring(err)
  if source then
    local name = source.name .. (err.account and query.list_option(source) and " " .. err.account or "")
    local told = ("%s: %s: "):format(err.kind, source.name) -- it begins with this if the provider has the source's name
    text = name .. ": " .. (text:sub(1, #told) == told and err.kind .. ": " .. text:sub(#told + 1) or text)
  end
  self:complain(text .. (advice and "\n  " .. advice or ""))
end

-- -- sources ----------------------------------------------------------------------------------------

--- The hooks of --verbose.
function Session:hooks(source)
  if not self.args.verbose then
    return nil
  end
  local function tell(message, ...)
    self:complain(source.name .. ": " .. message:format(...))
  end
  return {
    request = function(event)
      tell("%s %s%s", event.method, event.url, event.attempt > 1 and (" (attempt %d)"):format(event.attempt) or "")
    end,
    response = function(event)
      tell("%s, %d bytes in %.3f s%s", event.failure or tostring(event.status), event.bytes, event.seconds,
        event.request_id and ", request " .. event.request_id or "")
    end,
    retry = function(event)
      tell("again in %.1f s: %s", event.wait, event.message)
    end,
    page = function(event)
      tell("page %d%s: %d users", event.number, event.account and " of " .. event.account or "", event.users)
    end,
  }
end

--- Was this raised by a function in the configuration? Lua begins such a message with the file's name; a long name
--- lacks its beginning.
---@param message string
---@return boolean
function Session:is_of_configuration(message)
  local name = message:match "^(.-):%d+: " or ""
  local cut = name:match "^%.%.%.(.+)$"
  local origin = self.origin or ""
  return name ~= "" and (name == origin or cut ~= nil and origin:sub(-#cut) == cut)
end

--- All sources, or those with these names.
---@param wanted string[]?
---@return rollcall.cli.Source[]
function Session:sources(wanted)
  local all = config.sources(self.args.config, function(line)
    self:say(line)
  end)
  local chosen, by_name, names = {}, {}, {}
  for i, source in ipairs(all) do
    by_name[source.name], names[i] = source, source.name
  end
  self.origin, self.names = all[1].origin, names
  for _, name in ipairs(wanted or {}) do
    local source = by_name[name]
    if source == nil then
      failure.usage("there is no source %s; there are: %s", name, table.concat(names, ", "))
    elseif source then
      chosen[#chosen + 1] = source
      by_name[name] = false
    end
  end
  chosen = #chosen > 0 and chosen or all
  self.now = self.args.now or chosen[1].now or os.time()
  return chosen
end

--- Creates the client of a source; nil and what is wrong with its configuration.
---@param source rollcall.cli.Source
---@param more table? further options
---@return rollcall.Client?
---@return string? problem
---@return boolean? is_secret a secret of it is not available now
function Session:try_client(source, more)
  local options, problem = config.options(source)
  if not options then
    return nil, problem, true
  end
  options.loop, options.on = self.loop, self:hooks(source)
  for name, value in pairs(more or {}) do
    options[name] = value
  end
  local good, made = pcall(rollcall.client, source.provider, options)
  if not good then
    local problem_text = failure.plain(made)
    local prefix = source.name .. ": " -- it may begin with this already, if the provider has that name
    problem_text = problem_text:sub(1, #prefix) == prefix and problem_text or prefix .. problem_text
    return nil, ("%s (%s)"):format(problem_text, source.origin)
  elseif not frozen.thaw(made.provider).users then
    made:close()
    return nil, source.name .. ": its provider has no users, which this command lists"
  end
  return made
end

--- Creates the clients of the sources; ends the command if one cannot be created. A source whose secret is not
--- available has failed, which is reported, and the others go on; but not if a walk is continued, since its position
--- would be lost.
---@param sources rollcall.cli.Source[] changed in place: only those with a client remain
function Session:clients(sources)
  local left, problems, mistakes = {}, {}, {}
  for _, source in ipairs(sources) do
    local client, problem, is_secret = self:try_client(source)
    if client then
      source.client = client
      left[#left + 1] = source
    elseif not is_secret or self.args.resume then
      mistakes[#mistakes + 1] = problem
    else
      source.has_failed = true
      problems[#problems + 1], self.unavailable[#self.unavailable + 1] = problem, source
    end
  end
  if #mistakes > 0 or #left == 0 then
    failure.usage("%s", table.concat(#mistakes > 0 and mistakes or problems, "\n"))
  end
  for _, problem in ipairs(problems) do
    self:complain(problem)
  end
  for i = 1, #sources do
    sources[i] = left[i]
  end
end

-- -- the position of a walk -------------------------------------------------------------------------

function Session:take_signal(name, status)
  self.signal, self.signal_status = name, status
end

--- Between users: ends the command if a signal came, such as Ctrl-C.
function Session:look_at_signals()
  local name, status = core.terminal.caught()
  if name then
    self:take_signal(name, status)
    failure.raise(status)
  end
end

--- Before a wait: writes what there is.
function Session:idle(seconds)
  self.output:flush()
  self:save(false)
  self:draw(seconds)
end

--- Called now and then between users.
function Session:pulse()
  self:look_at_signals()
  if self.saving and core.now() >= self.saving.due then
    self.output:flush()
    self:save(false)
  end
  self:draw()
end

--- From now on the file of --resume is kept up to date with the walk's position.
---@param resume rollcall.cli.Resume
---@param parts fun(): table<string, string> the checkpoints of the sources
function Session:save_to(resume, parts)
  self.saving = { resume = resume, parts = parts, due = 0 }
  self.output.is_saved = true -- what the last checkpoint covers is valid
end

--- Writes the walk's position to the file of --resume, if it is time to.
---@param is_last boolean
function Session:save(is_last)
  local saving = self.saving
  if not saving or self.output.broken or (not is_last and core.now() < saving.due) then
    return
  end
  saving.due = core.now() + BETWEEN_SAVES
  self.saving = nil -- if it cannot be written, it is not tried again
  local good, problem = pcall(saving.resume.write, saving.resume, saving.parts())
  if not good then
    if not self.output:give_up() then
      self:complain "what was written in the last second or so comes again when the same command goes on"
    end
    error(problem, 0)
  end
  self.output:mark()
  self.saving = saving
end

--- Writes the last checkpoint, at the end of a walk.
function Session:save_last()
  if self.saving then
    self.output:flush()
    self:save(true)
  end
end

--- Says that a list of users is incomplete, and how to continue it.
---@param what string
function Session:tell_position(what)
  local without = {}
  for i, source in ipairs(self.unavailable) do
    without[i] = source.name
  end
  if self.args.command ~= "users" or self.count == 0 then
    self:complain(what)
  elseif #without > 0 then -- a checkpoint cannot cover these
    self:complain(("%s after %s, without %s: there is no checkpoint"):format(what, progress.count(self.count, "user"),
      table.concat(without, ", ")))
  elseif self.args.resume then
    self:complain(("%s; the same command goes on from %s"):format(what, self.args.resume))
  else
    local is_tied = self.args.format == "ndjson" or self.args.format == "csv"
    self:complain(("%s after %s. To go on behind them, write the next line to a file, and add %s--resume FILE to the "
      .. "command:\n%s"):format(what, progress.count(self.count, "user"), is_tied and "" or "--format ndjson ",
      self.checkpoint_of_all()))
  end
end

--- Writes what is left, and the last checkpoint. Called once, at the end of the command, however it ends.
function Session:finish()
  self:clear_progress()
  if not self.output.broken then
    if self.signal and self.on_signal then
      self.on_signal()
    end
    self.output:flush()
    self:save(true)
  end
end

return session
