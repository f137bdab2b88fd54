-- A walk over the pages of one collection. It never blocks: `poll` does what can be done now and
-- says how long to wait at most. Streams stand on it.
--
-- The pages alive at a time are the one that is read and those asked for ahead, if any are wanted. A
-- page's request leaves as soon as its position is known, that is when the last byte of the page before
-- it has arrived, before that page's users are read.

local checkpoint = require "rollcall.checkpoint"
local core = require "rollcall.core"
local errors = require "rollcall.errors"
local exchange = require "rollcall.exchange"
local paging_types = require "rollcall.paging"
local stream = require "rollcall.stream"
local url = require "rollcall.url"

---@class rollcall.Page
---@field position rollcall.Position
---@field number integer from 1
---@field asked rollcall.Exchange
---@field ledger userdata what the page has given
---@field before integer what it had given before this walk, which goes on from a checkpoint
---@field ended boolean its last byte has arrived, or never will
---@field whole boolean? the body is what was declared, to its end
---@field captured table<string, any>? what the body said beside its users
---@field next rollcall.Position? once ended
---@field err rollcall.Error? what went wrong after the users that are there

---@class rollcall.Walk
---@field head { next: fun(self): userdata? } what gives the next user at once, or nil
---@field finished boolean
---@field err rollcall.Error? why it ended, if not well
---@field reason string?
---@field page_end table? the page whose last user was given
local Walk = {}
Walk.__index = Walk

local walk = {}

-- Beyond so many users of one page a checkpoint knows them by a fingerprint only: a few KiB.
local CHECKPOINT_IDS = 1000

---@class rollcall.WalkSpec
---@field collection rollcall.ProviderCollection
---@field query rollcall.Query checked
---@field parameters { [1]: string, [2]: string }[] of every request
---@field headers string[] of every request
---@field auth table
---@field variables table<string, string> what {name}s in the path stand for
---@field record_type table
---@field identity rollcall.WalkIdentity
---@field resume rollcall.Checkpoint?
---@field budget rollcall.Budget

--- What a whole walk may cost. The walks of several accounts share one.
---@class rollcall.Budget
local Budget = {}
Budget.__index = Budget

---@param query rollcall.Query checked
---@return rollcall.Budget
function walk.budget(query)
  return setmetatable({
    max_requests = query.max_requests,
    max_bytes = query.max_bytes,
    deadline = query.deadline,
    walks = {},
    spent = { requests = 0, bytes = 0 },
  }, Budget)
end

function Budget:spend(name, n)
  if self.spent[name] then
    self.spent[name] = self.spent[name] + n
  end
end

--- What is wrong with one more request; nil where it is within the budget.
---@return string?
function Budget:requests_spent()
  if self.max_requests and self.spent.requests >= self.max_requests then
    return ("the walk's %d requests are used up"):format(self.max_requests)
  end
end

--- What is used up at this time, in words.
---@param now number
---@return string?
function Budget:is_spent(now)
  if self.deadline then
    self.ends_at = self.ends_at or now + self.deadline
    if now >= self.ends_at then
      return ("the walk's deadline of %g seconds has passed"):format(self.deadline)
    end
  end
  if self.max_bytes then
    local bytes = self.spent.bytes
    for _, one in ipairs(self.walks) do
      bytes = bytes + one:running_bytes()
    end
    if bytes > self.max_bytes then
      return ("the walk's %d bytes are used up"):format(self.max_bytes)
    end
  end
end

---@param client rollcall.Shared
---@param spec rollcall.WalkSpec
---@return rollcall.Walk
function walk.new(client, spec)
  local paging = paging_types[spec.collection.paging.type]
  local self = setmetatable({
    client = client,
    spec = spec,
    paging = paging,
    capture = paging.captures(spec.collection.paging),
    head = stream.nobody,
    finished = false,
    pages = {}, -- the first is read, the others were asked for ahead
    page_count = 0,
    seen = core.seen(), -- page tokens, so that none is asked for twice
    users = 0, -- of the pages before the first
    stats = { requests = 0, retries = 0, waits = 0, bytes = 0 },
  }, Walk)
  table.insert(spec.budget.walks, self)
  return self
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
---@param position rollcall.Position
---@param ledger userdata? of a page that a checkpoint has begun
function Walk:ask(position, ledger)
  local spec = self.spec
  local limits = self.client.limits_of_bodies
  ledger = ledger or core.ledger { id = spec.collection.id or "id" }
  self.page_count = self.page_count + 1
  self.pages[#self.pages + 1] = {
    position = position,
    number = self.page_count,
    ledger = ledger,
    before = ledger:given(),
    ended = false,
    asked = exchange.new(self.client, {
      method = "GET",
      url = self:page_url(position),
      headers = spec.headers,
      auth = spec.auth,
      stats = self.stats,
      budget = spec.budget,
      -- A page read backwards gives its users only once it is whole.
      ledger = spec.query.direction ~= "backward" and ledger or nil,
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

--- Asks for the first page: the query's, or where the checkpoint stood.
function Walk:begin()
  local resume = self.spec.resume
  local position = resume and resume.position or self.paging.first(self.spec.collection.paging, self.spec.query)
  if resume and resume.done then
    self:finish("exhausted")
    return
  end
  if position.token then
    self.seen:add(position.token)
  end
  if not resume then
    self:ask(position)
    return
  end
  local ledger = core.ledger { id = self.spec.collection.id or "id", saved = resume.ledger }
  if not ledger then
    self:fail(errors.new("decode", "the checkpoint was changed", { provider = self.client.provider.name }))
    return
  end
  self:ask(position, ledger)
end

--- Where the walk stands, after the user given last.
---@return string
function Walk:checkpoint()
  if self.finished then
    return self.last_checkpoint
  end
  local page = self.pages[1]
  local resume = self.spec.resume
  local saved = { walk = self.spec.identity }
  if page then
    saved.position = page.position
    saved.ledger = page.ledger:given() > 0 and page.ledger:save(CHECKPOINT_IDS) or nil
  elseif resume then
    saved.position, saved.ledger, saved.done = resume.position, resume.ledger, resume.done
  else
    saved.position = self.paging.first(self.spec.collection.paging, self.spec.query)
  end
  return checkpoint.encode(saved)
end

--- What is known of a page once no more users of it will come.
local function describe(page)
  return { number = page.number, captured = page.captured or {}, position = page.position }
end

--- Ends the walk, once.
---@param reason "exhausted"|"limit"|"budget"|"loop"|"error"|"closed"
---@param err rollcall.Error?
function Walk:finish(reason, err)
  if self.finished then
    return
  end
  local page = self.pages[1]
  if reason == "exhausted" then
    self.last_checkpoint = checkpoint.encode { walk = self.spec.identity, done = true }
  else
    self.last_checkpoint = self:checkpoint()
    self.page_end = self.page_end or page and describe(page) -- one that nobody has taken yet comes first
  end
  self.finished, self.reason, self.err = true, reason, err
  self.head = stream.nobody
  for _, one in ipairs(self.pages) do
    one.asked:cancel() -- which counts what it has brought
  end
  self.last_statistics = self:statistics()
  self.pages = {}
end

function Walk:fail(err)
  if not self.finished then
    err.checkpoint = self:checkpoint()
    self:finish(stream.reason_of(err), err)
  end
end

--- How many users of a page were given in this walk.
local function given(page)
  return page and page.ledger:given() - page.before or 0
end

--- How many users the walk has given.
---@return integer
function Walk:count()
  return self.users + given(self.pages[1])
end

---@return rollcall.Stats
function Walk:statistics()
  local last = self.last_statistics
  return last and {
    users = last.users,
    pages = last.pages,
    requests = last.requests,
    retries = last.retries,
    waits = last.waits,
    bytes = last.bytes,
  } or {
    users = self:count(),
    pages = self.page_count - math.max(0, #self.pages - 1),
    requests = self.stats.requests,
    retries = self.stats.retries,
    waits = self.stats.waits,
    bytes = self.stats.bytes,
  }
end

--- A page's body is whole: reads what it said beside its users.
function Walk:settle(page)
  local asked, paging = page.asked, self.spec.collection.paging
  page.ended = true
  if asked.decode_err then
    page.err = asked.decode_err
    return
  end
  page.whole = true
  page.captured = {}
  for _, pointer in ipairs(self.capture) do
    page.captured[pointer] = asked.decoder:captured(pointer, "text")
  end
  local position, problem = self.paging.after(paging, function(pointer)
    return page.captured[pointer]
  end, self.spec.query)
  if problem then
    page.err = asked:error("decode", problem)
  elseif position and position.token and not self.seen:add(position.token) then
    page.err = asked:error("loop", ("the token after page %d was seen before in this walk; a server that does not "
      .. "know the parameter %s ignores it and sends the same pages again"):format(page.number, paging.query))
  else
    page.next = position
  end
end

--- Is what was asked for enough to reach the limit?
function Walk:is_limit_near()
  local limit, page_size = self.spec.query.limit, self.spec.query.page_size
  return limit ~= nil and page_size ~= nil and self.users + #self.pages * page_size >= limit
end

--- Holds the users of a page that is read from its end, as they arrive; a body that is fetched again
--- begins anew.
local function hold(page)
  local asked = page.asked
  if page.held_attempt ~= asked.attempts then
    page.held, page.held_attempt = {}, asked.attempts
  end
  local transfer, held = asked.transfer, page.held
  local user = transfer and (transfer:next() or transfer:next())
  while user do
    held[#held + 1] = user
    user = transfer:next() or transfer:next() -- the first nil may only have said that the last byte is in
  end
end

--- Lets every page go on, and asks for further ones, as many ahead as wanted.
---@param now number
---@return number seconds to wait at most
function Walk:go_on(now)
  local wake = exchange.FOREVER
  local i = 1
  while self.pages[i] do
    local page = self.pages[i]
    if not page.ended then
      local status, wait = page.asked:step(now, i == 1 and self.spec.query.direction ~= "backward")
      if self.finished then -- by a hook
        return wake
      end
      if self.spec.query.direction == "backward" then
        hold(page)
      end
      if status == "done" then
        self:settle(page)
      elseif status == "failed" then
        page.ended, page.err = true, page.asked.err
      else
        wake = math.min(wake, wait or wake)
      end
    end
    if page.next and not self.pages[i + 1] and i <= self.spec.query.prefetch and not self:is_limit_near() then
      self:ask(page.next)
    end
    i = i + 1
  end
  return wake
end

--- What gives the users of a page from its end: all of them were held until the page was whole.
local function reversed(page, is_at_limit)
  local list, size = page.held, #page.held
  return {
    next = function(self)
      while size > 0 and not is_at_limit() do
        local user = list[size]
        local fresh = page.ledger:take(user)
        if fresh == nil then
          self.is_conflict = true
          return nil
        end
        list[size] = nil
        size = size - 1
        if fresh then
          return user
        end
      end
    end,
    conflict = function(self)
      return self.is_conflict == true
    end,
  }
end

--- Sets `head` to what gives the users of the first page.
function Walk:open(page)
  local query = self.spec.query
  if query.limit then
    page.ledger:allow(page.before + query.limit - self.users)
  end
  if query.direction ~= "backward" then
    -- Its rate limits are known before its users are given, who may be the cause of another request.
    self.head = page.asked.observed and page.asked.transfer or stream.nobody
  elseif page.whole then
    page.list = page.list or reversed(page, function()
      return self:is_at_limit()
    end)
    self.head = page.list
  else
    self.head = stream.nobody
  end
end

function Walk:is_at_limit()
  local limit = self.spec.query.limit
  return limit ~= nil and self:count() >= limit
end

--- The error of a page whose users cannot be told from those that were given before.
local function conflict_error(page)
  return page.asked:error("decode", ("page %d was fetched again and is not the same: which of its users were given "
    .. "before cannot be told"):format(page.number), { code = "page_changed" })
end

--- All users of the first page were given: on to the next one, or to the end.
function Walk:turn_page(page)
  local err = page.err or (page.ledger:short() and conflict_error(page))
  if err then
    self:fail(err)
    return
  end
  self.page_end = describe(page)
  self.users = self:count()
  self.head = stream.nobody
  page.asked:cancel()
  table.remove(self.pages, 1)
  if not page.next then
    self:finish("exhausted")
  elseif not self.pages[1] then
    self:ask(page.next)
  end
  self.client:tell("page", {
    provider = self.client.provider.name,
    account = self.spec.variables.account,
    number = page.number,
    users = given(page),
  })
end

--- The bytes of what is under way.
---@return integer
function Walk:running_bytes()
  local bytes = 0
  for _, page in ipairs(self.pages) do
    if page.asked.state == "running" then
      bytes = bytes + (page.asked.transfer:usage())
    end
  end
  return bytes
end

--- Ends the walk where a limit of the whole walk is reached; true then.
function Walk:is_over(now)
  local name = self.client.provider.name
  if not self.client.engine then
    self:fail(errors.new("closed", "the client was closed", { provider = name }))
  elseif self:is_at_limit() then
    self:finish("limit")
  else
    local spent = self.spec.budget:is_spent(now)
    if spent then
      self:fail(errors.new("budget", spent, { provider = name }))
    end
  end
  return self.finished
end

--- The next user; or nil and for how many seconds at most to wait; or nil when `finished`.
---@return userdata? user
---@return number? seconds
function Walk:poll()
  while not self.finished do
    local now = core.now()
    if self:is_over(now) then
      break
    end
    self.page_end = nil
    self.head = stream.nobody -- until `open`: a hook may raise, and a transfer may be replaced
    if self.page_count == 0 then
      self:begin()
    end
    local wake = self:go_on(now)
    local page = self.pages[1]
    if page then
      self:open(page)
      local user = self.head:next()
      if user == nil then
        user = self.head:next() -- the first nil may only have said that the last byte is in
      end
      if user ~= nil then
        return user
      elseif self.head ~= stream.nobody and self.head:conflict() then
        self:fail(conflict_error(page))
      elseif self:is_at_limit() then
        self:finish("limit")
      elseif page.ended then
        self:turn_page(page)
        if self.by_page then
          return nil, 0
        end
      else
        local ends_at = self.spec.budget.ends_at
        return nil, ends_at and math.max(0, math.min(wake, ends_at - now)) or wake
      end
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

return walk
