-- A walk over the pages of one collection, the source of a stream. It never blocks: `poll` does what can be done now
-- and returns how long to wait at most.
--
-- The pages in memory at a time are the one that is read and those requested ahead, if any are wanted. A page's request
-- is sent as soon as its position is known, that is when the last byte of the page before it has arrived, before that
-- page's users are read.

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
---@field client rollcall.ClientState
---@field spec rollcall.WalkSpec
---@field paging rollcall.PagingType
---@field capture string[] JSON Pointers that paging needs from each page
---@field id string JSON Pointer of the id in a user
---@field empty_answers rollcall.DeclaredAnswer how responses say that there are no users
---@field pages rollcall.Page[] the first is read, the others were requested ahead
---@field page_count integer pages requested so far, without those that were dropped
---@field freezes integer calls of `freeze` without a `thaw`
---@field frozen string? the checkpoint while it is frozen
---@field last_checkpoint string? once finished
---@field polls integer rounds of `poll`; a changed count reveals a nested poll from a hook
---@field repeats rollcall.Repeats
---@field known { answer: rollcall.Answer? } of the page with the most users so far, for paging types that know of pages
---  ahead
---@field users integer given, of the pages before the first of `pages`
---@field stats { requests: integer, retries: integer, waits: number, bytes: integer } see rollcall.Stats
---@field total integer? the number of users that the last page states
---@field by_page boolean? users are handed over as a page; it counts as given when `page_end` was taken
---@field page_users rollcall.User[]? with by_page: those of the page that have arrived
---@field page_end rollcall.PageInfo? with by_page: of the page whose last user was given, `ended_page`
---@field ended_page rollcall.Page? the page of `page_end`
---@field is_busy boolean? in the middle of a poll, except during hooks: a close is deferred to its end
---@field release fun(raised: any): any the message handler of a poll
---@field is_close_wanted boolean? `close` was called
---@field is_unseen boolean? the user given last was not handed over, because the walk was closed meanwhile
local Walk = {}
Walk.__index = Walk

local walk = {}

---@class rollcall.WalkSpec
---@field collection rollcall.ProviderCollection
---@field query rollcall.Query checked
---@field request rollcall.Request the template of every page's request
---@field first rollcall.Position of the first page, without a checkpoint
---@field auth table
---@field variables table<string, string> the values of each {name} in the path
---@field records { common: table, type: table } its users' common fields, from fields.common, and their type
---@field identity rollcall.WalkIdentity
---@field resume rollcall.Checkpoint?
---@field budget rollcall.Budget
---@field account string? the account whose users they are

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
    id = pointers.of(spec.collection.id or "id"),
    empty_answers = declared_answer.among(spec.collection.empty),
    front = { head = source.empty_head },
    finished = false,
    pages = {},
    page_count = 0,
    freezes = 0,
    polls = 0,
    repeats = repeats.new(paging),
    known = {},
    users = 0,
    stats = { requests = 0, retries = 0, waits = 0, bytes = 0 },
  }, Walk)
  function self.release(raised)
    self.is_busy = false
    return raised
  end
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

--- Requests the page at this position, after those already requested.
---@param position rollcall.Position
---@param ledger rollcall.Ledger? of the page at which a checkpoint was taken
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

--- The loop-detection key of a position; nil for numbered pages, which never repeat.
local function key_of(position)
  return position.token or position.url or position.before and "before " .. position.before
end

--- Requests the first page: the query's, or the one of the checkpoint.
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
    -- Links may lead back to the beginning, which the first page's parameters identify.
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

--- From here on users are handed over as a page.
---@param less_last boolean? the page includes the user given last
---@return rollcall.User[] users of it that have arrived: some, if a hook raised before it was whole
function Walk:begin_page(less_last)
  local page = self.pages[1]
  if page and not self.by_page then
    page.saved = page:save(less_last)
  end
  self.by_page = true
  self.page_users = self.page_users or {}
  return self.page_users
end

--- The page, with all of its users, was handed over.
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

--- Where the script stands: before the users of a page that was not handed over yet.
---@return string
function Walk:resume_point()
  local unseen = self.by_page and (self.page_end and self.ended_page or self.pages[1])
  if unseen then
    return checkpoint.encode { walk = self.spec.identity, position = unseen.position, ledger = unseen.saved }
  end
  return self.finished and self.last_checkpoint or self:current_checkpoint()
end

--- The same, or the checkpoint at which it is frozen: users since then are in `collect`, which has not returned or in
--- which a user function has raised.
---@return string
function Walk:checkpoint()
  return self.frozen or self:resume_point()
end

--- Its checkpoint, for `freeze`.
function Walk:mark()
  return self:checkpoint()
end

--- Keeps its checkpoint at this one, or at an earlier one if it is frozen already, until `thaw` was called as often.
---@param mark string
function Walk:freeze(mark)
  self.frozen, self.freezes = self.frozen or mark, self.freezes + 1
end

function Walk:thaw()
  self.freezes = self.freezes - 1
  self.frozen = self.freezes > 0 and self.frozen or nil
end

--- What is known about a page once no more users of it will come.
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
    elseif self.by_page and page and not self.page_end then -- one that was not taken yet goes first
      page.is_cut = reason == "limit" and page.answer ~= nil and page.ledger:given() < page.answer.count
      self.page_end, self.ended_page = self:describe(page), page
    end
  end
  self.finished, self.reason, self.err = true, reason, err
  self.front.head = source.empty_head
  self:drop(2)
  self.users = self:count()
  if page then
    page.exchange:cancel() -- counts its bytes
  end
  self.pages = {}
  if reason == "closed" then
    self.client.engine:notify() -- another coroutine may be waiting on it, for no transfer
  end
end

function Walk:fail(err)
  if not self.finished then
    err.account = self.spec.account
    self:finish(source.reason_of(err), err)
    err.checkpoint = self.last_checkpoint
  end
end

--- The number of users that the walk has given.
---@return integer
function Walk:count()
  local page = self.pages[1]
  return self.users + (page and page:given() or 0)
end

---@return rollcall.Stats
function Walk:statistics()
  local page = self.pages[1]
  local has_come = page and (page.is_new or page.ended and not page.err) -- it has users, or has ended
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

--- Drops the pages from this index on: they were requested ahead, and are not the ones that follow.
function Walk:drop(index)
  while self.pages[index] do
    table.remove(self.pages).exchange:cancel()
    self.page_count = self.page_count - 1
  end
end

--- Explains a loop, for messages.
function Walk:ignored()
  local place = self.paging.places(self.spec.collection.paging)[1]
  local name = request.query_name(place)
  return place and ("a server that does not know the %s ignores it and sends the same pages again"):format(
    request.describe(name and self.client.query_names[name] or place)) or "the server's links lead in a circle"
end

--- For a whole page: finds where the next one is, and drops the page requested ahead unless it is that one.
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

--- Reads what the whole body of a page says.
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

--- Ends a page that repeats an earlier one.
function Walk:fail_as_repeat(page)
  page.err = page.exchange:error("loop", ("page %d has the same users as one before it; %s"):format(
    page.number, self:ignored()))
  page.ended, page.next = true, nil
  self:drop(2)
end

--- Releases the first page's users once its first users differ from those of every page before. No user of a repeated
--- page is given.
---@return boolean? has_come it is a repeated page; nil: not known yet
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

--- Remembers the beginning of a page that was read to its end; false if the walk must not go on.
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

--- Would the pages already requested, if full, reach the limit?
function Walk:is_limit_near()
  local limit, page_size = self.spec.query.limit, self.spec.query.page_size
  return limit ~= nil and page_size ~= nil and self.users + #self.pages * page_size >= limit
end

--- The position of the page after this one, if the paging type can tell it before all pages up to it have ended and at
--- least two pages are to be fetched ahead.
---@return rollcall.Position?
function Walk:position_ahead(page)
  local ahead, query = self.paging.ahead, self.spec.query
  if page.err or not ahead or query.prefetch < 2 then
    return nil
  end
  return ahead(self.spec.collection.paging, page.position, self.known, query)
end

--- Steps every page's exchange, and requests further pages, as many ahead as wanted.
---@param now number
---@return number seconds to wait at most
function Walk:step_pages(now)
  local wake, polls = source.FOREVER, self.polls
  local is_known = true -- are all pages before this one whole?
  local i = 1
  while self.pages[i] do
    local page = self.pages[i]
    local has_come = i == 1 and not page.is_new and self:check_repeat(page)
    if not page.ended then
      -- The users that arrived before a transfer broke off are read first, unless the page may be a repeated one.
      local is_read = i == 1 and page.is_new and self.spec.query.direction ~= "backward"
      self.is_busy = false -- hooks may wait, and other code may close the walk meanwhile
      local status, wait = page.exchange:step(now, is_read)
      self.is_busy = true
      if self.finished or self.polls ~= polls then -- a hook closed it, or polled it itself
        return wake
      end
      if self.spec.query.direction == "backward" then
        backward.hold(page)
      end
      if i > 1 then -- the first page's users are still being read
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
    if i == 1 and not page.is_new and not has_come then -- more may have arrived while a hook waited
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

--- Sets the front's head to the one of the first page.
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
    -- Its rate limits are known before its users are given: the script may send another request on seeing one.
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

--- All users of the first page were given: goes on to the next page, or ends the walk.
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

--- The bytes received by running transfers.
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

--- Ends the walk if a limit of the whole walk is reached or its client is closed. Has it ended?
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

--- A round, with is_busy cleared inside the protected call: a debug hook may raise between any two instructions.
local function run_round(self)
  local user, seconds = self:poll_round()
  self.is_busy = false
  return user, seconds
end

--- The next user; or nil and the seconds to wait at most; or nil once `finished`.
---@return rollcall.User? user
---@return number? seconds
function Walk:poll()
  self.page_end = nil
  local good, user, seconds = xpcall(run_round, self.release, self)
  self.is_busy = false -- the handler is not called if memory ran out
  if self.is_close_wanted and not self.finished then
    self.is_unseen = good and user ~= nil -- the checkpoint is before the user
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
    self.is_busy = true -- a close during this round is deferred to its end
    if self.finished then
      return nil
    end
    -- While a hook waited, another coroutine may have ended the page, or taken it.
    if self.page_end or by_page and not self.by_page then
      return nil, 0
    end
    local now = core.now()
    if self:end_if_over(now) then
      return nil
    end
    self.front.head = source.empty_head -- until `set_head`: a hook may raise, a transfer may be replaced
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
        user = self.front.head:next() -- the first nil may only mean that the last byte has arrived
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

--- What the head's `values` takes for these fields; nil if it gives users only.
---@param names string[]
---@return rollcall.Selection?
function Walk:selection(names)
  if self.spec.query.direction == "backward" then
    return nil -- all users of a page are created anyway
  end
  return core.selection(fields.rules_of(self.spec.records.common, names))
end

function Walk:engines()
  return { not self.client.is_closed and self.client.engine or nil }
end

--- Ends the walk; in the middle of a poll, such as from a finalizer, at the poll's end.
function Walk:close()
  self.is_close_wanted = true
  if not self.finished and not self.is_busy then
    self:finish("closed")
  end
end

return walk
