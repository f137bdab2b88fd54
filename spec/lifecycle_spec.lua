-- What lives how long: garbage that is collected at the worst moments, walks that nobody ends, and processes that end
-- with transfers in flight.

local check = require "spec.support.check"
local core = require "rollcall.core"
local finalizer = require "spec.support.finalizer"
local rollcall = require "rollcall"
local sandbox = require "spec.support.sandbox"

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

local USERS = "/identity/v1/users"
local server

setup(function()
  server = require("spec.support.server").start()
end)
teardown(function()
  server:stop()
  sandbox.restore()
end)

before_each(function()
  sandbox.reset()
end)

local expected = sandbox.data.tesouro.users { status = "ALL", organization_id = "7e500000-0000-4000-8000-000000000009" }
local some = { status = "ALL", organization_id = "7e500000-0000-4000-8000-000000000009", page_size = 20 }

local function query(more)
  local all = {}
  for _, options in ipairs { some, more or {} } do
    for name, value in pairs(options) do
      all[name] = value
    end
  end
  return all
end

--- Raises unless the users are exactly those of the organization, each whole.
local function check_users(users)
  assert.equal(#expected, #users)
  for i, user in ipairs(users) do
    assert.equal(expected[i].id, user.id)
    assert.equal(expected[i].email, rollcall.totable(user).email)
  end
end

--- Runs the script in a process of its own, on this Lua and with this run's tool: its output, and the status of its
--- end. Whatever a sanitizer or valgrind finds makes that a bad one.
local function process(script, variables)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(([[
    local core, rollcall = require "rollcall.core", require "rollcall"
    local client = rollcall.tesouro { token = "t", base_url = %q }
    local other = rollcall.tesouro { token = "t", base_url = %q }
  ]]):format(server.url, server.url), script)
  file:close()
  local command = assert(os.getenv "RUN_LUA", "the specs are run by `make test`")
  local pipe = assert(io.popen(("%s %s '%s' 2>&1; echo \"status $?\""):format(variables or "", command, path)))
  local output = pipe:read "*a"
  pipe:close()
  os.remove(path)
  return output
end

describe("under the most eager collector", function()
  -- In processes of their own: this one's heap is large, and would be collected hundreds of times.
  local modes = { ['collectgarbage("setpause", 0) collectgarbage("setstepmul", 1000)'] = "" }
  if _VERSION == "Lua 5.4" then
    modes['collectgarbage("generational", 1, 1)'] = " and generations"
  end

  local function under_pressure(name, script)
    for mode, what in pairs(modes) do
      it(name .. what, function()
        assert.equal("status 0\n", process(mode .. [[
          local sandbox = require "spec.support.sandbox"
          local query = { status = "ALL", organization_id = "7e500000-0000-4000-8000-000000000009", page_size = 20 }
          local expected = sandbox.data.tesouro.users(query)
          query.page_size = 20
          local function check_users(users)
            assert(#users == #expected)
            for i, user in ipairs(users) do
              assert(user.id == expected[i].id and rollcall.totable(user).email == expected[i].email)
            end
          end
        ]] .. script))
      end)
    end
  end

  under_pressure("a walk gives every user, whole", [[
    for prefetch = 0, 2, 2 do
      local users = {}
      query.prefetch = prefetch
      for user in sandbox.tesouro():users(query) do
        collectgarbage(prefetch == 0 and "collect" or "step")
        users[#users + 1] = user
      end
      collectgarbage()
      check_users(users)
    end
  ]])

  under_pressure("users outlive their stream and their client", [[
    local source = sandbox.tesouro()
    local users = source:users(query):collect()
    source:close()
    source = nil
    collectgarbage()
    collectgarbage()
    check_users(users)
  ]])

  under_pressure("a decoder keeps what it needs", [[
    local decoder = core.decoder {
      items = "/da" .. "ta", capture = { "/" .. "next" }, record = core.record_type { name = "/na" .. "me" },
    }
    assert(decoder:feed '{"next":"t","data":[')
    for i = 1, 200 do
      assert(decoder:feed(('%s{"name":"n%d"}'):format(i > 1 and "," or "", i)))
      collectgarbage(i % 3 == 0 and "collect" or "step")
      assert(decoder:next().name == "n" .. i)
    end
    assert(decoder:feed "]}" and decoder:finish())
    assert(decoder:captured "/next" == "t")
  ]])

  -- What a metamethod makes up would be collected while it is still needed.
  under_pressure("options are those of the table, not of its metatable", [[
    local made = setmetatable({}, { __index = function(_, name)
      collectgarbage()
      return ({ items = "/" .. ("d"):rep(30), capture = { "/" .. ("n"):rep(30) }, method = "G" .. "ET",
        body = ("b"):rep(100), headers = { "X-Long: " .. ("h"):rep(100) }, url = client.base_url .. "/made" })[name]
    end })
    local good, err = pcall(core.decoder, made)
    assert(not good and err:find("items: expected a JSON Pointer, got nil", 1, true), err)
    local engine = core.engine()
    good, err = pcall(engine.request, engine, made)
    assert(not good and err:find("url: expected a string, got nil", 1, true), err)
    made.url = client.base_url .. "/real"
    local transfer = assert(engine:request(made))
    while not transfer:done() do
      core.wait({ engine }, 10)
    end
    assert(transfer:status() == 404)
  ]])
end)

describe("a walk that nobody ends", function()
  it("is collected with its coroutine", function()
    local client = sandbox.tesouro()
    for turn = 1, 20 do
      local walk = coroutine.wrap(function()
        for user in client:users(query { page_size = 5 }) do
          coroutine.yield(user.id)
        end
      end)
      for i = 1, turn do
        assert.equal(expected[i].id, walk())
      end
      walk = nil -- luacheck: ignore
      if turn % 3 == 0 then
        collectgarbage()
      end
    end
    collectgarbage()
    check_users((assert(client:users(query()):collect())))
  end)

  it("is collected without close, its transfers in flight", function()
    local client = sandbox.tesouro()
    for _ = 1, 20 do
      local stream = client:users(query { page_size = 3, prefetch = 4 })
      assert(stream:next())
      stream = nil -- luacheck: ignore
      collectgarbage()
    end
    check_users((assert(client:users(query()):collect())))
  end)

  it("goes with its client, in whatever order they are collected", function()
    local kept
    for turn = 1, 20 do
      local client = sandbox.tesouro()
      local stream, other = client:users(query { page_size = 3 }), client:users(query())
      assert(stream:next() and other:next())
      if turn % 2 == 0 then
        kept = stream
      end
      client, stream, other = nil, nil, nil -- luacheck: ignore
      collectgarbage()
    end
    assert(kept:next(), "a stream keeps its client alive")
  end)

  it("ends in another coroutine than it began in, and outside of any", function()
    local stream = sandbox.tesouro():users(query { page_size = 3 })
    local users = {}
    for _ = 1, 10 do
      users[#users + 1] = coroutine.wrap(function()
        return (stream:next())
      end)()
      users[#users + 1] = stream:next()
    end
    for user in stream do
      users[#users + 1] = user
    end
    check_users(users)
  end)
end)

describe("an error thrown in the middle", function()
  local mine = {}

  local function raises()
    error(mine, 0)
  end

  it("by a hook, reaches the caller, and the client goes on", function()
    for _, name in ipairs { "request", "response", "page", "retry" } do
      local armed = true
      local client = rollcall.tesouro {
        token = "t", base_url = server.url, retry = { base = 0.001 },
        on = { [name] = function()
          if armed then
            raises()
          end
        end },
      }
      server:script { [USERS] = { { status = 503 }, { body = '{"data":[{"id":"a"},{"id":"b"}]}' } } }
      local stream = client:users()
      local good, err = pcall(function()
        return stream:collect()
      end)
      assert.is_false(good)
      assert.equal(mine, err)
      collectgarbage()
      armed = false
      assert.equal(2, (assert(client:users():count())))
      stream:close()
    end
  end)

  it("by a function of the script, leaves the stream as it was", function()
    local client = sandbox.tesouro()
    local count = 0
    local stream = client:users(query { page_size = 7 })
    local picky = stream:filter(function()
      count = count + 1
      if count == 20 then
        raises()
      end
      return true
    end)
    local good, err = pcall(picky.collect, picky)
    assert.is_false(good)
    assert.equal(mine, err)
    assert.equal(expected[21].id, stream:next().id)
    good, err = pcall(function()
      for _ in client:users(query()):map(raises) do
        assert(false, "no user")
      end
    end)
    assert.is_false(good)
    assert.equal(mine, err)
    check_users((assert(client:users(query()):collect())))
  end)
end)

describe("a client closed in the middle", function()
  it("ends its walks with an error, whatever they wait for", function()
    for taken = 0, 12, 3 do
      local client = sandbox.tesouro()
      local stream = client:users(query { page_size = 5 })
      for _ = 1, taken do
        assert(stream:next())
      end
      client:close()
      collectgarbage()
      local user, err
      repeat
        user, err = stream:next()
      until user == nil
      check.failure(err, "closed", { sandbox.secret })
      stream:close()
      client:close()
      collectgarbage()
    end
  end)

  it("by one of its hooks", function()
    local client
    server:script { [USERS] = { { body = '{"data":[{"id":"a"}],"nextPaginationToken":"t"}' } } }
    for _, name in ipairs { "request", "response", "page" } do
      client = rollcall.tesouro { token = "t", base_url = server.url, on = { [name] = function()
        client:close()
      end } }
      local stream = client:users()
      local users, err = stream:collect()
      assert.is_nil(users)
      check.failure(err, "closed")
    end
  end)
end)

describe("what is closed at any moment of a walk, as a finalizer may do", function()
  local own = { name = "own", base_url = { production = "https://own.example" }, users = { path = "/own",
    items = "/data", paging = { type = "cursor", query = "after", next = "/next" } } }

  local function page(cursor, ...)
    local users = {}
    for i, id in ipairs { ... } do
      users[i] = ('{"id":"%s"}'):format(id)
    end
    return { body = ('{"data":[%s],"next":%s}'):format(table.concat(users, ","), cursor) }
  end

  local function client()
    return rollcall.client(own, { base_url = server.url, token = "tok-7f3a9c", retry = { base = 0.001 } })
  end

  local is_jit = rawget(_G, "jit") ~= nil
  -- From one moment to the next, in instructions. Under valgrind each walk takes long.
  local step = package.cpath:find "%-valgrind/" and 1301 or 211
  before_each(function()
    local _ = is_jit and _G.jit.off() -- whose compiled code calls no hooks
  end)
  after_each(function()
    debug.sethook()
    local _ = is_jit and _G.jit.on()
  end)

  --- Walks, and calls close(stream, client) after so many instructions. What came, and what it ended with; was it
  --- closed before its end?
  local function walk(instructions, close)
    server:script { ["/own"] = { page('"b"', "a", "b") }, ["/own?after=b"] = { page("null", "c") } }
    local one, ids, was_closed = client(), {}, false
    local stream = (one:users())
    debug.sethook(function()
      debug.sethook()
      was_closed = stream:reason() == nil
      close(stream, one)
    end, "", instructions)
    local good, user, err
    repeat
      good, user, err = pcall(stream.next, stream)
      assert.is_true(good, user)
      ids[#ids + 1] = user and user.id
    until user == nil
    debug.sethook()
    local position = stream:checkpoint()
    one:close()
    return table.concat(ids, " "), err, was_closed, position, stream:reason()
  end

  for title, close in pairs {
    ["the stream"] = function(stream) stream:close() end,
    ["the client"] = function(_, one) one:close() end,
  } do
    it("ends it in order, and where it stood: " .. title, function()
      local closings = 0
      for instructions = 1, 40000, step do
        local ids, err, was_closed, position, reason = walk(instructions, close)
        if not was_closed then
          assert.is_true(closings > 2000 / step, closings)
          return
        end
        closings = closings + 1
        if err then
          check.failure(err, "closed")
          assert.equal("closed", reason)
          assert.equal(position, err.checkpoint)
          local rest = client():users { resume = position }
          for user in rest do
            ids = ids .. (ids == "" and "" or " ") .. user.id
          end
        end
        assert.equal("a b c", ids, instructions)
      end
      error "40,000 instructions are not enough for this walk"
    end)
  end

  it("lets an error in its middle pass, and is closed all the same", function()
    local raised = 0
    -- At each instruction, where that does not take long: few of them stand between two fields that belong together.
    local is_slow = package.cpath:find "%-asan/" or package.cpath:find "%-valgrind/"
    for instructions = 1, 40000, is_slow and step or 1 do
      local one = client()
      server:script { ["/own"] = { page('"b"', "a", "b") }, ["/own?after=b"] = { page("null", "c") } }
      local stream = (one:users())
      local good, problem = pcall(function()
        debug.sethook(function()
          debug.sethook()
          error("interrupted", 0)
        end, "", instructions)
        while stream:next() do end
        debug.sethook()
      end)
      stream:close()
      assert.is_not_nil(stream:reason())
      one:close()
      if good then
        assert.is_true(raised > (is_slow and 2000 / step or 2000), raised)
        return
      end
      raised = raised + 1
      assert.equal("interrupted", problem)
    end
  end)

  for title, derive in pairs {
    ["filter"] = function(stream) return (stream:filter(function() return true end)) end,
    ["filter and map"] = function(stream)
      return (stream:filter(function() return true end):map(function(user) return user end))
    end,
    ["take"] = function(stream) return (stream:take(1000)) end,
  } do
    it("loses nobody by a finalizer: " .. title, function()
      local users = {}
      for i = 1, 300 do
        users[i] = i
      end
      local body = page("null", unpack(users)).body
      server:script { ["/own"] = { { body = body } } }
      local pause, multiplier = collectgarbage("setpause", 1), collectgarbage("setstepmul", 400)
      for closing = 1, 60 do
        local one = client()
        local stream, count = (one:users()), 0
        local derived = derive(stream)
        local user, err
        repeat
          user, err = derived:next()
          count = count + (user and 1 or 0)
          if count == closing * 4 then
            finalizer.new(function() stream:close() end)
          end
        until user == nil
        local position = stream:checkpoint()
        if err then
          check.failure(err, "closed")
          assert.equal(position, err.checkpoint)
          count = count + client():users({ resume = position }):count()
        end
        assert.equal(300, count)
        one:close()
      end
      collectgarbage("setpause", pause)
      collectgarbage("setstepmul", multiplier)
    end)
  end

  it("has whom pages() had not handed over yet come with the checkpoint", function()
    server:script { ["/own"] = { page('"b"', "a", "b") },
      ["/own?after=b"] = { { body = page("null", "c", "d", "e").body, chunked = true, step = 20, pause = 0.05 } } }
    local one, waits, ids = nil, 0, {}
    one = rollcall.client(own, { base_url = server.url, token = "tok-7f3a9c", loop = { wait = function(engines, seconds)
      core.wait(engines, seconds)
      waits = waits + (#ids > 0 and 1 or 0)
      if waits == 3 then
        one:close()
      end
    end } })
    local stream = (one:users { prefetch = 0 })
    local good, err = pcall(function()
      for users in stream:pages() do
        for _, user in ipairs(users) do
          ids[#ids + 1] = user.id
        end
      end
    end)
    assert.is_false(good)
    check.failure(err, "closed")
    assert.same({ "a", "b" }, ids)
    assert.equal(stream:checkpoint(), err.checkpoint)
    assert.equal(3, client():users({ resume = err.checkpoint }):count())
  end)

  it("gives no user whom a filter held then: the checkpoint has them to come", function()
    local function rest_of(position)
      local ids = {}
      for user in client():users { resume = position } do
        ids[#ids + 1] = user.id
      end
      return table.concat(ids, " ")
    end
    server:script { ["/own"] = { page("null", "a", "b", "c") } }
    local stream = (client():users())
    local closing = (stream:filter(function(user)
      if user.id == "b" then
        stream:close()
      end
      return true
    end))
    assert.equal("a", closing:next().id)
    local user, err = closing:next()
    assert.is_nil(user)
    check.failure(err, "closed")
    assert.equal("b c", rest_of(err.checkpoint))

    local parent, raised = (client():users()), false
    local raising = (parent:filter(function(one)
      if one.id == "b" and not raised then
        raised = true
        error "once"
      end
      return true
    end))
    assert.equal("a", raising:next().id)
    assert.is_false(pcall(raising.next, raising))
    parent:close()
    user, err = raising:next()
    assert.is_nil(user)
    check.failure(err, "closed")
    assert.equal("b c", rest_of(parent:checkpoint()))
  end)
end)

describe("a process", function()
  -- The first user is there, the rest of its page never comes.
  local endless = { body = '{"data":[{"id":"a"},' .. (" "):rep(2000), length = 100000, hold = 30 }

  local ends = {
    ["by os.exit(true, true)"] = "os.exit(true, true)",
    ["by its last line"] = "",
    ["by os.exit in a coroutine"] = "coroutine.wrap(function() os.exit(true, true) end)()",
    ["by os.exit in a hook"] = [[rollcall.tesouro { token = "t", base_url = client.base_url,
      on = { request = function() os.exit(true, true) end } }:users():next()]],
    ["after its streams are gone"] = "stream, more = nil, nil collectgarbage() os.exit(true, true)",
    ["after its clients are gone"] = "client, other = nil, nil collectgarbage() os.exit(true, true)",
    ["after its clients were closed"] = "client:close() other:close() os.exit(true, true)",
  }
  for name, code in pairs(ends) do
    it("ends well " .. name .. ", with transfers in flight", function()
      server:script { [USERS] = { endless } }
      local output = process([[
        local stream, more = client:users(), other:users { prefetch = 3 }
        assert(stream:next().id == "a" and more:next().id == "a")
        local engine = core.engine()
        local transfer = engine:request { url = client.base_url .. "/nowhere" }
        engine:drive()
        io.write "so far\n" io.flush()
      ]] .. code)
      assert.equal("so far\nstatus 0\n", output)
    end)
  end

  it("ends well by os.exit without a word to Lua, with transfers in flight", function()
    server:script { [USERS] = { endless } }
    -- nothing is freed then
    assert.equal("status 0\n", process("local stream = client:users() stream:next() os.exit(true)",
      "ASAN_OPTIONS=detect_leaks=0"))
  end)

  it("ends with its error's status, with transfers in flight", function()
    server:script { [USERS] = { endless } }
    local output = process "local stream = client:users() stream:next() error 'mine'"
    check.contains(output, "mine", "status 1\n")
  end)

  it("may start others while transfers are in flight", function()
    server:script { [USERS] = { { body = '{"data":[{"id":"a"},{"id":"b"}]}', step = 12, pause = 0.01 } } }
    local users = rollcall.tesouro({ token = "t", base_url = server.url }):users()
    assert.equal("a", users:next().id)
    assert(os.execute "exit 0")
    local pipe = io.popen "echo here"
    assert.equal("here", pipe:read "*l")
    pipe:close()
    assert.equal("b", users:next().id)
    assert.is_nil(users:next())
    assert.equal("exhausted", users:reason())
  end)

  it("may load the module again", function()
    local output = process [[
      local first = core
      package.loaded["rollcall.core"] = nil
      local again = require "rollcall.core"
      assert(again ~= first and again.null == first.null and again.error_metatable == first.error_metatable)
      local decoder = first.decoder { items = "", record = first.record_type { user = "/id" } }
      assert(decoder:feed '[{"id":1}')
      local user = decoder:next()
      assert(user.user == 1 and again.totable(user).id == 1)
      for name in pairs(package.loaded) do
        if name:match "^rollcall" then package.loaded[name] = nil end
      end
      local second = require "rollcall"
      assert(second ~= rollcall and second.totable(user).id == 1)
      local _, err = second.tesouro({ token = "t", base_url = "http://127.0.0.1:1", retry = false }):users():next()
      assert(err.kind == "network" and tostring(err):find "^network: ", tostring(err))
      _, err = rollcall.tesouro({ token = "t", base_url = "http://127.0.0.1:1", retry = false }):users():next()
      assert(err.kind == "network" and tostring(err):find "^network: ", tostring(err))
    ]]
    assert.equal("status 0\n", output)
  end)
end)

describe("a finalizer that runs inside a call", function()
  local call_until_finalized = finalizer.call_until_finalized

  it("may close what the call is of", function()
    for _ = 1, 20 do
      local engine = core.engine()
      local list = {}
      call_until_finalized(function() pcall(engine.sockets, engine, list) end, function() engine:close() end)
      engine = core.engine()
      call_until_finalized(function(n) pcall(engine.action, engine, 1, n) end, function() engine:close() end)
      for _, name in ipairs { "feed", "captured" } do
        local decoder = core.decoder { items = "", capture = { "/a" } }
        call_until_finalized(function(n) pcall(decoder[name], decoder, n) end, function() decoder:close() end)
      end
    end
  end)

  it("may close what the call has begun with", function()
    for _ = 1, 5 do
      local decoder = core.decoder { items = "/d", capture = { "/a" } }
      assert(decoder:feed('{"a":"\\n' .. ("x"):rep(5000) .. '","d":[]}'))
      call_until_finalized(function()
        local good, text = pcall(decoder.captured, decoder, "/a")
        assert(not good or #text == 5001 and text:find "^\nx+$")
      end, function() decoder:close() end)
      local engine = core.engine()
      call_until_finalized(function() pcall(engine.request, engine, { url = "http://127.0.0.1:1/" }) end,
        function() engine:close() end)
      local all, list = {}, core.decoder { items = "" }
      assert(list:feed("[" .. ('{"id":%d},'):rep(1000):gsub("%%d", function()
        all[#all + 1] = true
        return tostring(#all)
      end):sub(1, -2) .. "]"))
      for i = 1, 1000 do
        all[i] = list:next()
      end
      local ledger = core.ledger { id = "/id" }
      ledger:take(all[1])
      call_until_finalized(function() pcall(ledger.save, ledger, 1e5) end, function()
        for i = 2, 1000 do
          ledger:take(all[i])
        end
      end)
    end
  end)

  it("may change what the call reads", function()
    for _ = 1, 20 do
      local decoder = core.decoder { items = "", edges = true }
      assert(decoder:feed('[{"list":[' .. ("{},"):rep(50) .. '{}]}'))
      call_until_finalized(function() assert(#decoder:edge("last", "/list") > 50) end, function()
        assert(decoder:feed(',{"more":"' .. ("x"):rep(100000) .. '","list":[' .. ("{},"):rep(60) .. "{}]}"))
      end)
      local document = '{"d":[],"why":"' .. ("x"):rep(9000) .. '"}'
      local ended, blanks = core.decoder { items = "/d" }, (" "):rep(20000)
      assert(ended:feed(document) and ended:finish())
      call_until_finalized(function()
        local text = ended:document()
        assert(text == document or text == nil)
      end, function() ended:feed(blanks) end)
    end
  end)
end)

describe("another Lua", function()
  it("is told which it has to be", function()
    local script = os.tmpname()
    local file = assert(io.open(script, "w"))
    file:write [[_VERSION, package.loaded.jit = "Lua 5.3", nil; print(pcall(require, "rollcall"))]]
    file:close()
    local command = assert(os.getenv "RUN_LUA", "the specs are run by `make test`")
    local pipe = assert(io.popen(("%s '%s' 2>&1"):format(command, script)))
    local output = pipe:read "*a"
    pipe:close()
    os.remove(script)
    check.contains(output, "needs Lua 5.4 or LuaJIT 2.1, not Lua 5.3")
  end)

  it("is not taken for one where globals are a coroutine's own, as nginx has them on plain LuaJIT", function()
    if not setfenv then -- luacheck: ignore 113
      return
    end
    local pipe = assert(io.popen(os.getenv "RUN_LUA" .. [[ -e '
      print(coroutine.wrap(function()
        local own = setmetatable({}, { __index = _G })
        own._G = own
        setfenv(0, own)
        return type(require("rollcall").client)
      end)())
    ' 2>&1]]))
    local output = pipe:read "*a"
    pipe:close()
    assert.equal("function\n", output)
  end)
end)
