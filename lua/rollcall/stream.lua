-- The stream: what a script holds of a walk. It stands on a source.

local core = require "rollcall.core"
local errors = require "rollcall.errors"
local path = require "rollcall.path"
local schema = require "rollcall.schema"
local sources = require "rollcall.source"

---@class rollcall.Stream users, one after the other; callable, so that `for user in stream` works
---@overload fun(): rollcall.User?, rollcall.Stream?
---@operator call: rollcall.User?
---@field provider string? the provider's name, for a walk of one
---@field account string? the account it walks, where the provider has accounts
local methods = {}

-- Its metatable.
local Stream = { __index = methods, __name = "rollcall.stream" }

local stream = {}

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

-- Lua 5.4 closes the fourth value of a `for` when it is left; on LuaJIT it would only be in the way.
local has_closing = _VERSION == "Lua 5.4"

--- Makes a stream.
---@param source rollcall.Source
---@param loop rollcall.Loop
---@param fields table? to set on it
---@return rollcall.Stream
function stream.new(source, loop, fields)
  -- The source leads to tokens and secrets: behind a function whoever prints a stream does not meet them.
  local self = { front = source.front, loop = loop, unseen = {}, source = function()
    return source
  end }
  for name, value in pairs(fields or {}) do
    self[name] = value
  end
  return setmetatable(self, Stream)
end

function stream.is(value)
  return getmetatable(value) == Stream
end

--- What a `for` takes: the stream or another iterator, and on Lua 5.4 the stream as what is closed on `break`.
---@param self rollcall.Stream
---@param iterator function?
function stream.iterator(self, iterator)
  if has_closing then
    return iterator or self, nil, nil, self
  end
  return iterator or self
end

local function closed(self)
  return errors.new("closed", "the stream was closed", { provider = self.provider,
    checkpoint = self.source():checkpoint() })
end

--- What a loop answers that was to wait, or to have its turn. Where it refused to, since the task was cancelled, the
--- stream ends.
local function heed(self, _, err)
  if err then
    local source = self.source()
    -- Its own object: a loop may answer one text, or one error, to many streams.
    err = errors.is(err) and errors.new(err.kind, err.message, err)
      or errors.new("closed", "the loop: " .. tostring(err))
    err.checkpoint = source:checkpoint()
    source:close()
    source.err = source.err or err
  end
end

--- Waits until there is news of a source. Where its client was closed, by a finalizer since it was asked, there is.
local function wait_for(self, source, seconds)
  local engines = source:engines()
  if engines[1] then
    heed(self, self.loop.wait(engines, seconds, self))
  end
end

--- Waits until there is a user or an end.
local function advance(self)
  local source, loop = self.source(), self.loop
  while true do
    if loop.turn and not source.finished then
      heed(self, loop.turn(self))
    end
    if source.finished then
      return nil, source.err or (source.reason == "closed" and closed(self) or nil)
    end
    local user, extra = source:poll()
    if user ~= nil then
      return user, extra
    end
    if not source.finished then
      wait_for(self, source, extra)
    end
  end
end

--- The next user for a `for`, which has no way to answer an error: it raises.
function Stream.__call(self)
  local user = self.front.head:next()
  if user ~= nil then
    return user
  end
  local extra
  user, extra = advance(self)
  if user == nil and extra then
    error(extra, 0)
  end
  return user, extra
end

function Stream.__tostring(self)
  local of = self.provider and (" of %s%s"):format(self.provider, self.account and " " .. self.account or "") or ""
  return "rollcall.stream" .. of
end

function Stream.__close(self)
  methods.close(self)
end

--- The next user; nil at the end; nil and an error.
---@return rollcall.User? user
---@return rollcall.Error|rollcall.Stream|nil err or, in a merge, the stream that the user came from
function methods:next()
  local user = self.front.head:next()
  if user ~= nil then
    return user
  end
  return advance(self)
end

--- An error that has what came before it, and a checkpoint behind that: not a value behind it, which LuaJIT's assert
--- would raise in its place.
local function with_before(self, err, before)
  err = errors.new(err.kind, err.message, err)
  err.before = before
  err.checkpoint = self.source():checkpoint() or err.checkpoint
  return err
end

--- Reads to the end: read(self, kept) answers the error, if any. Checkpoints stay before it until it answers. Should a
--- function of the script's own raise, what was kept is there for the next call of the same method, and they stay.
---@param method string
---@param kept table of nobody yet
---@param read fun(self: rollcall.Stream, kept: table): rollcall.Error?
---@param add fun(kept: table, more: table)
---@return table kept
---@return rollcall.Error? err
local function read_on(self, method, kept, read, add)
  local source, before = self.source(), self.unseen[method]
  source:freeze(source:mark())
  kept = before or kept
  self.unseen[method] = nil
  local good, err = pcall(read, self, kept)
  if not good and not self.unseen[method] then
    self.unseen[method] = kept -- frozen
  else
    if not good then -- another coroutine has raised meanwhile, too
      add(self.unseen[method], kept)
    end
    source:thaw()
  end
  if before then
    source:thaw()
  end
  if not good then
    error(err, 0)
  end
  return kept, err
end

local function fill(self, list)
  local n = #list
  while true do
    local user, err = self:next()
    if user == nil then
      return err
    end
    n = n + 1
    list[n] = user
  end
end

--- All users that are left, in a list.
---@return rollcall.User[]? users
---@return rollcall.Error? err its `before` are the users that came before it
function methods:collect()
  local list, err = read_on(self, "collect", {}, fill, function(list, more)
    for _, user in ipairs(more) do
      list[#list + 1] = user
    end
  end)
  if err then
    return nil, with_before(self, err, list)
  end
  return list
end

--- The next user, and no more: the stream is closed.
---@return rollcall.User? user
---@return rollcall.Error? err
function methods:first()
  local user, err = self:next()
  self:close()
  if user == nil then
    return nil, err
  end
  return user
end

local function tally(self, kept)
  while true do
    local user, err = self:next()
    if user == nil then
      return err
    end
    kept.count = kept.count + 1
  end
end

--- How many users are left. They are walked, and none is kept.
---@return integer? count
---@return rollcall.Error? err its `before` is how many came before it
function methods:count()
  local kept, err = read_on(self, "count", { count = 0 }, tally, function(kept, more)
    kept.count = kept.count + more.count
  end)
  if err then
    return nil, with_before(self, err, kept.count)
  end
  return kept.count
end

--- The values that the getters from the i-th on make of a user.
local function read(getters, user, i)
  local first, second, third, more = getters[i], getters[i + 1], getters[i + 2], getters[i + 3]
  if more then
    return first(user), second(user), third(user), read(getters, user, i + 3)
  elseif third then
    return first(user), second(user), third(user)
  elseif second then
    return first(user), second(user)
  end
  return (first(user))
end

--- What gives the values of fields of these names; raises for the caller of `values`.
local function getters_of(names, count)
  if count == 0 or count > core.most_values then
    error(("values: expected the names of 1 to %d fields, got %d"):format(core.most_values, count), 3)
  end
  local getters = {}
  for i = 1, count do
    local is_name, limit = path.is_name(names[i])
    if not is_name then
      error(("values: %d: expected the name of a field%s, got %s"):format(i, limit, schema.show(names[i])), 3)
    end
    getters[i] = path.compile(names[i])
  end
  return getters
end

--- The rest of the users as values of some of their fields, for a `for`: a number, counted from 1 each time, and what
--- `user[name]` would give for each of the names, 64 at most. A name may also be a JSON Pointer, or a path such as
--- "department.name". It costs less than a user, who is not made where all names are of fields that are in the JSON, or
--- JSON Pointers, and the walk is one of one account, forwards, and not behind filter, map or take.
---@param ... string names of fields
---@return fun(): (integer?, ...any) iterator and, on Lua 5.4, what a `for` closes
function methods:values(...)
  local names = { ... }
  local getters = getters_of(names, select("#", ...))
  local source, front = self.source(), self.front
  local selection = source.selection and source:selection(names)
  local n = 0
  local function give(given, ...)
    if given then
      n = n + 1
      return n, ...
    end
    local user, err
    if not selection then
      user = front.head:next()
    end
    if user == nil then
      user, err = advance(self)
    end
    if user == nil then
      if err then
        error(err, 0)
      end
      return nil
    elseif type(user) ~= "table" and type(user) ~= "userdata" then -- of a map
      error("values: expected users or tables, got a " .. type(user), 2)
    end
    n = n + 1
    return n, read(getters, user, 1)
  end
  return stream.iterator(self, selection and function()
    return give(front.head:values(selection))
  end or function()
    return give()
  end)
end

---@class rollcall.PageInfo
---@field number integer from 1
---@field token string? the page's own: what page_token takes, such as a token, a URL, a number
---@field next string? that of the page after it; nil, too, where a limit was reached in this one's middle
---@field previous string? that of the page before it
---@field total integer? how many users there are, where the API says so with each page and the provider declares where

--- The rest of the users page by page, for a `for`: a list (empty for an empty page) and what is
--- known about the page. Raises where the walk fails, after the users that came.
---@return fun(): rollcall.User[]?, rollcall.PageInfo? iterator and, on Lua 5.4, what a `for` closes
function methods:pages()
  local source = self.source()
  if not source.begin_page then
    error("pages: only a walk of one account has pages, before filter, map and take", 2)
  end
  --- Raises where the walk ended otherwise than at its end, or at a limit.
  local function ended()
    if source.err or source.reason == "closed" then
      error(source.err or closed(self), 0)
    end
  end
  return stream.iterator(self, function()
    local list
    while true do
      list = source:begin_page() -- again after each wait: another coroutine may have taken the page
      if source.finished and #list == 0 then
        ended() -- a page of nobody is none, then
      end
      local user, wait = source.front.head:next(), nil
      if user == nil then
        if self.loop.turn and not source.finished then
          heed(self, self.loop.turn(self))
          list = source:begin_page()
        end
        if source.page_end then
          return list, source:end_page()
        elseif source.finished then
          return ended()
        end
        user, wait = source:poll()
        if user ~= nil then
          list = source:begin_page(true)
        end
      end
      if user ~= nil then
        list[#list + 1] = user
      elseif not source.page_end and not source.finished then
        wait_for(self, source, wait)
      end
    end
  end)
end

--- A source that stands on another one: passes on what `pick` makes of each user, at most `left`.
local Derived = {}
Derived.__index = Derived

function Derived:finish(reason, err)
  if not self.finished then
    self.finished, self.reason, self.err = true, reason, err
  end
end

--- Was a source closed, or one that it stands on?
local function is_closed(source)
  return source ~= nil and (source.reason == "closed" or is_closed(source.parent))
end

--- Is the walk closed that a user came from?
local function is_over(parent, extra)
  return is_closed(parent) or stream.is(extra) and is_closed(extra.source())
end

--- What `pick` makes of a user. It may wait, and another coroutine may come by meanwhile; where it raises, the user is
--- held for the next call. Nil where the walk is closed meanwhile: its checkpoint has the user to come.
function Derived:pick_of(user, extra)
  self.picking = self.picking + 1
  local was_over = is_over(self.parent, extra) -- by a finalizer: its checkpoint is behind the user
  local good, picked = pcall(self.pick, user)
  if good then
    if not was_over and is_over(self.parent, extra) then
      picked = nil
    end
    self.picking = self.picking - 1 -- not before: until then the user is held
    return picked
  end
  table.insert(self.held, { user, extra })
  self.picking = self.picking - 1
  local one = self
  repeat -- another coroutine has come to the end meanwhile
    if one.reason ~= "closed" then
      one.finished, one.reason, one.err = false, nil, nil
    end
    one = one.holder
  until getmetatable(one) ~= Derived
  error(picked, 0)
end

function Derived:poll()
  local parent = self.parent
  while self.left ~= 0 do
    local user, extra
    if self.held[1] and is_over(parent, self.held[1][2]) then
      table.remove(self.held, 1) -- the checkpoint has that user to come
    elseif self.held[1] then
      user, extra = unpack(table.remove(self.held, 1), 1, 2)
    else
      user = parent.front.head:next()
    end
    if user == nil then
      user, extra = parent:poll()
    end
    local picked
    if user ~= nil then
      picked = self:pick_of(user, extra)
    elseif not self.held[1] then -- nobody's `pick` has raised meanwhile
      if parent.finished then
        self:finish(parent.reason, parent.err)
      end
      return nil, extra
    end
    if picked ~= nil and self.left == 0 then -- another coroutine has got the last one meanwhile
      table.insert(self.held, { user, extra })
    elseif picked ~= nil then
      self.left = self.left and self.left - 1
      return picked, extra
    end
    if self.turn then -- or it would not come to it where all users are left out
      local _, err = self.turn()
      if err then
        return nil, 0 -- the stream waits, and is refused in its turn
      end
    end
  end
  parent:close()
  self:finish("limit")
  return nil
end

function Derived:engines()
  return self.parent:engines()
end

function Derived:close()
  self.parent:close()
  if not self.finished then
    self:finish("closed")
  end
end

function Derived:statistics()
  return self.parent:statistics()
end

function Derived:checkpoint()
  return self.parent:checkpoint()
end

function Derived:resume_point()
  return self.parent:resume_point()
end

function Derived:mark()
  return self.parent:mark()
end

function Derived:freeze(mark)
  self.parent:freeze(mark)
end

function Derived:thaw()
  self.parent:thaw()
end

--- Has its parent given a user that the script has not seen yet, since `pick` has not answered, or raised?
function Derived:holds()
  return self.held[1] ~= nil or self.picking > 0 or self.holder ~= nil and self.holder:holds(self)
end

local function derive(self, pick, left)
  local source = { parent = self.source(), pick = pick, left = left, front = sources.empty_front, finished = false,
    held = {}, -- users for which `pick` raised, and what belongs to each
    picking = 0, -- calls of it under way
    turn = self.loop.turn and function()
      return self.loop.turn(self)
    end }
  setmetatable(source, Derived)
  local before = self.source().holder
  if getmetatable(before) == Derived then
    source.held, before.held = before.held, source.held
  end
  self.source().holder = source
  return stream.iterator(stream.new(source, self.loop, { provider = self.provider, account = self.account }))
end

local function check_function(value, name)
  if type(value) ~= "function" then
    error(("%s: expected a function of a user, got a %s"):format(name, type(value)), 3)
  end
end

--- The users for which `f(user)` is true.
---@param f fun(user: rollcall.User): any
---@return rollcall.Stream
function methods:filter(f)
  check_function(f, "filter")
  return derive(self, function(user)
    if f(user) then
      return user
    end
  end)
end

--- What `f(user)` makes of each user; where it makes nil of one, that one is left out.
---@param f fun(user: rollcall.User): any
---@return rollcall.Stream
function methods:map(f)
  check_function(f, "map")
  return derive(self, f)
end

local function itself(user)
  return user
end

--- The first n users; then the walk is closed.
---@param n integer
---@return rollcall.Stream
function methods:take(n)
  if type(n) ~= "number" or n < 0 or n ~= math.floor(n) then
    error("take: expected a whole number of users, got " .. schema.show(n), 2)
  end
  return derive(self, itself, n)
end

--- Where the walk stands, after the user that was given last: a line of text that the query option
--- `resume` takes, in another process too. It is bound to the provider, the account and the filters.
---@return string
function methods:checkpoint()
  local text = self.source():checkpoint()
  if not text then
    error("checkpoint: ask each of the merged streams for its own", 2)
  end
  return text
end

--- Why the stream has ended: "exhausted", "limit", "budget", "loop", "error" or "closed"; nil while
--- it goes on.
---@return string?
function methods:reason()
  return self.source().reason
end

---@class rollcall.Stats
---@field users integer given so far
---@field pages integer begun so far
---@field requests integer sent, each attempt counted
---@field retries integer
---@field waits number seconds spent waiting for retries and rate limits
---@field bytes integer received on the wire, for requests that have ended
---@field total integer? how many users there are, as the last page says of a provider that declares where; of a merge
---  the sum, where each has told

--- What the walk has cost so far.
---@return rollcall.Stats
function methods:stats()
  return self.source():statistics()
end

--- Ends the walk and cancels what is under way. Closing twice is harmless.
function methods:close()
  self.source():close()
  if self.loop.wake then
    self.loop.wake()
  end
end

-- A '.' in place of the ':' would else be "attempt to index a nil value", in here.
for name, method in pairs(methods) do
  methods[name] = function(self, ...)
    if not stream.is(self) then
      error(("%s: call it with ':', as in stream:%s()"):format(name, name), 2)
    end
    return method(self, ...) -- a tail call: it names its caller by counting levels
  end
end

return stream
