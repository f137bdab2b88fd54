-- Walks under faults on purpose: examples/sandbox/faults.lua makes them, spec/support/ordeal.lua walks.
-- FAULT_SEEDS is how many scripts by chance there are for each provider; with it a table is printed.

local check = require "spec.support.check"
local core = require "rollcall.core"
local http = require "spec.support.http"
local ordeal = require "spec.support.ordeal"
local rollcall = require "rollcall"
local sandbox = require "spec.support.sandbox"

local SEEDS = tonumber(os.getenv "FAULT_SEEDS") or 40
-- One script in so many is walked over the whole directory.
local WHOLE = 10

local cases = {
  tesouro = {
    client = sandbox.tesouro,
    query = { status = "ALL", organization_id = "7e500000-0000-4000-8000-000000000009", page_size = 30 },
  },
  dintero = { client = sandbox.dintero, query = {}, account = "P87654321" },
}
cases.tesouro.users = sandbox.data.tesouro.users(cases.tesouro.query)
cases.dintero.users = sandbox.data.dintero.users(cases.dintero.account)

local providers = { "tesouro", "dintero" }

--- Walks a case to its end; raises where a user comes twice or is not in the data.
local function walk(provider, options, query)
  local case = cases[provider]
  local config = { account = case.account, retry = { base = 0.002 } }
  for name, value in pairs(options or {}) do
    config[name] = value
  end
  local asked = check.copy(case.query)
  for name, value in pairs(query or {}) do
    asked[name] = value
  end
  local users = case.client(config):users(asked)
  local expected, seen, count = {}, {}, 0
  for _, user in ipairs(case.users) do
    expected[user.id] = true
  end
  while true do
    local user, err = users:next()
    if user == nil then
      return { count = count, seen = seen, err = err, stream = users, is_whole = count == #case.users }
    end
    assert(expected[user.id] and not seen[user.id], "twice, or not in the data: " .. user.id)
    seen[user.id] = true
    count = count + 1
  end
end

teardown(function()
  sandbox.restore()
end)

before_each(function()
  sandbox.reset()
end)

describe("a fault, once:", function()
  local transient = {
    { kind = "status", status = 408 },
    { kind = "status", status = 500, body = "html" },
    { kind = "status", status = 502, body = "empty" },
    { kind = "status", status = 503, body = "problem" },
    { kind = "status", status = 504 },
    { kind = "rate_limit", after = "seconds" },
    { kind = "rate_limit", after = "milliseconds", wait = 0.03 },
    { kind = "rate_limit", after = "date" },
    { kind = "rate_limit", after = "never", status = 503 },
    { kind = "abort" },
    { kind = "close" },
    { kind = "reset", at = 0 },
    { kind = "reset", share = 0.5 },
    { kind = "cut", framing = "head" },
    { kind = "cut", framing = "length", share = 0.7 },
    { kind = "cut", framing = "length", at = 0 },
    { kind = "cut", framing = "chunked", share = 0.3 },
    { kind = "cut", framing = "whole", share = 0.9 },
    { kind = "cut", framing = "none", share = 0.99 },
    { kind = "stall", at = 0 },
    { kind = "stall", share = 0.4 },
    { kind = "length", more = 100 },
    { kind = "length", more = -100 },
  }
  for _, change in ipairs { "reverse", "rotate", "remove" } do
    for _, framing in ipairs { "length", "chunked", "whole", "none" } do
      transient[#transient + 1] = { kind = "cut", framing = framing, share = 0.8, change = change }
    end
  end
  -- These trouble users requests only.
  local tokens = { { kind = "expire" }, { kind = "revoke" }, { kind = "unauthorized" } }
  -- These are none for a patient client.
  local harmless = { { kind = "delay", seconds = 0.02 }, { kind = "slow", pause = 0.01 }, { kind = "change",
    change = "reverse" } }

  local function name_of(fault)
    local parts = {}
    for name, value in pairs(fault) do
      parts[#parts + 1] = name .. "=" .. tostring(value)
    end
    table.sort(parts)
    return table.concat(parts, " ")
  end

  --- Meets one fault; `repeats` is how often its request is sent again.
  local function meets(fault, provider, where, repeats)
    sandbox.plan_faults { provider = provider, at = { [where] = fault } }
    local ended = walk(provider, { idle_timeout = fault.kind == "stall" and 0.25 or nil })
    assert.is_nil(ended.err)
    assert.is_true(ended.is_whole)
    local met = 0
    for _, count in pairs(sandbox.faults_met()) do
      met = math.max(met, count)
    end
    assert.equal(1, met)
    local stats = sandbox.stats()[provider]
    local asked = ended.stream:stats()
    if where:find "^users" then
      assert.equal(asked.pages + repeats, stats.user_requests)
    else
      assert.equal(1 + repeats, stats.token_requests)
    end
  end

  for _, provider in ipairs(providers) do
    local where = provider == "tesouro" and "users:2" or "users:1"
    for _, fault in ipairs(transient) do
      it(("%s, %s: the page is fetched again"):format(provider, name_of(fault)), function()
        meets(fault, provider, where, 1)
      end)
      if not fault.change then
        it(("%s, %s: the token is asked for again"):format(provider, name_of(fault)), function()
          meets(fault, provider, "token:1", 1)
        end)
      end
    end
    for _, fault in ipairs(tokens) do
      it(("%s, %s: another token helps"):format(provider, name_of(fault)), function()
        meets(fault, provider, where, 1)
        assert.equal(2, sandbox.stats()[provider].token_requests)
      end)
    end
    for _, fault in ipairs(harmless) do
      it(("%s, %s: nothing happens"):format(provider, name_of(fault)), function()
        meets(fault, provider, where, 0)
      end)
    end

    it(provider .. ": ends the walk where no second attempt can help, and the rest follows", function()
      local fatal = {
        { { kind = "garbage" }, "decode", "auth" },
        { { kind = "html" }, "decode", "auth" },
        { { kind = "spoil", share = 0.5 }, "decode" },
        { { kind = "rate_limit", wait = 3600 }, "rate_limit", "rate_limit" },
        { { kind = "status", status = 501 }, "http", "auth" },
      }
      for _, one in ipairs(fatal) do
        for place, kind in pairs { [where] = one[2], ["token:1"] = one[3] } do
          sandbox.plan_faults { provider = provider, at = { [place] = one[1] } }
          local ended = walk(provider)
          check.failure(ended.err, kind, { sandbox.secret, "eyJ" })
          assert.equal("error", ended.stream:reason())
          assert.equal(ended.err.checkpoint, ended.stream:checkpoint())
          local rest = walk(provider, nil, { resume = ended.err.checkpoint })
          assert.is_nil(rest.err)
          assert.equal(#cases[provider].users, ended.count + rest.count)
          for id in pairs(rest.seen) do
            assert.is_nil(ended.seen[id])
          end
        end
      end
    end)

    it(provider .. ": a second refusal of a token is an auth error", function()
      sandbox.plan_faults { provider = provider, script = { { kind = "expire" }, { kind = "expire" } } }
      check.failure(walk(provider).err, "auth", { sandbox.secret, "eyJ" })
      assert.equal(2, sandbox.stats()[provider].user_requests)
    end)

    it(provider .. ": attempts that all fail are an error of the last one", function()
      local script = {}
      for i = 1, 5 do
        script[i] = { kind = "cut", share = i / 10, framing = "length" }
      end
      sandbox.plan_faults { provider = provider, script = script }
      local ended = walk(provider)
      assert.equal(5, check.failure(ended.err, "network").attempts)
      assert.is_true(ended.count > 0 and not ended.is_whole)
      assert.equal(5, sandbox.stats()[provider].user_requests)
    end)
  end

  local reads_ahead = require("rollcall.loop").detect() ~= require "rollcall.loop.blocking"

  it("a user who is deleted before the page is fetched again comes or does not, and nobody else is lost", function()
    for _, share in ipairs { 0.05, 0.5, 0.95 } do
      sandbox.plan_faults { provider = "dintero", script = { { kind = "cut", share = share },
        { kind = "change", change = "remove" } } }
      local ended = walk "dintero"
      assert.is_nil(ended.err)
      for at, user in ipairs(cases.dintero.users) do
        -- A loop may have read on, up to the watermark, when the walk has not: what broke off then was not given.
        if at % 3 ~= 0 or at < (share - 0.1) * #cases.dintero.users and not reads_ahead then
          assert.is_true(ended.seen[user.id])
        elseif at > (share + 0.1) * #cases.dintero.users then
          assert.is_nil(ended.seen[user.id])
        end
      end
    end
  end)

  it("says so where a checkpoint cannot tell which users of a changed page it had", function()
    local expected = sandbox.data.dintero.users "T12345678"
    sandbox.plan_faults { provider = "dintero", script = { { kind = "cut", share = 0.95, change = "reverse" } } }
    local client = sandbox.dintero()
    local users = client:users()
    for i = 1, 1100 do
      assert.equal(expected[#expected + 1 - i].id, users:next().id)
    end
    local again = client:users { resume = users:checkpoint() }
    local user, err = again:next()
    assert.is_nil(user)
    assert.equal("page_changed", check.failure(err, "decode").code)
    -- The walk itself still knows them.
    local rest = assert(users:collect())
    assert.equal(100, #rest)
    local seen = {}
    for _, one in ipairs(rest) do
      seen[one.id] = true
    end
    for at = 1, 100 do
      assert.is_true(seen[expected[at].id])
    end
  end)
end)

describe("streams that wait for one token", function()
  it("fail with an error each, which has the checkpoint of its own stream", function()
    sandbox.plan_faults { at = { ["token:1"] = { kind = "status", status = 501 } } }
    local client = sandbox.tesouro()
    local streams = { (client:users { status = "ACTIVE" }), (client:users { status = "INACTIVE" }) }
    local failures = {}
    assert(rollcall.merge(streams, { on_error = function(err, stream)
      failures[stream] = check.failure(err, "auth", { sandbox.secret })
    end }):collect())
    assert.equal(1, sandbox.stats().tesouro.token_requests)
    for _, stream in ipairs(streams) do
      assert.equal(stream:checkpoint(), failures[stream].checkpoint)
    end
    assert.is_not_equal(failures[streams[1]].checkpoint, failures[streams[2]].checkpoint)
  end)

  it("take another one where it has ended before they were asked again", function()
    local main, waited_for = true, nil
    local client = sandbox.tesouro { loop = { wait = function(engines, seconds)
      if main then
        core.wait(engines, seconds)
      else
        waited_for = engines
        coroutine.yield()
      end
    end } }
    local slow, quick = client:users { status = "INACTIVE" }, client:users { status = "INVITED" }
    local walk_slowly = coroutine.wrap(function()
      return slow:count()
    end)
    main = false
    walk_slowly() -- as far as the token, and waits
    main = true
    sandbox.plan_faults { at = { ["users:1"] = { kind = "expire" }, ["token:2"] = { kind = "status", status = 501 } } }
    check.failure(select(2, quick:count()), "auth") -- had the token, which expired, and got no other
    main = false
    local count
    for _ = 1, 1000 do
      count = count or walk_slowly()
      core.wait(waited_for, count and 0 or 0.01)
    end
    assert.equal(#sandbox.data.tesouro.users { status = "INACTIVE" }, count)
  end)
end)

describe("a plan of faults", function()
  local function post(body)
    return http.request { method = "POST", url = sandbox.control_url .. "/faults", body = body }
  end

  it("gives the same faults in every run", function()
    local runs = {}
    for run = 1, 2 do
      sandbox.plan_faults { seed = 11, chance = 0.4, kinds = { "status", "cut", "reset", "delay" } }
      local ended = walk("tesouro", { retry = { base = 0.001, attempts = 30, quota = 10000 } }, { prefetch = 0 })
      assert.is_nil(ended.err)
      assert.is_true(ended.is_whole)
      runs[run] = sandbox.faults_met()
    end
    assert.is_not_nil(next(runs[1]))
    check.same(runs[1], runs[2])
  end)

  it("is over after as many faults as it has", function()
    sandbox.plan_faults { seed = 3, chance = 1, kinds = { "status" }, most = 3 }
    assert.is_nil(walk("dintero").err)
    local count = 0
    for _, met in pairs(sandbox.faults_met()) do
      count = count + met
    end
    assert.equal(3, count)
  end)

  it("is refused where it is wrong", function()
    for body, part in pairs {
      ["["] = "JSON object",
      ['{"at":{"people:1":{"kind":"cut"}}}'] = "people:1",
      ['{"at":{"users:1":{"kind":"cute"}}}'] = "users:1: there is no such fault",
      ['{"script":[{"kind":"cut"},{"kind":"cut","change":"colour"}]}'] = "script: 2",
      ['{"kinds":["cut","cute"]}'] = "cute",
      ['{"chance":0.5}'] = "seed",
    } do
      local answer = post(body)
      assert.equal(400, answer.status)
      check.contains(answer.body, part)
    end
  end)
end)

describe("a walk under faults by chance", function()
  local endings, met, walks = {}, {}, 0

  local function add(into, name, count)
    into[name] = (into[name] or 0) + count
  end

  for _, provider in ipairs(providers) do
    it(("%s: gives each user once, or an error to go on from, under %d scripts"):format(provider, SEEDS), function()
      for seed = 1, SEEDS do
        local went = ordeal.run(provider, seed, seed % WHOLE == 0)
        for _, ending in ipairs(went.endings) do
          add(endings, ("%s: %s"):format(provider, ending), 1)
          walks = walks + 1
        end
        for name, count in pairs(went.met) do
          add(met, ("%s: %s"):format(provider, name), count)
        end
      end
    end)
  end

  it("meets faults of every kind", function()
    local kinds = {}
    for name in pairs(met) do
      kinds[name:match "^%w+: %w+ ([%a_]+)"] = true
    end
    for _, kind in ipairs { "status", "rate_limit", "unauthorized", "expired", "expire", "revoke", "delay", "reset",
      "abort", "close", "cut", "stall", "slow", "length", "garbage", "html", "spoil", "page" } do
      assert(kinds[kind], "no walk has met " .. kind)
    end
  end)

  teardown(function()
    if not os.getenv "FAULT_SEEDS" then
      return
    end
    local function print_table(title, counts)
      local names = {}
      for name in pairs(counts) do
        names[#names + 1] = name
      end
      table.sort(names)
      print(title)
      for _, name in ipairs(names) do
        print(("%8d  %s"):format(counts[name], name))
      end
    end
    print(("%d scripts for each of %d providers, %d walks, %.0f s of processor"):format(SEEDS, #providers, walks,
      os.clock()))
    print_table("faults met:", met)
    print_table("walks ended:", endings)
  end)
end)
