-- The walk over the users of all sources, as they arrive: failures are reported, and the other sources go on.

local checkpoint = require "rollcall.checkpoint"
local core = require "rollcall.core"
local failure = require "rollcall.cli.failure"
local progress = require "rollcall.cli.progress"
local query = require "rollcall.cli.query"
local rollcall = require "rollcall"
local tables = require "rollcall.tables"

local SHOWN_ERRORS = 5 -- of one source: all its accounts may fail for the same reason
local PULSE = 64 -- users between two checks of signals and the clock

---@class rollcall.cli.WalkOptions
---@field filters table<string, string[]>? for the providers that have them
---@field page_size integer?
---@field limit integer? most users of the walk, if it has one source
---@field resume rollcall.cli.Resume?
---@field output table<string, string>? the options that a printed checkpoint is bound to

---@class rollcall.cli.Walk
---@field session rollcall.cli.Session
---@field sources rollcall.cli.Source[] with their clients
---@field options rollcall.cli.WalkOptions
---@field saved table<string, string>? the checkpoints to continue from, by source
---@field failures integer of sources
---@field errors table<rollcall.cli.Source, integer> number of errors
---@field spent table<rollcall.cli.Source, boolean> sources whose budget is used up
---@field streams rollcall.Stream[] of the sources
---@field by_stream table<rollcall.Stream, rollcall.cli.Source>
local Walk = {}
Walk.__index = Walk

--- Counts and reports a failure of a source, or of one of its accounts.
---@param err rollcall.Error
---@param source rollcall.cli.Source
function Walk:fail(err, source)
  self.failures = self.failures + (source.has_failed and 0 or 1)
  source.has_failed = true
  if err.kind == "budget" and self.spent[source] then
    return -- all its accounts share the budget
  end
  self.spent[source] = err.kind == "budget" or self.spent[source]
  self.errors[source] = (self.errors[source] or 0) + 1
  if self.errors[source] <= SHOWN_ERRORS then
    self.session:report(err, source)
  end
end

--- Ends the command if the checkpoints are of other sources.
function Walk:check_saved()
  local is_known, name_of_file = {}, self.options.resume.name
  for _, source in ipairs(self.sources) do
    is_known[source.name] = true
  end
  for _, name in ipairs(tables.keys(self.saved)) do
    if not is_known[name] then
      failure.usage("--resume: %s is of a walk with %s, too; name the sources that it was of", name_of_file, name)
    end
  end
  for _, source in ipairs(self.sources) do
    if not self.saved[source.name] then
      failure.usage("--resume: %s is of a walk without %s; name the sources that it was of, or another file",
        name_of_file, source.name)
    end
  end
end

--- What each source is asked for. Says which options a source does not have; ends the command if no source has one.
---@return table[]
function Walk:queries()
  local options = self.options
  local filters, queries, notices = options.filters or {}, {}, {}
  local is_known, takes_size = {}, options.page_size == nil
  for i, source in ipairs(self.sources) do
    local asked, taken = query.of(source, filters)
    queries[i] = asked
    if options.limit and #self.sources == 1 then
      asked.limit = type(asked.limit) == "number" and math.min(asked.limit, options.limit) or options.limit
    end
    if options.page_size then
      asked.page_size, notices[#notices + 1] = query.page_size(source, options.page_size)
      takes_size = takes_size or asked.page_size ~= nil
    end
    for name in pairs(filters) do
      if taken[name] then
        is_known[name] = true
      else
        notices[#notices + 1] = ("%s has no filter %s: all its users are listed"):format(source.name, name)
      end
    end
  end
  local unknown = {}
  for _, name in ipairs(tables.keys(filters)) do
    unknown[#unknown + 1] = not is_known[name] and name or nil
  end
  if #unknown > 0 then
    failure.usage("no source here has a filter %s", table.concat(unknown, ", nor one "))
  elseif not takes_size then
    failure.usage("--page-size: no source here takes one")
  end
  table.sort(notices)
  for _, notice in ipairs(notices) do
    self.session:say(notice)
  end
  return queries
end

function Walk:open_streams()
  if self.saved then
    self:check_saved()
  end
  local queries = self:queries()
  for i, source in ipairs(self.sources) do
    local asked = queries[i]
    asked.resume = self.saved and self.saved[source.name]
    local _, list = query.list_option(source)
    asked.on_error = list and function(err)
      self:fail(err, source)
    end
    local stream = query.stream(source, asked)
    self.streams[i], self.by_stream[stream] = stream, source
  end
end

--- The checkpoint of each source, by name.
---@return table<string, string>
function Walk:checkpoints()
  local parts = {}
  for i, source in ipairs(self.sources) do
    parts[source.name] = self.streams[i]:checkpoint()
  end
  return parts
end

--- Has the session show the walk's progress, and save its position.
function Walk:attend()
  local session, options, watched = self.session, self.options, {}
  for i, source in ipairs(self.sources) do
    watched[i] = { name = source.name, stats = function()
      return self.streams[i]:stats()
    end }
  end
  session:watch(watched)
  local function checkpoints()
    return self:checkpoints()
  end
  function session.checkpoint_of_all()
    return checkpoint.encode_parts(checkpoints(), options.output)
  end
  if options.resume then
    session:save_to(options.resume, checkpoints)
  end
end

--- Calls visit(user, source) for each user, until it returns true.
function Walk:run(visit)
  local session = self.session
  local users = rollcall.merge(self.streams, { on_error = function(err, stream)
    self:fail(err, self.by_stream[stream])
  end })
  while true do
    local user, stream = users:next()
    if user == nil then
      if stream then
        error(stream, 0)
      end
      break
    end
    session.count = session.count + 1
    if visit(user, self.by_stream[stream]) then
      break
    end
    if session.count % PULSE == 0 then
      session:pulse()
    end
  end
end

--- Reports fewer users than a server counts, and the number of errors that were not shown.
function Walk:tell_rest()
  local session = self.session
  for i, source in ipairs(self.sources) do
    local stream = self.streams[i]
    local stats = stream:stats()
    source.is_cut = stream:reason() ~= "exhausted"
    if not (self.saved or source.has_failed or source.is_cut) and (stats.total or 0) > stats.users then
      session:say(("%s: its server counts %s, and %s came"):format(source.name, progress.count(stats.total, "user"),
        progress.number(stats.users)))
    end
    local more = (self.errors[source] or 0) - SHOWN_ERRORS
    if more > 0 then
      session:complain(("%s: %s failed, too"):format(source.name, progress.count(more, "more account")))
    end
  end
end

local walk = {}

--- Calls visit(user, source) for each user of the sources, as they arrive, until it returns true. A source that fails
--- is reported, and the others go on.
---@param session rollcall.cli.Session
---@param sources rollcall.cli.Source[] with their clients
---@param options rollcall.cli.WalkOptions
---@param visit fun(user: rollcall.User, source: rollcall.cli.Source): boolean?
---@return integer count of users
---@return integer failures of sources
function walk.run(session, sources, options, visit)
  local self = setmetatable({
    session = session,
    sources = sources,
    options = options,
    saved = options.resume and options.resume.parts,
    failures = #session.unavailable,
    errors = {},
    spent = {},
    streams = {},
    by_stream = {},
  }, Walk)
  self:open_streams()
  self:attend()
  if session.on_begin then
    session.on_begin()
  end
  core.terminal.catch() -- not before: a wait for a file or a program would not notice a signal
  self:run(visit)
  session:clear_progress()
  self:tell_rest()
  session:save_last() -- so that output and checkpoint end with the same user, whatever signal comes now
  core.terminal.release() -- from here on a signal ends the process at once
  session:look_at_signals()
  return session.count, self.failures
end

return walk
