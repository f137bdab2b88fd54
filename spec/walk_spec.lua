local check = require "spec.support.check"
local core = require "rollcall.core"
local rollcall = require "rollcall"
local page = require("spec.support.pages").page
local sandbox = require "spec.support.sandbox"

local USERS = "/identity/v1/users"
local server

setup(function()
  server = require("spec.support.server").start()
end)
teardown(function()
  server:stop()
  sandbox.restore()
end)

local function client(options)
  local all = { token = "tok-7f3a", base_url = server.url, retry = { base = 0.001 } }
  for name, value in pairs(options or {}) do
    all[name] = value
  end
  return rollcall.tesouro(all)
end

--- The stream of a walk over these answers.
local function walk(answers, query, options)
  server:script { [USERS] = answers }
  local users = client(options):users(query)
  return users
end

--- The ids that a stream gives, and the error that ends it.
local function ids_of(users)
  local ids = {}
  while true do
    local user, err = users:next()
    if user == nil then
      return table.concat(ids, " "), err
    end
    ids[#ids + 1] = user.id
  end
end

--- How many users requests the server has received once nothing moves any more.
local function requests()
  return #server:requests(USERS)
end

describe("a walk of the sandbox", function()
  before_each(function()
    sandbox.reset()
  end)

  --- Raises unless the stream gives exactly these users, in this order.
  local function expect(expected, users)
    local n = 0
    for user in users do
      n = n + 1
      if not expected[n] or user.id ~= expected[n].id then
        error(("user %d: expected %s, got %s"):format(n, expected[n] and expected[n].id or "none", user.id), 2)
      end
    end
    assert.equal(#expected, n)
  end

  local all = sandbox.data.tesouro.users { status = "ALL" }

  for _, size in ipairs { 1, 2, 7, 33, 99, 100 } do
    it(("gives every user once with %d a page"):format(size), function()
      -- an organization of some dozens where every user is a request
      local filter = size < 7 and { status = "ALL", organization_id = "7e500000-0000-4000-8000-000000000009" }
        or { status = "ALL" }
      local expected = sandbox.data.tesouro.users(filter)
      assert.is_true(#expected > 50)
      filter.page_size = size
      local users = sandbox.tesouro():users(filter)
      expect(expected, users)
      local stats = users:stats()
      assert.equal(#expected, stats.users)
      assert.equal(stats.pages, stats.requests)
      assert.equal(stats.pages, sandbox.stats().tesouro.user_requests)
      assert.is_true(stats.pages >= #expected / size)
      assert.equal("exhausted", users:reason())
    end)
  end

  it("gives every user once whatever is fetched ahead", function()
    for _, prefetch in ipairs { 0, 1, 3, 64 } do
      expect(all, sandbox.tesouro():users { status = "ALL", prefetch = prefetch })
    end
  end)

  it("gives every user once with full pages, too", function()
    sandbox.reset "short_pages=0"
    local users = sandbox.tesouro():users { status = "ALL" }
    expect(all, users)
    assert.equal(35, users:stats().pages)
  end)

  it("goes on from any page's token", function()
    local client_of_sandbox = sandbox.tesouro()
    local before, tokens = {}, {}
    local count = 0
    for list, info in client_of_sandbox:users({ page_size = 50, organization_type = "EMBEDDED" }):pages() do
      tokens[#tokens + 1], before[#tokens + 1] = info.token or false, count
      count = count + #list
    end
    local expected = sandbox.data.tesouro.users { organization_type = "EMBEDDED" }
    assert.equal(#expected, count)
    assert.is_true(#tokens > 5)
    for i = 2, #tokens do
      local rest = {}
      for at = before[i] + 1, #expected do
        rest[#rest + 1] = expected[at]
      end
      expect(rest, client_of_sandbox:users { page_size = 50, organization_type = "EMBEDDED", page_token = tokens[i] })
    end
  end)

  it("goes backwards from the last page to the first, in reverse", function()
    local expected = sandbox.data.tesouro.users { status = "INACTIVE" }
    local client_of_sandbox = sandbox.tesouro()
    local last
    for _, info in client_of_sandbox:users({ status = "INACTIVE", page_size = 40 }):pages() do
      last = info.token
    end
    local reversed = {}
    for i = #expected, 1, -1 do
      reversed[#reversed + 1] = expected[i]
    end
    for _, prefetch in ipairs { 0, 1, 3 } do
      local users = client_of_sandbox:users { status = "INACTIVE", page_size = 40, page_token = last,
        direction = "backward", prefetch = prefetch }
      expect(reversed, users)
      assert.equal("exhausted", users:reason())
    end
  end)

  it("is told by the server that a token belongs to other filters", function()
    local _, info = sandbox.tesouro():users({ status = "ALL" }):pages()()
    local _, err = sandbox.tesouro():users({ status = "INVITED", page_token = info.next }):collect()
    check.failure(err, "http")
    assert.equal(400, err.status)
    assert.equal("INVALID_PAGINATION_TOKEN", err.code)
    assert.is_string(err.request_id)
  end)

  it("goes on where a checkpoint stood, wherever that was", function()
    local expected = sandbox.data.tesouro.users { status = "INVITED" }
    for _, stop in ipairs { 0, 1, 39, 40, 41, 100, #expected - 1, #expected } do
      local query = { status = "INVITED", page_size = 40 }
      local first = sandbox.tesouro():users(query)
      for _ = 1, stop do
        assert(first:next())
      end
      query.resume = first:checkpoint()
      first:close()
      check.no_secret(query.resume, { sandbox.secret })
      local rest = {}
      for at = stop + 1, #expected do
        rest[#rest + 1] = expected[at]
      end
      expect(rest, sandbox.tesouro():users(query))
    end
  end)

  it("does not notice the size of a page", function()
    -- 20,000 users in one body, and in pages
    local users = sandbox.dintero({ account = sandbox.data.dintero.big_account(20000) }):users()
    local n = 0
    for user in users do
      n = n + 1
      if n % 1000 == 0 then
        assert.equal(sandbox.data.dintero.big_user(20000, n).id, user.id)
      end
    end
    assert.equal(20000, n)
    assert.equal(1, users:stats().requests)
  end)
end)

describe("before the first user is asked for", function()
  it("nothing is sent", function()
    sandbox.reset()
    local tesouro, dintero = sandbox.tesouro(), sandbox.dintero { accounts = { "T123", "P321" } }
    local streams = { (tesouro:users()), (dintero:users()), (tesouro:users { prefetch = 3 }) }
    streams[4] = streams[3]:filter(function() return true end)
    streams[5] = rollcall.merge { tesouro:users(), dintero:users() }
    for _, stream in ipairs(streams) do
      assert.equal(0, stream:stats().requests)
      assert.is_nil(stream:reason())
    end
    core.wait({}, 0.05)
    local stats = sandbox.stats()
    assert.equal(0, stats.tesouro.connections + stats.dintero.connections)
    for _, stream in ipairs(streams) do
      stream:close()
    end
    assert.equal(0, sandbox.stats().tesouro.connections)
  end)
end)

describe("prefetch", function()
  local function endless()
    local answers = {}
    for i = 1, 30 do
      answers[i] = page(("a%d b%d"):format(i, i), i < 30 and "t" .. i or nil)
    end
    return answers
  end

  --- The requests that have left once the first user is there and everything has come to rest.
  local function sent(prefetch)
    local users = walk(endless(), { prefetch = prefetch })
    assert.equal("a1", users:next().id)
    assert.equal("b1", users:next().id)
    local engines = users.source():engines()
    for _ = 1, 20 do
      core.wait(engines, 0.005)
    end
    return requests(), users
  end

  it("0 fetches nothing ahead", function()
    local count, users = sent(0)
    assert.equal(1, count)
    assert.equal(1, users:stats().requests)
    assert.equal("a2", users:next().id)
    assert.equal("b2", users:next().id)
    assert.equal(2, requests())
    assert.equal(2, users:stats().pages)
  end)

  it("1 lets the next request leave before the page's users are read", function()
    local users = walk(endless(), { prefetch = 1 })
    users:next()
    -- Whether the page was whole by then is the network's business; when its last user is there, it was.
    users:next()
    users:next()
    local count = requests()
    assert.is_true(count >= 2 and count <= 3, count)
  end)

  it("1 lets it leave at once where users were read before the page had ended", function()
    local ids = {}
    for i = 1, 4000 do
      ids[i] = "a" .. i
    end
    for _ = 1, 3 do
      -- The page's end cannot come before some of its users are read.
      local users = walk({ page(table.concat(ids, " "), "t1"), page "b1" }, { prefetch = 1 }, { watermark = 8192 })
      repeat
        assert(users:next())
      until users:stats().requests == 2
      local read = users:stats().users
      assert.is_true(read > 1 and read < #ids, read)
      for _ = 1, 200 do -- nothing is done for the walk meanwhile
        if requests() == 2 then
          break
        end
        core.wait({}, 0.005)
      end
      assert.equal(2, requests())
    end
  end)

  it("never has more pages under way than asked for", function()
    for prefetch = 0, 5 do
      local users = walk(endless(), { prefetch = prefetch })
      for number = 1, 60 do
        assert(users:next())
        local ahead = users:stats().requests - users:stats().pages
        assert.is_true(ahead >= 0 and ahead <= prefetch, ("%d ahead after %d users"):format(ahead, number))
      end
      assert.is_nil((users:next()))
      assert.equal(30, requests())
    end
  end)

  it("1 is used: while a page is read, the next one is on its way", function()
    sandbox.reset "delay_ms=30"
    local function seconds(prefetch)
      local began, n = core.now(), 0
      for _ in sandbox.tesouro():users { page_size = 100, status = "ALL", prefetch = prefetch, limit = 500 } do
        n = n + 1
        if n % 100 == 0 then -- a script that works
          core.wait({}, 0.03)
        end
      end
      return core.now() - began
    end
    local without, with = seconds(0), seconds(1)
    assert.is_true(with < without - 0.05, ("%.3f with, %.3f without"):format(with, without))
  end)

  it("asks for no page that a limit does not need", function()
    local users = walk(endless(), { prefetch = 3, page_size = 2, limit = 4 })
    assert.equal("a1 b1 a2 b2", (ids_of(users)))
    assert.equal(2, requests())
    assert.equal("limit", users:reason())
  end)
end)

describe("limit", function()
  it("stops after so many users, in the middle of a page or at its end", function()
    for limit = 0, 7 do
      local users = walk({ page("1 2 3", "t2"), page("4 5", "t3"), page "6" }, { limit = limit })
      local expected = ("1 2 3 4 5 6"):sub(1, math.max(0, 2 * math.min(limit, 6) - 1))
      assert.equal(expected, (ids_of(users)))
      assert.equal(limit > 6 and "exhausted" or "limit", users:reason())
      assert.equal(math.min(limit, 6), users:stats().users)
    end
  end)

  it("of 0 sends nothing", function()
    assert.equal("", (ids_of(walk({ page "1" }, { limit = 0 }))))
    assert.equal(0, #server:requests())
  end)

  it("does not see what is wrong after its last user", function()
    assert.equal("1 2", (ids_of(walk({ { body = '{"data":[{"id":"1"},{"id":"2"},{"id":' } }, { limit = 2 }))))
  end)

  it("works backwards", function()
    local users = walk({ page("4 5", nil, "t1"), page("1 2 3", "t2") }, { limit = 3, page_token = "t2",
      direction = "backward" })
    assert.equal("5 4 3", (ids_of(users)))
    assert.equal("limit", users:reason())
  end)
end)

describe("users of a page", function()
  it("come before the page has ended", function()
    local body = '{"data":[{"id":"1"},{"id":"2"}],"nextPaginationToken":null}'
    local began = core.now()
    local users = walk({ { body = body, chunked = true, step = 22, pause = 0.15 } })
    assert.equal("1", users:next().id)
    assert.is_true(core.now() - began < 0.14, core.now() - began)
    assert.equal("2", users:next().id)
    assert.is_nil((users:next()))
  end)

  it("come once, whatever pieces they arrive in", function()
    local whole = page("1 2 3 4 5", nil).body
    for step = 1, 20 do
      assert.equal("1 2 3 4 5", (ids_of(walk { { body = whole, chunked = true, step = step } })))
    end
  end)

  it("come once where a page breaks off in the middle, at any byte", function()
    local first, second = page("1 2 3", "t2"), page "4 5"
    for cut = 1, #first.body - 1 do
      local broken = { body = first.body, cut = cut, chunked = cut % 2 == 0 }
      local users = walk { broken, first, second }
      assert.equal("1 2 3 4 5", (ids_of(users)))
      assert.equal(1, users:stats().retries)
      assert.equal(5, users:stats().users)
    end
  end)

  it("come once where a page comes back in another order, or with others", function()
    local first = page("1 2 3", "t2")
    local function after(again)
      local users = walk { { body = first.body, cut = first.body:find('{"id":"3"', 1, true) }, again, page "9" }
      return (ids_of(users))
    end
    assert.equal("1 2 3 9", after(page("2 1 3", "t2")))
    assert.equal("1 2 0 3 9", after(page("0 1 2 3", "t2")))
    assert.equal("1 2 3 9", after(page("1 3", "t2")))
  end)

  it("come, or an error does, where a page breaks off that begins as another one did", function()
    local second = page("1 2 3", "t3")
    local broken = { body = second.body, cut = second.body:find('{"id":"3"', 1, true) }
    local query = { deadline = 20 }
    for _, pause in ipairs { 0, 0.02 } do
      local users = walk({ page("1", "t2"), broken, second, page "4" }, query)
      assert.equal("1", users:next().id)
      core.wait({}, pause)
      assert.equal("1 2 3 4", (ids_of(users)))
      assert.equal(1, users:stats().retries)
      users = walk({ page("1", "t2"), broken }, query, { retry = false })
      assert.equal("1", users:next().id)
      core.wait({}, pause)
      local ids, err = ids_of(users)
      assert.equal("1 2", ids)
      assert.equal("network", err.kind)
    end
  end)

  it("come as soon as they are there, also where a hook has waited for them", function()
    local list = {}
    for i = 1, 3000 do
      list[i] = ('{"id":"%d","name":"%s"}'):format(i, ("x"):rep(500))
    end
    server:script { [USERS] = { { body = '{"data":[' .. table.concat(list, ",") .. '],"nextPaginationToken":null}' } },
      ["/identity/v1/organizations"] = { { body = '{"data":[]}', delay = 0.3 } } }
    local asked, one = false, nil
    one = client { connect_timeout = 60, on = { request = function()
      if not asked then
        asked = true
        assert.same({}, one:organizations():collect())
      end
    end } }
    local begun = core.now()
    assert.equal(3000, one:users():count())
    assert.is_true(core.now() - begun < 30)
  end)

  it("are given before their page is fetched again, which broke off behind them", function()
    local first = page("1 2 3 4", "t2")
    local broken = { body = first.body, cut = first.body:find('{"id":"4"', 1, true) }
    for _, loop in ipairs { false, { wait = core.wait, turn = function() end, slice = 0.001 } } do
      local users = walk({ broken, first, page "5" }, nil, { loop = loop or nil })
      assert.equal("1", users:next().id)
      core.wait({}, 0.05) -- so the end of it is noticed before the next user is asked for
      assert.equal("2", users:next().id)
      core.wait({}, 0.05)
      assert.equal("3", users:next().id)
      assert.equal(1, users:stats().requests)
      assert.equal("4 5", (ids_of(users)))
      assert.equal(1, users:stats().retries)
    end
  end)
end)

describe("a malformed body", function()
  local before = '{"data":[{"id":"1"},{"id":"2"},'

  it("is a decode error with its place, after the users before it", function()
    for rest, code in pairs {
      ['{"id":x}],"nextPaginationToken":null}'] = true,
      ['{"id":"3",}]}'] = true,
      ['{"id":"\255"}]}'] = true,
      ['{"id":"a\nb"}]}'] = true,
      ['5],"nextPaginationToken":null}'] = "not_object",
      ['null]}'] = "not_object",
      ['{"id":01}]}'] = true,
      ["]}"] = true,
    } do
      local users = walk { { body = before .. rest, headers = { "x-request-id: req-1" } } }
      local ids, err = ids_of(users)
      assert.equal("1 2", ids)
      check.failure(err, "decode", { "tok-7f3a" })
      assert.is_true(err.offset >= #before and err.offset <= #before + #rest, tostring(err.offset))
      assert.is_string(err.code)
      assert.equal("tesouro", err.provider)
      assert.equal("GET", err.method)
      assert.equal(200, err.status)
      assert.equal("req-1", err.request_id)
      assert.equal(server.url .. USERS .. "?Limit=100", err.url)
      check.contains(tostring(err), "tesouro", err.url, ("byte %d"):format(err.offset))
      if code ~= true then
        assert.equal(code, err.code)
      end
      assert.equal("error", users:reason())
      assert.equal(1, requests())
    end
  end)

  it("is told after the token, too: trailing bytes, a second value, a missing array", function()
    for body, expected in pairs {
      ['{"data":[{"id":"1"},{"id":"2"}],"nextPaginationToken":null} x'] = "1 2",
      ['{"data":[{"id":"1"},{"id":"2"}],"nextPaginationToken":null}{}'] = "1 2",
      ['{"data":[{"id":"1"}],"data":[]}'] = "1",
      ['{"nextPaginationToken":null}'] = "",
      ['{"data":{"id":"1"}}'] = "",
      ['{"data":null}'] = "",
      ['{"data":"none"}'] = "",
      ["[]"] = "",
      ["5"] = "",
      ['{"items":[{"id":"1"}]}'] = "",
    } do
      local ids, err = ids_of(walk { { body = body } })
      assert.equal(expected, ids)
      check.failure(err, "decode")
      assert.is_number(err.offset)
    end
  end)

  it("in the middle of page 3 comes after all users before it", function()
    for _, prefetch in ipairs { 0, 1, 3 } do
      local users = walk({ page("1 2", "t2"), page("3 4", "t3"), { body = '{"data":[{"id":"5"},{"id":"6"},{"id"}]}' } },
        { prefetch = prefetch })
      local ids, err = ids_of(users)
      assert.equal("1 2 3 4 5 6", ids)
      check.failure(err, "decode")
      assert.equal(#'{"data":[{"id":"5"},{"id":"6"},{"id"', err.offset)
      check.contains(err.url, "PaginationToken=t3")
      local again, same = users:next()
      assert.is_nil(again)
      assert.equal(err, same)
      assert.equal(6, users:stats().users)
      assert.equal(3, users:stats().pages)
    end
  end)

  it("that is HTML says so", function()
    local _, err = ids_of(walk { { type = "text/html", body = "<!doctype html><title>Sign in</title>" } })
    check.failure(err, "decode")
    check.contains(tostring(err), "HTML", "byte 0")
    assert.equal(0, err.offset)
  end)

  it("that is empty is one that broke off", function()
    local _, err, stats = ids_of(walk({ { body = "" } }, nil, { retry = false }))
    check.failure(err, "decode")
    assert.equal(0, err.offset)
    assert.is_nil(stats)
  end)

  it("is refused where it is too much", function()
    local deep = '{"data":[{"id":"1"},{"id":"2","x":' .. ("["):rep(600) .. ("]"):rep(600) .. "}]}"
    local long = '{"data":[{"id":"1"},{"id":"2","x":"' .. ("x"):rep(5000) .. '"}]}'
    for _, case in ipairs {
      { deep, {} },
      { deep:gsub("%[%[+", "[[[[["), { max_depth = 5 } },
      { long, { max_user_bytes = 4000 } },
    } do
      local ids, err = ids_of(walk({ { body = case[1], chunked = true } }, nil, case[2]))
      assert.equal("1", ids)
      check.failure(err, "decode")
    end
    local users, err = walk({ { body = long, chunked = true } }, nil, { max_page_bytes = 4000 }):collect()
    assert.is_nil(users)
    check.failure(err, "decode")
    assert.equal(1, requests())
    assert.equal("1 2", (ids_of(walk({ { body = long } }, nil, { max_user_bytes = 6000, max_page_bytes = 6000 }))))
  end)

  it("read backwards is an error, too", function()
    local users = walk({ { body = '{"data":[{"id":"1"},{"id":x}]}' } }, { page_token = "t", direction = "backward" })
    local _, err = ids_of(users)
    check.failure(err, "decode")
  end)
end)

describe("a repeated page token", function()
  it("ends the walk, at any distance", function()
    for _, distance in ipairs { 1, 2, 5, 40 } do
      local answers, ids = {}, {}
      for i = 1, 3 do
        answers[i] = page("before" .. i, "before" .. i)
        ids[i] = "before" .. i
      end
      for i = 1, distance + 1 do
        answers[3 + i] = page("u" .. i, "t" .. (i - 1) % distance)
        ids[3 + i] = "u" .. i
      end
      local users = walk(answers)
      local got, err = ids_of(users)
      assert.equal(table.concat(ids, " "), got)
      check.failure(err, "loop")
      check.contains(tostring(err), "PaginationToken")
      assert.equal("loop", users:reason())
      assert.equal(3 + distance + 1, requests())
    end
  end)

  it("is what a server does that does not know the parameter", function()
    sandbox.reset()
    local users = sandbox.tesouro({ query_names = { PaginationToken = "pagination_token" } }):users()
    local n, err = users:count()
    assert.is_nil(n)
    check.failure(err, "loop")
    check.contains(tostring(err), "the parameter pagination_token ignores it") -- as it was sent
    assert.equal(2, sandbox.stats().tesouro.user_requests)
  end)

  it("is one where the page that it began at comes again", function()
    local users = walk({ page("1", "t1"), page("2", "t0") }, { page_token = "t0" })
    local ids, err = ids_of(users)
    assert.equal("1 2", ids)
    check.failure(err, "loop")
    assert.equal(2, requests())
  end)

  it("of another walk is none", function()
    server:script { [USERS] = { page("1", "t1"), page "2", page("3", "t1"), page "4" } }
    local mine = client()
    assert.equal("1 2", (ids_of((mine:users()))))
    assert.equal("3 4", (ids_of((mine:users()))))
  end)

  it("ends a walk backwards", function()
    local users = walk({ page("1", nil, "t1"), page("2", nil, "t2"), page("3", nil, "t1") },
      { page_token = "t9", direction = "backward" })
    local ids, err = ids_of(users)
    assert.equal("1 2 3", ids)
    check.failure(err, "loop")
  end)
end)

describe("a budget", function()
  it("of time ends the walk, waits included: at once where one would outlast it", function()
    local began = core.now()
    local users = walk({ page("1 2", "t2"), { status = 503 } }, { deadline = 0.9 },
      { retry = { base = 10, cap = 10, jitter = 0 } })
    local ids, err = ids_of(users)
    assert.equal("1 2", ids)
    check.failure(err, "budget")
    assert.equal("budget", users:reason())
    local took = core.now() - began
    assert.is_true(took < 0.5, took)
    assert.equal(503, err.status)
    check.contains(err.message, "deadline", "10 seconds", "503")
    assert.equal(0, users:stats().waits)
    assert.is_string(err.checkpoint)
  end)

  it("of time runs from the first user that is asked for", function()
    local users = walk({ page "1" }, { deadline = 0.1 })
    core.wait({}, 0.15)
    assert.equal("1", users:next().id)
  end)

  it("of requests ends the walk with what came before", function()
    for _, prefetch in ipairs { 0, 1, 3 } do
      local users = walk({ page("1 2", "t2"), page("3", "t3"), page "4" }, { max_requests = 2, prefetch = prefetch })
      local ids, err = ids_of(users)
      assert.equal("1 2 3", ids)
      check.failure(err, "budget")
      assert.equal("budget", users:reason())
      assert.equal(2, requests())
      server:script { [USERS] = { page "4" } }
      assert.equal("4", (ids_of((client():users { resume = err.checkpoint }))))
      assert.equal("Limit=100&PaginationToken=t3", server:requests()[1].query)
    end
  end)

  it("of requests counts attempts", function()
    local _, err = ids_of(walk({ { status = 503 } }, { max_requests = 2 }))
    check.failure(err, "budget")
    assert.equal(2, requests())
  end)

  it("of bytes ends the walk", function()
    local users = walk({ page("1 2", "t2"), page("3", "t3"), page("4", "t4"), page "5" },
      { max_bytes = 400, prefetch = 0 })
    local ids, err = ids_of(users)
    check.failure(err, "budget")
    assert.equal("budget", users:reason())
    assert.is_true(#ids >= 3 and requests() < 4)
  end)

  it("is not used up by a walk that ends in it", function()
    local users = walk({ page("1", "t2"), page "2" }, { max_requests = 2, deadline = 60, max_bytes = 1e6 })
    assert.equal("1 2", (ids_of(users)))
    assert.equal("exhausted", users:reason())
  end)
end)

describe("a checkpoint", function()
  local query = { status = "ALL", page_size = 2 }

  local function started()
    local users = walk({ page("1 2", "t2"), page "3" }, query)
    assert(users:next())
    return users
  end

  it("is refused by another walk, at the call, and says what differs", function()
    local saved = started():checkpoint()
    for text, wrong in pairs {
      ["status"] = { page_size = 2, resume = saved },
      ["page_size"] = { status = "ALL", resume = saved },
      ["organization_type"] = { status = "ALL", page_size = 2, organization_type = "BANK", resume = saved },
    } do
      check.misuse(function() client():users(wrong) end, "resume", text)
    end
    check.misuse(function()
      client({ base_url = server.url .. "/" .. "x" }):users { status = "ALL", page_size = 2, resume = "hello" }
    end, "resume")
    check.misuse(function()
      client({ base_url = "http://127.0.0.1:1" }):users { status = "ALL", page_size = 2, resume = saved }
    end, "resume", "base_url")
    check.misuse(function()
      rollcall.dintero({ token = "x", account = "T123", base_url = server.url }):users { resume = saved }
    end, "resume", "provider")
  end)

  it("is refused where it is none", function()
    for _, text in ipairs { "", "{}", "[]", "null", "5", "x", '{"rollcall":2}', '{"rollcall":1}',
      '{"rollcall":1,"walk":5}', '{"rollcall":1,"walk":{}}', ("["):rep(5000), "\0" } do
      check.misuse(function() client():users { resume = text } end, "resume")
    end
  end)

  it("that was changed is refused at the call or is an error, and never a crash", function()
    local saved = started():checkpoint()
    for at = 1, #saved do
      for _, put in ipairs { "", "x", "0", '"', "}" } do
        local changed = saved:sub(1, at - 1) .. put .. saved:sub(at + 1)
        local good, users = pcall(function()
          local made = client({ base_url = server.url, retry = false }):users {
            status = "ALL", page_size = 2, resume = changed, max_requests = 1 }
          return made
        end)
        if good then
          local user, err = users:next()
          assert.is_true(user ~= nil or err == nil or require("rollcall.errors").is(err), changed)
          users:close()
        else
          assert.equal("string", type(users))
          check.contains(users, "resume")
        end
      end
    end
  end)

  it("comes with every error", function()
    local users = walk({ page("1 2", "t2"), { status = 400 } }, query)
    local ids, err = ids_of(users)
    assert.equal("1 2", ids)
    server:script { [USERS] = { page "3" } }
    assert.equal("3", (ids_of((client():users { status = "ALL", page_size = 2, resume = err.checkpoint }))))
    assert.equal(err.checkpoint, users:checkpoint())
  end)

  it("of a walk that has ended gives nothing, and sends nothing", function()
    local users = walk({ page "1" }, query)
    ids_of(users)
    server:script { [USERS] = { page "1" } }
    local rest = client():users { status = "ALL", page_size = 2, resume = users:checkpoint() }
    assert.equal("", (ids_of(rest)))
    assert.equal("exhausted", rest:reason())
    assert.equal(0, requests())
  end)

  it("of several accounts goes on with each of them", function()
    sandbox.reset()
    local accounts = { "T123", "P321", "P87654321" }
    local dintero = sandbox.dintero { accounts = accounts }
    local first = dintero:users()
    local seen, n = {}, 0
    for _ = 1, 200 do
      local user = assert(first:next())
      seen[user.id], n = true, n + 1
    end
    local saved = first:checkpoint()
    first:close()
    for user in sandbox.dintero({ accounts = accounts }):users { resume = saved } do
      assert.is_nil(seen[user.id])
      seen[user.id], n = true, n + 1
    end
    assert.equal(368, n)
    check.misuse(function()
      sandbox.dintero({ accounts = { "T123", "P11111111" } }):users { resume = saved }
    end, "resume")
    check.misuse(function() sandbox.dintero({ account = "T123" }):users { resume = saved } end, "resume")
  end)

  it("is small even in a huge page", function()
    sandbox.reset()
    local users = sandbox.dintero({ account = sandbox.data.dintero.big_account(20000) }):users()
    for _ = 1, 15000 do
      users:next()
    end
    assert.is_true(#users:checkpoint() < 64 * 1024, #users:checkpoint())
    users:close()
  end)
end)

describe("memory", function()
  it("stays flat over a long walk", function()
    sandbox.reset()
    local id = sandbox.data.tesouro.big_organization(20000)
    local users = sandbox.tesouro():users { organization_id = id }
    local function used()
      collectgarbage()
      collectgarbage()
      return collectgarbage "count"
    end
    local at, n = nil, 0
    for _ in users do
      n = n + 1
      if n == 2000 then
        at = used()
      end
    end
    assert.equal(20000, n)
    assert.is_true(used() - at < 512, used() - at)
  end)
end)

describe("a walk that was given a token", function()
  it("does not go round at all", function()
    local users = walk({ page("1", "B"), page("2", "A"), page("3", "B") }, { page_token = "A" })
    local ids, err = ids_of(users)
    assert.equal("1 2", ids)
    check.failure(err, "loop")
    assert.equal(2, requests())
  end)
end)

describe("a walk that has ended", function()
  it("has numbers that nobody can change, with all bytes", function()
    local users = walk({ { body = '{"data":[{"id":"1"},' .. (" "):rep(1000), length = 1e6, hold = 5 } })
    users:next()
    local before = users:stats().bytes
    users:close()
    local stats = users:stats()
    assert.equal(0, before)
    assert.is_true(stats.bytes > 0, stats.bytes)
    stats.bytes, stats.users = -1, -1
    assert.is_true(users:stats().bytes > 0)
    assert.equal(1, users:stats().users)
  end)
end)

describe("the page hook", function()
  it("is told once a page when the walk stands behind it, though it raises", function()
    local told, users = {}, nil
    local options = { on = { page = function(event)
      told[#told + 1] = ("%d:%d:%s"):format(event.number, event.users, tostring(users:reason()))
      error("mine", 0)
    end } }
    users = walk({ page("1 2", "t2"), page("", "t3"), page "3" }, nil, options)
    local ids, raised = {}, 0
    for _ = 1, 20 do
      local good, user = pcall(users.next, users)
      if good and user == nil then
        break
      end
      ids[#ids + 1] = good and user.id or nil
      raised = raised + (good and 0 or 1)
    end
    assert.equal("1 2 3", table.concat(ids, " "))
    assert.equal(3, raised)
    assert.same({ "1:2:nil", "2:0:nil", "3:1:exhausted" }, told)
  end)

  it("loses no user of pages() where it raises", function()
    local users = walk({ page("1 2", "t2"), page "3" }, nil, { on = { page = function() error("mine", 0) end } })
    local pages = users:pages()
    local sizes = {}
    for _ = 1, 10 do
      local good, list = pcall(pages)
      if good and list == nil then
        break
      end
      sizes[#sizes + 1] = good and #list or nil
    end
    assert.same({ 2, 1 }, sizes)
  end)
end)

describe("a checkpoint that somebody wrote", function()
  it("is refused in words, whatever is inside", function()
    local saved = walk({ page "1" }, { status = "ALL" }):checkpoint()
    for _, position in ipairs { '{"token":5}', '{"token":true}', '{"token":{}}', '{"token":null}', '{"token":""}',
      "5", "null", '"x"' } do
      local changed = saved:gsub('^{', '{"position":' .. position:gsub("%%", "%%%%") .. ",", 1)
      changed = changed:gsub(',"position":{}', "")
      check.misuse(function() client():users { status = "ALL", resume = changed } end, "resume: ", "was changed")
    end
    for _, status in ipairs { '[["ALL"]]', '{"a":{}}', "[{}]", "null", "5" } do
      local changed = saved:gsub('"status":"ALL"', '"status":' .. status)
      assert.not_equal(saved, changed)
      check.misuse(function() client():users { status = "ALL", resume = changed } end, "resume: ", "status")
    end
  end)

  it("of no search is not one of a search for none", function()
    local function dintero(query)
      return rollcall.dintero({ token = "tok-7f3a", account = "T123", base_url = server.url }):users(query)
    end
    local saved = dintero():checkpoint()
    check.misuse(function() dintero { search = "none", resume = saved } end, "resume")
  end)

  it("of more accounts is gone on with by fewer, and refused by others", function()
    local function dintero(accounts, query)
      return rollcall.dintero({ token = "tok-7f3a", accounts = accounts, base_url = server.url }):users(query)
    end
    local saved = dintero({ "T123", "P321" }):checkpoint()
    dintero({ "P321", "T123" }, { resume = saved })
    dintero({ "T123" }, { resume = saved })
    check.misuse(function() dintero({ "T123", "P999" }, { resume = saved }) end, "resume: ", "P999")
  end)
end)
