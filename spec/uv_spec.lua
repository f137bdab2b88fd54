-- rollcall.loop.uv on luv. What Neovim adds is in spec/neovim_spec.lua.

local uv = require "luv"

local check = require "spec.support.check"
local core = require "rollcall.core"
local rollcall = require "rollcall"
local sandbox = require "spec.support.sandbox"
local scripted = require "spec.support.server"

local server

setup(function()
  sandbox.reset()
  server = scripted.start()
end)
teardown(function()
  server:stop()
  sandbox.restore()
end)

--- The handles of the loop that are not closed, by kind; `ours` are left out.
local function handles(ours)
  local list = {}
  uv.walk(function(handle)
    if not handle:is_closing() and not (ours or {})[handle] then
      list[#list + 1] = tostring(handle)
    end
  end)
  return list
end

--- What the process has open, by descriptor: `socket:[n]`, a path.
local function descriptors()
  collectgarbage()
  collectgarbage()
  local open, directory = {}, assert(uv.fs_scandir "/proc/self/fd")
  for name in uv.fs_scandir_next, directory do
    open[name] = uv.fs_readlink("/proc/self/fd/" .. name) -- nil: the directory's own
  end
  return open
end

--- What has been opened since and is open still. What was left to the collector before may be closed at any time.
local function opened_since(before)
  local opened = {}
  for name, what in pairs(descriptors()) do
    if before[name] ~= what then
      opened[#opened + 1] = name .. ": " .. what
    end
  end
  return opened
end

--- Runs the loop to its end. Nothing of ours may be left then.
local function run()
  local watchdog = uv.new_timer()
  local late = false
  watchdog:start(20000, 0, function()
    late = true
    uv.stop()
  end)
  watchdog:unref()
  uv.run()
  assert.is_false(late)
  watchdog:close()
  uv.run "nowait"
  assert.same({}, handles())
end

--- Runs a function as a task, and the loop; answers what on_done was told.
local function outcome_of(f)
  local outcome
  rollcall.spawn(f, function(...)
    assert.is_nil(outcome)
    outcome = { n = select("#", ...), ... }
  end)
  run()
  return outcome
end

local function scripted_client(options)
  options = options or {}
  options.token, options.base_url = "tok", server.url
  options.retry = options.retry or false
  return rollcall.tesouro(options)
end

local USERS = "/identity/v1/users"

local function page(ids, after)
  local users = {}
  for i, id in ipairs(ids) do
    users[i] = ('{"id":"%s"}'):format(id)
  end
  return ('{"data":[%s],"nextPaginationToken":%s}'):format(table.concat(users, ","), after and '"' .. after .. '"'
    or "null")
end

describe("a task on luv", function()
  it("walks without blocking, and gives what the function answers", function()
    local before = descriptors()
    local ticks, timer = 0, uv.new_timer()
    timer:start(1, 1, function()
      ticks = ticks + 1
    end)
    sandbox.configure "delay_ms=5"
    local outcome
    local client = sandbox.tesouro()
    rollcall.spawn(function()
      return assert(client:users({ status = "ALL" }):count()), nil, "last"
    end, function(...)
      outcome = { n = select("#", ...), ... }
      timer:close()
    end)
    assert.is_nil(outcome)
    run()
    sandbox.configure "delay_ms=0"
    local count = #sandbox.data.tesouro.users { status = "ALL" }
    assert.same({ n = 4, nil, count, nil, "last" }, outcome)
    assert.truthy(ticks > 35, ticks) -- one of 36 requests of 5 ms at least
    client:close()
    assert.same({}, opened_since(before))
  end)

  it("begins in the loop's next round", function()
    local began = false
    rollcall.spawn(function()
      began = true
    end)
    assert.is_false(began)
    run()
    assert.is_true(began)
  end)

  it("tells its error to on_done, a text with where it came from", function()
    local outcome = outcome_of(function()
      error "boom"
    end)
    assert.equal(1, outcome.n)
    check.contains(outcome[1], "uv_spec.lua", "boom", "stack traceback")
    local own = {}
    assert.equal(own, outcome_of(function()
      error(own)
    end)[1])
    check.contains(outcome_of(function()
      error(nil)
    end)[1], "nil")
    server:script { [USERS] = { { status = 500, body = '{"message":"no"}' } } }
    local err = outcome_of(function()
      for _ in scripted_client():users() do
        error "no user was to come"
      end
    end)[1]
    check.failure(err, "http")
    assert.equal("string", type(err.checkpoint))
    -- What a method answers instead of raising it is one as well, and only that.
    for _, method in ipairs { "collect", "count", "next" } do
      server:script { [USERS] = { { status = 500, body = '{"message":"no"}' } } }
      local told = outcome_of(function()
        local users = scripted_client():users()
        return users[method](users)
      end)
      check.failure(told[1], "http")
      assert.equal(1, told.n)
    end
    check.same({ n = 3, nil, nil, "nothing" }, outcome_of(function()
      return nil, "nothing"
    end))
  end)

  it("shares a client with others, and takes users from several", function()
    local tesouro, dintero = sandbox.tesouro(), sandbox.dintero()
    local done, counts = 0, {}
    for i = 1, 6 do
      rollcall.spawn(function()
        if i % 3 == 0 then
          local merged = rollcall.merge { tesouro:users { status = "ALL" }, dintero:users() }
          counts[i] = assert(merged:count())
        elseif i % 3 == 1 then
          counts[i] = assert(tesouro:users({ status = "ALL", prefetch = i }):count())
        else
          local a, b = dintero:users(), tesouro:users { status = "ALL" }
          local n = 0
          for _ in a do
            n = n + 1
            if b:next() then
              n = n + 1
            end
          end
          counts[i] = n + assert(b:count())
        end
      end, function(err)
        done = done + (err == nil and 1 or 0)
      end)
    end
    run()
    local t, d = #sandbox.data.tesouro.users { status = "ALL" }, #sandbox.data.dintero.users "T12345678"
    assert.equal(6, done)
    assert.same({ t, t + d, t + d, t, t + d, t + d }, counts)
  end)

  --- Waits in the running task, by a timer of the script's own.
  local function sleep(milliseconds)
    local thread, timer = coroutine.running(), uv.new_timer()
    uv.update_time()
    timer:start(milliseconds, 0, function()
      timer:close()
      assert(coroutine.resume(thread))
    end)
    coroutine.yield()
  end

  --- What so many tasks are given together by one stream: how many users, and how many of them are others.
  local function shared(stream, count, read)
    local given, distinct, known = 0, 0, {}
    local function take(user)
      given = given + 1
      distinct = distinct + (known[user.id] and 0 or 1)
      known[user.id] = true
    end
    for _ = 1, count do
      rollcall.spawn(function()
        read(stream, take)
      end, function(err)
        assert.is_nil(err)
      end)
    end
    run()
    return given, distinct
  end

  it("shares the pages of a stream with others", function()
    sandbox.reset "delay_ms=2"
    local client = sandbox.tesouro()
    local given, distinct = shared((client:users { status = "ALL" }), 4, function(stream, take)
      for list in stream:pages() do
        for _, user in ipairs(list) do
          take(user)
        end
      end
    end)
    assert.equal(#sandbox.data.tesouro.users { status = "ALL" }, distinct)
    assert.equal(distinct, given)
    client:close()
  end)

  it("shares the pages of a stream whose hooks wait with others", function()
    sandbox.reset()
    local order = {}
    local client = sandbox.tesouro { on = { response = function() sleep(1) end, page = function() sleep(2) end } }
    local given, distinct = shared((client:users { status = "ALL" }), 3, function(stream, take)
      for list, info in stream:pages() do
        order[#order + 1] = info.number
        for _, user in ipairs(list) do
          take(user)
        end
        sleep(1)
      end
    end)
    assert.equal(#sandbox.data.tesouro.users { status = "ALL" }, distinct)
    assert.equal(distinct, given)
    for i, number in ipairs(order) do
      assert.equal(i, number)
    end
    client:close()
  end)

  it("shares a stream with others whose filter waits, and raises", function()
    server:script { [USERS] = { { body = page({ "1", "2", "3", "4", "5", "6" }, "t") },
      { delay = 0.02, body = page { "7", "8", "9" } } } }
    local client, asked = scripted_client(), 0
    local stream = client:users():filter(function()
      asked = asked + 1
      local number = asked
      sleep(number % 3 + 1)
      return number % 4 ~= 0 or error("not now", 0)
    end)
    local given, distinct = shared(stream, 4, function(users, take)
      while true do
        local good, user = pcall(users.next, users)
        if good and user == nil then
          return
        elseif good then
          take(user)
        end
      end
    end)
    assert.equal(9, distinct)
    assert.equal(9, given)
    assert.equal("exhausted", stream:reason())
    client:close()
  end)

  it("is told of what a blocking call of others brings for it", function()
    local client = sandbox.tesouro()
    local count
    local timer = uv.new_timer()
    uv.update_time()
    timer:start(2, 0, function()
      assert.equal(#sandbox.data.tesouro.users {}, client:users():count()) -- blocks, and drives the shared engine
      timer:close()
    end)
    rollcall.spawn(function()
      count = client:users({ status = "ALL" }):count()
    end)
    run()
    assert.equal(#sandbox.data.tesouro.users { status = "ALL" }, count)
  end)

  it("gives the loop its turn while users are plentiful", function()
    local client = sandbox.tesouro { watermark = 2 ^ 26 }
    local worked = 0 -- users since the loop's last turn, of 50 us each: what the machine does besides is not counted
    local function work()
      worked = worked + 1
      local till = core.now() + 5e-5
      repeat until core.now() >= till
    end
    local function users()
      return (client:users { status = "ALL" })
    end
    local all = #sandbox.data.tesouro.users { status = "ALL" }
    for name, walk in pairs {
      users = function() for _ in users() do work() end end,
      filter = function() return users():filter(work):count() end,
      map = function() return users():map(function(user) work() return user end):count() end,
      merge = function() for _ in rollcall.merge { users() } do work() end end,
      pages = function()
        for list in users():pages() do
          for _ = 1, #list do work() end
        end
      end,
    } do
      local most, ticks, sum = 0, 0, 0
      local idle = uv.new_idle()
      idle:start(function()
        most, sum, ticks, worked = math.max(most, worked), sum + worked, ticks + 1, 0
      end)
      local err
      rollcall.spawn(walk, function(problem)
        err = problem
        idle:close()
      end)
      run()
      assert.is_nil(err)
      assert.equal(all, sum + worked, name)
      worked = 0
      assert.truthy(most <= 250, name .. ": " .. most) -- 12.5 ms; of a page that is taken whole, 5
      assert.truthy(ticks > 20, ticks)
    end
  end)

  it("takes as many as were asked for, however many tasks read and whatever a map waits for", function()
    local client = sandbox.tesouro()
    local taken, reasons = 0, {}
    local users = client:users { page_size = 5 }
    local four = users:map(function(user)
      assert(client:users({ limit = 1 }):first())
      return user
    end):take(4)
    for i = 1, 3 do
      rollcall.spawn(function()
        for _ in function() return four() end do
          taken = taken + 1
        end
        reasons[i] = four:reason()
      end)
    end
    run()
    assert.equal(4, taken)
    assert.same({ "limit", "limit", "limit" }, reasons)
  end)

  it("may yield to others by itself", function()
    local client = sandbox.tesouro()
    local outcome = outcome_of(function()
      local thread = coroutine.running()
      local n = 0
      for _ in client:users { limit = 150, page_size = 50 } do
        n = n + 1
        if n % 50 == 0 then
          local timer = uv.new_timer()
          timer:start(5, 0, function()
            timer:close()
            assert(coroutine.resume(thread, n))
          end)
          assert(coroutine.yield() == n)
        end
      end
      return n
    end)
    assert.same({ n = 2, nil, 150 }, outcome)
  end)

  it("does not keep the loop going while it waits for somebody else", function()
    local thread, outcome
    rollcall.spawn(function()
      thread = coroutine.running()
      coroutine.yield()
      return sandbox.tesouro():users({ limit = 7 }):count()
    end, function(...)
      outcome = { ... }
    end)
    local start = core.now()
    uv.run()
    assert.truthy(core.now() - start < 1)
    assert.is_nil(outcome)
    assert(coroutine.resume(thread))
    run()
    assert.same({ nil, 7 }, outcome)
  end)

  it("blocks in a coroutine of the script's own, and where Lua cannot yield", function()
    local client = sandbox.tesouro()
    local outcome = outcome_of(function()
      local inner = coroutine.wrap(function()
        coroutine.yield(client:users({ limit = 3 }):count())
      end)
      local list = { 3, 1, 2 }
      table.sort(list, function(a, b)
        assert(client:users({ limit = 1 }):count() == 1)
        return a < b
      end)
      return inner(), list[1]
    end)
    assert.same({ n = 3, nil, 3, 1 }, outcome)
  end)

  it("waits out what the server asks for, and times out", function()
    server:script {
      [USERS] = { { status = 429, headers = { "Retry-After-Ms: 300" }, body = "{}" }, { body = page { "1" } } },
    }
    local start = core.now()
    local outcome = outcome_of(function()
      return scripted_client({ retry = { attempts = 2 } }):users():count()
    end)
    assert.same({ n = 2, nil, 1 }, outcome)
    local took = core.now() - start
    assert.truthy(took >= 0.29 and took < 1.5, took)

    server:script { [USERS] = { { delay = 5, body = page { "1" } } } }
    start = core.now()
    local err = outcome_of(function()
      return select(2, scripted_client({ idle_timeout = 0.3 }):users():collect())
    end)[2]
    check.failure(err, "timeout")
    took = core.now() - start
    assert.truthy(took >= 0.29 and took < 2, took)
  end)

  it("fails where nobody listens, as it does elsewhere", function()
    local client = rollcall.tesouro { token = "tok", base_url = "http://127.0.0.1:9", retry = false }
    check.failure(outcome_of(function()
      for _ in client:users() do
        error "no user was to come"
      end
    end)[1], "network")
  end)

  it("makes no wake-ups while it waits", function()
    server:script { [USERS] = { { delay = 0.5, body = page { "1" } } } }
    local rounds, count = 0, uv.new_check()
    count:start(function()
      rounds = rounds + 1
    end)
    count:unref()
    outcome_of(function()
      count:stop()
      local client = scripted_client()
      count:start(function()
        rounds = rounds + 1
      end)
      local n = client:users():count()
      count:close()
      return n
    end)
    assert.truthy(rounds < 20, rounds)
  end)
end)

describe("a poller after fork", function()
  it("is the parent's, whatever the child watches", function()
    local has_ffi, ffi = pcall(require, "ffi")
    if not has_ffi then
      pending "only LuaJIT can fork by itself"
      return
    end
    ffi.cdef "int fork(void); int waitpid(int, int *, int); void _exit(int);"
    server:script { [USERS] = { { delay = 0.3, body = page { "1" } } } }
    local engine, poller, list = core.engine(), core.poller(), {}
    local transfer = assert(engine:request { url = server.url .. USERS, proxy = "" })
    while not server:requests(USERS)[1] do
      engine:drive()
    end
    assert.is_true(engine:sockets(list) > 0)
    assert(poller:watch(list))
    local child = ffi.C.fork()
    if child == 0 then
      ffi.C._exit(poller:watch {} and 0 or 1)
    end
    local status = ffi.new "int[1]"
    ffi.C.waitpid(child, status, 0)
    assert.equal(0, status[0])
    local handle, is_ready = uv.new_poll(poller:number()), false
    handle:start("r", function()
      is_ready = true
      handle:close()
    end)
    local began = core.now()
    while not is_ready and core.now() - began < 3 do
      uv.run "nowait"
    end
    if not is_ready then
      handle:close()
    end
    uv.run "nowait"
    assert.is_true(is_ready)
    while not transfer:done() do
      core.wait({ engine }, 1)
    end
    engine:close()
  end)
end)

describe("task:cancel", function()
  it("of one that tries again and again leaves the loop to others", function()
    server:script { [USERS] = { { body = page { "1" } } } }
    local client = scripted_client()
    local rounds, enough = 0, false
    local task = rollcall.spawn(function()
      repeat
        rounds = rounds + 1
        client:users():collect()
      until enough
    end)
    local timer = uv.new_timer()
    uv.update_time()
    timer:start(50, 50, function()
      if not task:cancel() then
        enough = true
        timer:close()
      end
    end)
    run()
    assert.is_true(enough and rounds > 1)
    client:close()
  end)

  it("ends the stream that it is in, and lets go of everything", function()
    local before = descriptors()
    server:script { [USERS] = { { body = page({ "1", "2" }, "t") }, { delay = 10, body = page { "3" } } } }
    local client = scripted_client()
    local seen, outcome, stream = 0, nil, nil
    local task = rollcall.spawn(function()
      stream = client:users { prefetch = 0 }
      for _ in stream do
        seen = seen + 1
      end
    end, function(...)
      outcome = { n = select("#", ...), ... }
    end)
    local timer = uv.new_timer()
    local start = core.now()
    uv.update_time()
    timer:start(200, 0, function()
      assert.is_true(task:cancel())
      assert.is_false(task:cancel())
      timer:close()
    end)
    run()
    assert.truthy(core.now() - start < 2)
    assert.equal(2, seen)
    check.failure(outcome[1], "closed")
    check.contains(outcome[1].message, "cancelled")
    assert.equal("closed", stream:reason())
    assert.is_false(task:cancel())
    client:close()
    assert.same({}, opened_since(before))
    -- and where it stood is not lost
    server:script { [USERS] = { { body = page { "3" } } } }
    local rest = assert(scripted_client():users({ resume = outcome[1].checkpoint }):collect())
    assert.equal(1, #rest)
    assert.equal("3", rest[1].id)
  end)

  it("is an answer to methods, and fails every later stream of the task", function()
    server:script { [USERS] = { { delay = 10, body = page { "1" } } } }
    local client = scripted_client()
    local first, second, task, outcome
    task = rollcall.spawn(function()
      local users
      users, first = client:users():collect()
      assert(users == nil)
      users, second = rollcall.merge({ client:users(), client:users() }):collect()
      assert(users == nil)
      return "cleaned up"
    end, function(...)
      outcome = { n = select("#", ...), ... }
    end)
    local timer = uv.new_timer()
    uv.update_time()
    timer:start(50, 0, function()
      task:cancel()
      timer:close()
    end)
    run()
    assert.same({ n = 2, nil, "cleaned up" }, outcome)
    check.failure(first, "closed")
    check.failure(second, "closed")
    assert.equal(1, #server:requests())
  end)

  it("keeps a function from beginning", function()
    local began, outcome = false, nil
    local task = rollcall.spawn(function()
      began = true
    end, function(...)
      outcome = { ... }
    end)
    assert.is_true(task:cancel())
    run()
    assert.is_false(began)
    check.failure(outcome[1], "closed")
  end)

  it("ends a walk between users that are plentiful, too", function()
    local client = sandbox.tesouro()
    local n, task, outcome = 0, nil, nil
    task = rollcall.spawn(function()
      for _ in client:users { status = "ALL" } do
        n = n + 1
        if n == 10 then
          task:cancel()
        end
      end
    end, function(...)
      outcome = { ... }
    end)
    run()
    check.failure(outcome[1], "closed")
    assert.truthy(n < #sandbox.data.tesouro.users { status = "ALL" }, n)
  end)
end)

describe("a stream that is closed while a task waits in it", function()
  it("ends at once, also between two attempts", function()
    server:script { [USERS] = { { status = 429, headers = { "Retry-After: 5" } }, { body = page { "1" } } } }
    local client = scripted_client { retry = { attempts = 2 } }
    local stream, began, outcome = client:users(), core.now(), nil
    rollcall.spawn(function()
      return stream:count()
    end, function(...)
      outcome = { ... }
    end)
    local timer = uv.new_timer()
    uv.update_time()
    timer:start(100, 0, function()
      stream:close()
      timer:close()
    end)
    run()
    assert.is_true(core.now() - began < 2)
    check.failure(outcome[1], "closed")
    client:close()
  end)
end)

describe("a client that is closed while a task waits", function()
  it("ends its walk with an error of kind closed", function()
    server:script { [USERS] = { { delay = 10, body = page { "1" } } } }
    local client = scripted_client()
    local outcome
    rollcall.spawn(function()
      return select(2, client:users():collect())
    end, function(...)
      outcome = { ... }
    end)
    local timer = uv.new_timer()
    uv.update_time()
    timer:start(50, 0, function()
      client:close()
      timer:close()
    end)
    run()
    check.failure(outcome[2], "closed")
  end)
end)

describe("rollcall.spawn", function()
  it("raises what is wrong where it is called", function()
    check.misuse(function()
      rollcall.spawn()
    end, "spawn: expected a function, got a nil")
    check.misuse(function()
      rollcall.spawn(print, 5)
    end, "on_done", "number")
  end)

  it("lets an error that nobody takes end the script, as one in a callback does", function()
    local script = [[
      local uv, rollcall = require "luv", require "rollcall"
      rollcall.spawn(function() error "nobody takes me" end)
      uv.run()
    ]]
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write(script)
    file:close()
    local process = assert(io.popen(("%s %s 2>&1; echo status $?"):format(os.getenv "RUN_LUA", path)))
    local said = process:read "*a"
    process:close()
    os.remove(path)
    check.contains(said, "nobody takes me", "stack traceback")
    assert.is_nil(said:find "status 0")
  end)
end)

describe("where a socket needs a handle of its own", function()
  it("walks, fails, and ends the same", function()
    for name in pairs(package.loaded) do
      if name:find "^rollcall" and name ~= "rollcall.core" then
        package.loaded[name] = nil
      end
    end
    local poller = core.poller
    core.poller = nil -- as on systems without one
    local fresh = require "rollcall"
    local client = fresh.tesouro { client_id = sandbox.id, client_secret = sandbox.secret,
      base_url = sandbox.tesouro_url }
    local refused = fresh.tesouro { token = "tok", base_url = "http://127.0.0.1:9", retry = false }
    local counts, err = {}, nil
    for i = 1, 3 do
      fresh.spawn(function()
        counts[i] = client:users({ status = "ALL" }):count()
      end)
    end
    fresh.spawn(function()
      for _ in refused:users() do
        error "no user was to come"
      end
    end, function(problem)
      err = problem
    end)
    server:script { [USERS] = { { delay = 10, body = page { "1" } } } }
    local task = fresh.spawn(function()
      return fresh.tesouro({ token = "tok", base_url = server.url }):users():count()
    end)
    local timer = uv.new_timer()
    uv.update_time()
    timer:start(100, 0, function()
      task:cancel()
      timer:close()
    end)
    run()
    core.poller = poller
    local count = #sandbox.data.tesouro.users { status = "ALL" }
    assert.same({ count, count, count }, counts)
    assert.equal("network", err.kind)
  end)
end)

describe("rollcall.spawn without a loop", function()
  local function blocking(f, on_done)
    return require("rollcall.loop.blocking").spawn(f, on_done)
  end

  it("runs to its end before it returns", function()
    local told
    local task = blocking(function()
      return sandbox.tesouro({ loop = "blocking" }):users({ limit = 3 }):count()
    end, function(...)
      told = { n = select("#", ...), ... }
    end)
    assert.same({ n = 2, nil, 3 }, told)
    assert.is_false(task:cancel())
    blocking(function()
      error "boom"
    end, function(err)
      told = err
    end)
    check.contains(told, "boom", "stack traceback")
    assert.has_error(function()
      blocking(function()
        error({})
      end)
    end)
  end)
end)
