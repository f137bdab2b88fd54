-- One request until it has its answer: token, rate limit, attempts and the waits between them.
--
-- Nothing here blocks. The caller calls step again and again, and waits on the engine between calls for at most as long
-- as step says.

local core = require "rollcall.core"
local declared_answer = require "rollcall.http.declared_answer"
local errors = require "rollcall.errors"
local header = require "rollcall.http.header"
local json = require "rollcall.json"
local problem = require "rollcall.http.problem"
local rate_limits = require "rollcall.http.rate_limits"
local retry = require "rollcall.http.retry"
local url = require "rollcall.http.url"

---@class rollcall.ExchangeSpec
---@field method string
---@field url string
---@field headers string[]
---@field body string?
---@field decoder (fun(): rollcall.Decoder)? makes the decoder of a 2xx body; nil: the body is collected
---@field auth table? has the methods authorize and renew; nil: no token
---@field ledger rollcall.Ledger? what the page has given; a body that is fetched again skips that
---@field empty_answers rollcall.DeclaredAnswer? answers that mean that there are no users, besides an empty list
---@field stats table? in which requests, retries, waits (seconds) and bytes are counted
---@field budget rollcall.Budget? what the whole walk may cost

---@class rollcall.Exchange
---@field client rollcall.ClientState
---@field spec rollcall.ExchangeSpec
---@field state "token"|"gate"|"start"|"running"|"backoff"|"done"|"failed" gate: checks the rate limit
---@field transfer rollcall.Transfer? the current attempt, or the last
---@field authorization string[]? header lines of the attempt
---@field renewed boolean? its credentials were refused and renewed once since the last retry
---@field ticket table? the token request that it waits for
---@field observed boolean? the rate limits have read this answer's headers
---@field has_left boolean? the engine was driven since the attempt began
---@field fresh_connection boolean? the next attempt must not reuse a connection
---@field resume_at number? end of a backoff, as core.now
---@field waits_since number? start of a backoff, as core.now
---@field waits number? length of a backoff, in seconds
---@field retry_cost integer what its retries took of the quota
---@field events { name: string, fields: table }[] for hooks that have not been called yet
---@field decoder rollcall.Decoder?
---@field attempts integer
---@field err rollcall.Error? once step returns "failed"
---@field decode_err rollcall.Error? once step returns "done": what is wrong with the body
---@field says_empty boolean? once step returns "done": the answer is one declared to mean that there are no users
---@field release fun(raised: any): any the message handler of a step
---@field is_busy boolean? a step is running, in a state other than "token", which may call the script's functions
---@field is_cancelled boolean?
---@field says_error boolean? the body has no users and is an error document; unknown for bodies over 16 KiB
local Exchange = {}
Exchange.__index = Exchange

local exchange = {}

local tointeger = math.tointeger -- luacheck: ignore 143 (Lua 5.4 alone has it)

local MAX_URL_SHOWN = 512
-- Most bytes of a string in an error or event; `body` may have more. Longer texts are cut before redaction, which is
-- slow on hundreds of KiB. A URL is cut by `shown_url`.
local MAX_TEXT = 512
local MAX_BYTES = { body = errors.MAX_BODY, url = math.huge }
-- Fields with words of rollcall's own, by which retries and callers decide: not redacted, even if a secret is spelled
-- the same.
local OURS = { kind = true, method = true, provider = true, failure = true }
local MAX_HEADERS = 8192
local IDLE_TIMEOUT = 60
-- Seconds that step returns if only the engine ends the wait.
local LONGEST_WAIT = 3600
-- Limit of a whole token request, in idle timeouts: a server that drips bytes must not hold it forever.
local MOST_IDLE_TIMEOUTS = 4
-- Bytes kept of a body that is no page: a token endpoint's answer, or an error document.
local LONGEST_ANSWER = 262144

---@param client rollcall.ClientState
---@param spec rollcall.ExchangeSpec
---@return rollcall.Exchange
function exchange.new(client, spec)
  local self = setmetatable({ client = client, spec = spec, state = "token", attempts = 0, retry_cost = 0,
    events = {} }, Exchange)
  function self.release(raised)
    self.is_busy = false
    return raised
  end
  return self
end

--- An error about this exchange, with all that is known of it and no secrets.
---@param kind rollcall.ErrorKind
---@param message string
---@param fields table?
---@return rollcall.Error
function Exchange:error(kind, message, fields)
  local client, spec = self.client, self.spec
  local err = errors.new(kind, message, fields)
  err.provider = client.provider.name
  err.method = spec.method
  err.url = self:shown_url()
  err.attempts = self.attempts
  -- Lua 5.4 would write 5.0 for whole seconds that were calculated.
  err.retry_after = tointeger and tointeger(err.retry_after) or err.retry_after
  if self.transfer then
    err.status = err.status or self.transfer:status()
    err.request_id = problem.request_id(self.transfer)
  end
  return self:clean(err)
end

--- The answer's headers for scripts: only the first 8 KiB, since all that is shown is searched for secrets. None for a
--- token endpoint, whose token is not registered yet.
function Exchange:shown_headers()
  local lines = self.spec.decoder and self.transfer:headers() or ""
  local shown = self.client.redactor:clean(lines, nil, MAX_HEADERS)
  return header.all(#lines > MAX_HEADERS and shown:match "^(.*)\n" or shown) -- no half header
end

--- Redacts the client's secrets in every string of a table, and cuts long strings.
function Exchange:clean(fields)
  for name, value in pairs(fields) do
    if type(value) == "string" and not OURS[name] then
      local most = MAX_BYTES[name] or MAX_TEXT
      local shown = self.client.redactor:clean(value, nil, most)
      if #value > most then
        shown = shown:gsub("[\192-\255][\128-\191]*$", "") .. (name ~= "body" and "..." or "") -- no half character
      end
      fields[name] = shown
    end
  end
  return fields
end

local function is_success(status)
  return status ~= nil and status >= 200 and status < 300
end

-- Failures after the headers of an unsuccessful answer: its status already says what is wrong.
local is_broken_off = { network = true, timeout = true, bad_encoding = true }

local function is_failure(status)
  return status ~= nil and not is_success(status)
end

--- The error of an answer whose status is not 2xx, or whose document means the same.
---@param body string
function Exchange:status_error(body)
  local transfer = self.transfer
  local status = transfer:status()
  local kind = problem.kind(transfer, body, self.client.provider.limited)
  local document = json.decode(body)
  local message, code = problem.read(document)
  local is_shown = true
  if not self.spec.decoder then -- a token endpoint, whose answer may have a token all the same
    local declared = self.client.provider.auth
    is_shown, message = problem.without_token(body, document, message, declared and declared.token)
  end
  if status >= 300 and status < 400 and status ~= 304 then -- 304, "not modified": no request asks for it
    local target = transfer:header("location")
    target = target and target:gsub("^([%w+.-]*:?[/\\][/\\])[^/]*@", "%1"):gsub("[?#].*", "?...") -- both may be secret
    message = "a redirect" .. (target and " to " .. target or "") .. "; redirects are not followed"
  elseif not message and problem.is_html(transfer) then
    local title = problem.title(body)
    message = "the server answered HTML, not JSON" .. (title and ": " .. title or "")
  end
  message = message or (is_shown or body == "") and (problem.first_line(body) or "no message")
    or "its answer is not shown, since a token may be in it"
  local who = status == 407 and "the proxy" or "the server"
  return self:error(kind, ("%s answered %d: %s"):format(who, status, message), {
    status = status,
    code = code,
    retry_after = (kind == "rate_limit" and rate_limits.wait_asked or header.retry_after)(transfer),
    body = is_shown and body or nil,
  })
end

--- Does a 2xx document without users mean what 429 or 401 does? It does if the provider declares so, or if it is an
--- error document, or its status is 202, and it has a Retry-After.
---@param text string
---@param document any the same, decoded
function Exchange:means_refusal(text, document)
  local provider, status = self.client.provider, self.transfer:status()
  return declared_answer.matches(provider.limited, status, text)
    or provider.auth ~= nil and declared_answer.matches(provider.auth.expired, status, text)
    or (self.says_error and type(document) == "table" or status == 202)
      and problem.kind(self.transfer, text) == "rate_limit"
end

local transfer_kinds = { network = "network", timeout = "timeout", tls = "tls", too_large = "decode",
  bad_encoding = "decode", proxy = "http", no_memory = "network" }

--- The error of a transfer without a complete answer.
---@param proxy_status integer? of a proxy that refuses to open a tunnel
function Exchange:transfer_error(failure, line, proxy_status)
  if proxy_status then
    return self:error("http", line, { status = proxy_status, code = "proxy" })
  end
  local proxy = self.client.config.proxy
  if proxy and proxy ~= "" and not self.transfer:status() then
    line = line .. ", by way of the proxy"
  end
  local is_of_body = failure == "too_large" and line == "the body is too large"
  return self:error(transfer_kinds[failure] or "network", line, { code = failure,
    offset = is_of_body and self.client.body_limits.max_page_bytes or nil })
end

--- The error of a body that is not as declared.
---@param err rollcall.Error the decoder's
---@param text string? of a short document without users
---@param document any the same, decoded
function Exchange:decode_error(err, text, document)
  local message, name = problem.read(document)
  local said = message ~= "" and message or name
  message = said and ("%s; the server says: %s"):format(err.message, said) or err.message
  local full = self:error("decode", message, { code = err.code, offset = err.offset, body = text,
    retry_after = err.code == "unexpected_end" and header.retry_after(self.transfer) or nil })
  if problem.is_html(self.transfer) or err.message:find("expected a value, got '<'", 1, true) then
    full.message = ("the server answered %s, not JSON; %s"):format(problem.markup(self.transfer), full.message)
  end
  return full
end

function Exchange:fail(err)
  self.state, self.err = "failed", err
  return nil
end

--- Queues a call of one of the script's hooks; call_hooks makes it once the state is consistent.
function Exchange:queue_event(name, fields)
  if self.client.hooks[name] then
    fields.provider = self.client.provider.name
    fields.method = self.spec.method
    fields.url = self:shown_url()
    fields.attempt = self.attempts
    self.events[#self.events + 1] = { name = name, fields = self:clean(fields) }
  end
end

--- Calls the hooks, in the order of the events. An error in a hook is the script's and propagates; the hooks for the
--- events after it are called when the exchange goes on.
function Exchange:call_hooks()
  while self.events[1] do
    local event = table.remove(self.events, 1)
    self.client.hooks[event.name](event.fields)
  end
end

function Exchange:shown_url()
  local shown = self.client.redactor:clean(self.spec.url)
  return #shown > MAX_URL_SHOWN and shown:sub(1, MAX_URL_SHOWN) .. "..." or shown
end

--- Adds to the statistics of the walk that the request is for, and to its budget.
local function count(self, name, n)
  local stats, budget = self.spec.stats, self.spec.budget
  if stats then
    stats[name] = stats[name] + n
  end
  if budget then
    budget:spend(name, n)
  end
end

local states = {}

function states.token(self, now)
  local auth = self.spec.auth
  if auth then
    local status, value = auth:authorize(self, now)
    if self.state ~= "token" then
      return -- the script's function closed it
    elseif status == "wait" then
      return "wait", value
    elseif status == "failed" then
      return self:fail(value)
    end
    self.authorization = value
  end
  self.state = "gate"
end

--- Waits this many seconds before the next attempt.
local function back_off(self, now, seconds)
  self.resume_at, self.waits_since, self.waits, self.state = now + seconds, now, seconds, "backoff"
end

--- Counts the time waited so far.
local function count_wait(self, now)
  count(self, "waits", math.max(0, math.min(self.waits, now - self.waits_since)))
end

function states.gate(self, now)
  for other in pairs(self.client.running) do
    other:observe(now) -- another request's answer may state the limit, which holds for this one, too
  end
  local wait = self.client.rate_limits:wait(now)
  if wait > self.client.retry.max_retry_after then
    return self:fail(self:error("rate_limit", ("nothing is left of the rate limit for %d seconds"):format(
      math.ceil(wait)), { retry_after = wait }))
  elseif wait > 0 then
    local left = self.spec.budget and self.spec.budget:seconds_left(now)
    if left and wait >= left then
      return self:fail(self:error("budget", ("the walk's deadline comes before the rate limit's end, which is in %s "
        .. "seconds"):format(retry.shown(wait)), { retry_after = wait }))
    end
    back_off(self, now, wait)
    return "wait", wait
  end
  self.state = "start"
end

function states.start(self)
  local client, spec = self.client, self.spec
  local spent = spec.budget and spec.budget:requests_exceeded()
  if spent then
    return self:fail(self:error("budget", spent))
  end
  local headers, has_accept = { "User-Agent: " .. client.user_agent }, false
  -- A token endpoint on another host gets none of the client's headers.
  local of_client = client.headers[1] and url.is_same_origin(spec.url, client.base_url) and client.headers or {}
  for _, lines in ipairs { of_client, spec.headers, self.authorization or {} } do
    for _, line in ipairs(lines) do
      headers[#headers + 1] = line
      has_accept = has_accept or line:sub(1, 7):lower() == "accept:"
    end
  end
  headers[#headers + 1] = not has_accept and "Accept: application/json" or nil
  if self.transfer then
    self.transfer:cancel()
    self.transfer = nil
  end
  if self.decoder then
    self.decoder:close()
  end
  if spec.ledger and self.attempts > 0 then
    spec.ledger:begin_body()
  end
  self.decoder = spec.decoder and spec.decoder()
  self.attempts = self.attempts + 1
  local options = client:transport(spec.url)
  options.method, options.url, options.headers, options.body = spec.method, spec.url, headers, spec.body
  options.fresh_connection = self.fresh_connection
  if not spec.decoder then
    options.timeout = (options.idle_timeout or IDLE_TIMEOUT) * MOST_IDLE_TIMEOUTS
  end
  options.ticks = spec.budget ~= nil and spec.budget:limits_transfers()
  options.decoder, options.ledger = self.decoder, spec.ledger
  options.max_collected = LONGEST_ANSWER
  local transfer, err = client.engine:request(options)
  if not transfer then
    return self:fail(self:error(err.kind, err.kind == "closed" and "the client was closed" or err.message))
  end
  count(self, "requests", 1)
  self.transfer, self.state, self.observed, self.has_left = transfer, "running", false, false
  client.running[self] = true
  self:queue_event("request", {})
end

--- After a failed attempt: retries after a while, or fails.
function Exchange:retry_or_fail(err, now)
  self.renewed = false -- this failure was not about the token, so it may be renewed again
  local delay, why = self.client.retry:delay(err, self.attempts)
  if not delay then
    err.message = why and err.message .. "; " .. why or err.message
    return self:fail(err)
  end
  self.retry_cost = self.retry_cost + retry.cost(err)
  -- Do not reuse a connection that stalled: other requests may still be on it.
  self.fresh_connection = self.fresh_connection or err.kind == "timeout"
  local left = self.spec.budget and self.spec.budget:seconds_left(now)
  if left and delay >= left then
    err.kind = "budget"
    err.message = ("the walk's deadline would pass in a wait of %s seconds, after: %s"):format(retry.shown(delay),
      err.message)
    return self:fail(err)
  end
  count(self, "retries", 1)
  back_off(self, now, delay)
  self:queue_event("retry", { wait = delay, kind = err.kind, status = err.status, message = err.message,
    request_id = err.request_id })
end

--- Handles an answer that is not a success.
function Exchange:renew_or_retry(err, now)
  local auth = self.spec.auth
  if auth and err.kind ~= "rate_limit" and problem.refuses_credentials(err, self.client.provider.auth) then
    if not self.renewed and auth:renew(self.authorization) then
      self.renewed, self.state = true, "token"
      return
    end
    err.kind = "auth"
    return self:fail(err)
  end
  return self:retry_or_fail(err, now)
end

--- Is a collected JSON body complete? Other defects are left to its reader. cjson does not distinguish truncation; the
--- decoder does. "/-" (the element after the last of an array) never matches, so it reads everything and keeps nothing.
local function finish_collected(body)
  if body == "" then
    return true -- an empty body is not truncated
  end
  local decoder = core.decoder { items = "/-" }
  local good, err = decoder:feed(body)
  if good then
    good, err = decoder:finish()
  end
  return good or err.code ~= "unexpected_end", err
end

--- Does an answer say, as declared, that there are no users? Then it is complete, and the walk ends.
---@param body string
function Exchange:accept_as_empty(body)
  if not declared_answer.matches(self.spec.empty_answers, self.transfer:status(), body) then
    return false
  end
  self.client.retry:succeeded(self.retry_cost)
  self.state, self.says_empty = "done", true
  return true
end

--- Handles the end of a body: it is complete, or the decoder refused it.
function Exchange:conclude(now)
  local good, err
  if self.decoder then
    good, err = self.decoder:finish()
  else
    local body, was_cut = self.transfer:body()
    if was_cut then
      good = true -- too long, but not truncated
    else
      good, err = finish_collected(body)
    end
  end
  if not good and err.code == "unexpected_end" and self.transfer:status() ~= 204 then
    -- It was truncated, though the connection ended in order. The rest may still arrive, and must not be taken for the
    -- next answer.
    self.fresh_connection = true
    return self:retry_or_fail(self:decode_error(err), now)
  end
  local text = self.decoder and self.decoder:document() -- nil if it has users, and for a token endpoint
  if text and self:accept_as_empty(text) then
    return
  end
  local document = text and json.decode(text)
  self.says_error = text ~= nil
    and (problem.says_error(document) or not good and problem.says_error_instead(document, text))
  if text and self:means_refusal(text, document) then
    return self:renew_or_retry(self:status_error(text), now)
  end
  self.client.retry:succeeded(self.retry_cost)
  if good and self.says_error then
    good, err = false, { code = "error_document", message = "nobody is in the answer, and it is an error's document" }
  end
  self.decode_err = not good and self:decode_error(err, text, document) or nil
  self.state = "done"
end

--- Has the client's rate limits read the answer, once.
function Exchange:observe(now)
  local status = self.transfer and self.transfer:status()
  if not status then
    self.observed = false -- libcurl may have started over, with another version of HTTP
  elseif not self.observed then
    self.observed, self.client.running[self] = true, nil
    self.client.rate_limits:observe(self.transfer, now)
  end
end

function states.running(self, now, is_read)
  local transfer = self.transfer
  self:observe(now) -- as soon as the headers are there: other requests may be about to be sent
  if not transfer:done() then
    if self.decoder and is_success(transfer:status()) then
      return "open"
    end
    return "wait", LONGEST_WAIT
  end
  local bytes, seconds = transfer:usage()
  local failure, line, proxy_status = transfer:failure()
  local is_broken = failure and failure ~= "refused" and is_success(transfer:status())
  if is_broken and is_read and self.decoder and transfer:waits() then
    return "open" -- the records received before the failure come first
  end
  count(self, "bytes", bytes)
  if self.client.hooks.response then
    self:queue_event("response", {
      status = transfer:status(),
      request_id = problem.request_id(transfer),
      bytes = bytes,
      seconds = seconds,
      failure = failure,
      headers = self:shown_headers(),
    })
  end
  if self.client.is_closed then
    self:fail(self:error("closed", "the client was closed"))
  elseif failure == "refused" or (not failure and is_success(transfer:status())) then
    self:conclude(now)
  elseif failure and not (is_broken_off[failure] and is_failure(transfer:status())) then
    self:retry_or_fail(self:transfer_error(failure, line, proxy_status), now)
  elseif failure or not self:accept_as_empty((transfer:body())) then
    self:renew_or_retry(self:status_error((transfer:body())), now)
  end
end

function states.backoff(self, now)
  if now < self.resume_at then
    return "wait", self.resume_at - now
  end
  count_wait(self, now)
  self.state = "token"
end

function states.done()
  return "done"
end

function states.failed()
  return "failed"
end

--- Runs the state function. A finalizer may close the walk at any time: what a state uses is released only after the
--- state function has returned. Not in `token`, where a function of the script may wait. is_busy is set and cleared
--- inside the protected call: a debug hook may raise between any two instructions.
local function run_state(self, now, is_read)
  self.is_busy = self.state ~= "token"
  local status, wait = states[self.state](self, now, is_read)
  self.is_busy = false
  return status, wait
end

--- Goes on as far as possible without waiting.
---@param now number from core.now
---@param is_read boolean? the caller takes the transfer's records as long as there are some
---@return "wait"|"open"|"done"|"failed" status "open": the decoder is receiving a 2xx body
---@return number? seconds to wait at most, with "wait"
function Exchange:step(now, is_read)
  while true do
    self:call_hooks()
    local good, status, wait = xpcall(run_state, self.release, self, now, is_read)
    self.is_busy = false -- the handler is not called if memory ran out
    if self.is_cancelled then
      self:cancel()
    end
    if not good then
      error(status, 0)
    elseif self.is_cancelled then
      return "failed"
    end
    if status then
      return status, wait
    end
  end
end

--- Sends the request now, not at the next wait: the caller has something else to do meanwhile.
function Exchange:leave()
  if self.state == "running" and not self.has_left then
    self.has_left = true
    self.client.engine:drive()
  end
end

--- Releases everything that is under way; if a finalizer calls it during a step, at the end of that step.
function Exchange:cancel()
  self.is_cancelled = true
  if self.is_busy then
    return
  end
  self.client.running[self] = nil
  if self.state == "backoff" then
    count_wait(self, core.now())
  end
  if self.transfer then
    if self.state == "running" then
      count(self, "bytes", (self.transfer:usage()))
    end
    self.transfer:cancel()
    self.transfer = nil
  end
  if self.decoder then
    self.decoder:close()
    self.decoder = nil
  end
  self.events = {}
  self.state, self.err = "failed", errors.new("closed", "the request was cancelled")
end

return exchange
