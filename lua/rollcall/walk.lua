-- A walk over the pages of one collection. It never blocks: `poll` does what can be done now and
-- says how long to wait at most. Streams stand on it.
--
-- The pages alive at a time are the one that is read and those asked for ahead, if any are wanted. A
-- page's request leaves as soon as its position is known, that is when the last byte of the page before
-- it has arrived, before that page's users are read.

local backward = require "rollcall.walk.backward"
local checkpoint = require "rollcall.checkpoint"
local core = require "rollcall.core"
local declared_answer = require "rollcall.http.declared_answer"
local errors = require "rollcall.errors"
local exchange = require "rollcall.http.exchange"
local fields = require "rollcall.fields"
local leak = require "rollcall.walk.leak"
local pages = require "rollcall.walk.page"
local paging_types = require "rollcall.paging"
local pointers = require "rollcall.pointer"
local repeats = require "rollcall.walk.repeats"
local request = require "rollcall.http.request"
local source = require "rollcall.source"

---@class rollcall.Walk: rollcall.Source
---@field page_end rollcall.PageInfo? with by_page: of the page whose last user was given, `ended_page`
---@field by_page boolean? its users are handed on as a page, which counts as given once page_end was taken
---@field page_users rollcall.User[]? of it, those that have come
---@field is_busy boolean? in the middle of a poll, but for hooks: a close comes at its end
---@field is_close_wanted boolean? it was asked for
---@field is_unseen boolean? the user given last was not handed on, since the walk was closed meanwhile
local Walk = {}
Walk.__index = Walk

local walk = {}

---@class rollcall.WalkSpec
---@field collection rollcall.ProviderCollection
---@field query rollcall.Query checked
---@field request rollcall.Request what every page's request begins with
---@field first rollcall.Position of the first page, without a checkpoint
---@field auth table
---@field variables table<string, string> what {name}s in the path stand for
---@field records { common: table, type: table } its users' common fields, from fields.common, and their type
---@field identity rollcall.WalkIdentity
---@field resume rollcall.Checkpoint?
---@field budget rollcall.Budget
---@field account string? whose users they are

---@param client rollcall.ClientState
---@param spec rollcall.WalkSpec
---@return rollcall.Walk
function walk.new(client, spec)
  local paging = paging_types[spec.collection.paging.type]
  local self = setmetatable({
    client = client,
    spec = spec,
    paging = paging,
    capture = paging.captures(spec.collection.paging),
    id = pointers.of(spec.collection.id or "id"), -- in a user
    empty_answers = declared_answer.among(spec.collection.empty),
    front = { head = source.empty_head },
    finished = false,
    pages = {}, -- the first is read, the others were asked for ahead
    page_count = 0,
    freezes = 0,
    polls = 0, -- rounds of poll begun: a hook may have begun one inside another
    repeats = repeats.new(paging),
    known = {}, -- for paging types that know of pages ahead
    users = 0, -- of the pages before the first
    stats = { requests = 0, retries = 0, waits = 0, bytes = 0 },
  }, Walk)
  table.insert(spec.budget.walks, self)
  return self
end

--- The URL that a request goes to.
---@param one rollcall.Request
---@return string
function Walk:address(one)
  local spec = self.spec
  return one:address(self.client.base_url, spec.collection.path, spec.variables, self.client.query_names)
end

--- Asks for the page at this position, behind those already asked for.
---@param position rollcall.Position
---@param ledger rollcall.Ledger? of a page that a checkpoint has begun
---@param saved string? the same, as the checkpoint has it
function Walk:ask(position, ledger, saved)
  local spec = self.spec
  local limits = self.client.body_limits
  ledger = ledger or core.ledger { id = self.id }
  local one = spec.request:copy()
  self.paging.apply(spec.collection.paging, position, one, spec.query)
  if one.body then
    one.headers[#one.headers + 1] = "Content-Type: " .. (spec.collection.content_type or "application/json")
  end
  self.page_count = self.page_count + 1
  self.pages[#self.pages + 1] = pages.new {
    declared = spec.collection,
    position = position,
    number = self.page_count,
    ledger = ledger,
    saved = saved,
    exchange = exchange.new(self.client, {
      method = one.method,
      url = self:address(one),
      headers = one.headers,
      body = one:text(),
      auth = spec.auth,
      stats = self.stats,
      budget = spec.budget,
      -- A page read backwards gives its users only once it is whole.
      ledger = spec.query.direction ~= "backward" and ledger or nil,
      empty_answers = self.empty_answers,
      decoder = function()
        return core.decoder {
          items = spec.collection.items,
          capture = self.capture,
          id = self.id,
          edges = self.paging.edges,
          containers = spec.collection.paging.token == "json",
          record = spec.records.type,
          max_bytes = limits.max_page_bytes,
          max_item = limits.max_user_bytes,
          max_depth = limits.max_depth,
        }
      end,
    }),
  }
end

--- What a position is known by: nil where another one is always another page.
local function key_of(position)
  return position.token or position.url or position.before and "before " .. position.before
end

--- Asks for the first page: the query's, or where the checkpoint stood.
function Walk:begin()
  local resume = self.spec.resume
  local position = resume and resume.position or self.spec.first
  if resume and resume.done then
    self:finish("exhausted")
    return
  end
  local key = key_of(position)
  if key then
    self.repeats:ask(key)
  end
  if self.paging.is_linked and self.spec.query.direction ~= "backward" then
    -- Links may lead back to where it began, which the first page's parameters say.
    local first = self.spec.request:copy()
    self.paging.apply(self.spec.collection.paging, self.spec.first, first, self.spec.query)
    self.repeats:ask(self:address(first))
  end
  if not resume then
    self:ask(position)
    return
  end
  local ledger = core.ledger { id = self.id, saved = resume.ledger }
  if not ledger then
    self:fail(errors.new("decode", "the checkpoint was changed", { provider = self.client.provider.name }))
    return
  end
  self:ask(position, ledger, resume.ledger)
end

--- From here on users are handed on as a page.
---@param less_last boolean? the user given last is of it
---@return rollcall.User[] users of it that are there: some, where a hook has raised before it was whole
function Walk:begin_page(less_last)
  local page = self.pages[1]
  if page and not self.by_page then
    page.saved = page:save(less_last)
  end
  self.by_page = true
  self.page_users = self.page_users or {}
  return self.page_users
end

--- The page, and all of its users, are handed on.
---@return rollcall.PageInfo
function Walk:end_page()
  local ended = self.page_end
  self.page_end, self.page_users, self.by_page = nil, nil, false
  return ended
end

--- Where the walk stands, after the user given last.
---@return string
function Walk:current_checkpoint()
  local page = self.pages[1]
  local resume = self.spec.resume
  local saved = { walk = self.spec.identity }
  if page then
    saved.position = page.position
    saved.ledger = page:save(self.is_unseen or self.holder and self.holder:holds(self))
  elseif resume then
    saved.position, saved.ledger, saved.done = resume.position, resume.ledger, resume.done
  else
    saved.position = self.spec.first
  end
  return checkpoint.encode(saved)
end

--- Where the script stands: not after users of a page that it has not seen yet.
---@return string
function Walk:resume_point()
  local unseen = self.by_page and (self.page_end and self.ended_page or self.pages[1])
  if unseen then
    return checkpoint.encode { walk = self.spec.identity, position = unseen.position, ledger = unseen.saved }
  end
  return self.finished and self.last_checkpoint or self:current_checkpoint()
end

--- The same, or where it is frozen: the script has not seen users since, which `collect` has, or a function of its own
--- has raised in it.
---@return string
function Walk:checkpoint()
  return self.frozen or self:resume_point()
end

--- Its checkpoint, to freeze it at.
function Walk:mark()
  return self:checkpoint()
end

--- From here on its checkpoint is this one, or an earlier one that it was frozen at; until it is thawed as often.
---@param mark string
function Walk:freeze(mark)
  self.frozen, self.freezes = self.frozen or mark, self.freezes + 1
end

function Walk:thaw()
  self.freezes = self.freezes - 1
  self.frozen = self.freezes > 0 and self.frozen or nil
end

--- What is known of a page once no more users of it will come.
---@return rollcall.PageInfo
function Walk:describe(page)
  local kind, declared = self.paging, self.spec.collection.paging
  local info = { number = page.number, token = kind.show(page.position) }
  local function neighbour(direction)
    local position = page.answer
      and kind.after(declared, page.answer, { direction = direction, page_size = self.spec.query.page_size })
    local is_good = position and not leak.is_in(position, page.exchange.spec.url, self.client.redactor)
    return is_good and kind.show(position) or nil
  end
  if not page.is_cut then
    info.next = neighbour "forward"
  end
  info.previous = kind.goes_back(declared) and neighbour "backward" or nil
  info.total = page:total()
  return info
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
    self.last_checkpoint = reason == "closed" and self:resume_point() or self:current_checkpoint()
    if reason == "closed" then
      self.page_end = nil -- the checkpoint is before that page
    elseif self.by_page and page and not self.page_end then -- one that nobody has taken yet comes first
      page.is_cut = reason == "limit" and page.answer ~= nil and page.ledger:given() < page.answer.count
      self.page_end, self.ended_page = self:describe(page), page
    end
  end
  self.finished, self.reason, self.err = true, reason, err
  self.front.head = source.empty_head
  self:drop(2)
  self.users = self:count()
  if page then
    page.exchange:cancel() -- which counts what it has brought
  end
  self.pages = {}
  if reason == "closed" then
    self.client.engine:notify() -- another coroutine may wait in it, for no transfer
  end
end

function Walk:fail(err)
  if not self.finished then
    err.account = self.spec.account
    self:finish(source.reason_of(err), err)
    err.checkpoint = self.last_checkpoint
  end
end

--- How many users the walk has given.
---@return integer
function Walk:count()
  local page = self.pages[1]
  return self.users + (page and page:given() or 0)
end

---@return rollcall.Stats
function Walk:statistics()
  local page = self.pages[1]
  local has_come = page and (page.is_new or page.ended) -- it has users, or has come to its end
  return {
    users = self:count(),
    pages = self.page_count - #self.pages + (has_come and 1 or 0),
    requests = self.stats.requests,
    retries = self.stats.retries,
    waits = self.stats.waits,
    bytes = self.stats.bytes,
    total = self.total,
  }
end

--- Gives up the pages from this index on: they were asked for ahead, and are not those that follow.
function Walk:drop(index)
  while self.pages[index] do
    table.remove(self.pages).exchange:cancel()
    self.page_count = self.page_count - 1
  end
end

--- What ignores the position that it is sent, in words.
function Walk:ignored()
  local place = self.paging.places(self.spec.collection.paging)[1]
  local name = request.query_name(place)
  return place and ("a server that does not know the %s ignores it and sends the same pages again"):format(
    request.describe(name and self.client.query_names[name] or place)) or "the server's links lead in a circle"
end

--- A whole page: where the next one is, and whether what was asked for ahead is that one.
function Walk:decide_next(index)
  local page, kind, declared = self.pages[index], self.paging, self.spec.collection.paging
  local position, problem, problem_kind
  if not page.exchange.says_empty then
    position, problem, problem_kind = kind.after(declared, page.answer, self.spec.query)
  end
  local key = position and key_of(position)
  if problem then
    page.err = page.exchange:error(problem_kind or "decode", problem,
      { code = problem_kind == "http" and "other_origin" or nil })
  elseif leak.is_in(position, page.exchange.spec.url, self.client.redactor) then
    page.err = page.exchange:error("decode", "the answer names a secret of this client as the next page")
  elseif key and not self.repeats:ask(key) then
    page.err = page.exchange:error("loop", ("the %s after page %d was seen before in this walk; %s"):format(
      position.url and "link" or "token", page.number, self:ignored()))
  else
    page.next = position
  end
  local ahead = self.pages[index + 1]
  if not ahead then
    return
  elseif not position or position.number ~= ahead.position.number or position.offset ~= ahead.position.offset then
    self:drop(index + 1)
    return
  end
  ahead.position = position
  if ahead.whole then
    ahead.answer.position = position
    self:decide_next(index + 1)
  end
end

--- A page's body is whole.
function Walk:settle(index)
  local page = self.pages[index]
  if not page:settle(self.client.base_url, self.capture) then
    return
  end
  self.total = page:total() or self.total
  if not self.known.answer or page.answer.count > self.known.answer.count then
    self.known.answer = page.answer
  end
  self:decide_next(index)
end

--- Ends a page that has come before.
function Walk:fail_as_repeat(page)
  page.err = page.exchange:error("loop", ("page %d has the same users as one before it; %s"):format(
    page.number, self:ignored()))
  page.ended, page.next = true, nil
  self:drop(2)
end

--- Lets the first page be read once it is clear that it is none that was read before: that its first users
--- are others. None of a page that comes again is given.
---@return boolean? has_come it comes again
function Walk:check_repeat(page)
  if not page.exchange.decoder then
    return
  end
  local is_known = self.repeats:is_known(page, self.client.watermark)
  page.is_new = is_known == false
  if is_known then
    self:fail_as_repeat(page)
  end
  return is_known
end

--- Remembers what a page began with that was read to its end; false where it cannot go on like this.
function Walk:remember(page)
  local problem = self.repeats:remember(page)
  if problem == "again" then
    self:fail_as_repeat(page)
  elseif problem == "empty" then
    page.err = page.exchange:error("loop",
      ("%d pages in a row are empty, and none is said to be the last"):format(self.repeats.empty))
  end
  return not page.err
end

--- Is what was asked for enough to reach the limit?
function Walk:is_limit_near()
  local limit, page_size = self.spec.query.limit, self.spec.query.page_size
  return limit ~= nil and page_size ~= nil and self.users + #self.pages * page_size >= limit
end

--- Where the page after one is, as far as its paging type can tell before all pages up to it have ended, and if
--- several are wanted.
---@return rollcall.Position?
function Walk:position_ahead(page)
  local ahead, query = self.paging.ahead, self.spec.query
  if page.err or not ahead or query.prefetch < 2 then
    return nil
  end
  return ahead(self.spec.collection.paging, page.position, self.known, query)
end

--- Lets every page go on, and asks for further ones, as many ahead as wanted.
---@param now number
---@return number seconds to wait at most
function Walk:step_pages(now)
  local wake, polls = source.FOREVER, self.polls
  local is_known = true -- what came before the page
  local i = 1
  while self.pages[i] do
    local page = self.pages[i]
    local has_come = i == 1 and not page.is_new and self:check_repeat(page)
    if not page.ended then
      -- What has come of a page that broke off is read first; not where it may be one that has come before.
      local is_read = i == 1 and page.is_new and self.spec.query.direction ~= "backward"
      self.is_busy = false -- hooks may wait, and others close it meanwhile
      local status, wait = page.exchange:step(now, is_read)
      self.is_busy = true
      if self.finished or self.polls ~= polls then -- by a hook, which closed it or asked for users itself
        return wake
      end
      if self.spec.query.direction == "backward" then
        backward.hold(page)
      end
      if i > 1 then -- while users of the first are read
        page.exchange:leave()
      end
      if status == "done" then
        self:settle(i)
      elseif status == "failed" then
        page.ended, page.err = true, page.exchange.err
      else
        wake = math.min(wake, wait or wake)
      end
    end
    if i == 1 and not page.is_new and not has_come then -- a hook may have waited
      self:check_repeat(page)
    end
    if not self.pages[i + 1] and i <= self.spec.query.prefetch and not self:is_limit_near() then
      local position = page.next
      if not page.whole or position and not is_known then
        position = self:position_ahead(page)
      end
      if position then
        self:ask(position)
      end
    end
    is_known = is_known and page.whole
    i = i + 1
  end
  return wake
end

--- Sets the front's head to what gives the users of the first page.
function Walk:set_head(page)
  local query = self.spec.query
  if not page.is_new then
    self.front.head = source.empty_head
    return
  end
  if query.limit then
    page.ledger:allow(page.before + query.limit - self.users)
  end
  if query.direction ~= "backward" then
    -- Its rate limits are known before its users are given, who may be the cause of another request.
    self.front.head = page.exchange.observed and page.exchange.transfer or source.empty_head
  elseif page.whole then
    page.head = page.head or backward.reversed(page, self.client.turn, function()
      return self:is_at_limit()
    end)
    self.front.head = page.head
  else
    self.front.head = source.empty_head
  end
end

function Walk:is_at_limit()
  local limit = self.spec.query.limit
  return limit ~= nil and self:count() >= limit
end

--- All users of the first page were given: on to the next one, or to the end.
function Walk:turn_page(page)
  local err = page.err or (page.ledger:short() and page:conflict())
  if not err and not self:remember(page) then
    err = page.err
  end
  if err then
    self:fail(err)
    return
  end
  if self.by_page then
    self.page_end, self.ended_page = self:describe(page), page
  end
  self.users = self:count()
  self.front.head = source.empty_head
  page.exchange:cancel()
  table.remove(self.pages, 1)
  if not page.next then
    self:finish("exhausted")
  elseif not self.pages[1] then
    self:ask(page.next)
  end
  self.is_busy = false
  self.client:call_hook("page", {
    provider = self.client.provider.name,
    account = self.spec.account,
    number = page.number,
    users = page:given(),
  })
end

--- The bytes of what is under way.
---@return integer
function Walk:running_bytes()
  local bytes = 0
  for _, page in ipairs(self.pages) do
    if page.exchange.state == "running" then
      bytes = bytes + (page.exchange.transfer:usage())
    end
  end
  return bytes
end

--- Ends the walk where a limit of the whole walk is reached; true then.
function Walk:end_if_over(now)
  local name = self.client.provider.name
  if self.client.is_closed then
    self:fail(errors.new("closed", "the client was closed", { provider = name }))
  elseif self:is_at_limit() then
    self:finish("limit")
  else
    local spent = self.spec.budget:exceeded(now)
    if spent then
      self:fail(errors.new("budget", spent, { provider = name }))
    end
  end
  return self.finished
end

--- The next user; or nil and for how many seconds at most to wait; or nil when `finished`.
---@return rollcall.User? user
---@return number? seconds
function Walk:poll()
  self.page_end = nil
  local good, user, seconds = pcall(self.poll_round, self)
  self.is_busy = false
  if self.is_close_wanted and not self.finished then
    self.is_unseen = good and user ~= nil -- the checkpoint has the user to come
    self:close()
    user = nil
  end
  if not good then
    error(user, 0)
  end
  return user, seconds
end

function Walk:poll_round()
  local by_page = self.by_page
  while true do
    self.is_busy = true -- so that it is as it is now to the end of the round
    if self.finished then
      return nil
    end
    -- A hook may have waited, and another coroutine have ended the page meanwhile, or taken it.
    if self.page_end or by_page and not self.by_page then
      return nil, 0
    end
    local now = core.now()
    if self:end_if_over(now) then
      return nil
    end
    self.front.head = source.empty_head -- until `set_head`: a hook may raise, and a transfer may be replaced
    if self.page_count == 0 then
      self:begin()
    end
    self.polls = self.polls + 1
    local polls = self.polls
    local wake = self:step_pages(now)
    local page = self.polls == polls and not self.client.is_closed and self.pages[1]
    if page then
      self:set_head(page)
      local user = self.front.head:next()
      if user == nil then
        user = self.front.head:next() -- the first nil may only have said that the last byte is in
      end
      if user ~= nil then
        return user
      elseif self.front.head:conflict() then
        self:fail(page:conflict())
      elseif self:is_at_limit() then
        self:finish("limit")
      elseif page.ended and by_page and not self.by_page then
        return nil, 0 -- as above
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
end

--- What the head's `values` takes for these fields; nil where it gives users only.
---@param names string[]
---@return rollcall.Selection?
function Walk:selection(names)
  if self.spec.query.direction == "backward" then
    return nil -- the users are there
  end
  return core.selection(fields.rules_of(self.spec.records.common, names))
end

function Walk:engines()
  return { not self.client.is_closed and self.client.engine or nil }
end

--- Ends the walk; from a finalizer in the middle of a poll, at its end.
function Walk:close()
  self.is_close_wanted = true
  if not self.finished and not self.is_busy then
    self:finish("closed")
  end
end

return walk
