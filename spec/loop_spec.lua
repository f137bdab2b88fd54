-- What the engine gives a foreign loop, and how a loop is chosen. The loops themselves have specs of their own.

local backward = require "rollcall.walk.backward"
local check = require "spec.support.check"
local core = require "rollcall.core"
local loops = require "rollcall.loop"
local sandbox = require "spec.support.sandbox"

setup(sandbox.reset)
teardown(sandbox.restore)

local function request(engine)
  return assert(engine:request { url = sandbox.control_url .. "/stats", proxy = "" })
end

describe("an engine under a loop of its own", function()
  it("is moved by sockets and timeouts alone", function()
    local engine = core.engine()
    local list, seen = { "left from before", 1, 2, 3, 4, 5, 6, 7 }, {}
    assert.equal(0, engine:sockets(list))
    assert.same({}, list)
    assert.is_nil(engine:timeout())
    local transfer = request(engine)
    assert.equal(0, engine:timeout())
    local limit = core.now() + 10
    while not transfer:done() and core.now() < limit do
      local before, version = engine:counters()
      local wait = engine:timeout()
      if wait == 0 then
        engine:drive()
      else
        local count = engine:sockets(list)
        assert.equal(3 * count, #list)
        for i = 1, #list, 3 do
          seen[list[i + 2]] = list[i + 1]
          engine:action(list[i], list[i + 2])
        end
      end
      local after, later = engine:counters()
      assert.truthy(after >= before and later >= version)
    end
    assert.is_nil(transfer:failure())
    assert.equal(200, transfer:status())
    assert.truthy(seen.r or seen.rw)
    engine:close()
    assert.is_nil(engine:counters())
    engine:drive()
    for _, method in ipairs { "sockets", "timeout", "action" } do
      assert.has_error(function()
        engine[method](engine, {})
      end)
    end
  end)

  it("raises what is wrong", function()
    local engine = core.engine { turn = 0.5 }
    for _, call in ipairs {
      function() engine:sockets() end,
      function() engine:sockets "x" end,
      function() engine:action(-1, "r") end,
      function() engine:action(2 ^ 40, "r") end,
      function() engine:action(1) end,
      function() core.engine { turn = "x" } end,
      function() core.engine { turns = 1 } end,
      function() core.engine(5) end,
    } do
      assert.has_error(call)
    end
    engine:action(1000, "rw") -- a socket that it does not have is nobody's mistake
    engine:close()
  end)

  it("asks for a turn while records are plentiful, and loses none", function()
    local walks = {}
    for i, turn in ipairs { false, 0.001 } do
      local nils, users, told = 0, 0, false
      local client = sandbox.tesouro { loop = "blocking" }
      local page = client:users { page_size = 100, limit = 100 }
      assert(page:next())
      local token = page.source().pages[1].exchange.authorization[1]
      local engine = core.engine { turn = turn or nil }
      local transfer = assert(engine:request { url = sandbox.tesouro_url .. "/identity/v1/users?Limit=100", proxy = "",
        headers = { token }, decoder = core.decoder { items = "/data" } })
      while not transfer:done() do
        core.wait({ engine }, 1)
      end
      while users < 100 do
        if transfer:next() then
          users, told = users + 1, false
          local till = core.now() + 0.0005
          repeat until core.now() > till
        else
          assert.is_false(told) -- never one after the other
          nils, told = nils + 1, true
        end
      end
      walks[i] = nils
      engine:close()
      client:close()
    end
    assert.equal(1, walks[1]) -- the last byte is in
    assert.truthy(walks[2] > 20, walks[2])
  end)
end)

describe("core.duplicate", function()
  it("answers a descriptor of one's own", function()
    local one = assert(core.duplicate(0))
    assert.truthy(one:number() > 2)
    one:close()
    one:close()
    assert.is_nil(one:number())
    local none, problem = core.duplicate(99999)
    assert.is_nil(none)
    assert.equal("string", type(problem))
    for _, wrong in ipairs { "x", -1, 2 ^ 40 } do
      assert.has_error(function() core.duplicate(wrong) end)
    end
  end)
end)

describe("core.poller", function()
  it("stands for sockets, whatever becomes of them", function()
    local poller, engine, list = assert(core.poller()), core.engine(), {}
    local transfer = request(engine)
    while engine:sockets(list) == 0 do
      engine:drive()
    end
    assert.is_true(poller:watch(list))
    assert.is_true(poller:watch(list))
    while not transfer:done() do
      core.wait({ engine }, 1)
    end
    engine:close() -- and with it the socket
    assert.is_true(poller:watch {})
    assert.is_nil((poller:watch { 99999, 1, "r" }))
    for _, wrong in ipairs { { -1, 1, "r" }, { "x", 1, "r" }, { 1, 1, {} } } do
      assert.has_error(function() poller:watch(wrong) end)
    end
    poller:close()
    poller:close()
    assert.is_nil(poller:number())
    assert.has_error(function() poller:watch {} end)
  end)
end)

describe("the loop of a client", function()
  it("is the host's, or one of the names, or a table", function()
    local blocking = require "rollcall.loop.blocking"
    assert.equal(blocking, loops.named "blocking")
    assert.equal(blocking, sandbox.tesouro({ loop = "blocking" }).loop)
    assert.equal(loops.detect(), sandbox.tesouro().loop)
    local own = { wait = core.wait }
    assert.equal(own, sandbox.tesouro({ loop = own }).loop)
    check.misuse(function()
      require("rollcall").tesouro { token = "x", loop = "epoll" }
    end, "loop: ", "blocking, nginx, uv")
  end)

  it("says why one is not to be had", function()
    local luv = package.preload.luv
    package.loaded["rollcall.loop.uv"], package.loaded.luv = nil, nil
    package.preload.luv = function()
      error "it is not installed here"
    end
    local found, problem = loops.named "uv"
    package.preload.luv = luv
    package.loaded["rollcall.loop.uv"], package.loaded.luv = nil, nil
    assert.is_nil(found)
    check.contains(problem, "uv: ", "not installed here")
    for _ = 1, 2 do
      check.contains(select(2, loops.named "nginx"), "nginx")
      assert.is_nil(select(2, loops.named "nginx"):find("previous error", 1, true))
    end
  end)

  it("has its turn while a page's users are read from its end, and every user comes", function()
    local since, longest = 0, 0 -- users since the last turn, each of which takes a millisecond
    local client = sandbox.tesouro { loop = { wait = core.wait, turn = function()
      since = 0
    end } }
    local last
    for _, info in client:users({ status = "INACTIVE", page_size = 100 }):pages() do
      last = info.token
    end
    local expected, n = sandbox.data.tesouro.users { status = "INACTIVE" }, 0
    for user in client:users { status = "INACTIVE", page_size = 100, page_token = last, direction = "backward" } do
      assert.equal(expected[#expected - n].id, user.id)
      n, since = n + 1, since + 1
      longest = math.max(longest, since)
      core.wait({}, 0.001)
    end
    assert.equal(#expected, n)
    assert.is_true(longest <= 4, longest)
  end)

  it("has never two turns without a user between them, while a page is read from its end", function()
    local decoder, held, ledger = core.decoder { items = "" }, {}, core.ledger { id = "/id" }
    assert(decoder:feed '[{"id":1},{"id":2},{"id":3}]')
    for i = 1, 3 do
      held[i] = decoder:next()
    end
    local list = backward.reversed({ held = held, ledger = ledger }, 0, function()
      return false
    end)
    for i = 3, 1, -1 do
      assert.is_nil((list:next())) -- the time for a turn has always come
      assert.equal(i, list:next().id)
    end
    assert.is_nil((list:next()))
    assert.is_nil((list:next()))
  end)

  it("has its turn after the seconds that it names while a page is read from its end, between two users", function()
    local turns, since = 0, 0
    local function read(slice, method)
      local client = sandbox.tesouro { loop = { wait = core.wait, slice = slice, turn = function()
        turns, since = turns + 1, 0
      end } }
      local last
      for _, info in client:users({ status = "INACTIVE", page_size = 100 }):pages() do
        last = info.token
      end
      local users = client:users { status = "INACTIVE", page_size = 100, page_token = last, direction = "backward" }
      turns = 0
      local n, least = 0, math.huge
      for _ in method(users) do
        n = n + 1
        if since == 0 and n > 100 then -- its first page has come
          least = math.min(least, turns)
        end
        since = since + 1
        core.wait({}, 0.001)
      end
      assert.equal(#sandbox.data.tesouro.users { status = "INACTIVE" }, n)
      return turns, n
    end
    for _, method in ipairs { function(users)
      return users
    end, function(users)
      return users:values "id"
    end } do
      local often, n = read(0.0001, method)
      assert.is_true(often >= n / 2, often)
      local seldom = read(1, method)
      assert.is_true(seldom < n / 4, seldom)
    end
  end)

  it("is woken when a stream or its client is closed, which another coroutine may wait in", function()
    sandbox.configure "delay_ms=200"
    for _, closed in ipairs { "stream", "client" } do
      local woken = 0
      local client = sandbox.tesouro { loop = { wait = coroutine.yield, wake = function() woken = woken + 1 end } }
      local stream = client:users()
      local waiter = coroutine.create(function() return stream:next() end)
      assert.is_true(coroutine.resume(waiter))
      assert.equal("suspended", coroutine.status(waiter))
      assert.equal(0, woken)
      if closed == "stream" then stream:close() else client:close() end
      assert.equal(1, woken)
      local _, user, err = coroutine.resume(waiter)
      assert.is_nil(user)
      check.failure(err, "closed")
      client:close()
      client:close()
      assert.equal(closed == "stream" and 2 or 1, woken) -- once closed it wakes nobody
    end
    sandbox.reset()
  end)

  it("ends the stream where it refuses to wait", function()
    local refusal = require("rollcall.errors").new("closed", "no time to wait")
    local client = sandbox.tesouro { loop = { wait = function() return nil, refusal end } }
    local stream = client:users()
    local user, err = stream:next()
    assert.is_nil(user)
    check.failure(err, "closed")
    assert.equal("no time to wait", err.message)
    assert.equal("string", type(err.checkpoint))
    assert.equal("closed", (stream:reason()))
    assert.equal(err, select(2, stream:next()))
    assert.is_nil(refusal.checkpoint) -- it may answer the same to many streams
  end)

  it("ends the stream with any text that it answers", function()
    local stream = sandbox.tesouro({ loop = { wait = function() return nil, "the worker is leaving" end } }):users()
    local _, err = stream:next()
    check.failure(err, "closed")
    check.contains(err.message, "the worker is leaving")
    assert.equal("closed", (stream:reason()))
  end)
end)
