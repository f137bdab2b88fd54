-- Injected faults: which request meets one, and what it does to the response. README.md lists them.
--
-- A plan is set by the control port. Requests are counted from then on, by provider and kind ("users", "token"); a plan
-- assigns faults to request numbers, in turn, or at random with a seed, so that the same requests meet the same faults
-- in every run.

local cjson = require "cjson.safe"
local random = require "sandbox.data.random"
local reply = require "sandbox.reply"
local tokens = require "sandbox.tokens"

local faults = {}

local memory = ngx.shared.faults

-- What is sent instead of a response -----------------------------------------------------------------------------

local HTML = "<!DOCTYPE html>\n<html><head><title>Maintenance</title></head><body><h1>Back soon</h1></body></html>\n"
local GARBAGE = "\0\1\2}{][\255\254,\"\\u12" .. ("\200\129garbage"):rep(20)
local HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Len"    -- nothing after it
local STALL = 30    -- seconds; ends when the client disconnects

local REASONS = { [200] = "OK", [401] = "Unauthorized", [408] = "Request Timeout", [429] = "Too Many Requests",
  [500] = "Internal Server Error", [502] = "Bad Gateway", [503] = "Service Unavailable", [504] = "Gateway Timeout" }

-- Bodies for a status: those of APIs, gateways and load balancers.
local BODIES = {
  json = { "application/json", '{"error":{"code":"fault","message":"A fault on purpose.","errors":[]}}' },
  problem = { "application/problem+json", '{"title":"A fault on purpose.","errorCode":"FAULT"}' },
  html = { "text/html", HTML },
  empty = { "text/plain", "" },
}

-- Splits the text of an array of users: what precedes it, the users, what follows; nil if it has no array.
local function take_apart(body)
  local _, open = body:find '^%s*%['
  if not open then _, open = body:find '"data"%s*:%s*%[' end
  if not open then return nil end
  local users, depth, from, at = {}, 0, open + 1, open + 1
  while true do
    at = body:find('["%[%]{},]', at)
    if not at then return nil end
    local byte = body:sub(at, at)
    if byte == '"' then
      repeat
        at = body:find('[\\"]', at + 1)
        if not at then return nil end
        local is_end = body:sub(at, at) == '"'
        if not is_end then at = at + 1 end
      until is_end
    elseif byte == "{" or byte == "[" then
      depth = depth + 1
    elseif depth > 0 then
      if byte ~= "," then depth = depth - 1 end
    elseif byte ~= "}" then
      local user = body:sub(from, at - 1)
      if user:find "%S" then users[#users + 1] = user end
      if byte == "]" then return body:sub(1, open), users, body:sub(at) end
      from = at + 1
    end
    at = at + 1
  end
end

-- How a page differs from one without a fault.
local changes = {}

function changes.reverse(users)
  local list = {}
  for at = #users, 1, -1 do list[#list + 1] = users[at] end
  return list
end

function changes.rotate(users)
  local list, first = {}, math.floor(#users / 3)
  for at = 1, #users do list[at] = users[(at - 1 + first) % #users + 1] end
  return list
end

-- Users that are not in the data, whose ids begin with "phantom-": deleted a moment later.
function changes.insert(users, number)
  local list = {}
  for at, user in ipairs(users) do
    if at % 5 == 1 then
      list[#list + 1] = ('{"id":"phantom-%d-%d","name":"Deleted Soon","email":null}'):format(number, at)
    end
    list[#list + 1] = user
  end
  return list
end

-- Every third user is missing: created a moment later.
function changes.remove(users)
  local list = {}
  for at, user in ipairs(users) do
    if at % 3 ~= 0 then list[#list + 1] = user end
  end
  return list
end

-- The number of bytes at which a fault happens: possibly none, never the whole document.
local function place(fault, body)
  local size = body:find "%s*$" - 1
  return math.max(0, math.min(size - 1, fault.at or math.floor((fault.share or 0.5) * size)))
end

-- Responds without nginx, which then closes the connection.
local function raw(status, content_type, lines, write)
  local socket = assert(ngx.req.socket(true))
  socket:settimeout(60000)
  local head = { ("HTTP/1.1 %d %s"):format(status, REASONS[status] or "Whatever"), "Content-Type: " .. content_type }
  for _, line in ipairs(lines) do head[#head + 1] = line end
  if socket:send(table.concat(head, "\r\n") .. "\r\n\r\n") then write(socket) end
end

-- By kind of fault: how a finished response is sent instead.
local spoilers = {}

function spoilers.cut(fault, status, body, content_type)
  local sent = body:sub(1, place(fault, body))
  local framing = fault.framing or "length"
  if framing == "whole" then
    -- Everything is correct except the JSON.
    ngx.ctx.spoil = nil
    return reply.json(status, sent, content_type)
  end
  if framing == "head" then return assert(ngx.req.socket(true)):send(HEAD) end
  local lines = {
    length = { "Content-Length: " .. #body },
    chunked = { "Transfer-Encoding: chunked" },
    none = { "Connection: close" },
  }
  raw(status, content_type, lines[framing], function(socket)
    socket:send(framing == "chunked" and ("%x\r\n%s\r\n"):format(#sent, sent) or sent)
  end)
end

-- nginx turns 444 into a reset, see nginx.conf.in.
function spoilers.reset(fault, status, body, content_type)
  raw(status, content_type, { "Content-Length: " .. #body }, function(socket)
    socket:send(body:sub(1, place(fault, body)))
  end)
  return ngx.exit(444)
end

function spoilers.stall(fault, status, body, content_type)
  raw(status, content_type, { "Content-Length: " .. #body }, function(socket)
    socket:send(body:sub(1, place(fault, body)))
    socket:settimeout((fault.seconds or STALL) * 1000)
    socket:receive(1)
  end)
end

function spoilers.slow(fault, status, body, content_type)
  local step = fault.step or math.max(1, math.floor(#body / 10))
  raw(status, content_type, { "Content-Length: " .. #body }, function(socket)
    for from = 1, #body, step do
      if not socket:send(body:sub(from, from + step - 1)) then return end
      ngx.sleep(fault.pause or 0.005)
    end
  end)
end

function spoilers.length(fault, status, body, content_type)
  raw(status, content_type, { "Content-Length: " .. math.max(0, #body + (fault.more or 1)) }, function(socket)
    socket:send(body)
  end)
end

function spoilers.spoil(fault, status, body, content_type)
  local at = place(fault, body)
  ngx.ctx.spoil = nil
  reply.json(status, body:sub(1, at) .. GARBAGE .. body:sub(at + 1), content_type)
end

function spoilers.change(_, status, body, content_type)
  ngx.ctx.spoil = nil
  reply.json(status, body, content_type)
end

-- The function that gets the response of this request's handler.
local function spoil(fault, number)
  return function(status, body, content_type)
    local change = status == 200 and changes[fault.change]
    if change then
      local head, users, tail = take_apart(body)
      if head then body = head .. table.concat(change(users, number), ",") .. tail end
    end
    return spoilers[fault.kind](fault, status, body, content_type or "application/json")
  end
end

-- By kind of fault: what is sent without calling the handler.
local answers = {}

function answers.status(fault)
  local body = BODIES[fault.body or "json"]
  reply.json(fault.status, body[2], body[1])
end

function answers.rate_limit(fault)
  local wait = fault.wait or 0
  if fault.after == "milliseconds" then
    ngx.header["retry-after-ms"] = math.floor(wait * 1000)
  elseif fault.after == "date" then
    ngx.header["Retry-After"] = ngx.http_time(math.floor(ngx.now() + wait))
  elseif fault.after ~= "never" then
    ngx.header["Retry-After"] = wait
  end
  reply.json(fault.status or 429, '{"message":"API rate limit exceeded"}')
end

function answers.unauthorized()
  ngx.header["WWW-Authenticate"] = "Bearer"
  reply.json(401, '{"message":"Unauthorized"}')
end

-- Tesouro's response to an expired token.
function answers.expired()
  reply.json(400, '{"error":{"message":"The token has been expired."}}')
end

function answers.garbage() reply.json(200, GARBAGE) end

function answers.html() reply.json(200, HTML, "text/html") end

-- These two send nothing.
function answers.close() assert(ngx.req.socket(true)) end

function answers.abort() return ngx.exit(444) end

-- These change something and let the handler respond.
local before = {}

function before.delay(fault) ngx.sleep(fault.seconds or 0.01) end

function before.expire() tokens.expire() end

function before.revoke() tokens.revoke() end

-- Which request meets which fault --------------------------------------------------------------------------------

local function draw_cut(generator, kind, changing)
  return {
    kind = "cut",
    share = generator:int(1000) / 1000,
    framing = generator:pick { "length", "chunked", "whole", "none", "head" },
    change = kind == "users" and changing and generator:chance(50)
      and generator:pick { "reverse", "rotate", "insert", "remove" } or nil,
  }
end

-- Random faults, with figures that keep a test quick.
local draws = {
  status = function(generator)
    return { kind = "status", status = generator:pick { 408, 500, 502, 503, 504 },
      body = generator:pick { "json", "problem", "html", "empty" } }
  end,
  rate_limit = function(generator)
    local after = generator:pick { "seconds", "milliseconds", "milliseconds", "date", "never" }
    return { kind = "rate_limit", after = after, status = generator:pick { 429, 429, 503 },
      wait = after == "milliseconds" and generator:int(20) / 1000 or generator:chance(10) and 3600 or 0 }
  end,
  delay = function(generator) return { kind = "delay", seconds = generator:int(20) / 1000 } end,
  reset = function(generator) return { kind = "reset", share = generator:int(1000) / 1000 } end,
  cut = draw_cut,
  stall = function(generator) return { kind = "stall", share = generator:int(1000) / 1000 } end,
  slow = function(generator) return { kind = "slow", pause = generator:int(5) / 1000 } end,
  length = function(generator) return { kind = "length", more = generator:pick { 1, 100, -1, -100 } } end,
  spoil = function(generator) return { kind = "spoil", share = generator:int(1000) / 1000 } end,
}

-- How often each is drawn, for the two kinds of requests.
local WEIGHTS = {
  users = { status = 8, rate_limit = 6, unauthorized = 1, expired = 1, expire = 2, revoke = 2, delay = 2, reset = 6,
    abort = 3, close = 4, cut = 20, stall = 5, slow = 4, length = 6, garbage = 1, html = 1, spoil = 2 },
  token = { status = 8, rate_limit = 6, unauthorized = 1, delay = 4, reset = 4, abort = 3, close = 4, cut = 6,
    stall = 4, slow = 4, length = 5, garbage = 1, html = 1 },
}

-- Both as lists, each name as often as its weight, in a fixed order.
local urns = {}
for kind, weights in pairs(WEIGHTS) do
  local names = {}
  for name in pairs(weights) do names[#names + 1] = name end
  table.sort(names)
  urns[kind] = {}
  for _, name in ipairs(names) do
    for _ = 1, weights[name] do urns[kind][#urns[kind] + 1] = name end
  end
end

local function draw(plan, provider, kind, number)
  local generator = random.new(plan.seed * 7919 + number * 131 + #provider * 31 + #kind)
  if generator:int(1000) > (plan.chance or 0) * 1000 then return nil end
  local name = generator:pick(plan.kinds or urns[kind])
  if name == "expired" and provider ~= "tesouro" then name = "unauthorized" end
  return draws[name] and draws[name](generator, kind, plan.change ~= false) or { kind = name }
end

-- The fault of the request with this number of its provider and kind; nil for none.
local function choose(plan, provider, kind, number)
  if plan.provider and plan.provider ~= provider then return nil end
  local named = plan.at and plan.at[kind .. ":" .. number]
  if named then return named end
  if kind == "users" and plan.script and plan.script[number] then return plan.script[number] end
  if not plan.seed or memory:incr("left", -1, plan.most or 1e9) < 0 then return nil end
  local fault = draw(plan, provider, kind, number)
  if not fault then memory:incr("left", 1) end
  return fault
end

-- Functions for tests --------------------------------------------------------------------------------------------

local function known(fault)
  return type(fault) == "table"
    and (fault.kind == nil or answers[fault.kind] or before[fault.kind] or spoilers[fault.kind])
    and (fault.change == nil or changes[fault.change] and spoilers[fault.kind])
end

-- Sets a plan (see README.md), as JSON: returns true, or nil and what is wrong with it. An empty one removes the plan.
function faults.plan(text)
  local plan = cjson.decode(text)
  if type(plan) ~= "table" then return nil, "expected a plan as a JSON object" end
  for where, fault in pairs(plan.at or {}) do
    if not where:match "^users:%d+$" and not where:match "^token:%d+$" then
      return nil, where .. ': expected "users:1", "token:2", and the like'
    elseif not known(fault) then
      return nil, where .. ": there is no such fault"
    end
  end
  for number, fault in ipairs(plan.script or {}) do
    if not known(fault) then return nil, ("script: %d: there is no such fault"):format(number) end
  end
  for _, name in ipairs(plan.kinds or {}) do
    if not known { kind = name } then return nil, "kinds: there is no fault " .. tostring(name) end
  end
  if plan.chance and not tonumber(plan.seed) then return nil, "chance takes a seed" end
  faults.forget()
  if next(plan) then memory:set("plan", text) end
  return true
end

-- Removes the plan and all counts.
function faults.forget()
  memory:flush_all()
end

-- How often each kind was met, as { ["users cut"] = 3, … }.
function faults.met()
  local met = {}
  for _, key in ipairs(memory:get_keys(0)) do
    local name = key:match "^met (.*)$"
    if name then met[name] = memory:get(key) end
  end
  return met
end

local function note(kind, fault)
  local detail = fault.status or fault.framing
  local name = table.concat({ kind, fault.kind, detail and tostring(detail) or nil }, " ")
  memory:incr("met " .. name, 1, 0)
  if fault.change then memory:incr("met " .. kind .. " page changed: " .. fault.change, 1, 0) end
end

-- Called for every request. Returns whether it has been responded to; if not, its handler's response may still be
-- changed.
function faults.meet(provider, kind)
  local text = memory:get "plan"
  if not text then return false end
  local number = memory:incr("number " .. provider .. " " .. kind, 1, 0)
  local fault = choose(cjson.decode(text), provider, kind, number)
  if not fault or not fault.kind or ngx.req.http_version() > 1.1 then return false end
  note(kind, fault)
  ngx.req.read_body()
  if before[fault.kind] then
    before[fault.kind](fault)
  elseif answers[fault.kind] then
    answers[fault.kind](fault)
    return true
  else
    ngx.ctx.spoil = spoil(fault, number)
  end
  return false
end

return faults
