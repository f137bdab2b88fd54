-- A walk under faults, by a seed: what it must give, and how it went.
--
-- A walk is begun under a plan of faults, and goes on, in a client of its own each time, where an error or a stop of
-- ours left it; in the end without faults. All of that together must give each user once.

local check = require "spec.support.check"
local errors = require "rollcall.errors"
local sandbox = require "spec.support.sandbox"
local random = require "sandbox.data.random" -- which spec.support.sandbox has put on the path

local ordeal = {}

local TESOURO_ORGANIZATION = "7e500000-0000-4000-8000-000000000009"
local DINTERO_SMALL = { "P321", "T123", "P87654321", "P11111111" }

-- What no error, event or output may show: the secret, and what every token of the sandbox begins with.
local SECRETS = { sandbox.secret, "eyJ" }

local function listen(event)
  check.no_secret(event, SECRETS)
end

-- What a walk may end with under faults, when the retries did not help.
local kinds = { network = true, timeout = true, http = true, auth = true, rate_limit = true, decode = true }

local function ids_of(list, into)
  for _, user in ipairs(list) do
    into[user.id] = true
  end
  return into
end

--- The token of the last page.
local function last_token(query)
  local copy = check.copy(query)
  local token
  for _, info in sandbox.tesouro():users(copy):pages() do
    token = info.token
  end
  return token
end

local function tesouro_case(generator, whole)
  local query = whole and { status = "ALL", page_size = generator:pick { 50, 100 } }
    or { status = "ALL", organization_id = TESOURO_ORGANIZATION, page_size = generator:pick { 7, 20, 40 } }
  local name = whole and "whole directory" or "organization"
  local expected = ids_of(sandbox.data.tesouro.users(query), {})
  if not whole and generator:chance(25) then
    query.page_token, query.direction = last_token(query), "backward"
    name = name .. ", backward"
  end
  return { name = name, client = sandbox.tesouro, options = {}, query = query, expected = expected }
end

local function dintero_case(generator, whole)
  local expected = {}
  local accounts = whole and { "T12345678" } or generator:chance(50) and DINTERO_SMALL
    or { generator:pick { "P321", "P87654321" } }
  for _, account in ipairs(accounts) do
    ids_of(sandbox.data.dintero.users(account), expected)
  end
  return {
    name = whole and "largest account" or #accounts > 1 and "accounts, merged" or "account",
    client = sandbox.dintero,
    options = { accounts = #accounts > 1 and accounts or nil, account = #accounts == 1 and accounts[1] or nil },
    query = { expand = generator:chance(30) and { "roles" } or nil },
    expected = expected,
    -- A checkpoint knows so many users by their sequence alone, which a changed page breaks.
    unchanging = whole,
  }
end

--- One walk, or its continuation: whether it came to its end, its checkpoint, and its error.
local function walk(case, generator, checkpoint, stop, seen)
  local query = check.copy(case.query)
  query.resume = checkpoint
  query.page_token = not checkpoint and query.page_token or nil
  query.deadline = 60
  local client = case.client(case.options)
  local users = client:users(query)
  local count = 0
  while count ~= stop do
    local user, err = users:next()
    if user == nil then
      if not err then
        assert(users:reason() == "exhausted", "reason: " .. tostring(users:reason()))
        return true, users:checkpoint()
      end
      if not errors.is(err) or not kinds[err.kind] then
        error("an unexpected end: " .. tostring(err), 0)
      end
      check.failure(err, err.kind, SECRETS)
      assert(users:reason() == "error", "reason: " .. tostring(users:reason()))
      assert(err.checkpoint == users:checkpoint(), "the error's checkpoint is not the stream's")
      return false, err.checkpoint, err
    end
    count = count + 1
    local id = user.id
    if seen[id] then
      error(("user %s came twice"):format(id), 0)
    elseif not case.expected[id] and not id:find("^phantom%-") then
      error(("user %s is not in the data"):format(id), 0)
    end
    seen[id] = true
    if generator:int(50) == 1 then
      users:checkpoint() -- harmless at any time
    end
  end
  checkpoint = users:checkpoint()
  if generator:chance(50) then
    users:close()
    assert(users:checkpoint() == checkpoint, "close has moved the checkpoint")
  end
  client:close()
  return false, checkpoint
end

--- Walks one case; raises, with how to do it again, where a user is lost or comes twice.
---@param provider "tesouro"|"dintero"
---@param seed integer
---@param whole boolean the whole directory instead of a part of it
---@return { name: string, endings: string[], met: table<string, integer> } what it was, how each walk of it ended,
---  and how often each fault was met
function ordeal.run(provider, seed, whole)
  local generator = random.new(seed)
  sandbox.plan_faults()
  local case = (provider == "tesouro" and tesouro_case or dintero_case)(generator, whole)
  case.options.retry = { attempts = generator:pick { 2, 3, 5, 8 }, base = 0.002, cap = 0.01 }
  case.options.idle_timeout = 0.1
  case.options.on = { request = listen, response = listen, retry = listen, page = listen }
  case.query.prefetch = generator:pick { 0, 1, 3 }
  sandbox.plan_faults {
    provider = provider,
    seed = seed,
    chance = generator:pick { 0.1, 0.3, 0.5, 0.7 },
    change = not case.unchanging,
  }
  local seen, endings, met = {}, {}, nil
  local last_err
  local good, problem = pcall(function()
    local done, checkpoint, err
    for hop = 1, 4 do
      if hop == 4 then
        met = sandbox.faults_met()
        sandbox.plan_faults() -- what follows meets none
      end
      local stop = hop < 4 and generator:chance(40) and generator:int(80) or -1
      done, checkpoint, err = walk(case, generator, checkpoint, stop, seen)
      last_err = err or last_err
      endings[hop] = done and "all users" or err and "error: " .. err.kind or "stopped"
      if done then
        break
      end
    end
    if not done then
      error("the walk does not end without faults", 0)
    end
    for id in pairs(case.expected) do
      if not seen[id] then
        error(("user %s is lost"):format(id), 0)
      end
    end
  end)
  if not good then
    error(("%s, seed %d (%s): %s; walks: %s; last error: %s"):format(provider, seed, case.name, tostring(problem),
      table.concat(endings, ", "), tostring(last_err)), 2)
  end
  return { name = case.name, endings = endings, met = met or sandbox.faults_met() }
end

return ordeal
