-- Decoding counted in instructions, by callgrind: no other load on the machine changes them.

local bench = require "spec.bench.bench"

local TIMES = 5 -- decodes of the same bodies; what a run costs without any is taken off
local bodies = {
  { "tesouro", "Tesouro's pages", share = 0.1, users = 300 },
  { "dintero", "Dintero's users with roles", share = 0.2, users = 150 },
}
local tasks = {
  { "values", "3 fields of each, by values" },
  { "fields", "3 fields of each user" },
  { "iterate", "iterate only" },
  { "totable", "totable of each" },
}

if not bench.has "valgrind" then
  bench.note "instructions: valgrind is not installed, left out"
  return
end

local function command_of(lua, body, task, who, times)
  local command = bench.script(lua, "tasks/decode.lua", times, body[1], task, who)
  -- Behind the variables that `env` sets, before the interpreter.
  for i, word in ipairs { "BENCH_SHARE=" .. body.share, "valgrind", "--tool=callgrind",
    "--callgrind-out-file=/dev/null", "--log-fd=1" } do
    table.insert(command, 3 + i, word)
  end
  return command
end

local function collected(cost)
  for _, line in ipairs(cost.lines) do
    local count = line:match "Collected : (%d+)"
    if count then
      return tonumber(count)
    end
  end
  error "callgrind collected nothing"
end

--- The instructions of a body's tasks, and of cjson and of none, by name.
local function count(lua, body)
  local runs = {
    { name = "none", command = command_of(lua, body, "iterate", "rollcall", 0) },
    { name = "cjson", command = command_of(lua, body, "iterate", "cjson", TIMES) },
  }
  for _, task in ipairs(tasks) do
    runs[#runs + 1] = { name = task[1], command = command_of(lua, body, task[1], "rollcall", TIMES) }
  end
  local costs, counts = {}, {}
  bench.together(runs, costs) -- which changes no count
  for _, run in ipairs(runs) do
    counts[run.name] = collected(costs[run.name][1])
  end
  return counts
end

for _, lua in ipairs(bench.luas) do
  local rows = { { "", "rollcall", "cjson", "" } }
  for _, body in ipairs(bodies) do
    local counts = count(lua, body)
    local function per_user(name)
      return (counts[name] - counts.none) / TIMES / body.users
    end
    local theirs = per_user "cjson"
    for _, task in ipairs(tasks) do
      local ours = per_user(task[1])
      rows[#rows + 1] = { ("%s, %s"):format(body[2], task[2]), ("%.0f"):format(ours), ("%.0f"):format(theirs),
        ("%.2f x"):format(theirs / ours) }
    end
  end
  bench.print(("instructions a user, decode on %s"):format(bench.names[lua]), rows)
end
