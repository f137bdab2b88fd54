-- Neovim while 100,000 users are walked: how late a timer of its loop is; and what an open client costs
-- that has nothing to do.

local bench = require "spec.bench.bench"
local sandbox = require "spec.bench.sandbox"

local ROUNDS, USERS, IDLE = 5, 100000, 3

if not bench.has "nvim" then
  bench.note "editor: Neovim is not installed, left out"
  return
end

local token, organization = sandbox.tesouro_token(), sandbox.organization(USERS)

local function editor(call)
  local command = { "env", "EDITOR_CALL=" .. call, "IDLE=" .. IDLE, "WALK_URL=" .. sandbox.tesouro_url,
    "WALK_TOKEN=" .. token, "WALK_ORGANIZATION=" .. organization }
  local script = bench.script("luajit", "tasks/editor.lua")
  for i = 1, #script - 2 do
    command[#command + 1] = script[i]
  end
  for _, word in ipairs { "nvim", "--headless", "-u", "NONE", "-i", "NONE", "-n", "-S", script[#script] } do
    command[#command + 1] = word
  end
  return command
end

local names = { spawn = "in a task", block = "blocking" }
local costs = bench.rounds(ROUNDS, {
  { name = "spawn", command = editor "spawn" },
  { name = "block", command = editor "block" },
})

local rows = { { "", "late, 99th percentile", "late, worst", "ticks", "walk" } }
for _, name in ipairs { "spawn", "block" } do
  local function median(field)
    return bench.median_of(costs[name], function(cost) return tonumber(cost.said[field]) end)
  end
  for _, cost in ipairs(costs[name]) do
    assert(cost.said.walked:match "^%d+" == tostring(USERS), "walked " .. cost.said.walked)
  end
  rows[#rows + 1] = { names[name], ("%.2f ms"):format(median "p99"), ("%.2f ms"):format(median "worst"),
    ("%d"):format(median "ticks"), ("%.3f s"):format(median "took") }
  if name == "spawn" then
    bench.result("editor.luajit.p99", median "p99")
    bench.result("editor.luajit.worst", median "worst")
  end
end
bench.print("editor: a timer of 5 ms in headless Neovim, while 100,000 users are walked", rows)

local idle = bench.run(editor "idle")
bench.print(("editor: an open client without a walk, for %d s"):format(IDLE),
  { { "", "times the process was woken" }, { "Neovim", idle.said.wakeups } })
bench.result("editor.luajit.idle", tonumber(idle.said.wakeups))
