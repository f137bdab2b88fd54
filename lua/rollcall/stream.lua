-- The stream: a script's handle on a walk. It reads from a source.

local core = require "rollcall.core"
local errors = require "rollcall.errors"
local path = require "rollcall.path"
local schema = require "rollcall.schema"
local sources = require "rollcall.source"

---@class rollcall.Stream users, one after the other; callable, so that `for user in stream` works
---@overload fun(): rollcall.User?, rollcall.Stream?
---@operator call: rollcall.User?
---@field provider string? the provider's name, if it walks only one
---@field account string? the account it walks, if the provider has accounts
---@field front { head: rollcall.Head } of its source
---@field loop rollcall.Loop
---@field source fun(): rollcall.Source a closure, so that printing a stream shows no token or secret
---@field unseen table<string, table> what `collect` or `count`, by method, had read when a user function raised
local methods = {}

-- The metatable of streams.
local Stream = { __index = methods, __name = "rollcall.stream" }

local stream = {}

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

-- Lua 5.4 closes the fourth value of a `for` on leaving the loop; on LuaJIT it would only be in the way.
local has_closing = _VERSION == "Lua 5.4"

--- Makes a stream.
---@param source rollcall.Source
---@param loop rollcall.Loop
---@param fields table? to set on it
---@return rollcall.Stream
function stream.new(source, loop, fields)
  -- The source leads to tokens and secrets: in a closure, so that printing a stream does not show them.
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

--- The values for a `for`: the stream or another iterator and, on Lua 5.4, the stream as the value closed on `break`.
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

--- Handles the result of `loop.wait` or `loop.turn`: an error ends the stream (such as that its task was cancelled).
local function heed(self, _, err)
  if err then
    local source = self.source()
    -- A copy: a loop may return one string, or one error, to many streams.
    err = errors.is(err) and errors.new(err.kind, err.message, err)
      or errors.new("closed", "the loop: " .. tostring(err))
    err.checkpoint = source:checkpoint()
    source:close()
    source.err = source.err or err
  end
end

--- Waits until a source may have news. If a finalizer closed the client meanwhile, there is nothing to wait for.
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

--- The next user for a `for`, which cannot receive an error as a result: it raises.
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
---@return rollcall.Error|rollcall.Stream|nil err or, in a merge, the stream the user came from
function methods:next()
  local user = self.front.head:next()
  if user ~= nil then
    return user
  end
  return advance(self)
end

--- A copy of the error with `before` and a checkpoint after it. Not a third result: LuaJIT's `assert` would raise that
--- instead.
local function with_before(self, err, before)
  err = errors.new(err.kind, err.message, err)
  err.before = before
  err.checkpoint = self.source():checkpoint() or err.checkpoint
  return err
end

--- Reads to the end by `read(self, kept)`, which returns the error, if any. Meanwhile checkpoints stay where they were.
--- If a user function raises, `kept` is reused by the next call of the method and checkpoints stay frozen.
---@param method string
---@param kept table empty result to fill
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
    self.unseen[method] = kept -- checkpoints stay frozen
  else
    if not good then -- another coroutine's call has raised meanwhile, too
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

--- All remaining users, in a list.
---@return rollcall.User[]? users
---@return rollcall.Error? err its `before` has the users that came before it
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

--- The next user; then the stream is closed.
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

--- The number of remaining users. They are walked, and none is kept.
---@return integer? count
---@return rollcall.Error? err its `before` is the number of users that came before it
function methods:count()
  local kept, err = read_on(self, "count", { count = 0 }, tally, function(kept, more)
    kept.count = kept.count + more.count
  end)
  if err then
    return nil, with_before(self, err, kept.count)
  end
  return kept.count
end

--- The values that the getters from the i-th on return for a user.
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

--- The getters of the fields with these names; raises at the caller of `values`.
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

--- The remaining users as values of some of their fields, for a `for`: a number, counted from 1 for each call of
--- `values`, and what `user[name]` would be for each of the names, 64 at most. A name may also be a JSON Pointer, or a
--- path such as "department.name". Cheaper than iterating users: no user is created if every name is a JSON field or
--- pointer and the walk is of one account, forward, and not filtered, mapped or limited by `take`.
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
    elseif type(user) ~= "table" and type(user) ~= "userdata" then -- from `map`
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
---@field token string? the page's own, as page_token takes it: a token, a URL or a number
---@field next string? that of the page after it; nil, too, if a limit was reached within this page
---@field previous string? that of the page before it
---@field total integer? the number of users, if the API states it in each page and the provider declares where

--- The remaining users page by page, for a `for`: a list (empty for an empty page) and what is known about the page.
--- Raises if the walk fails, after the users that came before the failure.
---@return fun(): rollcall.User[]?, rollcall.PageInfo? iterator and, on Lua 5.4, what a `for` closes
function methods:pages()
  local source = self.source()
  if not source.begin_page then
    error("pages: only a walk of one account has pages, before filter, map and take", 2)
  end
  --- Raises unless the walk came to its end or to a limit.
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
        ended() -- if the walk failed, it raises instead of returning an empty page
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

--- A source derived from another one: passes on what `pick` returns for each user, at most `left` results.
local Derived = {}
Derived.__index = Derived

function Derived:finish(reason, err)
  if not self.finished then
    self.finished, self.reason, self.err = true, reason, err
  end
end

--- Is this source, or any source it is derived from, closed?
local function is_closed(source)
  return source ~= nil and (source.reason == "closed" or is_closed(source.parent))
end

--- Is the walk that a user came from closed?
local function is_over(parent, extra)
  return is_closed(parent) or stream.is(extra) and is_closed(extra.source())
end

--- What `pick` returns for a user. It may wait, and another coroutine may poll meanwhile; if it raises, the user is
--- held for the next call. Nil if the walk is closed meanwhile: its checkpoint is before the user.
function Derived:pick_of(user, extra)
  self.picking = self.picking + 1
  local was_over = is_over(self.parent, extra) -- by a finalizer: its checkpoint is after the user
  local good, picked = pcall(self.pick, user)
  if good then
    if not was_over and is_over(self.parent, extra) then
      picked = nil
    end
    self.picking = self.picking - 1 -- only now: until then the user is held
    return picked
  end
  table.insert(self.held, { user, extra })
  self.picking = self.picking - 1
  local one = self
  repeat -- another coroutine may have come to the end meanwhile
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
      table.remove(self.held, 1) -- the checkpoint is before that user
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
    elseif not self.held[1] then -- no `pick` has raised meanwhile
      if parent.finished then
        self:finish(parent.reason, parent.err)
      end
      return nil, extra
    end
    if picked ~= nil and self.left == 0 then -- another coroutine has taken the last one meanwhile
      table.insert(self.held, { user, extra })
    elseif picked ~= nil then
      self.left = self.left and self.left - 1
      return picked, extra
    end
    if self.turn then -- otherwise a filter that drops every user would starve the loop
      local _, err = self.turn()
      if err then
        return nil, 0 -- the stream then waits, and gets the error itself
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

--- Has its parent given a user that the script has not seen yet, because `pick` has not returned, or has raised?
function Derived:holds()
  return self.held[1] ~= nil or self.picking > 0 or self.holder ~= nil and self.holder:holds(self)
end

local function derive(self, pick, left)
  local source = { parent = self.source(), pick = pick, left = left, front = sources.empty_front, finished = false,
    held = {}, -- users for which `pick` raised, each with its `extra`
    picking = 0, -- calls of `pick` in progress
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

--- What `f(user)` returns for each user; a user for which it returns nil is left out.
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

--- Where the walk stands, after the user that was given last: a line of text that the query option `resume` takes, in
--- another process too. It is bound to the provider, the account and the filters.
---@return string
function methods:checkpoint()
  local text = self.source():checkpoint()
  if not text then
    error("checkpoint: ask each of the merged streams for its own", 2)
  end
  return text
end

--- Why the stream has ended: "exhausted", "limit", "budget", "loop", "error" or "closed"; nil if it has not ended.
---@return string?
function methods:reason()
  return self.source().reason
end

---@class rollcall.Stats
---@field users integer given so far
---@field pages integer that have come so far
---@field requests integer sent; each attempt counts
---@field retries integer
---@field waits number seconds spent waiting for retries and rate limits
---@field bytes integer received on the wire, by requests that have ended
---@field total integer? the number of users that the last page states, if the provider declares where; for a merge the
---  sum, if it is known of each stream

--- What the walk has cost so far.
---@return rollcall.Stats
function methods:stats()
  return self.source():statistics()
end

--- Ends the walk and cancels its requests. Closing twice is harmless.
function methods:close()
  self.source():close()
  if self.loop.wake then
    self.loop.wake()
  end
end

-- A '.' in place of the ':' would otherwise raise "attempt to index a nil value" inside rollcall.
for name, method in pairs(methods) do
  methods[name] = function(self, ...)
    if not stream.is(self) then
      error(("%s: call it with ':', as in stream:%s()"):format(name, name), 2)
    end
    return method(self, ...) -- a tail call: methods find their caller by counting levels
  end
end

return stream
