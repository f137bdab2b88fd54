local check = require "spec.support.check"
local core = require "rollcall.core"
local rollcall = require "rollcall"
local page = require("spec.support.pages").page
local sandbox = require "spec.support.sandbox"

local unpack = rawget(_G, "unpack") or rawget(table, "unpack")

local USERS = "/identity/v1/users"
local server

setup(function()
  server = require("spec.support.server").start()
end)
teardown(function()
  server:stop()
  sandbox.restore()
end)

local FAILED = { status = 400, body = '{"message":"no more"}' }

--- The stream of a walk over these answers.
local function walk(answers, query)
  server:script { [USERS] = answers }
  local users = rollcall.tesouro({ token = "tok-7f3a", base_url = server.url, retry = false }):users(query)
  return users
end

local function three(query)
  return walk({ page("1 2", "t2"), page("", "t3", "t1"), page("3", nil, "t2") }, query)
end

local function ids_of(list)
  local ids = {}
  for i, user in ipairs(list) do
    ids[i] = user.id
  end
  return table.concat(ids, " ")
end

describe("a stream", function()
  it("says so where a method is called with '.'", function()
    local users = three()
    for _, name in ipairs { "next", "collect", "first", "count", "values", "pages", "filter", "map", "take",
      "checkpoint", "reason", "stats", "close" } do
      check.misuse(function() users[name]() end, name .. ": call it with ':', as in stream:" .. name .. "()")
      check.misuse(function() users[name](print) end, name .. ": call it with ':'")
    end
    check.misuse(function() users:take "x" end, 'take: expected a whole number of users, got "x"')
  end)

  it("says as a text what it is of", function()
    assert.equal("rollcall.stream of tesouro", tostring(three()))
    assert.equal("rollcall.stream of dintero T12345678", tostring((sandbox.dintero():users())))
    assert.equal("rollcall.stream", tostring((rollcall.merge { (three()) })))
  end)
end)

describe("a for over a stream", function()
  it("gives every user", function()
    local list = {}
    for user in three() do
      list[#list + 1] = user
    end
    assert.equal("1 2 3", ids_of(list))
  end)

  it("raises the error object itself, after the users before it", function()
    local users = walk { page("1 2", "t2"), FAILED }
    local list = {}
    local good, err = pcall(function()
      for user in users do
        list[#list + 1] = user
      end
    end)
    assert.is_false(good)
    check.failure(err, "http", { "tok-7f3a" })
    assert.equal("1 2", ids_of(list))
    assert.equal(400, err.status)
    assert.equal("error", users:reason())
    good, err = pcall(function()
      for _ in users do
        error "there is no further user"
      end
    end)
    assert.is_false(good)
    check.failure(err, "http")
  end)

  it("does nothing over a stream at its end", function()
    local users = three()
    assert.equal(3, users:count())
    for _ in users do
      error "there is no further user"
    end
  end)

  it("goes on where another one stopped", function()
    local users = three()
    local list = {}
    list[1] = users()
    list[2] = users:next()
    for user in function() return (users()) end do
      list[#list + 1] = user
    end
    assert.equal("1 2 3", ids_of(list))
  end)

  if _VERSION == "Lua 5.4" then
    it("closes the stream on break, on an error and on return", function()
      sandbox.reset "delay_ms=200"
      local client = sandbox.tesouro()
      local stream
      local leave = {
        function()
          for _ in client:users { page_size = 5 } do -- luacheck: ignore 512
            break
          end
        end,
        function()
          pcall(function()
            for _ in client:users { page_size = 5 } do -- luacheck: ignore 512
              error "enough"
            end
          end)
        end,
        function()
          local function first()
            for user in client:users { page_size = 5 } do -- luacheck: ignore 512
              return user
            end
          end
          assert(first())
        end,
      }
      for _, f in ipairs(leave) do
        local began = core.now()
        f()
        assert.is_true(core.now() - began < 1.5)
      end
      -- The stream itself, to ask it.
      local iterator, state, control, closing = client:users { page_size = 5 }
      stream = closing
      assert.equal(iterator, closing)
      for _ in iterator, state, control, closing do -- luacheck: ignore 512
        break
      end
      assert.equal("closed", stream:reason())
    end)

    it("can be closed by a local <close>", function()
      local f = assert(load [[
        local users = ...
        local closing <close> = users
        return users:next().id
      ]])
      local users = three()
      assert.equal("1", f(users))
      assert.equal("closed", users:reason())
    end)
  end
end)

describe("stream:next", function()
  it("gives users, then nil for good", function()
    local users = three()
    for expected = 1, 3 do
      assert.equal(tostring(expected), users:next().id)
    end
    for _ = 1, 3 do
      local user, err = users:next()
      assert.is_nil(user)
      assert.is_nil(err)
    end
    assert.equal(3, #server:requests())
  end)

  it("answers nil and the error, the same again and again, and never raises", function()
    local users = walk { page("1", "t2"), FAILED }
    assert.equal("1", users:next().id)
    local user, err = users:next()
    assert.is_nil(user)
    check.failure(err, "http")
    for _ = 1, 3 do
      local _, again = users:next()
      assert.equal(err, again)
    end
    assert.equal(2, #server:requests())
  end)
end)

describe("stream:collect", function()
  it("is the list of what is left", function()
    local users = three()
    users:next()
    assert.equal("2 3", ids_of(users:collect()))
    assert.same({}, users:collect())
    assert.same({}, walk({ page "" }):collect())
  end)

  it("answers nil and the error", function()
    local users, err = walk({ page("1", "t2"), FAILED }):collect()
    assert.is_nil(users)
    check.failure(err, "http")
  end)
end)

describe("stream:first", function()
  it("is the next user, and closes the stream", function()
    local users = three()
    assert.equal("1", users:first().id)
    assert.equal("closed", users:reason())
    assert.is_nil((walk({ page "" }):first()))
  end)

  it("finds the first user behind empty pages", function()
    assert.equal("1", walk({ page("", "t2"), page("", "t3"), page("1", "t4") }, { prefetch = 0 }):first().id)
    assert.equal(3, #server:requests())
  end)

  it("answers nil and the error", function()
    local user, err = walk({ FAILED }):first()
    assert.is_nil(user)
    check.failure(err, "http")
  end)

  it("fetches one page only, without fetching ahead", function()
    three({ prefetch = 0 }):first()
    assert.equal(1, #server:requests())
  end)
end)

describe("stream:count", function()
  it("is how many are left", function()
    local users = three()
    users:next()
    assert.equal(2, users:count())
    assert.equal(0, users:count())
  end)

  it("answers nil and the error", function()
    local n, err = walk({ page("1", "t2"), FAILED }):count()
    assert.is_nil(n)
    check.failure(err, "http")
  end)
end)

describe("stream:pages", function()
  it("gives every page, the empty ones too, and what is known of it", function()
    local lists, infos = {}, {}
    for list, info in three():pages() do
      lists[#lists + 1], infos[#infos + 1] = ids_of(list), info
    end
    assert.same({ "1 2", "", "3" }, lists)
    assert.same({
      { number = 1, next = "t2" },
      { number = 2, token = "t2", next = "t3", previous = "t1" },
      { number = 3, token = "t3", previous = "t2" },
    }, infos)
  end)

  it("gives the one body of a provider without pages", function()
    server:script { ["/v1/accounts/T123/management/users"] = { { body = '[{"email":"a"},{"email":"b"}]' } } }
    local n = 0
    local client = rollcall.dintero { token = "tok-7f3a", account = "T123", base_url = server.url }
    for list, info in client:users():pages() do
      n = n + 1
      assert.equal(2, #list)
      assert.same({ number = 1 }, info)
    end
    assert.equal(1, n)
  end)

  it("agrees with the walk, user by user, on the sandbox", function()
    sandbox.reset()
    local expected = sandbox.data.tesouro.users { status = "INACTIVE" }
    for _, prefetch in ipairs { 0, 1, 3 } do
      local n, pages, empty, last = 0, 0, 0, nil
      local users = sandbox.tesouro():users { status = "INACTIVE", page_size = 30, prefetch = prefetch }
      for list, info in users:pages() do
        pages = pages + 1
        empty = empty + (#list == 0 and 1 or 0)
        assert.equal(pages, info.number)
        assert.equal(last, info.token)
        last = info.next
        for _, user in ipairs(list) do
          n = n + 1
          assert.equal(expected[n].id, user.id)
        end
      end
      assert.is_nil(last)
      assert.equal(#expected, n)
      assert.is_true(empty > 0)
      assert.equal(pages, users:stats().pages)
      assert.equal("exhausted", users:reason())
    end
  end)

  it("gives the rest of a page that was begun", function()
    local users = three()
    users:next()
    local list, info = users:pages()()
    assert.equal("2", ids_of(list))
    assert.equal(1, info.number)
  end)

  it("gives the users before an error, then raises it", function()
    for _, wrong in ipairs { FAILED, { body = '{"data":[x]}' } } do
      local users = walk { page("1 2", "t2"), wrong }
      local lists = {}
      local good, err = pcall(function()
        for list in users:pages() do
          lists[#lists + 1] = ids_of(list)
        end
      end)
      assert.is_false(good)
      check.failure(err, wrong == FAILED and "http" or "decode")
      assert.equal("1 2", lists[1])
      assert.is_nil(lists[2])
    end
    local users = walk { { body = '{"data":[{"id":"1"},{"id":"2"},{"id":x}]}' } }
    local pages = users:pages()
    assert.equal("1 2", ids_of((pages())))
    local good, err = pcall(pages)
    assert.is_false(good)
    check.failure(err, "decode")
  end)

  it("loses nobody where a hook raises in the middle of a page, and pages is called again", function()
    for _, again in ipairs { "the iterator", "pages" } do
      local raised = false
      server:script { [USERS] = { page("1 2", "t2"), { body = page("3 4", "t3").body, step = 20, pause = 0.02 },
        page "5" } }
      local users = rollcall.tesouro({ token = "tok-7f3a", base_url = server.url, on = { response = function()
        if not raised and #server:requests(USERS) == 2 then
          raised = true
          error("the hook's own", 0)
        end
      end } }):users { prefetch = 0 }
      local iterator, lists, problems, saved = users:pages(), {}, {}, {}
      repeat
        local good, list = pcall(iterator)
        if not good then
          problems[#problems + 1] = list
          saved[#saved + 1] = users:checkpoint()
          iterator = again == "pages" and users:pages() or iterator
        elseif list then
          lists[#lists + 1] = ids_of(list)
        end
      until good and not list
      assert.same({ "the hook's own" }, problems)
      assert.same({ "1 2", "3 4", "5" }, lists)
      server:script { [USERS] = { page("3 4", "t3"), page "5" } }
      local rest = rollcall.tesouro({ token = "tok-7f3a", base_url = server.url }):users { resume = saved[1] }
      assert.equal("3 4 5", ids_of(rest:collect()))
    end
  end)

  it("gives no part of a page that the stream was closed in: its checkpoint is before it", function()
    server:script { [USERS] = { page("1 2", "t2"),
      { body = '{"data":[{"id":"3"},{"id":"4"},', length = 1000, hold = 5 } } }
    local users
    local function wait(engines, seconds)
      if users:stats().users > 2 then -- the second page has begun
        return nil, "no time to wait"
      end
      core.wait(engines, seconds)
    end
    users = rollcall.tesouro({ token = "tok-7f3a", base_url = server.url, loop = { wait = wait } }):users {
      prefetch = 0 }
    local pages = users:pages()
    assert.equal("1 2", ids_of((pages())))
    local good, err = pcall(pages)
    assert.is_false(good)
    check.failure(err, "closed")
    assert.equal(4, users:stats().users)
    assert.equal("3 4 5", ids_of(walk({ page("3 4", "t3"), page "5" }, { resume = err.checkpoint }):collect()))
  end)

  it("leaves the checkpoint behind the user given last to those who go on one by one", function()
    local users = walk { page("1 2", "t2"), page("3 4", "t3"), page "5" }
    assert.equal("1 2", ids_of((users:pages()())))
    local between = users:checkpoint()
    assert.equal("3", users:next().id)
    local inside = users:checkpoint()
    users:pages() -- nothing is asked of it
    assert.equal("4", users:next().id)
    local behind = users:checkpoint()
    for saved, rest in pairs { [between] = "3 4 5", [inside] = "4 5", [behind] = "5" } do
      assert.equal(rest, ids_of(walk({ page("3 4", "t3"), page "5" }, { resume = saved }):collect()))
    end
  end)

  it("names no next page where a limit was reached in the middle of one: it would skip users", function()
    local nexts = {}
    for _, info in walk({ page("1 2", "t2"), page("3 4", "t3"), page "5" }, { limit = 3 }):pages() do
      nexts[#nexts + 1] = info.next or "none"
    end
    assert.same({ "t2", "none" }, nexts)
    for _, info in walk({ page("1 2", "t2"), page "3" }, { limit = 2 }):pages() do
      assert.equal("t2", info.next)
    end
  end)

  it("is empty where all users were taken one by one", function()
    local users = walk { page("1 2", "t2"), page "3" }
    assert.equal(3, users:count())
    assert.is_nil((users:pages()()))
  end)

  it("stops at a limit", function()
    local lists = {}
    for list in walk({ page("1 2", "t2"), page("3 4", "t3"), page "5" }, { limit = 3 }):pages() do
      lists[#lists + 1] = ids_of(list)
    end
    assert.same({ "1 2", "3" }, lists)
  end)

  it("gives pages backwards", function()
    local lists = {}
    for list in walk({ page("3 4", nil, "t1"), page("1 2", "t2") },
      { direction = "backward", page_token = "t2" }):pages() do
      lists[#lists + 1] = ids_of(list)
    end
    assert.same({ "4 3", "2 1" }, lists)
  end)

  it("ends when the stream is closed within", function()
    local users = three()
    local n = 0
    local good, err = pcall(function()
      for _ in users:pages() do
        n = n + 1
        users:close()
      end
    end)
    assert.equal(1, n)
    assert.is_false(good)
    check.failure(err, "closed")
  end)

  it("is misuse where there are no pages", function()
    local merged = rollcall.merge { three(), (three()) }
    check.misuse(function() merged:pages() end, "pages")
    check.misuse(function() three():map(function(user) return user end):pages() end, "pages")
  end)
end)

--- What `values` of a stream gives, a text for each user, and the error that it raises.
local function lines_of(users, ...)
  local names, list = { ... }, {}
  local good, err = pcall(function()
    for n, a, b, c in users:values(unpack(names)) do
      list[#list + 1] = ("%d:%s,%s,%s"):format(n, tostring(a), tostring(b), tostring(c))
    end
  end)
  return table.concat(list, " "), not good and err or nil
end

describe("stream:values", function()
  it("gives a number and the fields' values of each user", function()
    assert.equal("1:1,user 1,nil 2:2,user 2,nil 3:3,user 3,nil", (lines_of(three(), "id", "name")))
    assert.equal("1:nil,1,user 1 2:nil,2,user 2 3:nil,3,user 3", (lines_of(three(), "absent", "/id", "name")))
    assert.equal("1:tesouro,nil,1 2:tesouro,nil,2 3:tesouro,nil,3", (lines_of(three(), "provider", "a.b", "id")))
  end)

  it("gives what the users' fields are, of every kind and both providers", function()
    sandbox.reset()
    local names = { "id", "email", "name", "status", "created_at", "updated_at", "last_seen_at", "account_id",
      "account_name", "role_names", "mfa", "provider", "absent", "department.name", "/department/name", "/roles/0",
      "roles", "location.name", "/firstName", "preferences" }
    for _, make in ipairs {
      function() return (sandbox.tesouro():users { status = "ALL", limit = 700 }) end,
      function() return (sandbox.dintero():users { expand = { "roles" }, limit = 700 }) end,
    } do
      local get = {}
      for i, name in ipairs(names) do
        get[i] = require("rollcall.path").compile(name)
      end
      local users, n, kinds = make(), 0, {}
      local function compare(number, ...)
        n = n + 1
        local user = assert(users:next())
        assert.equal(n, number)
        assert.equal(#names, select("#", ...))
        for i, name in ipairs(names) do
          local value = (select(i, ...))
          kinds[type(value)] = true
          if type(value) == "table" then
            assert.same(get[i](user), value, name)
          elseif value ~= get[i](user) then
            error(("%s: %s, not %s"):format(name, tostring(value), tostring(get[i](user))))
          end
        end
      end
      local iterator = make():values(unpack(names))
      local function step(number, ...)
        if number then
          compare(number, ...)
        end
        return number
      end
      while step(iterator()) do end -- luacheck: ignore 542
      assert.equal(700, n)
      assert.is_nil((users:next()))
      assert.is_true(kinds.string and kinds.table and kinds["nil"])
    end
  end)

  it("takes names with a slash, a tilde or a dot in them, and names that are numbers, as users do", function()
    local object = [[{"id":"1","a":{"b":"inside","b/c":5},"a/b":"slash","c~d":"tilde","a.b":"dotted","0":"zero",
      "~":"only a tilde","~0":"as escaped","~1":"as escaped, too","":"no name","/":"only a slash","list":[7,8],
      "c":{"d":"behind a dot"},"e~f":{"g":"behind a tilde"},"h/i":{"j":"behind a slash"},"k.l":null}]]
    local expected = { -- by name; false for nil
      { "a/b", "slash" }, { "c~d", "tilde" }, { "a.b", "dotted" }, { "0", "zero" }, { "~", "only a tilde" },
      { "~0", "as escaped" }, { "~1", "as escaped, too" }, { "c~0d", false }, { "a~1b", false }, { "list.1", 8 },
      { "c.d", "behind a dot" }, { "e~f.g", "behind a tilde" }, { "h/i.j", "behind a slash" }, { "a.b/c", 5 },
      { "k.l", false }, { "/", "no name" }, { "//", false }, { "/~1", "only a slash" }, { "/~0", "only a tilde" },
      { "/a~1b", "slash" }, { "/a/b", "inside" }, { "/a/b~1c", 5 }, { "/c~0d", "tilde" }, { "/a.b", "dotted" },
      { "/0", "zero" }, { "/list/0", 7 }, { "/~00", "as escaped" }, { "/~01", "as escaped, too" },
    }
    local names = {}
    for i, case in ipairs(expected) do
      names[i] = case[1]
    end
    local function make()
      return walk { { body = ('{"data":[%s,%s,%s],"nextPaginationToken":null}'):format(object, object, object) } }
    end
    local user = make():next()
    for way, users in pairs { quick = make(), slow = (make():filter(function() return true end)) } do
      local iterator = users:values(unpack(names))
      for number = 1, 3 do -- the first one comes by the slow way, since its page comes with it
        local values = { iterator() }
        assert.equal(number, values[1])
        for i, case in ipairs(expected) do
          assert.equal(case[2] or nil, values[i + 1], way .. ": " .. case[1])
        end
      end
    end
    for _, case in ipairs(expected) do
      local name, value = case[1], case[2] or nil
      assert.equal(value, require("rollcall.path").compile(name)(user), name)
      if name:sub(1, 1) ~= "/" and user[name] ~= nil then
        assert.equal(value, user[name], name)
      end
    end
  end)

  it("goes on where the stream stood, and counts its own", function()
    local users = three()
    assert.equal("1", users:next().id)
    local iterator = users:values "id"
    local n, id = iterator()
    assert.is_true(n == 1 and id == "2")
    assert.equal("3", users:next().id)
    assert.is_nil(iterator())
    assert.is_nil(iterator())
    assert.equal("exhausted", users:reason())
    assert.equal(3, users:stats().users)
  end)

  it("raises the error after the values before it, again and again", function()
    local users = walk { page("1 2", "t2"), FAILED }
    local lines, err = lines_of(users, "id")
    assert.equal("1:1,nil,nil 2:2,nil,nil", lines)
    check.failure(err, "http", { "tok-7f3a" })
    lines, err = lines_of(users, "id")
    assert.equal("", lines)
    check.failure(err, "http", { "tok-7f3a" })
    users = three()
    users:close()
    lines, err = lines_of(users, "id")
    assert.equal("", lines)
    check.failure(err, "closed", { "tok-7f3a" })
  end)

  it("gives each user once where a body breaks off and comes again", function()
    local whole = page "1 2 3 4 5 6"
    for cut = 1, #whole.body - 1, 7 do
      server:script { [USERS] = { { body = whole.body, cut = cut }, whole } }
      local users = rollcall.tesouro({ token = "t", base_url = server.url,
        retry = { base = 0.001 } }):users()
      assert.equal("1:1,nil,nil 2:2,nil,nil 3:3,nil,nil 4:4,nil,nil 5:5,nil,nil 6:6,nil,nil", (lines_of(users, "id")))
    end
  end)

  it("stops at a limit, and its checkpoints are those of the users", function()
    local answers = { page("1 2", "t2"), page("3 4", "t3"), page "5" }
    local users = walk(answers, { limit = 3 })
    assert.equal("1:1,nil,nil 2:2,nil,nil 3:3,nil,nil", (lines_of(users, "id")))
    assert.equal("limit", users:reason())
    for _, stop in ipairs { 1, 2, 3, 4 } do
      users = walk(answers)
      local iterator = users:values "id"
      for _ = 1, stop do
        iterator()
      end
      local saved = users:checkpoint()
      users:close()
      local rest = walk({ unpack(answers, stop < 3 and 1 or 2) }, { resume = saved }) -- from the page where it stood
      local seen = {}
      for _, id in rest:values "id" do
        seen[#seen + 1] = id
      end
      assert.equal(("1 2 3 4 5"):sub(2 * stop + 1), table.concat(seen, " "))
    end
  end)

  it("works backwards, in merges, and behind filter, map and take", function()
    local backward = walk({ page("3 4", nil, "t1"), page("1 2", "t2") }, { direction = "backward", page_token = "t2" })
    assert.equal("1:4,nil,nil 2:3,nil,nil 3:2,nil,nil 4:1,nil,nil", (lines_of(backward, "id")))
    assert.equal("1:2,user 2,nil 2:3,user 3,nil", (lines_of(three():filter(function(user)
      return user.id ~= "1"
    end), "id", "name")))
    assert.equal("1:1,nil,nil", (lines_of(three():take(1), "id")))
    assert.equal("1:a1,x,nil 2:a2,x,nil 3:a3,x,nil", (lines_of(three():map(function(user)
      return { id = "a" .. user.id, deep = { x = "x" } }
    end), "id", "deep.x")))
    local merged = rollcall.merge { three(), (sandbox.tesouro():users { limit = 3 }) }
    local n = 0
    for number, id, provider in merged:values("id", "provider") do
      n = n + 1
      assert.is_true(number == n and id ~= nil and provider == "tesouro")
    end
    assert.equal(6, n)
    check.misuse(function()
      for _ in three():map(function() return 1 end):values "id" do end -- luacheck: ignore 542
    end, "values: expected users or tables, got a number")
  end)

  it("is closed by break where a for closes", function()
    local users = three()
    for _ in users:values "id" do -- luacheck: ignore 512
      break
    end
    assert.equal(_VERSION == "Lua 5.4" and "closed" or nil, users:reason())
  end)

  it("sends nothing before the first user is asked for, and is misused without names of fields", function()
    local users = three()
    users:values "id"
    assert.equal(0, #server:requests())
    check.misuse(function() users:values() end, "values: expected the names of 1 to 64 fields, got 0")
    check.misuse(function() users.values "id" end, "values: call it with ':'")
    check.misuse(function()
      users:values("id", ("/a"):rep(17))
    end, 'values: 2: expected the name of a field (at most 16 steps), got "/a/a')
    check.misuse(function()
      users:values(("a."):rep(16) .. "a")
    end, 'values: 1: expected the name of a field (at most 16 steps), got "a.a')
    check.misuse(function() users:values("id", nil, "name") end, "values: 2: expected the name of a field, got a nil")
    check.misuse(function() users:values("id", 1) end, "values: 2: expected the name of a field, got 1")
    check.misuse(function() users:values { "id" } end, "values: 1: expected the name of a field, got a table")
    check.misuse(function() users:values "a..b" end, 'values: 1: expected the name of a field, got "a..b"')
    local many = {}
    for i = 1, 65 do
      many[i] = "id"
    end
    check.misuse(function() users:values(unpack(many)) end, "values: expected the names of 1 to 64 fields, got 65")
  end)
end)

describe("stream:filter, :map and :take", function()
  it("keep, make and cut", function()
    assert.equal("1 3", ids_of(three():filter(function(user) return user.id ~= "2" end):collect()))
    assert.same({ "1", "2", "3" }, three():map(function(user) return user.id end):collect())
    assert.equal("1 2", ids_of(three():take(2):collect()))
    assert.same({ "2!" }, three():filter(function(user) return user.id ~= "1" end):map(function(user)
      return user.id .. "!"
    end):take(1):collect())
  end)

  it("leave out what map makes nil of, and keep false", function()
    assert.same({ "2" }, three():map(function(user) return user.id == "2" and user.id or nil end):collect())
    local values = {}
    local users = three():map(function(user) return user.id == "2" end)
    for _ = 1, 3 do
      values[#values + 1] = tostring((users:next()))
    end
    assert.same({ "false", "true", "false" }, values)
  end)

  it("work in a for, and count", function()
    local list = {}
    for user in three():filter(function(user) return user.id > "1" end) do
      list[#list + 1] = user
    end
    assert.equal("2 3", ids_of(list))
    assert.equal(2, three():filter(function(user) return user.id > "1" end):count())
    assert.equal("2", three():filter(function(user) return user.id > "1" end):first().id)
  end)

  it("send nothing before the first user is asked for", function()
    local users = three():filter(function() return true end):map(function(user) return user end):take(5)
    assert.equal(0, #server:requests())
    assert.equal(3, users:count())
  end)

  it("take stops the walk", function()
    local users = walk({ page("1 2", "t2"), page("3 4", "t3"), page "5" }, { prefetch = 0 })
    local taken = users:take(2)
    assert.equal("1 2", ids_of(taken:collect()))
    assert.equal("limit", taken:reason())
    assert.equal(1, #server:requests())
    assert.equal("closed", users:reason())
    assert.equal(2, taken:stats().users)
  end)

  it("take of 0, and of more than there are", function()
    assert.same({}, three():take(0):collect())
    assert.equal(0, #server:requests())
    local users = three():take(10)
    assert.equal(3, users:count())
    assert.equal("exhausted", users:reason())
  end)

  it("take counts users, not what is left of them", function()
    assert.same({ "2" }, three():take(2):map(function(user) return user.id == "2" and user.id or nil end):collect())
    assert.same({ "2", "3" }, three():filter(function(user) return user.id > "1" end):take(2):map(function(user)
      return user.id
    end):collect())
  end)

  it("pass on the error, the reason and the numbers of the walk", function()
    for _, make in ipairs {
      function(users) return users:filter(function() return true end) end,
      function(users) return users:map(function(user) return user end) end,
      function(users) return users:take(100) end,
    } do
      local users = make(walk { page("1 2", "t2"), FAILED })
      assert.equal("1", users:next().id)
      assert.equal("2", users:next().id)
      local user, err = users:next()
      assert.is_nil(user)
      check.failure(err, "http")
      assert.equal("error", users:reason())
      assert.equal(2, users:stats().users)
      assert.equal(2, users:stats().requests)
      local _, again = users:next()
      assert.equal(err, again)
      assert.is_false(pcall(users))
    end
  end)

  it("close the walk below", function()
    local users = three()
    local filtered = users:filter(function() return true end)
    filtered:next()
    filtered:close()
    assert.equal("closed", filtered:reason())
    assert.equal("closed", users:reason())
    local _, err = filtered:next()
    check.failure(err, "closed")
  end)

  it("let the function's own error through as it is", function()
    local mine = {}
    for _, name in ipairs { "filter", "map" } do
      local users = three()[name](three(), function() error(mine, 0) end)
      local good, err = pcall(users.next, users)
      assert.is_false(good)
      assert.equal(mine, err)
    end
  end)

  it("are misused without a function or a number", function()
    local users = three()
    check.misuse(function() users:filter() end, "filter", "nil")
    check.misuse(function() users:filter "id" end, "filter", "string")
    check.misuse(function() users:map {} end, "map", "table")
    for _, wrong in ipairs { -1, 1.5, "3", 0 / 0, {} } do
      check.misuse(function() users:take(wrong) end, "take")
    end
    check.misuse(function() users:take() end, "take")
  end)
end)

describe("stream:close", function()
  it("ends the walk; every method then says closed", function()
    local users = three()
    users:next()
    users:close()
    users:close()
    assert.equal("closed", users:reason())
    for _, name in ipairs { "next", "collect", "first", "count" } do
      local value, err = users[name](users)
      assert.is_nil(value)
      check.failure(err, "closed")
    end
    local good, err = pcall(users)
    assert.is_false(good)
    check.failure(err, "closed")
    good, err = pcall(users:pages())
    assert.is_false(good)
    check.failure(err, "closed")
  end)

  it("before the first user sends nothing", function()
    local users = three()
    users:close()
    assert.is_nil((users:next()))
    assert.equal(0, #server:requests())
  end)

  it("of a walk at its end changes nothing", function()
    local users = three()
    assert.equal(3, users:count())
    users:close()
    assert.equal("exhausted", users:reason())
    local user, err = users:next()
    assert.is_nil(user)
    assert.is_nil(err)
  end)

  it("cancels what is under way, at once", function()
    local users = walk { { body = page("1 2").body, chunked = true, step = 20, pause = 1 } }
    assert.equal("1", users:next().id)
    local began = core.now()
    users:close()
    assert.is_true(core.now() - began < 0.5)
  end)

  it("leaves the client's other streams alone", function()
    sandbox.reset()
    local client = sandbox.tesouro()
    local one, other = client:users { page_size = 10, status = "INVITED" }, client:users { status = "INVITED" }
    one:next()
    other:next()
    one:close()
    assert.equal(#sandbox.data.tesouro.users { status = "INVITED" } - 1, other:count())
  end)
end)

describe("a closed stream", function()
  it("says where it stood", function()
    local users = three()
    assert.equal("1", users:next().id)
    users:close()
    local _, err = users:next()
    check.failure(err, "closed")
    assert.equal(users:checkpoint(), err.checkpoint)
  end)
end)

describe("stream:reason and :stats", function()
  it("are nothing before the first user", function()
    local users = three()
    assert.is_nil(users:reason())
    assert.same({ users = 0, pages = 0, requests = 0, retries = 0, waits = 0, bytes = 0 }, users:stats())
  end)

  it("count along", function()
    local users = three { prefetch = 0 }
    users:next()
    assert.equal(1, users:stats().users)
    assert.equal(1, users:stats().requests)
    assert.equal(1, users:stats().pages)
    assert.is_nil(users:reason())
    users:next()
    users:next()
    local stats = users:stats()
    assert.equal(3, stats.users)
    assert.equal(3, stats.pages)
    assert.equal(3, stats.requests)
    assert.is_nil((users:next()))
    stats = users:stats()
    assert.equal(3, stats.users)
    assert.equal(3, stats.pages)
    assert.equal(0, stats.retries)
    assert.equal(0, stats.waits)
    local bodies = #page("1 2", "t2").body + #page("", "t3", "t1").body + #page("3", nil, "t2").body
    assert.is_true(stats.bytes > bodies and stats.bytes < bodies + 1000, stats.bytes)
    assert.equal("exhausted", users:reason())
  end)

  it("hand out a table of their own", function()
    local users = three()
    assert.equal(3, users:count())
    users:stats().users = 99
    assert.equal(3, users:stats().users)
  end)

  it("know every way to end", function()
    for reason, way in pairs {
      exhausted = { { page "1" } },
      limit = { { page("1 2", "t2") }, { limit = 1 } },
      error = { { FAILED } },
      loop = { { page("1", "t"), page("2", "t") } },
      budget = { { page("1", "t"), page "2" }, { max_requests = 1 } },
    } do
      local users = walk(way[1], way[2])
      users:count()
      assert.equal(reason, users:reason())
    end
  end)
end)

describe("a user", function()
  it("outlives its page, its stream and its client", function()
    sandbox.reset()
    local expected = sandbox.data.tesouro.users { status = "INVITED" }
    local kept = {}
    do
      local client = sandbox.tesouro()
      local users = client:users { status = "INVITED", page_size = 20 }
      for user in users do
        kept[#kept + 1] = user
      end
      users:close()
      client:close()
    end
    for _ = 1, 3 do
      collectgarbage()
    end
    assert.equal(#expected, #kept)
    for i, user in ipairs(kept) do
      check.same(expected[i], rollcall.totable(user))
      assert.equal("tesouro", user.provider)
    end
  end)

  it("needs no stream, nor that it is read to its end", function()
    sandbox.reset()
    local user = sandbox.tesouro():users():next()
    collectgarbage()
    collectgarbage()
    check.same(sandbox.data.tesouro.users()[1], rollcall.totable(user))
  end)
end)

describe("a stream that nobody holds any more", function()
  it("is collected, with what was under way", function()
    sandbox.reset()
    for _ = 1, 50 do
      local users = sandbox.tesouro():users { page_size = 100 }
      assert(users:next())
    end
    collectgarbage()
    collectgarbage()
    local weak = setmetatable({}, { __mode = "v" })
    do
      local users = sandbox.tesouro():users()
      users:next()
      weak[1] = users
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(weak[1])
  end)
end)

describe("a stream in the hands of a for", function()
  local count = _VERSION == "Lua 5.4" and 4 or 1

  it("is one value, or four where the last is closed", function()
    for _, values in ipairs {
      { three():filter(print) }, { three():map(print) }, { three():take(1) }, { three():pages() },
      { rollcall.merge { (three()) } },
    } do
      -- nil values count: the last one is at its place or nowhere
      assert.equal(count == 4, values[4] ~= nil)
      assert.is_nil(values[2])
    end
    local users = three()
    assert.equal(count, select("#", users:take(1)))
    assert.equal(count, select("#", users:pages()))
    assert.equal(count, select("#", rollcall.merge {}))
  end)

  if count == 4 then
    it("is closed by a break out of its pages, and of what was made of it", function()
      local users = three()
      for _ in users:pages() do -- luacheck: ignore 512
        break
      end
      assert.equal("closed", users:reason())
      users = three()
      for _ in users:filter(function() return true end) do -- luacheck: ignore 512
        break
      end
      assert.equal("closed", users:reason())
    end)
  end
end)

describe("an error after some users", function()
  it("does not take them along", function()
    local users, err = walk({ page("1 2", "t2"), FAILED }):collect()
    assert.is_nil(users)
    check.failure(err, "http")
    assert.equal("1 2", ids_of(err.before))
    local n
    n, err = walk({ page("1 2", "t2"), FAILED }):count()
    assert.is_nil(n)
    check.failure(err, "http")
    assert.equal(2, err.before)
  end)

  it("is the last value, which is what LuaJIT's assert raises", function()
    for _, method in ipairs { "next", "collect", "count", "first" } do
      local users = walk { FAILED }
      assert.equal(2, select("#", users[method](users)))
    end
  end)
end)

describe("a function that raises now and then", function()
  it("loses nobody of collect and count, whose next call goes on, nor of a checkpoint between", function()
    for _, method in ipairs { "collect", "count" } do
      local raised = 0
      server:script { [USERS] = { page("1 2", "t2"), page("3 4", "t3"), page "5" } }
      local users = rollcall.tesouro({ token = "tok-7f3a", base_url = server.url, on = { page = function()
        raised = raised + 1
        if raised < 3 then
          error("the hook's own", 0)
        end
      end } }):users()
      assert.equal("1", users:next().id)
      local saved = {}
      for i = 1, 2 do
        local good, problem = pcall(users[method], users)
        assert.is_false(good)
        assert.equal("the hook's own", problem)
        saved[i] = users:checkpoint()
      end
      local rest = assert(users[method](users))
      assert.equal(method == "count" and 4 or "2 3 4 5", method == "count" and rest or ids_of(rest))
      for i = 1, 2 do
        server:script { [USERS] = { page("1 2", "t2"), page("3 4", "t3"), page "5" } }
        rest = rollcall.tesouro({ token = "tok-7f3a", base_url = server.url }):users { resume = saved[i] }
        assert.equal("2 3 4 5", ids_of(rest:collect()))
      end
    end
  end)

  it("keeps the checkpoints of all streams under a collect before what it has kept", function()
    local pages = { [USERS] = { page("1 2", "t2"), page("3 4", "t3"), page "5" } }
    local function rest(saved)
      server:script(pages)
      return ids_of(rollcall.tesouro({ token = "tok-7f3a", base_url = server.url }):users({ resume = saved }):collect())
    end
    server:script(pages)
    local source = rollcall.tesouro({ token = "tok-7f3a", base_url = server.url }):users()
    assert.equal("1", source:next().id)
    local asked = 0
    local function derive()
      return (source:filter(function()
        asked = asked + 1
        return asked ~= 3 and asked ~= 5 or error("not now", 0)
      end))
    end
    local first = derive()
    assert.is_false(pcall(first.collect, first)) -- 2 and 3 are kept, 4 is held
    assert.equal("2 3 4 5", rest(source:checkpoint()))
    assert.equal("2 3 4 5", rest(first:checkpoint()))
    local second = derive()
    assert.is_false(pcall(second.count, second)) -- which has 4, and 5 is held
    assert.equal("2 3 4 5", rest(source:checkpoint()))
    assert.equal(2, second:count())
    assert.equal("2 3 4 5", rest(source:checkpoint())) -- what the first one keeps nobody has seen yet
    assert.equal("2 3", ids_of(first:collect()))
    assert.equal("", rest(source:checkpoint()))
  end)

  it("of a part of a merge keeps its checkpoint, too", function()
    server:script { [USERS] = { page "1 2" } }
    local client = rollcall.tesouro { token = "tok-7f3a", base_url = server.url }
    local part, asked = client:users(), 0
    local merged = rollcall.merge({ part }):map(function(user)
      asked = asked + 1
      return asked ~= 2 and user or error("not now", 0)
    end)
    assert.is_false(pcall(merged.collect, merged))
    server:script { [USERS] = { page "1 2" } }
    local rest = client:users { resume = part:checkpoint() }
    assert.equal("1 2", ids_of(rest:collect()))
    assert.equal("1 2", ids_of(merged:collect()))
  end)

  it("is asked for its user again, though another coroutine has come to the end meanwhile", function()
    for levels = 0, 2 do
      local raised = false
      local users = three():filter(function(user)
        if user.id == "3" and not raised then
          coroutine.yield()
          raised = true
          error("not now", 0)
        end
        return true
      end)
      for _ = 1, levels do
        users = users:map(function(user) return user end)
      end
      assert.equal("1", users:next().id)
      assert.equal("2", users:next().id)
      local other = coroutine.create(function()
        return pcall(users.next, users)
      end)
      assert(coroutine.resume(other))
      assert.is_nil((users:next()))
      assert.same({ true, false, "not now" }, { coroutine.resume(other) })
      assert.equal("3", users:next().id)
      assert.is_nil((users:next()))
      assert.equal("exhausted", users:reason())
    end
  end)

  it("is asked for the same user again, by a filter or map that is made anew, too", function()
    for _, name in ipairs { "filter", "map" } do
      for _, is_anew in ipairs { false, true } do
        local times, source, ids, users = 0, three(), {}, nil
        for _ = 1, 20 do
          if is_anew or not users then
            users = source[name](source, function(user)
              times = times + 1
              if times % 2 == 1 then
                error("not now", 0)
              end
              return user
            end)
          end
          local good, user = pcall(users.next, users)
          if good and user == nil then
            break
          end
          ids[#ids + 1] = good and user.id or nil
        end
        assert.equal("1 2 3", table.concat(ids, " "))
      end
    end
  end)
end)

-- A walk that stopped since a function of the script raised, and one that goes on from its checkpoint: every user is
-- seen by one of both, and by one only.
describe("a checkpoint after a function that raised", function()
  --- What a walk from this checkpoint gives. The scripted server forgets nothing: it answers by page token.
  local function rest(saved, query)
    local client = rollcall.tesouro { token = "tok-7f3a", base_url = server.url, retry = false }
    query = check.copy(query or {})
    query.resume = saved
    return ids_of(assert(client:users(query):collect()))
  end

  local function client_of_pages(options)
    server:script {
      [USERS .. "?Limit=100"] = { page("1 2 3", "t2") },
      [USERS .. "?Limit=100&PaginationToken=t2"] = { page("4 5", nil, "t1") },
    }
    options = options or {}
    options.token, options.base_url, options.retry = "tok-7f3a", server.url, false
    return rollcall.tesouro(options)
  end

  for at = 1, 5 do
    it("has the user that it raised for before it: " .. at, function()
      for _, name in ipairs { "filter", "map" } do
        local seen = {}
        local all = client_of_pages():users()
        local some = all[name](all, function(user)
          if user.id == tostring(at) then
            error("not this one", 0)
          end
          return user
        end):filter(function() return true end)
        local good, problem
        repeat
          good, problem = pcall(some.next, some)
          seen[#seen + 1] = good and problem.id or nil
        until not good
        assert.equal("not this one", problem)
        for _, one in ipairs { some, all, some } do
          assert.equal("1 2 3 4 5", table.concat(seen, " ") .. (at > 1 and " " or "") .. rest(one:checkpoint()))
          some:close() -- after the first round: it stands where it stood
        end
      end
    end)
  end

  it("is behind what the next call of collect has answered, however that has ended", function()
    for _, ending in ipairs { "limit", "error", "refused" } do
      local raised, refused = false, false
      local all = client_of_pages({ loop = { wait = function(engines, seconds)
        if refused then
          return nil, "refused"
        end
        return core.wait(engines, seconds)
      end }, on = { page = function()
        if not raised then
          raised, refused = true, ending == "refused"
          error("not now", 0)
        end
      end } }):users { max_requests = ending == "error" and 1 or nil, page_size = 100, prefetch = 0 }
      local some = ending == "limit" and all:take(4) or all
      assert.is_false(pcall(some.collect, some))
      local list, err = some:collect()
      local seen = ids_of(list or err.before)
      local query = { page_size = 100 }
      assert.equal(ending == "limit" and "1 2 3 4" or "1 2 3", seen)
      for _, saved in ipairs { all:checkpoint(), some:checkpoint(), err and err.checkpoint } do
        assert.equal("1 2 3 4 5", seen .. " " .. rest(saved, query))
      end
    end
  end)

  it("is before a collect that has not answered yet, for a hook", function()
    for _, method in ipairs { "collect", "count" } do
      local users, saved
      users = client_of_pages({ on = { page = function()
        saved = users:checkpoint()
      end } }):users { page_size = 100 }
      assert.equal("1", users:next().id)
      assert(users[method](users))
      assert.equal("2 3 4 5", rest(saved, { page_size = 100 }))
      assert.equal("", rest(users:checkpoint(), { page_size = 100 }))
    end
  end)

  it("of merged streams is right for each", function()
    local client = client_of_pages()
    local streams = { (client:users { page_size = 100 }), (client:users { page_size = 100, limit = 4 }) }
    local left = 4
    local some = rollcall.merge(streams):filter(function()
      left = left - 1
      return left >= 0 or error("enough", 0)
    end)
    local seen = { [streams[1]] = 0, [streams[2]] = 0 }
    while true do
      local good, user, source = pcall(some.next, some)
      if not good then
        assert.equal("enough", user)
        break
      end
      seen[source] = seen[source] + 1
    end
    for _, one in ipairs(streams) do
      assert.equal(("1 2 3 4 5"):sub(2 * seen[one] + 1), rest(one:checkpoint(), { page_size = 100 }))
    end
  end)

  it("has none of a page that the script has not seen", function()
    for _, hook in ipairs { "response", "page" } do
      for number = 1, 2 do
        local calls, seen = 0, {}
        local users = client_of_pages({ on = { [hook] = function()
          calls = calls + 1
          if calls == number then
            error("not now", 0)
          end
        end } }):users { prefetch = 0 }
        local pages = users:pages()
        local good, problem = pcall(function()
          for list in pages do
            seen[#seen + 1] = ids_of(list)
          end
        end)
        assert.is_false(good)
        assert.equal("not now", problem)
        seen[#seen + 1] = rest(users:checkpoint())
        assert.equal("1 2 3 4 5", table.concat(seen, " "))
      end
    end
  end)

  it("has those of a page that were taken before its pages were asked for", function()
    local users = client_of_pages({ on = { page = function() error("not now", 0) end } }):users { prefetch = 0 }
    assert.equal("1", users:next().id)
    assert.is_false(pcall((users:pages())))
    assert.equal("2 3 4 5", rest(users:checkpoint()))
    users:close()
    assert.equal("2 3 4 5", rest(users:checkpoint()))
  end)
end)

it("a stream leads nobody who prints its table to a secret, while it is read", function()
  sandbox.reset()
  local users = sandbox.tesouro():users { status = "ALL" }
  assert(users:next())
  local token = users.source().pages[1].exchange.authorization[1]:match "Bearer (.+)$"
  for _, one in ipairs { (users:filter(function() return true end)), users, (rollcall.merge { users }) } do
    check.no_secret(one, { sandbox.secret, token })
  end
end)
