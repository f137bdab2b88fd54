-- rollcall inside nginx: what its workers do meanwhile, what becomes of requests that go away, and the example.

local check = require "spec.support.check"
local cjson = require "cjson"
local core = require "rollcall.core"
local nginx = require "spec.support.nginx"
local sandbox = require "spec.support.sandbox"

-- nginx has the same module under a tool: there is nothing for it to find.
if (os.getenv "RUN_LUA" or ""):find "asan" or (os.getenv "RUN_LUA" or ""):find "valgrind" then
  return
end
if not nginx.has_module() then
  pending "nginx needs the module for LuaJIT"
  return
end

local ALL = #sandbox.data.tesouro.users { status = "ALL" }

local function organization(count)
  return ("99999999-0000-4000-8000-%012d"):format(count)
end

-- What the workers know: clients of the sandbox, and the streams that were begun.
local COMMON = [[
  lua_shared_dict told 1m;
  lua_check_client_abort on;
  init_by_lua_block {
    rollcall = require "rollcall"
    core = require "rollcall.core"
    function new_client()
      return rollcall.tesouro {
        base_url = os.getenv "SANDBOX_TESOURO_URL",
        client_id = os.getenv "SANDBOX_CLIENT_ID", client_secret = os.getenv "SANDBOX_CLIENT_SECRET",
      }
    end
    client = new_client()
    state = {}
    streams = setmetatable({}, { __mode = "v" })
    function walk()
      local has_arguments, organization = pcall(function() return ngx.var.arg_organization end)
      local stream = client:users { status = "ALL", organization_id = has_arguments and organization or nil }
      streams[#streams + 1] = stream
      return stream
    end
    in_init = { pcall(function() return walk():next() end) }
  }
  init_worker_by_lua_block {
    ngx.shared.told:set("init_worker", tostring(select(2, pcall(function() return walk():next() end))))
    rollcall.spawn(function() return walk():count() end, function(err, n)
      ngx.shared.told:set("worker_task", tostring(err) .. " " .. tostring(n))
    end)
  }
]]

local SERVER = [[
  location = /count { content_by_lua_block { ngx.print(tostring(walk():count())) } }
  location = /rewrite {
    rewrite_by_lua_block { ngx.ctx.n = walk():count() }
    content_by_lua_block { ngx.print(ngx.ctx.n) }
  }
  location = /access {
    access_by_lua_block { ngx.ctx.n = walk():count() }
    content_by_lua_block { ngx.print(ngx.ctx.n) }
  }
  location = /threads { content_by_lua_block {
    local threads = {}
    for i = 1, 4 do
      threads[i] = ngx.thread.spawn(function() return (walk():count()) end)
    end
    local sum = 0
    for i = 1, 4 do
      sum = sum + select(2, ngx.thread.wait(threads[i]))
    end
    ngx.print(sum)
  } }
  location = /coroutine { content_by_lua_block {
    ngx.print(coroutine.wrap(function() return select(2, pcall(function() return walk():count() end)) end)())
  } }
  location = /coroutine_of_task { content_by_lua_block {
    rollcall.spawn(function()
      local n = 0
      for user in coroutine.wrap(function() for user in walk() do coroutine.yield(user) end end) do n = n + 1 end
      return n
    end, function(err, n) ngx.shared.told:set("coroutine_of_task", tostring(err) .. " " .. tostring(n)) end)
  } }
  location = /spin { content_by_lua_block {
    state.spins = true
    local task = rollcall.spawn(function()
      repeat local n = walk():count() until n or not state.spins
    end)
    ngx.sleep(0.02)
    ngx.print(tostring(task:cancel()))
  } }
  location = /spin_no_more { content_by_lua_block { state.spins = false ngx.print "ok" } }
  location = /lost { content_by_lua_block {
    for i = 1, 20 do ngx.timer.at(0, function() ngx.sleep(1) end) end
    ngx.sleep(0.1)
    for i = 1, 60 do
      rollcall.spawn(function() return client:users({ limit = 1 }):count() end, function(err, n)
        ngx.shared.told:incr(err and "lost_bad" or "lost_good", 1, 0)
      end)
    end
  } }
  location = /few { content_by_lua_block {
    for i = 1, 12 do
      rollcall.spawn(function() ngx.sleep(0.5) end, function() ngx.shared.told:incr("few", 1, 0) end)
    end
  } }
  location = /left { content_by_lua_block {
    local task = rollcall.spawn(function() ngx.sleep(0.1) ngx.exit(0) end)
    ngx.sleep(0.01)
    task:cancel()
    ngx.sleep(0.2)
  } }
  location = /exits { content_by_lua_block {
    for i = 1, 200 do rollcall.spawn(function() ngx.exit(0) end) end
    rollcall.spawn(function() return "alive" end, function(_, word) ngx.shared.told:set("exits", word) end)
  } }
  location = /queue { content_by_lua_block {
    for i = 1, 128 do rollcall.spawn(function() ngx.sleep(3) end) end
    local task = rollcall.spawn(function() end, function(err) ngx.shared.told:set("queue", err.kind) end)
    ngx.print(tostring(task:cancel()), " ", tostring(task:cancel()))
  } }
  location = /close { content_by_lua_block {
    local stream = walk()
    ngx.thread.spawn(function() ngx.sleep(0.1) stream:close() end)
    local _, err = stream:count()
    ngx.print(err.kind)
  } }
  location = /init { content_by_lua_block { ngx.print(tostring(in_init[2])) } }
  location = /set {
    set_by_lua_block $said { return select(2, pcall(function() return walk():next() end)) }
    return 200 "$said";
  }
  location = /log { return 204; log_by_lua_block { ngx.shared.told:set("log", select(2, pcall(function()
    return walk():collect()
  end))) } }
  location = /body { content_by_lua_block { ngx.print "x" } body_filter_by_lua_block { if ngx.arg[1] ~= "" then
    ngx.arg[1] = select(2, pcall(function() for user in walk() do end end))
  end } }
  location = /sort { content_by_lua_block { ngx.print(select(2, pcall(table.sort, { 1, 2 }, function(a, b)
    walk():next()
    return a < b
  end))) } }
  location = /told { content_by_lua_block { ngx.print(tostring(ngx.shared.told:get(ngx.var.arg_key))) } }
  location = /states { content_by_lua_block {
    local open = 0
    for _, stream in pairs(streams) do open = open + (stream:reason() and 0 or 1) end
    ngx.print(open)
  } }
  location = /pid { content_by_lua_block { ngx.print(ngx.worker.pid(), " ", walk():count()) } }

  location = /sleeper { content_by_lua_block {
    local n, stream = 0, walk()
    for _ in stream do
      n = n + 1
      if n % 50 == 0 then ngx.sleep(0.005) end
    end
    ngx.print(n, " ", stream:reason())
  } }
  location = /many { content_by_lua_block {
    for i = 1, 300 do
      rollcall.spawn(function() return client:users({ limit = 1 }):count() end, function(err, n)
        ngx.shared.told:incr(err and "bad" or "good", 1, 0)
      end)
    end
  } }
  location = /unsent { return 204; log_by_lua_block {
    local stream = walk()
    pcall(stream.next, stream)
    ngx.shared.told:set("unsent", tostring(stream:stats().requests))
  } }
  location = /spawn { content_by_lua_block {
    local task = rollcall.spawn(function() return walk():count(), ngx.get_phase() end, function(err, n, phase)
      ngx.shared.told:set("spawn", tostring(err) .. " " .. tostring(n) .. " " .. tostring(phase))
    end)
    ngx.print(tostring(task ~= nil))
  } }
  location = /fail { content_by_lua_block {
    rollcall.spawn(function() error "mine" end, function(err) ngx.shared.told:set("fail", err) end)
    rollcall.spawn(function() error "of nobody" end)
  } }
  location = /cancel { content_by_lua_block {
    local stream = walk()
    local task = rollcall.spawn(function() return stream:collect() end, function(err)
      ngx.shared.told:set("cancel", tostring(err) .. " " .. tostring(stream:reason()))
    end)
    ngx.sleep(0.05)
    ngx.print(tostring(task:cancel()), " ", tostring(task:cancel()))
  } }

  location = /exit { content_by_lua_block {
    local n = 0
    for _ in walk() do
      n = n + 1
      if n == 150 then ngx.exit(200) end
    end
  } }
  location = /exit_while_threads_wait { content_by_lua_block {
    for _ = 1, 2 do ngx.thread.spawn(function() return walk():count() end) end
    ngx.sleep(0.02)
    ngx.exit(200)
  } }
  location = /kill { content_by_lua_block {
    local thread = ngx.thread.spawn(function() return walk():count() end)
    ngx.sleep(0.02)
    ngx.print(tostring(ngx.thread.kill(thread)))
  } }
  location = /fail_in_the_middle { content_by_lua_block {
    local stream = walk()
    stream:next()
    error "on purpose"
  } }
  location = /collect { content_by_lua_block { collectgarbage() collectgarbage() } }
  location = /forgets { content_by_lua_block {
    local make, engines = core.engine, setmetatable({}, { __mode = "k" })
    function core.engine(...)
      local engine = make(...)
      engines[engine] = true
      return engine
    end
    local n = (function() return new_client():users({ limit = 1 }):count() end)()
    core.engine = make
    n = n + (next(engines) and 1 or 0) + walk():count()
    for _ = 1, 3 do collectgarbage() end
    ngx.print(n, " ", tostring(next(engines)))
  } }
  location = /header { content_by_lua_block { ngx.print "x" } header_filter_by_lua_block {
    ngx.header.Said = tostring(select(2, pcall(function() walk():next() end)))
  } }
  location = /tasks { content_by_lua_block {
    local function tell(name)
      return function(err, value) ngx.shared.told:set(name, tostring(err) .. " " .. tostring(value)) end
    end
    local own = new_client()
    local first = rollcall.spawn(function() return own:users():count() end, tell "first")
    rollcall.spawn(function() return own:users({ status = "ALL" }):count() end, tell "second")
    rollcall.spawn(function()
      local inner
      rollcall.spawn(function() return own:users({ status = "ALL" }):count() end, function(_, n) inner = n end)
      local n = own:users({ status = "ALL" }):count()
      while not inner do ngx.sleep(0.005) end
      return n + inner
    end, tell "nested")
    local itself
    itself = rollcall.spawn(function()
      local cancelled = itself:cancel() and not itself:cancel()
      local _, err = own:users():collect()
      return tostring(cancelled) .. " " .. err.kind
    end, function(err, value)
      tell "itself"(err, value .. " " .. tostring(itself:cancel()))
    end)
    ngx.sleep(0.003) -- the first one waits for the token that all of them share
    first:cancel()
    rollcall.spawn(function() own:users():next() end, function() error "of on_done" end)
  } }

  location = /heed { content_by_lua_block {
    local stream = walk()
    local user = stream:next()
    while user and ngx.say(user.id) and ngx.flush(true) do user = stream:next() end
    stream:close()
  } }
  location = /forget { content_by_lua_block {
    local stream = walk()
    for user in stream do ngx.print(user.id, "\n") end
  } }
  location = /abort { content_by_lua_block {
    local stream = walk()
    ngx.on_abort(function() stream:close() ngx.exit(499) end)
    for user in stream do
      ngx.print(user.id, "\n")
      ngx.flush(true)
    end
  } }
]]

--- Begins a request of each target on one engine, and answers what waits for their ends.
local function begin(url, targets)
  local engine = core.engine()
  local transfers = {}
  for i, target in ipairs(targets) do
    transfers[i] = assert(engine:request { url = url .. target, proxy = "", max_collected = 2 ^ 28 })
  end
  return engine, transfers
end

local function finish(engine, transfer)
  while not transfer:done() do
    core.wait({ engine }, 30)
  end
  return transfer:status(), (transfer:body())
end

describe("in nginx", function()
  local server

  setup(function()
    sandbox.reset()
    server = nginx.start { http = COMMON, server = SERVER }
  end)
  teardown(function()
    server:stop()
    sandbox.restore()
  end)
  before_each(function()
    sandbox.reset()
  end)

  local function told(key)
    return nginx.await(function()
      local value = server:get("/told?key=" .. key).body
      return value ~= "nil" and value
    end, 10, "nothing was told of " .. key)
  end

  for _, place in ipairs { "count", "rewrite", "access" } do
    it("a walk gives every user in " .. place, function()
      assert.equal(tostring(ALL), server:get("/" .. place).body)
    end)
  end

  it("a coroutine of one's own cannot wait in a request, which nginx would crash at the end of", function()
    check.contains(server:get("/coroutine").body, "content_by_lua", "ngx.thread.spawn")
    server:get "/coroutine_of_task"
    assert.equal("nil " .. ALL, told "coroutine_of_task")
  end)

  it("a stream that another thread closes ends at once, also between two attempts", function()
    server:get "/count"
    sandbox.reset()
    sandbox.plan_faults { provider = "tesouro", at = { ["users:1"] = { kind = "rate_limit", wait = 6 } } }
    local began = core.now()
    assert.equal("closed", server:get("/close").body)
    assert.is_true(core.now() - began < 2)
  end)

  it("light threads walk at the same time, and share the client's token", function()
    server:get "/count"
    sandbox.reset "delay_ms=20"
    local began = core.now()
    assert.equal(tostring(4 * ALL), server:get("/threads").body)
    local together = core.now() - began
    assert.equal(0, sandbox.stats().tesouro.token_requests)
    began = core.now()
    server:get "/count"
    assert.is_true(together < 3 * (core.now() - began), "one after the other")
  end)

  it("a worker answers others while its walks wait", function()
    server:get "/count"
    sandbox.reset "delay_ms=1000"
    local engine, transfers = begin(server.url, { "/count?organization=" .. organization(100), "/here" })
    assert.equal(204, (finish(engine, transfers[2])))
    assert.is_false(transfers[1]:done())
    local _, body = finish(engine, transfers[1])
    assert.equal("100", body)
  end)

  it("walks that sleep for something else meanwhile come to their end", function()
    local targets = {}
    for i = 1, 4 do
      targets[i] = "/sleeper"
    end
    local engine, transfers = begin(server.url, targets)
    for _, transfer in ipairs(transfers) do
      local _, body = finish(engine, transfer)
      assert.equal(ALL .. " exhausted", body)
    end
  end)

  it("sends nothing in a phase where nothing can wait", function()
    server:get "/unsent"
    assert.equal("0", told "unsent")
  end)

  it("says in which phase nothing can wait", function()
    check.contains(server:get("/init").body, "init_by_lua", [[the phase "init"]], "ngx.timer.at")
    check.contains(told "init_worker", [[the phase "init_worker"]], "rollcall.spawn")
    check.contains(server:get("/header").headers.said, [[the phase "header_filter"]])
    check.contains(server:get("/set").body, [[the phase "set"]])
    check.contains(server:get("/body").body, [[the phase "body_filter"]], "body_filter_by_lua")
    server:get "/log"
    check.contains(told "log", [[the phase "log"]], "log_by_lua")
    check.contains(server:get("/sort").body, "table.sort")
    assert.equal(tostring(ALL), server:get("/count").body)
  end)

  it("a client made before the fork works in every worker", function()
    local several = nginx.start { http = COMMON, server = SERVER, workers = 3 }
    local targets, pids, n = {}, {}, 0
    for i = 1, 24 do
      targets[i] = "/pid"
    end
    local engine, transfers = begin(several.url, targets)
    for _, transfer in ipairs(transfers) do
      local _, body = finish(engine, transfer)
      local pid, count = body:match "^(%d+) (%d+)$"
      assert.equal(tostring(ALL), count)
      n = n + (pids[pid] and 0 or 1)
      pids[pid] = true
    end
    several:stop()
    assert.is_true(n > 1, "one worker did it all")
  end)

  describe("rollcall.spawn", function()
    it("cancelled leaves the worker to others, however often it tries", function()
      assert.equal("true", server:get("/spin").body)
      assert.equal("ok", server:get("/spin_no_more").body)
    end)

    --- Begins tasks where so few timers run, and waits until so many have told.
    local function begin_among(most_timers, target, key, count)
      local narrow = nginx.start { http = ("%s\n  lua_max_running_timers %d;"):format(COMMON, most_timers),
        server = SERVER }
      narrow:get(target)
      nginx.await(function()
        return narrow:get("/told?key=" .. key).body == tostring(count)
      end, 20, "not all tasks were begun")
      return narrow
    end

    it("begins tasks anew whose timers nginx has dropped", function()
      local narrow = begin_among(20, "/lost", "lost_good", 60)
      assert.equal("nil", narrow:get("/told?key=lost_bad").body)
      narrow:stop()
    end)

    it("begins all tasks where nginx lets only a few timers run", function()
      begin_among(8, "/few", "few", 12):stop()
    end)

    it("that was cancelled and left by ngx.exit cancels no later request, which may get its coroutine", function()
      server:get "/left"
      for _ = 1, 10 do
        assert.equal(tostring(ALL), server:get("/count").body)
      end
    end)

    it("goes on after tasks that were left by ngx.exit", function()
      server:get "/exits"
      assert.equal("alive", told "exits")
    end)

    it("tells a cancelled task at once that has not begun", function()
      local began = core.now()
      assert.equal("true false", server:get("/queue").body)
      assert.equal("closed", told "queue")
      assert.is_true(core.now() - began < 2)
    end)

    it("runs in a timer, and tells what the function answered", function()
      assert.equal("true", server:get("/spawn").body)
      assert.equal(("nil %d timer"):format(ALL), told "spawn")
    end)

    it("tells of its error, or nginx logs it", function()
      server:get "/fail"
      check.contains(told "fail", "mine", "stack traceback")
      nginx.await(function()
        return server:log():find("rollcall.spawn: ", 1, true) and server:log():find("of nobody", 1, true)
      end, 10, "it is not in the log")
    end)

    it("runs more than nginx has timers for, and loses none", function()
      server:get "/many"
      nginx.await(function()
        return server:get("/told?key=good").body == "300"
      end, 20, "300 tasks have not ended")
      assert.equal("nil", server:get("/told?key=bad").body)
      assert.equal(tostring(ALL), server:get("/count").body)
    end)

    it("runs where a worker begins", function()
      assert.equal(("nil %d"):format(ALL), told "worker_task")
    end)

    it("shares a client with others, of which one is cancelled, one by itself, and one has begun another", function()
      sandbox.reset "delay_ms=10"
      server:get "/tasks"
      assert.equal(("nil %d"):format(ALL), told "second")
      assert.equal(("nil %d"):format(2 * ALL), told "nested")
      assert.equal("closed: the task was cancelled nil", told "first")
      assert.equal("nil true closed false", told "itself")
      nginx.await(function()
        return server:log():find("of on_done", 1, true)
      end, 10, "it is not in the log")
    end)

    it("ends when it is cancelled, at once", function()
      sandbox.reset "delay_ms=5000"
      local began = core.now()
      assert.equal("true false", server:get("/cancel").body)
      check.contains(told "cancel", "closed: the task was cancelled", "closed")
      assert.is_true(core.now() - began < 3)
    end)
  end)

  describe("a client that goes away", function()
    --- Begins so many requests and breaks them off: in the middle of a page, or while it is waited for.
    local function break_off(target, count, seconds)
      for _ = 1, count do
        local engine = begin(server.url, { target })
        core.wait({ engine }, seconds)
        local ends_at = core.now() + seconds
        repeat
          core.wait({ engine }, seconds / 4)
        until core.now() >= ends_at
        engine:close()
      end
    end

    local function await_closed()
      nginx.await(function()
        return server:get("/states").body == "0"
      end, 3, "streams are still open")
    end

    it("ends its walk while it waits for a page", function()
      server:get "/count" -- for a token
      sandbox.reset "delay_ms=5000"
      for _, target in ipairs { "/count", "/forget", "/abort" } do
        break_off(target, 3, 0.05)
        await_closed() -- long before the pages come
      end
    end)

    it("ends its walk while it takes the users", function()
      for _, target in ipairs { "/count", "/abort" } do
        break_off(target .. "?organization=" .. organization(100000), 3, 0.05)
        await_closed()
      end
    end)

    it("leaves memory and descriptors where they were", function()
      local target = "/abort?organization=" .. organization(100000)
      break_off(target, 100, 0.004)
      await_closed()
      local memory, descriptors = server:usage()
      break_off(target, 300, 0.004)
      await_closed()
      local memory_after, descriptors_after = server:usage()
      assert.is_true(descriptors_after <= descriptors + 2,
        ("%d descriptors, then %d"):format(descriptors, descriptors_after))
      assert.is_true(memory_after <= memory + 4096, ("%d KiB, then %d KiB"):format(memory, memory_after))
      assert.equal(tostring(ALL), server:get("/count").body)
    end)
  end)

  it("a handler that ends in the middle of a walk leaves nothing", function()
    local targets = { "/exit", "/exit_while_threads_wait", "/kill", "/fail_in_the_middle" }
    local function go(count)
      for _ = 1, count do
        for _, target in ipairs(targets) do
          server:get(target)
        end
      end
      nginx.await(function()
        server:get "/collect"
        return server:get("/states").body == "0"
      end, 10, "streams are still open")
    end
    sandbox.reset "delay_ms=30"
    go(2)
    local _, before = server:usage()
    go(10)
    local _, after = server:usage()
    assert.is_true(after <= before + 2, ("%d descriptors, then %d"):format(before, after))
    assert.equal("1", server:get("/kill").body)
    assert.equal(tostring(ALL), server:get("/count").body)
  end)

  it("nothing is kept of a client that nobody has any more", function()
    assert.equal(ALL + 2 .. " nil", server:get("/forgets").body)
  end)

  it("a failed write tells a handler that its client has gone, where nginx does not look", function()
    local blind = nginx.start { server = SERVER,
      http = COMMON:gsub("lua_check_client_abort on", "lua_check_client_abort off") }
    finally(function()
      blind:stop()
    end)
    local engine = begin(blind.url, { "/heed?organization=" .. organization(100000) })
    core.wait({ engine }, 1)
    engine:close()
    nginx.await(function()
      return blind:get("/states").body == "0"
    end, 10, "its stream is still open")
  end)

  it("a worker that is to end lets its walks come to their end", function()
    local old = server:workers()[1]
    server:get "/count"
    sandbox.reset "delay_ms=100"
    local engine, transfers = begin(server.url, { "/count?organization=" .. organization(1000) })
    core.wait({ engine }, 0.2)
    core.wait({ engine }, 0.2)
    server:reload()
    local _, body = finish(engine, transfers[1])
    assert.equal("1000", body)
    nginx.await(function()
      local left = server:workers()
      return #left == 1 and left[1] ~= old
    end, 10, "the worker stays")
    check.contains(server:log(), ("worker process %d exited with code 0"):format(old))
  end)

  it("nothing runs while nobody waits", function()
    server:get "/count"
    core.wait({}, 2.5) -- the pump has gone
    local function switches()
      local file = assert(io.open(("/proc/%d/status"):format(server:workers()[1])))
      local text = file:read "*a"
      file:close()
      return tonumber(text:match "\nvoluntary_ctxt_switches:%s*(%d+)")
    end
    local before = switches()
    core.wait({}, 2)
    assert.equal(before, switches())
  end)

  it("logs nothing of its own accord", function()
    for line in server:log():gmatch "[^\n]+" do
      if not line:find "%[notice%]" and not line:find "of nobody" and not line:find "on purpose"
        and not line:find "of on_done" then
        assert.is_nil(line:find "^%d+/%d+/%d+ .*%[%a+%]", line)
      end
    end
  end)
end)

describe("examples/nginx", function()
  local url, process, directory

  setup(function()
    sandbox.reset()
    local port = nginx.free_port()
    directory = nginx.output_of "mktemp -d":match "^[^\n]+"
    nginx.output_of("chmod 755 " .. directory)
    url = ("http://127.0.0.1:%d"):format(port)
    local root, build = nginx.paths()
    process = nginx.output_of(([[LD_PRELOAD= LUA_PATH='%s/lua/?.lua;%s/lua/?/init.lua;;' LUA_CPATH='%s/luajit/?.so;;' \
      examples/nginx/serve %s %d >%s/said 2>&1 </dev/null & echo $!]]):format(root, root, build, directory, port,
      directory)):match "%d+"
    nginx.await(function()
      return require("spec.support.http").request(url .. "/").status == 200
    end, 20, function()
      return "the example did not start: " .. nginx.output_of(("cat %s/said %s/logs/*"):format(directory, directory))
    end)
  end)
  teardown(function()
    nginx.output_of("kill -TERM " .. process)
    nginx.await(function()
      return nginx.output_of(("kill -0 %s 2>/dev/null && echo alive"):format(process)) == ""
    end, 20, "the example does not end")
    nginx.output_of("rm -rf " .. directory)
    sandbox.restore()
  end)
  before_each(function()
    sandbox.reset()
  end)

  local function get(target)
    return require("spec.support.http").request(url .. target)
  end

  it("streams a whole directory as lines of JSON", function()
    local expected = sandbox.data.tesouro.users { status = "ALL" }
    local answer = get "/users?provider=tesouro"
    assert.equal("application/x-ndjson", answer.headers["content-type"])
    assert.equal(3, select(2, get("/users?provider=tesouro&limit=3").body:gsub("\n", "")))
    local n = 0
    for line in answer.body:gmatch "([^\n]*)\n" do
      n = n + 1
      check.same(expected[n].id, cjson.decode(line).id)
    end
    assert.equal(#expected, n)
    local _, lines = get("/users?provider=dintero").body:gsub("\n", "")
    assert.equal(#sandbox.data.dintero.users "T12345678", lines)
  end)

  it("refuses what it does not know, and tells of an error where it comes", function()
    assert.equal(404, get("/users?provider=x").status)
    local answer = get "/users?provider=tesouro&stat=ALL"
    assert.equal(400, answer.status)
    check.contains(answer.body, "did you mean status")
    answer = get("/users?provider=tesouro&organization_id=" .. sandbox.data.tesouro.foreign.id)
    assert.equal(502, answer.status)
    check.contains(answer.body, [["kind":"auth"]], "403")
    sandbox.plan_faults { provider = "tesouro", at = { ["users:3"] = { kind = "garbage" } } }
    answer = get "/users?provider=tesouro&status=ALL"
    assert.equal(200, answer.status)
    check.contains(answer.body:match "([^\n]*)\n$", [["error":{]], [["kind":"decode"]])
  end)

  it("counts users as they arrive", function()
    sandbox.reset "delay_ms=60"
    local body = get("/counts?provider=tesouro&status=ALL&organization_id=" .. organization(1000)).body
    local events, last = 0, nil
    for text in body:gmatch "data: ([^\n]*)\n\n" do
      local event = cjson.decode(text)
      assert.is_true(not last or (not last.done and event.users >= last.users))
      events, last = events + 1, event
    end
    assert.is_true(events > 3 and last.done)
    assert.equal(1000, last.users)
    local sum = 0
    for _, users in pairs(last.statuses) do
      sum = sum + users
    end
    assert.equal(1000, sum)
  end)

  it("has a page that needs nothing from elsewhere", function()
    local page = get("/").body
    check.contains(page, "EventSource", "provider=tesouro")
    assert.is_nil(page:find "https?://")
  end)

  it("takes a directory no faster than its reader, in bounded memory", function()
    local function resident()
      local sum = 0
      for pid in nginx.output_of("ps -o pid= --ppid " .. process):gmatch "%d+" do
        sum = sum + tonumber(nginx.output_of("cat /proc/" .. pid .. "/status"):match "VmRSS:%s*(%d+)")
      end
      return sum
    end
    get "/users?provider=tesouro&status=ALL"
    local before = resident()
    -- A decoder whose records nobody takes: the transfer pauses after a watermark.
    local engine = core.engine()
    local decoder = core.decoder { items = "" }
    local target = url .. "/users?provider=tesouro&organization_id=" .. organization(400000)
    local transfer = assert(engine:request { url = target, proxy = "", decoder = decoder, watermark = 1 })
    for _ = 1, 100 do
      core.wait({ engine }, 0.02)
    end
    local bytes = sandbox.stats().tesouro.user_requests
    core.wait({}, 0.5)
    assert.equal(bytes, sandbox.stats().tesouro.user_requests) -- it does not go on
    assert.is_true(bytes < 2000, "nobody slowed it down")
    assert.is_true(resident() - before < 16384, "it piles up")
    transfer:cancel()
    engine:close()
    assert.equal(200, get("/counts?provider=dintero").status)
  end)
end)
