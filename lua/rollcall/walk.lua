-- A walk over the pages of one collection. It never blocks: `poll` does what can be done now and
-- says how long to wait at most. Streams stand on it.
--
-- Two pages at least are alive at a time: the one that is read, and those asked for ahead. A page's
-- request leaves as soon as its position is known, that is when the last byte of the page before it
-- has arrived, before that page's users are read.

local core = require "rollcall.core"
local errors = require "rollcall.errors"
local exchange = require "rollcall.exchange"
local paging_types = require "rollcall.paging"
local url = require "rollcall.url"

---@class rollcall.Page
---@field position rollcall.Position
---@field number integer from 1
---@field asked rollcall.Exchange
---@field settled boolean the body has ended, and what comes next is known
---@field next rollcall.Position? once settled
---@field err rollcall.Error? what went wrong after the users that are there

---@class rollcall.Walk
---@field head { next: fun(self): userdata? } what gives the next user at once, or nil
---@field finished boolean
---@field err rollcall.Error? why it ended, if not well
---@field reason string?
local Walk = {}
Walk.__index = Walk

local walk = {}

local nobody = { next = function() end }

---@class rollcall.WalkSpec
---@field collection rollcall.ProviderCollection
---@field query rollcall.Query checked
---@field parameters { [1]: string, [2]: string }[] of every request
---@field headers string[] of every request
---@field auth table
---@field variables table<string, string> what {name}s in the path stand for
---@field record_type table

---@param client rollcall.Client
---@param spec rollcall.WalkSpec
---@return rollcall.Walk
function walk.new(client, spec)
  return setmetatable({
    client = client,
    spec = spec,
    paging = paging_types[spec.collection.paging.type],
    head = nobody,
    finished = false,
    pages = {}, -- the first is read, the others were asked for ahead
    page_count = 0,
    seen = {}, -- page tokens, so that none is asked for twice
    users = 0, -- of the pages before the first
    stats = { requests = 0, retries = 0, waits = 0, bytes = 0 },
    capture = paging_types[spec.collection.paging.type].captures(spec.collection.paging),
  }, Walk)
end

function Walk:page_url(position)
  local spec = self.spec
  local parameters = {}
  for i, pair in ipairs(spec.parameters) do
    parameters[i] = pair
  end
  self.paging.apply(spec.collection.paging, position, parameters, spec.query)
  for i, pair in ipairs(parameters) do
    parameters[i] = { self.client.query_names[pair[1]] or pair[1], pair[2] }
  end
  local address = self.client.base_url .. url.expand(spec.collection.path, spec.variables, url.encode)
  return #parameters > 0 and address .. "?" .. url.encode_query(parameters) or address
end

--- Asks for the page at this position, behind those already asked for.
function Walk:ask(position)
  local spec = self.spec
  local limits = self.client.limits_of_bodies
  self.page_count = self.page_count + 1
  self.pages[#self.pages + 1] = {
    position = position,
    number = self.page_count,
    settled = false,
    asked = exchange.new(self.client, {
      method = "GET",
      url = self:page_url(position),
      headers = spec.headers,
      auth = spec.auth,
      stats = self.stats,
      decoder = function()
        return core.decoder {
          items = spec.collection.items,
          capture = self.capture,
          record = spec.record_type,
          max_bytes = limits.max_page_bytes,
          max_item = limits.max_user_bytes,
          max_depth = limits.max_depth,
        }
      end,
    }),
  }
end

--- What is known of a page once no more users of it will come.
local function describe(page)
  return { number = page.number, captured = page.captured or {}, position = page.position }
end

--- Ends the walk.
function Walk:finish(reason, err)
  self.page_end = self.page_end or (self.pages[1] and describe(self.pages[1]))
  self.stats.users = self:count()
  self.stats.pages = self:pages_read()
  self.finished, self.reason, self.err = true, reason, err
  self.head = nobody
  for _, page in ipairs(self.pages) do
    page.asked:cancel()
  end
  self.pages = {}
end

function Walk:fail(err)
  self:finish(err.kind == "loop" and "loop" or err.kind == "budget" and "budget" or "error", err)
end

--- How many users have been given.
---@return integer
function Walk:count()
  if self.finished then
    return self.stats.users
  end
  local page = self.pages[1]
  if not page then
    return self.users
  elseif page.list then
    return self.users + page.list.given
  end
  local transfer = page.asked.transfer
  return self.users + (transfer and transfer:given() or 0)
end

function Walk:pages_read()
  return self.finished and self.stats.pages or self.page_count - math.max(0, #self.pages - 1)
end

--- The decode error of a page, with what its answer tells about it.
local function decode_error(page, err)
  local asked = page.asked
  local full = asked:error("decode", err.message, { code = err.code, offset = err.offset })
  if (asked.transfer:header("content-type") or ""):find("html", 1, true) then
    full.message = "the server answered HTML, not JSON; " .. full.message
  end
  return full
end

--- Reads what the body said beside its users, once it has ended.
function Walk:settle(page)
  local asked, query = page.asked, self.spec.query
  page.settled = true
  self.stats.bytes = self.stats.bytes + (asked.transfer:usage())
  local good, err = asked.decoder:finish()
  if not good then
    page.err = decode_error(page, err)
    return
  end
  local captured = {}
  for _, pointer in ipairs(self.capture) do
    captured[pointer] = asked.decoder:captured(pointer)
  end
  page.captured = captured
  local position, problem = self.paging.after(self.spec.collection.paging, function(pointer)
    return captured[pointer]
  end, query)
  if problem then
    page.err = asked:error("decode", problem)
  elseif position and position.token and self.seen[position.token] then
    page.err = asked:error("loop",
      ("the page token after page %d was seen before in this walk; does the server know the parameter %s?"):format(
        page.number, self.spec.collection.paging.query))
  else
    page.next = position
    if position and position.token then
      self.seen[position.token] = true
    end
  end
end

--- Settles pages whose bodies have ended and asks for the next ones, as many ahead as wanted.
function Walk:look_ahead(now)
  local wake = exchange.FOREVER
  local i = 1
  while self.pages[i] do
    local page = self.pages[i]
    if not page.settled and not page.failed then
      local status, wait = page.asked:step(now)
      if status == "done" then
        self:settle(page)
      elseif status == "failed" then
        page.failed, page.err = true, page.asked.err
      else
        wake = math.min(wake, wait or wake)
      end
    end
    local last = self.pages[i + 1] == nil
    if last and page.settled and page.next and i <= self.spec.query.prefetch and not self:limit_is_near() then
      self:ask(page.next)
    end
    i = i + 1
  end
  return wake
end

--- Will the users that are there, or the page being read, be enough?
function Walk:limit_is_near()
  local limit = self.spec.query.limit
  if not limit then
    return false
  end
  local page_size = self.spec.query.page_size
  return page_size ~= nil and self.users + #self.pages * page_size >= limit
end

--- The users of a page that is read from its end: all of them are kept until the page has come.
local function reverse_list(page)
  local list, size = {}, 0
  local transfer = page.asked.transfer
  repeat
    local user = transfer:next()
    if user == nil then
      user = transfer:next() -- the first nil may only have said that the body has ended
    end
    if user ~= nil then
      size = size + 1
      list[size] = user
    end
  until user == nil
  return {
    given = 0,
    next = function(self)
      local user = list[size]
      if user ~= nil then
        list[size] = nil
        size = size - 1
        self.given = self.given + 1
      end
      return user
    end,
  }
end

--- Sets `head` for the first page; false while nothing of it can be read.
function Walk:open_page(page)
  local query = self.spec.query
  local transfer = page.asked.transfer
  if query.direction == "backward" then
    if not page.settled then
      return false
    end
    page.list = page.list or reverse_list(page)
    self.head = page.list
  else
    if not page.settled and not page.failed and page.asked.state ~= "running" then
      return false
    end
    self.head = transfer or nobody
    if transfer and query.limit then
      transfer:allow(query.limit - self.users)
    end
  end
  return true
end

--- All users of the first page are read: on to the next one.
function Walk:turn_page(page)
  self.page_end = describe(page)
  self.users = self:count()
  self.head = nobody
  page.asked:cancel()
  table.remove(self.pages, 1)
  if page.err then
    self:fail(page.err)
  elseif not page.next then
    self:finish("exhausted")
  elseif not self.pages[1] then
    self:ask(page.next)
  end
end

local function at_limit(self)
  local limit = self.spec.query.limit
  return limit ~= nil and self:count() >= limit
end

--- The next user; or nil and for how many seconds at most to wait; or nil when `finished`.
---@return userdata? user
---@return number? seconds
function Walk:poll()
  while not self.finished do
    local now = core.now()
    local query = self.spec.query
    if query.deadline then
      self.deadline_at = self.deadline_at or now + query.deadline
      if now >= self.deadline_at then
        self:fail(errors.new("budget", ("the walk's deadline of %g seconds has passed"):format(query.deadline),
          { provider = self.client.provider.name }))
        return nil
      end
    end
    if at_limit(self) then
      self:finish("limit")
      return nil
    end
    self.page_end = nil
    if self.page_count == 0 then
      self:ask(self.paging.first(self.spec.collection.paging, query))
    end
    local wake = self:look_ahead(now)
    local page = self.pages[1]
    if self:open_page(page) then
      local user = self.head:next()
      if user == nil then
        user = self.head:next()
      end
      if user ~= nil then
        return user
      end
    end
    if at_limit(self) then
      self:finish("limit")
    elseif page.settled or page.failed then
      self:turn_page(page)
      if self.by_page then
        return nil, 0
      end
    elseif not self.finished then
      if self.deadline_at then
        wake = math.min(wake, math.max(0, self.deadline_at - now))
      end
      return nil, wake
    end
  end
  return nil
end

function Walk:engines()
  return { self.client.engine }
end

function Walk:close()
  if not self.finished then
    self:finish("closed")
  end
end

function Walk:statistics()
  return {
    users = self:count(),
    pages = self:pages_read(),
    requests = self.stats.requests,
    retries = self.stats.retries,
    waits = self.stats.waits,
    bytes = self.stats.bytes,
  }
end

return walk
