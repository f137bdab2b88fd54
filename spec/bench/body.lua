-- One body of 2,000,000 users, about 1 GB, which the server makes as it goes: rollcall, and on a
-- size that fits, reading it whole and decoding it.

local bench = require "spec.bench.bench"
local sandbox = require "spec.bench.sandbox"

local ROUNDS, MANY, SOME = 5, 2000000, 100000

local url = sandbox.dintero_url

local function environment(count)
  local account = sandbox.account(count)
  return { "env", "BODY_URL=" .. url, "BODY_ACCOUNT=" .. account, "BODY_TOKEN=" .. sandbox.dintero_token(account) }
end

local function command(count, words)
  local list = environment(count)
  for _, word in ipairs(words) do
    list[#list + 1] = word
  end
  return list
end

local function floor(count)
  local account, path = sandbox.account(count), bench.scratch("url-" .. count)
  local file = assert(io.open(path, "w"))
  file:write(url, "/v1/accounts/", account, "/management/users\n")
  file:close()
  return { bench.program "floor", path, "Authorization: Bearer " .. sandbox.dintero_token(account) }
end

local contenders = { { name = "libcurl in C, bytes thrown away", users = MANY, command = floor(MANY) } }

local function add(name, users, words)
  contenders[#contenders + 1] = { name = name, users = users, command = command(users, words) }
end

for _, lua in ipairs(bench.luas) do
  add("rollcall, " .. bench.names[lua], MANY, bench.script(lua, "tasks/body.lua"))
end
for _, lua in ipairs(bench.luas) do
  if bench.has_module(lua, "socket") then
    add("read whole + cjson, " .. bench.names[lua], SOME, bench.script(lua, "peers/whole.lua"))
  else
    bench.note(("LuaSocket on %s: not installed, left out"):format(bench.names[lua]))
  end
end

-- The server makes what its users have in common when first asked.
for _, count in ipairs { MANY, SOME } do
  bench.run(command(count, bench.script(bench.luas[1], "tasks/body.lua", "first")))
end

local costs = bench.rounds(ROUNDS, contenders)
local rows = { { "", "users", "wall s", "users/s", "CPU us/user", "peak MiB" } }
local seen = {}
local cpu = {}
for i, one in ipairs(contenders) do
  local cost = costs[one.name]
  for _, c in ipairs(cost) do
    if c.said.walked then
      seen[one.users] = seen[one.users] or c.said.walked
      assert(c.said.walked == seen[one.users], one.name .. " walked " .. c.said.walked)
      assert(tonumber(c.said.walked:match "^%d+") == one.users)
    end
  end
  local wall = bench.median_of(cost, function(c) return c.wall end)
  local peak = bench.median_of(cost, function(c) return c.peak end)
  cpu[one.name] = {}
  for round, c in ipairs(cost) do
    cpu[one.name][round] = c.cpu / one.users * 1e6
  end
  rows[i + 1] = { one.name, tostring(one.users), ("%.3f"):format(wall), ("%.0f"):format(one.users / wall),
    ("%.2f"):format(bench.median(cpu[one.name])), ("%.1f"):format(peak) }
end
bench.print("one body of users, whole processes", rows)

-- From the server's first byte, which the relay sees, to the first user in the script's hand.
local port = url:match ":(%d+)$"
local first = { { "", "median ms", "slowest ms" } }
for _, lua in ipairs(bench.luas) do
  local delays = {}
  for _ = 1, 11 do
    local words = { bench.program "relay", port }
    for _, word in ipairs(bench.script(lua, "tasks/body.lua", "first")) do
      words[#words + 1] = word
    end
    local said = bench.run(command(MANY, words)).said
    delays[#delays + 1] = (tonumber(said.first_user) - tonumber(said.first_byte)) * 1000
  end
  local slowest = 0
  for _, delay in ipairs(delays) do
    slowest = math.max(slowest, delay)
  end
  first[#first + 1] = { "rollcall, " .. bench.names[lua], ("%.2f"):format(bench.median(delays)),
    ("%.2f"):format(slowest) }
  bench.result("body." .. lua .. ".first", bench.median(delays))
end
bench.print("one body: from the server's first byte to the first user", first)

local ratios = { { "", "CPU a user" } }
for _, lua in ipairs(bench.luas) do
  local ours, theirs = cpu["rollcall, " .. bench.names[lua]], cpu["read whole + cjson, " .. bench.names[lua]]
  bench.result("body." .. lua .. ".peak", bench.median_of(costs["rollcall, " .. bench.names[lua]], function(c)
    return c.peak
  end))
  if theirs then
    local ratio = bench.ratio(theirs, ours)
    ratios[#ratios + 1] = { bench.names[lua], ("%.2f x"):format(ratio) }
    bench.result("body." .. lua .. ".cpu", ratio)
  end
end
bench.print("one body: reading it whole and decoding it, against rollcall", ratios)
