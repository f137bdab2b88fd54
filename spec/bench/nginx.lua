-- An nginx worker whose requests walk: what others wait for meanwhile, what the walks cost while they wait, and what is
-- left of requests whose clients went away.

local bench = require "spec.bench.bench"
local core = require "rollcall.core"
local nginx = require "spec.support.nginx"
local sandbox = require "spec.bench.sandbox"

local ROUNDS, SECONDS = 5, 2
local WALKS, DELAY = 8, 50
local ABORTED = 1000

if not bench.has "wrk" then
  bench.note "nginx: there is no wrk, left out"
  return
end

local HTTP = [[
  lua_check_client_abort on;
  init_by_lua_block {
    rollcall = require "rollcall"
    function new_client(loop)
      return rollcall.tesouro {
        base_url = os.getenv "SANDBOX_TESOURO_URL", loop = loop,
        client_id = os.getenv "SANDBOX_CLIENT_ID", client_secret = os.getenv "SANDBOX_CLIENT_SECRET",
      }
    end
    -- As eight users of the module would have them: a client, and so an engine, each.
    clients = {}
    for i = 1, 8 do clients[i] = new_client() end
    blocking = new_client "blocking"
    n, users = 0, 0
  }
]]

local SERVER = [[
  location = /hello { content_by_lua_block { ngx.print "hello" } }
  location = /walk { content_by_lua_block {
    n = n % 8 + 1
    for _ in clients[n]:users { organization_id = ngx.var.arg_organization } do users = users + 1 end
    ngx.print "walked"
  } }
  location = /users { content_by_lua_block { ngx.print(users) } }
  location = /blocking { content_by_lua_block {
    ngx.print((blocking:users({ organization_id = ngx.var.arg_organization }):count()))
  } }
  location = /stream { content_by_lua_block {
    local stream = clients[1]:users { organization_id = ngx.var.arg_organization }
    ngx.on_abort(function() stream:close() ngx.exit(499) end)
    for user in stream do
      ngx.print(user.id, "\n")
      ngx.flush(true)
    end
  } }
]]

local server = nginx.start { http = HTTP, server = SERVER }

--- Has so many requests of a target under way until the time is over; how many ended.
local function keep_busy(target, count, ends_at)
  local engine, transfers, ended = core.engine(), {}, 0
  repeat
    for i = 1, count do
      if not transfers[i] or transfers[i]:done() then
        ended = ended + (transfers[i] and 1 or 0)
        transfers[i] = assert(engine:request { url = server.url .. target, proxy = "" })
      end
    end
    core.wait({ engine }, math.max(0, ends_at - core.now()))
  until core.now() >= ends_at
  engine:close()
  return ended
end

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

local units = { us = 0.001, ms = 1, s = 1000, m = 60000 }

local function users_walked()
  return tonumber(server:get("/users").body)
end

--- The 99th percentile, in ms, of what a trivial location takes while so many requests of a target are under way; and
--- how many of it were answered a second.
local function latency(target, count)
  local ends_at = core.now() + SECONDS + 0.2
  local pipe = assert(io.popen(("wrk -t1 -c2 -d%ds --timeout 20s --latency %s/hello 2>&1"):format(SECONDS, server.url)))
  if target then
    keep_busy(target, count, ends_at)
  end
  local output = pipe:read "*a"
  pipe:close()
  local value, unit = output:match "99%%%s+([%d.]+)(%a+)"
  assert(value, output)
  return tonumber(value) * units[unit], tonumber(output:match "Requests/sec:%s+([%d.]+)")
end

local slow, fast = "organization=" .. sandbox.organization(1000), "organization=" .. sandbox.organization(100000)
local cases = {
  { name = "idle" },
  { name = "8 walks, pages of 50 ms", figure = "slow", target = "/walk?" .. slow, count = WALKS, delay = DELAY },
  { name = "8 walks, pages at once", figure = "fast", target = "/walk?" .. fast, count = WALKS },
  { name = "1 blocking walk, pages of 50 ms", target = "/blocking?" .. slow, count = 1, delay = DELAY },
}
for _ = 1, ROUNDS do
  for _, case in ipairs(cases) do
    sandbox.configure(("delay_ms=%d"):format(case.delay or 0))
    local began, users = core.now(), users_walked()
    local ms, rate = latency(case.target, case.count)
    case.latencies, case.rates, case.walked = case.latencies or {}, case.rates or {}, case.walked or {}
    table.insert(case.latencies, ms)
    table.insert(case.rates, rate)
    if case.figure then
      table.insert(case.walked, (users_walked() - users) / (core.now() - began))
    end
    nginx.await(function() -- what was broken off has gone
      return server:get("/here").status == 204
    end, 60, "the worker does not come back")
  end
end

local rows = { { "a trivial location", "99% within", "more than idle", "best round", "worst round", "requests/s",
  "users walked/s" } }
for _, case in ipairs(cases) do
  local later = {} -- than in the same round without a walk
  for i, ms in ipairs(case.latencies) do
    later[i] = ms - cases[1].latencies[i]
  end
  if case.figure then
    bench.result("nginx.luajit." .. case.figure, bench.median(later))
  end
  rows[#rows + 1] = { case.name, ("%.2f ms"):format(bench.median(case.latencies)),
    case ~= cases[1] and ("%.2f ms"):format(bench.median(later)) or "",
    ("%.2f ms"):format(math.min(unpack(case.latencies))), ("%.2f ms"):format(math.max(unpack(case.latencies))),
    ("%.0f"):format(bench.median(case.rates)), case.figure and ("%.0f"):format(bench.median(case.walked)) or "" }
end
bench.print(("nginx: one worker, wrk over 2 connections for %d s, median of %d rounds"):format(SECONDS, ROUNDS), rows)

--- CPU seconds and voluntary context switches of the worker so far.
local function spent()
  local pid = server:workers()[1]
  local stat = assert(io.open(("/proc/%d/stat"):format(pid))):read "*a"
  local fields = {}
  for field in stat:gsub("^.*%) ", ""):gmatch "%S+" do
    fields[#fields + 1] = field
  end
  local status = assert(io.open(("/proc/%d/status"):format(pid))):read "*a"
  local ticks = tonumber(fields[12]) + tonumber(fields[13])
  return ticks / 100, tonumber(status:match "\nvoluntary_ctxt_switches:%s*(%d+)")
end

sandbox.configure(("delay_ms=%d"):format(DELAY))
local cpu, switches = spent()
local ended = keep_busy("/walk?" .. slow, WALKS, core.now() + 5)
local cpu_after, switches_after = spent()
sandbox.configure "delay_ms=0"
nginx.await(function()
  return server:get("/here").status == 204
end, 60, "the worker does not come back")
core.wait({}, 2.5)
local _, before = spent()
core.wait({}, 5)
local _, after = spent()
bench.result("nginx.luajit.idle", after - before)
bench.print("nginx: what the worker does", { { "", "wake-ups/s", "CPU" },
  { ("8 walks, pages of 50 ms (%d walks of 1,000 users ended)"):format(ended),
    ("%.0f"):format((switches_after - switches) / 5), ("%.1f %%"):format((cpu_after - cpu) / 5 * 100) },
  { "8 open clients, no walk", ("%.1f"):format((after - before) / 5), "" } })

--- Requests of a large directory, each broken off after a moment.
local function break_off(count)
  for _ = 1, count do
    local engine = core.engine()
    assert(engine:request { url = server.url .. "/stream?" .. fast, proxy = "" })
    local ends_at = core.now() + 0.005
    repeat
      core.wait({ engine }, 0.001)
    until core.now() >= ends_at
    engine:close()
  end
  core.wait({}, 1)
end

break_off(200)
local memory, descriptors = server:usage()
break_off(ABORTED)
local memory_after, descriptors_after = server:usage()
bench.result("nginx.luajit.memory", math.max(0, memory_after - memory))
bench.result("nginx.luajit.descriptors", math.max(0, descriptors_after - descriptors))
bench.print(("nginx: %d requests whose client went away in the middle"):format(ABORTED), {
  { "the worker", "before", "after" },
  { "resident memory", ("%d KiB"):format(memory), ("%d KiB"):format(memory_after) },
  { "open descriptors", tostring(descriptors), tostring(descriptors_after) } })
server:stop()
