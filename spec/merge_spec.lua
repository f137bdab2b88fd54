local check = require "spec.support.check"
local core = require "rollcall.core"
local page = require("spec.support.pages").page
local rollcall = require "rollcall"
local sandbox = require "spec.support.sandbox"

local server

setup(function()
  server = require("spec.support.server").start()
end)
teardown(function()
  server:stop()
  sandbox.restore()
end)

local FAILED = { status = 400, body = '{"message":"no more"}' }

--- A stream for each list of answers, each of a client of its own.
local function streams_of(lists)
  local script, list = {}, {}
  for i, answers in ipairs(lists) do
    script[("/s%d/identity/v1/users"):format(i)] = answers
    list[i] = rollcall.tesouro({ token = "tok-7f3a", base_url = server.url .. "/s" .. i, retry = false }):users()
  end
  server:script(script)
  return list
end

local function streams(...)
  return streams_of { ... }
end

local function sorted_ids(list)
  local ids = {}
  for i, user in ipairs(list) do
    ids[i] = user.id
  end
  table.sort(ids)
  return table.concat(ids, " ")
end

describe("a merge", function()
  it("takes a list of streams, and says so where it is given streams", function()
    local list = streams({ page "1" }, { page "2" })
    check.misuse(function() rollcall.merge(list[1], list[2]) end, "merge: expected a list of streams, got a stream")
    check.misuse(function() rollcall.merge(5) end, "merge: expected a list of streams, got 5")
  end)

  it("gives every user of every stream once, each with its stream", function()
    sandbox.reset()
    local tesouro = sandbox.tesouro():users { status = "ALL" }
    local dintero = sandbox.dintero():users()
    local small = sandbox.dintero({ account = "T123" }):users()
    local of = { [tesouro] = {}, [dintero] = {}, [small] = {} }
    for user, source in rollcall.merge { tesouro, dintero, small } do
      table.insert(of[source], user)
      assert.equal(source.provider, user.provider)
    end
    for source, expected in pairs {
      [tesouro] = (sandbox.data.tesouro.users { status = "ALL" }),
      [dintero] = (sandbox.data.dintero.users "T12345678"),
      [small] = (sandbox.data.dintero.users "T123"),
    } do
      assert.equal(#expected, #of[source])
      for i, user in ipairs(of[source]) do
        assert.equal(expected[i].id, user.id)
      end
    end
    assert.equal("tesouro", tesouro.provider)
    assert.is_nil(tesouro.account)
    assert.equal("T123", small.account)
    local several = sandbox.dintero { accounts = { "T123", "P321" } }:users()
    assert.equal("dintero", several.provider)
    assert.is_nil(several.account)
  end)

  it("names the stream in next, too", function()
    local list = streams({ page "1" }, { page "2" })
    local merged = rollcall.merge(list)
    for _ = 1, 2 do
      local user, source = merged:next()
      assert.equal(list[tonumber(user.id)], source)
    end
    assert.is_nil((merged:next()))
    assert.equal("exhausted", merged:reason())
  end)

  it("walks at the same time", function()
    local slow = {}
    for i = 1, 8 do
      local answer = page(tostring(i))
      answer.delay = 0.15
      slow[i] = { answer }
    end
    local began = core.now()
    assert.equal(8, rollcall.merge(streams_of(slow)):count())
    assert.is_true(core.now() - began < 0.8, core.now() - began)
  end)

  it("gives users as they arrive: a slow stream holds up nobody", function()
    local late = page "late"
    late.delay = 0.3
    local merged = rollcall.merge(streams({ late }, { page("1 2", "t"), page "3" }))
    local began = core.now()
    local ids = {}
    for _ = 1, 3 do
      ids[#ids + 1] = merged:next().id
    end
    assert.equal("1 2 3", table.concat(ids, " "))
    assert.is_true(core.now() - began < 0.25)
    assert.equal("late", merged:next().id)
  end)

  it("lets no stream starve another", function()
    sandbox.reset()
    local big = sandbox.data.dintero.big_account(3000)
    local merged = rollcall.merge {
      sandbox.dintero({ account = big }):users(), (sandbox.dintero({ account = "P87654321" }):users()),
    }
    local n, at = 0, nil
    for user in merged do
      n = n + 1
      if user.account_id == "P87654321" then
        at = at or n
      end
    end
    assert.equal(3320, n)
    assert.is_true(at < 3000, at)
  end)

  it("walks so many streams at a time as told", function()
    local answers = {}
    for i = 1, 6 do
      answers[i] = { page(tostring(i)) }
    end
    local list = streams_of(answers)
    local merged = rollcall.merge(list, { concurrency = 2 })
    assert(merged:next())
    local begun = 0
    for _, one in ipairs(list) do
      begun = begun + one:stats().requests
    end
    assert.is_true(begun <= 2, begun)
    assert.equal(5, merged:count())
  end)

  it("stops at its limit, and closes every stream", function()
    local list = streams({ page("1 2", "t2"), page("3 4", "t3") }, { page("5 6", "t2"), page("7 8", "t3") })
    local merged = rollcall.merge(list, { limit = 3 })
    assert.equal(3, merged:count())
    assert.equal("limit", merged:reason())
    assert.equal("closed", list[1]:reason())
    assert.equal("closed", list[2]:reason())
    assert.same({}, rollcall.merge(streams { page "1" }, { limit = 0 }):collect())
    assert.equal(0, #server:requests())
  end)

  it("of nothing is empty", function()
    assert.same({}, rollcall.merge({}):collect())
    for _ in rollcall.merge {} do
      error "there is no user"
    end
  end)

  it("of merges, and of streams that were made of others", function()
    local a = streams({ page "1 2" }, { page "3" }, { page "4 5" })
    local last = a[3]:filter(function(user) return user.id == "5" end)
    local merged = rollcall.merge { rollcall.merge { a[1], a[2] }, last }
    assert.equal("1 2 3 5", sorted_ids(merged:collect()))
  end)

  it("has the methods of every stream", function()
    assert.equal(2, rollcall.merge(streams({ page "1 2" }, { page "3" })):take(2):count())
    assert.equal("3", rollcall.merge(streams({ page "1 2" }, { page "3" })):filter(function(user)
      return user.id == "3"
    end):first().id)
    local merged = rollcall.merge(streams({ page "1 2" }, { page "3" }))
    assert.equal(3, merged:count())
    local stats = merged:stats()
    assert.equal(3, stats.users)
    assert.equal(2, stats.requests)
    assert.equal(2, stats.pages)
  end)

  it("closes its streams when it is closed", function()
    local list = streams({ page("1", "t2"), page "2" }, { page "3" })
    local merged = rollcall.merge(list)
    merged:next()
    merged:close()
    assert.equal("closed", merged:reason())
    assert.equal("closed", list[1]:reason())
    assert.equal("closed", list[2]:reason())
    local _, err = merged:next()
    check.failure(err, "closed")
  end)

  it("loses nobody where a hook asks it for users, too", function()
    local function ids(letter, from, count)
      local list = {}
      for i = 1, count do
        list[i] = letter .. from + i - 1
      end
      return table.concat(list, " ")
    end
    server:script {
      ["/s1/identity/v1/users"] = { page(ids("a", 1, 100), "t"), page(ids("a", 101, 50)) },
      ["/s2/identity/v1/users"] = { page(ids("b", 1, 70), "t"), page(ids("b", 71, 5)) },
    }
    local merged, is_asking
    local seen, count = {}, 0
    local function take(user)
      if user then
        assert.is_nil(seen[user.id])
        seen[user.id] = true
        count = count + 1
      end
    end
    local function ask()
      if merged and not is_asking then
        is_asking = true
        take((merged:next()))
        is_asking = false
      end
    end
    local list = {}
    for i = 1, 2 do
      list[i] = rollcall.tesouro({ token = "tok-7f3a", base_url = server.url .. "/s" .. i, retry = false,
        on = { page = ask } }):users()
    end
    merged = rollcall.merge(list)
    for user in merged do
      take(user)
    end
    assert.equal(225, count)
    assert.equal("exhausted", merged:reason())
    assert.equal("exhausted", list[1]:reason())
    assert.equal("exhausted", list[2]:reason())
  end)

  it("does not wait while users are there, where a hook has asked it for one of them", function()
    server:script {
      ["/s1/identity/v1/users"] = { { body = page("a1 a2 a3 a4").body, delay = 0.3 } },
      ["/s2/identity/v1/users"] = { page("b1", "t"), { body = page("b2").body, delay = 2 } },
    }
    local merged, came, begin
    local function ask()
      if merged then
        local user = merged:next()
        came[#came + 1] = user and user.id
      end
    end
    local list = {}
    for i = 1, 2 do
      list[i] = rollcall.tesouro({ token = "tok-7f3a", base_url = server.url .. "/s" .. i, retry = false,
        on = { page = i == 2 and ask or nil } }):users()
    end
    came, begin = {}, core.now()
    merged = rollcall.merge(list)
    local waited
    for user in merged do
      came[#came + 1] = user.id
      if #came == 5 then
        waited = core.now() - begin
      end
    end
    assert.same({ "b1", "a1", "a2", "a3", "a4", "b2" }, came)
    assert.is_true(waited < 1.5, waited)
  end)

  it("walks one after the other with a concurrency of 1", function()
    local ids = {}
    local list = streams({ page "1 2" }, { page "3" }, { page "" }, { page "4 5" })
    for user in rollcall.merge(list, { concurrency = 1 }) do
      ids[#ids + 1] = user.id
    end
    assert.same({ "1", "2", "3", "4", "5" }, ids)
  end)

  it("asks for the next page while one is read, as a stream by itself does", function()
    local ids = {}
    for i = 1, 4000 do
      ids[i] = "a" .. i
    end
    for _, by_values in ipairs { false, true } do
      server:script { ["/s1/identity/v1/users"] = { page(table.concat(ids, " "), "t1"), page "b1" } }
      local client = rollcall.tesouro { token = "tok-7f3a", base_url = server.url .. "/s1", retry = false,
        watermark = 8192 }
      local merged = rollcall.merge { (client:users()) }
      local iterator = by_values and merged:values "id" or merged
      repeat
        assert(iterator())
      until merged:stats().requests == 2
      local read = merged:stats().users
      assert.is_true(read > 1 and read < #ids, read)
      merged:close()
    end
  end)

  it("heeds a deadline while users are plentiful", function()
    local list, answers = {}, { page(("u "):rep(500)) }
    server:script { ["/s1/identity/v1/users"] = answers, ["/s2/identity/v1/users"] = answers }
    for i = 1, 2 do
      list[i] = rollcall.tesouro({ token = "tok-7f3a", base_url = server.url .. "/s" .. i, retry = false }):users {
        deadline = 0.4 }
    end
    local merged, n = rollcall.merge(list, { on_error = "raise" }), 0
    local start = core.now()
    local good, err = pcall(function()
      for _ in merged do
        n = n + 1
        core.wait({}, 0.05)
      end
    end)
    assert.is_false(good)
    assert.equal("budget", err.kind)
    assert.is_true(core.now() - start < 1.2 and n > 3)
  end)

  it("does without a stream that was closed", function()
    local list = streams({ page "1" }, { page "2" })
    list[1]:close()
    local merged = rollcall.merge(list, { on_error = "skip" })
    assert.equal("2", sorted_ids(merged:collect()))
  end)
end)

describe("a failing stream of a merge", function()
  local function failing()
    return streams({ page("1 2", "t2"), FAILED }, { page("3", "t2"), page("4", "t3"), page "5" })
  end

  it("leaves the others to walk to their end, and is the error then", function()
    local merged = rollcall.merge(failing())
    local ids = {}
    local err
    while true do
      local user, extra = merged:next()
      if user == nil then
        err = extra
        break
      end
      ids[#ids + 1] = user.id
    end
    table.sort(ids)
    assert.equal("1 2 3 4 5", table.concat(ids, " "))
    check.failure(err, "http")
    assert.equal("error", merged:reason())
    local _, again = merged:next()
    assert.equal(err, again)
  end)

  it("is the first error where several fail", function()
    local late = { status = 404, delay = 0.1 }
    local _, err = rollcall.merge(streams({ late }, { FAILED })):collect()
    assert.equal(400, err.status)
  end)

  it("raises in a for", function()
    local n = 0
    local good, err = pcall(function()
      for _ in rollcall.merge(failing()) do
        n = n + 1
      end
    end)
    assert.is_false(good)
    check.failure(err, "http")
    assert.equal(5, n)
  end)

  it('ends the merge at once with "raise"', function()
    local list = streams({ FAILED }, { { body = page("3", "t2").body, delay = 0.2 }, page "4" })
    local merged = rollcall.merge(list, { on_error = "raise" })
    local began = core.now()
    local user, err = merged:next()
    assert.is_nil(user)
    check.failure(err, "http")
    assert.is_true(core.now() - began < 0.19)
    assert.equal("error", merged:reason())
    assert.equal("closed", list[2]:reason())
  end)

  it('is left out with "skip"', function()
    local merged = rollcall.merge(failing(), { on_error = "skip" })
    assert.equal("1 2 3 4 5", sorted_ids(merged:collect()))
    assert.equal("exhausted", merged:reason())
  end)

  it("is told to a function, with its stream", function()
    local list = failing()
    local told = {}
    local merged = rollcall.merge(list, { on_error = function(err, source)
      told[#told + 1] = { err, source }
    end })
    assert.equal("1 2 3 4 5", sorted_ids(merged:collect()))
    assert.equal(1, #told)
    check.failure(told[1][1], "http")
    assert.equal(list[1], told[1][2])
    assert.equal("error", list[1]:reason())
  end)

  it("passes on what the function raises", function()
    local mine = {}
    local merged = rollcall.merge(failing(), { on_error = function() error(mine, 0) end })
    local good, err = pcall(merged.collect, merged)
    assert.is_false(good)
    assert.equal(mine, err)
  end)
end)

describe("the accounts of a client", function()
  it("are walked as one stream", function()
    sandbox.reset()
    local accounts = { "T12345678", "P87654321", "P321", "T123", "P11111111" }
    local before = check.copy(accounts)
    local by, requests = {}, 0
    for user, source in sandbox.dintero({ accounts = accounts }):users() do
      by[user.account_id] = by[user.account_id] or {}
      table.insert(by[user.account_id], user)
      assert.equal(source.account, user.account_id)
    end
    for _, account in ipairs(accounts) do
      local expected = sandbox.data.dintero.users(account)
      local got = by[account] or {}
      assert.equal(#expected, #got)
      for i, user in ipairs(got) do
        assert.equal(expected[i].id, user.id)
      end
    end
    for _ in ipairs(sandbox.log("GET", "dintero")) do
      requests = requests + 1
    end
    assert.equal(5, requests)
    check.same(before, accounts)
  end)

  it("keep to the filters and to one limit", function()
    sandbox.reset()
    local client = sandbox.dintero { accounts = { "T12345678", "P87654321" } }
    local expected = #sandbox.data.dintero.users("T12345678", { search = "an" })
      + #sandbox.data.dintero.users("P87654321", { search = "an" })
    assert.is_true(expected > 10)
    assert.equal(expected, client:users({ search = "an" }):count())
    local limited = client:users { limit = 7 }
    assert.equal(7, limited:count())
    assert.equal("limit", limited:reason())
  end)

  it("fail with the account's own error", function()
    sandbox.reset()
    local n = 0
    local good, err = pcall(function()
      for _ in sandbox.dintero({ accounts = { "T123", "T999", "P321" } }):users() do
        n = n + 1
      end
    end)
    assert.is_false(good)
    assert.equal(48, n)
    check.failure(err, "http", { sandbox.secret })
    assert.equal(404, err.status)
    assert.equal("account_not_found", err.code)
    check.contains(err.url, "T999")
  end)

  it("tell how many there are where each does", function()
    local function users(total)
      return (rollcall.client({ name = "acme", base_url = false, users = { path = "/people", items = "/data",
        paging = { type = "cursor", query = "c", next = "/next", total = total } } },
        { base_url = server.url, token = "tok-7f3a" }):users())
    end
    server:script { ["/people"] = { { body = '{"data":[{"id":1},{"id":2}],"total":3}' } } }
    local merged = rollcall.merge { users "/total", users "/total" }
    assert.is_nil(merged:stats().total)
    assert.equal(4, (merged:count()))
    assert.equal(6, merged:stats().total)
    merged = rollcall.merge { users "/total", users() }
    assert.equal(4, (merged:count()))
    assert.is_nil(merged:stats().total)
  end)

  it("fail as the script says, each with its name", function()
    sandbox.reset()
    local client = sandbox.dintero { accounts = { "T123", "T999", "P321", "T998" } }
    local told = {}
    local users = client:users { concurrency = 2, on_error = function(err, source)
      check.failure(err, "http", { sandbox.secret })
      assert.equal(source.account, err.account)
      told[#told + 1] = err.account
    end }
    assert.equal(48, (users:count()))
    assert.equal("exhausted", users:reason())
    table.sort(told)
    assert.same({ "T998", "T999" }, told)
    assert.equal(48, (client:users({ on_error = "skip" }):count()))
    local _, err = client:users({ on_error = "raise", concurrency = 1 }):count()
    assert.equal("T999", err.account)
    assert.equal(3, err.before)
    check.misuse(function() client:users { on_error = "stop" } end, "dintero:users: on_error", "raise")
    check.misuse(function() client:users { concurrency = 0 } end, "concurrency")
    local one = sandbox.dintero { account = "T123" }
    check.misuse(function() one:users { on_error = "skip" } end, "on_error: unknown")
  end)

  it("are gone on with without one that is not listed any more", function()
    sandbox.reset()
    local _, err = sandbox.dintero({ accounts = { "T123", "T999", "P321" } }):users():collect()
    assert.equal("T999", err.account)
    assert.equal(48, #err.before)
    local rest = sandbox.dintero({ accounts = { "T123", "P321" } }):users { resume = err.checkpoint }
    assert.equal(0, (rest:count()))
    assert.equal("exhausted", rest:reason())
    check.misuse(function()
      sandbox.dintero({ accounts = { "T123", "P11111111" } }):users { resume = err.checkpoint }
    end, "does not know account P11111111")
  end)

  it("give no user twice where an account is listed twice", function()
    sandbox.reset()
    local good, client = pcall(sandbox.dintero, { accounts = { "T123", "T123" } })
    if good then
      assert.equal(3, client:users():count())
    else
      check.contains(client, "accounts", "T123")
    end
  end)
end)

describe("rollcall.merge", function()
  it("is misused with anything but streams and its options", function()
    local users = streams({ page "1" })[1]
    check.misuse(function() rollcall.merge() end, "merge", "list of streams")
    check.misuse(function() rollcall.merge "x" end, "merge")
    check.misuse(function() rollcall.merge { users, 5 } end, "merge", "2", "number")
    check.misuse(function() rollcall.merge { rollcall.tesouro { token = "abcd" } } end, "merge", "1")
    local blocking = rollcall.tesouro { token = "abcd", loop = "blocking" }
    local own = rollcall.tesouro { token = "abcd", loop = { wait = function() end } }
    for _, pair in ipairs { { blocking, own }, { own, blocking } } do
      check.misuse(function()
        rollcall.merge { (pair[1]:users()), (pair[2]:users()) }
      end, "merge: 2", "another loop")
    end
    check.misuse(function() rollcall.merge({ users }, { concurency = 3 }) end, "did you mean concurrency?")
    check.misuse(function() rollcall.merge({ users }, { concurrency = 0 }) end, "concurrency")
    check.misuse(function() rollcall.merge({ users }, { on_error = "ignore" }) end, "on_error")
    check.misuse(function() rollcall.merge({ users }, { limit = -1 }) end, "limit")
    check.misuse(function() rollcall.merge(users) end, "merge")
    check.misuse(function() rollcall.merge { users, users } end, "merge")
  end)

  it("has no checkpoint of its own", function()
    local merged = rollcall.merge(streams { page "1" })
    check.misuse(function() merged:checkpoint() end, "ask each of the merged streams")
    check.misuse(function() merged:pages() end, "pages: ")
  end)

  it("leaves its tables alone", function()
    local list = streams({ page "1" }, { page "2" })
    local options = { limit = 5 }
    local first = list[1]
    local merged = rollcall.merge(list, options)
    list[2] = nil -- nor does it look at them later
    assert.equal("1 2", sorted_ids(merged:collect()))
    assert.equal(first, list[1])
    assert.equal(1, #list)
    assert.same({ limit = 5 }, options)
  end)
end)

describe("the budget of several accounts", function()
  local PATH = "/v1/accounts/%s/management/users"

  local function users_of(accounts, query)
    local script = {}
    for i, account in ipairs(accounts) do
      script[PATH:format(account)] = { { body = ('[{"id":"%d"},{"id":"%d"}]'):format(i, i + 100) } }
    end
    server:script(script)
    return rollcall.dintero({ token = "tok-7f3a", accounts = accounts, base_url = server.url }):users(query)
  end

  it("is one for all of them", function()
    local accounts = { "T100", "T101", "T102", "T103", "T104" }
    for _, query in ipairs { { max_requests = 2 }, { max_bytes = 1 } } do
      local users = users_of(accounts, query)
      local n, err = users:count()
      assert.is_nil(n)
      check.failure(err, "budget")
      assert.equal("budget", users:reason())
      assert.is_true(err.before < 10, err.before)
      if query.max_requests then
        assert.equal(4, err.before)
        assert.equal(2, #server:requests())
      end
      assert.is_string(err.checkpoint)
    end
    assert.equal(10, users_of(accounts, { max_requests = 5, max_bytes = 1e6, deadline = 60 }):count())
    assert.equal(3, users_of(accounts, { limit = 3 }):count())
  end)

  it("has one deadline", function()
    local users = users_of({ "T100", "T101" }, { deadline = 0.2 })
    assert(users:next())
    core.wait({}, 0.25)
    local list, err
    repeat
      list, err = users:next()
    until not list
    check.failure(err, "budget")
    assert.equal("budget", users:reason())
  end)
end)

describe("a merge's reason", function()
  it("is that of the error that ended it", function()
    local looping = streams({ page("1", "t"), page("2", "t") })
    local merged = rollcall.merge(looping)
    assert.is_nil((merged:count()))
    assert.equal("loop", merged:reason())
    merged = rollcall.merge(streams({ FAILED }), { on_error = "raise" })
    assert.is_nil((merged:count()))
    assert.equal("error", merged:reason())
  end)
end)

describe("a merge of more clients than one wait can hold", function()
  it("is walked to its end without long waits", function()
    local lists = {}
    for i = 1, 80 do
      lists[i] = { { body = page("u" .. i).body, delay = i == 80 and 0.3 or 0 } }
    end
    local longest = 0
    local list = streams_of(lists)
    for _, one in ipairs(list) do
      one.loop = { wait = core.wait }
    end
    list[1].loop = { wait = function(engines, seconds)
      assert.is_true(#engines <= 64)
      if #engines == 64 then
        longest = math.max(longest, seconds)
      end
      core.wait(engines, seconds)
    end }
    assert.equal(80, rollcall.merge(list, { concurrency = 100 }):count())
    assert.is_true(longest <= 0.05, longest)
  end)
end)

describe("a list of streams with one missing", function()
  it("is refused, wherever that is, and not walked in part", function()
    local list = streams({ {} }, { {} })
    check.misuse(function() rollcall.merge { nil, list[1] } end, "merge: ", "missing")
    check.misuse(function() rollcall.merge { list[1], nil, list[2] } end, "merge: ", "missing")
    check.misuse(function() rollcall.merge { list[1], other = list[2] } end, "merge: other")
  end)
end)
