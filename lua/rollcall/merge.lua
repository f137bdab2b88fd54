-- Several streams as one: users in the order of their arrival, each with the stream it came from.

local checkpoint = require "rollcall.checkpoint"
local query = require "rollcall.query"
local schema = require "rollcall.schema"
local sources = require "rollcall.source"
local stream = require "rollcall.stream"

---@class rollcall.MergeOptions
---@field concurrency integer? how many streams are walked at a time, 16 by default
---@field on_error "raise"|"skip"|(fun(err: rollcall.Error, source: rollcall.Stream))|nil
---  what happens when a stream fails: "raise" ends the merge at once, "skip" leaves out the rest of that stream, a
---  function is called with the error and the others go on. By default the others are walked to their end, and then
---  the first error is raised
---@field limit integer? stop after this many users

---@class rollcall.Merge: rollcall.Source
---@field all rollcall.Stream[]
---@field next_waiting integer index in `all` of the next stream to begin
---@field active rollcall.Stream[] those that are walked now
---@field turn integer index in `active` of the stream whose turn it is
---@field taken integer users of that stream in this turn
---@field users integer given so far
---@field polls integer rounds of `poll`; a changed count reveals a nested poll from a hook
---@field concurrency integer
---@field on_error "raise"|"skip"|(fun(err: rollcall.Error, source: rollcall.Stream))|nil see rollcall.MergeOptions
---@field limit integer?
---@field names string[]? of the streams, in a checkpoint; nil for streams that a script has merged
---@field last rollcall.Source? the one that gave the last user
---@field first_err rollcall.Error? without `on_error`: raised at the end
local Merge = {}
Merge.__index = Merge

local merge = {}

-- Users that one stream may give in a row before the next one has its turn.
local TURN = 32
-- Engines that one wait can take, and its longest duration in seconds if there are more.
local MAX_ENGINES = 64
local SHORT_WAIT = 0.05

local options_schema = { type = "table", fields = {
  concurrency = query.multi_account_options.concurrency,
  on_error = query.multi_account_options.on_error,
  limit = { type = "integer", min = 0 },
} }

--- Makes the merge of a list of streams.
---@param streams rollcall.Stream[]
---@param options rollcall.MergeOptions?
---@param loop rollcall.Loop
---@param names string[]? of the streams, in a checkpoint
---@return rollcall.Stream
function merge.new(streams, options, loop, names, provider)
  options = options or {}
  local self = setmetatable({
    front = sources.empty_front,
    finished = false,
    all = {},
    next_waiting = 1,
    active = {},
    turn = 1,
    taken = 0,
    users = 0,
    polls = 0,
    concurrency = options.concurrency or 16,
    on_error = options.on_error,
    limit = options.limit,
    names = names,
  }, Merge)
  for i, one in ipairs(streams) do
    self.all[i] = one
    one.source().holder = self
  end
  return stream.new(self, loop, { provider = provider })
end

--- Checks the arguments of the public rollcall.merge; raises at `level`.
---@param streams any
---@param options any
---@param level integer
function merge.check(streams, options, level)
  if type(streams) ~= "table" or stream.is(streams) then
    error(("merge: expected a list of streams, got %s"):format(
      stream.is(streams) and "a stream; as in merge { one, other }" or schema.show(streams)), level + 1)
  end
  local problem = schema.check(options or {}, options_schema)[1]
  if problem then
    error("merge: " .. problem, level + 1)
  end
  local places = {}
  for i, one in ipairs(streams) do
    if not stream.is(one) then
      error(("merge: %d: expected a stream, got a %s"):format(i, type(one)), level + 1)
    elseif places[one] then
      error(("merge: %d: the same stream as %d"):format(i, places[one]), level + 1)
    end
    local loop, first = one.loop, streams[1].loop
    if loop ~= first and (loop.spawn or first.spawn) then -- a wait by a built-in loop blocks the other loop
      error(("merge: %d: its client waits by another loop than that of 1"):format(i), level + 1)
    end
    places[one] = i
  end
  for key, value in pairs(streams) do
    -- On Lua 5.4 `{ a:users(), b:users() }` ends with the closing value of the last call: the same stream again,
    -- after two nils.
    if not places[value] then
      error(("merge: %s: expected a list of streams, with nothing missing before this one"):format(tostring(key)),
        level + 1)
    end
  end
end

--- The result of this method of all its streams' sources, as one checkpoint; nil for streams that a script has merged,
--- which have no names.
local function parts_of(self, method)
  if not self.names then
    return nil
  end
  local parts = {}
  for i, name in ipairs(self.names) do
    local source = self.all[i].source()
    parts[name] = source[method](source)
  end
  return checkpoint.encode_parts(parts)
end

---@return string?
function Merge:checkpoint()
  return parts_of(self, "checkpoint")
end

---@return string?
function Merge:resume_point()
  return parts_of(self, "resume_point")
end

--- The checkpoints of all its streams.
function Merge:mark()
  local marks = {}
  for i, one in ipairs(self.all) do
    marks[i] = one.source():mark()
  end
  return marks
end

function Merge:freeze(marks)
  for i, one in ipairs(self.all) do
    one.source():freeze(marks[i])
  end
end

function Merge:thaw()
  for _, one in ipairs(self.all) do
    one.source():thaw()
  end
end

--- Is the user given last from this source, and still withheld from the script?
function Merge:holds(source)
  return self.last == source and self.holder ~= nil and self.holder:holds(self)
end

function Merge:finish(reason, err)
  if err and self.names then
    err.checkpoint = self:resume_point()
  end
  self.finished, self.reason, self.err = true, err and sources.reason_of(err) or reason, err
  for i = 1, #self.all do
    self.all[i]:close()
  end
end

--- The index of an active stream; nil if it is no longer active, because a hook that it called polled the merge.
function Merge:active_index(one)
  for index, other in ipairs(self.active) do
    if other == one then
      return index
    end
  end
end

--- Removes a stream that has ended from the active ones, and treats its error, if any, as `on_error` says.
function Merge:retire(one)
  local index = self:active_index(one)
  if not index then
    return
  end
  table.remove(self.active, index)
  local err = one.source().err
  if err then
    if self.on_error == "raise" then
      self:finish("error", err)
    elseif type(self.on_error) == "function" then
      self.on_error(err, one)
    elseif not self.on_error then
      self.first_err = self.first_err or err
    end
  end
end

--- Drives all engines once a round: polling a stream drives only its own.
function Merge:drive()
  for _, engine in ipairs((self:engines())) do
    engine:drive()
  end
end

function Merge:fill()
  while #self.active < self.concurrency and self.all[self.next_waiting] do
    self.active[#self.active + 1] = self.all[self.next_waiting]
    self.next_waiting = self.next_waiting + 1
  end
end

--- A user from one stream, without waiting; or nil and the seconds that it wants to wait at most.
local function try(one)
  local source = one.source()
  local user = source.front.head:next()
  if user ~= nil then
    return user
  end
  return source:poll()
end

function Merge:poll()
  if self.limit and self.users >= self.limit then
    self:finish("limit")
    return nil
  end
  local wake = sources.FOREVER
  local idle = 0 -- streams in a row that had nothing
  self.polls = self.polls + 1
  local polls = self.polls
  self:fill()
  while not self.finished do
    if #self.active == 0 then
      self:finish("exhausted", self.first_err)
      return nil
    end
    if self.turn > #self.active then
      self.turn, self.taken = 1, 0
      self:drive()
    end
    local one = self.active[self.turn]
    local user, wait = try(one)
    if user ~= nil then
      self.users = self.users + 1
      self.last = one.source()
      self.taken = self.taken + 1
      if self.taken >= TURN then
        self.turn, self.taken = self.turn + 1, 0
      end
      return user, one
    end
    self.taken = 0
    if one.source().finished then
      self:retire(one)
      self:fill()
      idle = 0
    elseif self.polls ~= polls then -- a nested poll has asked others meanwhile; they may have more now
      polls, idle, wake = self.polls, 0, sources.FOREVER
    else
      wake = math.min(wake, wait or 0)
      self.turn = self.turn + 1
      idle = idle + 1
      if idle >= #self.active then
        local _, is_cut = self:engines()
        return nil, is_cut and math.min(wake, SHORT_WAIT) or wake
      end
    end
  end
  return nil
end

--- The engines to wait on.
---@return rollcall.Engine[] engines
---@return boolean is_cut there are more, which one wait cannot take
function Merge:engines()
  local list, known, is_cut = {}, {}, false
  for _, one in ipairs(self.active) do
    for _, engine in ipairs(one.source():engines()) do
      if not known[engine] then
        known[engine] = true
        is_cut = is_cut or #list == MAX_ENGINES
        list[#list + 1] = not is_cut and engine or nil
      end
    end
  end
  return list, is_cut
end

function Merge:close()
  if not self.finished then
    self:finish("closed")
  end
end

function Merge:statistics()
  local sum = { users = 0, pages = 0, requests = 0, retries = 0, waits = 0, bytes = 0 }
  local total = #self.all > 0 and 0 or nil -- stays a number if every stream knows its own
  for _, one in ipairs(self.all) do
    local stats = one:stats()
    for name in pairs(sum) do
      sum[name] = sum[name] + stats[name]
    end
    total = total and stats.total and total + stats.total
  end
  sum.total = total
  return sum
end

return merge
