-- A server that takes 50 ms to answer: pages fetched ahead of a script that works on each, and many
-- accounts at once.

local bench = require "spec.bench.bench"
local sandbox = require "spec.bench.sandbox"

local ROUNDS, DELAY = 5, 0.05
local PAGES, WORK = 40, 0.03
local ACCOUNTS, CONCURRENCY = 64, 16

local ideal_alone = PAGES * (DELAY + WORK)
local ideal_ahead = PAGES * math.max(DELAY, WORK) + math.min(DELAY, WORK)
local ideal_merge = ACCOUNTS / CONCURRENCY * DELAY

local token = sandbox.tesouro_token()

local function walk(lua, ahead)
  local command = { "env", "WALK_URL=" .. sandbox.tesouro_url, "WALK_TOKEN=" .. token,
    "WALK_ORGANIZATION=" .. sandbox.organization(PAGES * 100) }
  for _, word in ipairs(bench.script(lua, "tasks/latency.lua", "prefetch", PAGES, WORK, ahead)) do
    command[#command + 1] = word
  end
  return command
end

local function merge(lua)
  local command = { "env", "WALK_URL=" .. sandbox.dintero_url }
  for _, word in ipairs(bench.script(lua, "tasks/latency.lua", "merge")) do
    command[#command + 1] = word
  end
  return command
end

local walks, merges = {}, {}
for _, lua in ipairs(bench.luas) do
  walks[#walks + 1] = { name = lua .. " 0", command = walk(lua, 0) }
  walks[#walks + 1] = { name = lua .. " 1", command = walk(lua, 1) }
  merges[#merges + 1] = { name = lua .. " merge", command = merge(lua) }
end

sandbox.configure(("delay_ms=%d"):format(DELAY * 1000))
local costs = bench.rounds(ROUNDS, merges)
for _ = 1, ROUNDS do
  bench.together(walks, costs) -- they sleep
end
sandbox.configure "delay_ms=0"

local function said(name, field)
  local list = {}
  for i, cost in ipairs(costs[name]) do
    list[i] = tonumber(cost.said[field])
  end
  return list
end

local rows = { { "", "prefetch = 0", "prefetch = 1", "ratio", "ideal" } }
for _, lua in ipairs(bench.luas) do
  local alone, ahead = said(lua .. " 0", "took"), said(lua .. " 1", "took")
  local ratio = bench.ratio(ahead, alone)
  rows[#rows + 1] = { bench.names[lua], ("%.3f s"):format(bench.median(alone)),
    ("%.3f s"):format(bench.median(ahead)), ("%.3f"):format(ratio), ("%.3f"):format(ideal_ahead / ideal_alone) }
  bench.result("latency." .. lua .. ".prefetch", ratio)
end
bench.print(("latency: %d pages of 50 ms, 30 ms of work after each"):format(PAGES), rows)

rows = { { "", "of one client", "of ideal", "of 64 clients", "of ideal", "CPU s, both" } }
for _, lua in ipairs(bench.luas) do
  local name = lua .. " merge"
  local one, many = bench.median(said(name, "one")), bench.median(said(name, "many"))
  rows[#rows + 1] = { bench.names[lua], ("%.3f s"):format(one), ("%.2f"):format(one / ideal_merge),
    ("%.3f s"):format(many), ("%.2f"):format(many / ideal_merge),
    ("%.3f"):format(bench.median_of(costs[name], function(c) return c.cpu end)) }
  bench.result("latency." .. lua .. ".merge", one / ideal_merge)
end
bench.print(("latency: %d accounts of 50 ms each, %d at a time, tokens to be got first"):format(ACCOUNTS,
  CONCURRENCY), rows)
