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

local function count(lua, body, task, who, times)
  local command = bench.script(lua, "tasks/decode.lua", times, body[1], task, who)
  -- Behind the variables that `env` sets, before the interpreter.
  for i, word in ipairs { "BENCH_SHARE=" .. body.share, "valgrind", "--tool=callgrind",
    "--callgrind-out-file=/dev/null", "--log-fd=1" } do
    table.insert(command, 3 + i, word)
  end
  for _, line in ipairs(bench.run(command).lines) do
    local collected = line:match "Collected : (%d+)"
    if collected then
      return tonumber(collected)
    end
  end
  error "callgrind collected nothing"
end

for _, lua in ipairs(bench.luas) do
  local rows = { { "", "rollcall", "cjson", "" } }
  for _, body in ipairs(bodies) do
    local empty = count(lua, body, "iterate", "rollcall", 0)
    local function per_user(task, who)
      return (count(lua, body, task, who, TIMES) - empty) / TIMES / body.users
    end
    local theirs = per_user("iterate", "cjson")
    for _, task in ipairs(tasks) do
      local ours = per_user(task[1], "rollcall")
      rows[#rows + 1] = { ("%s, %s"):format(body[2], task[2]), ("%.0f"):format(ours), ("%.0f"):format(theirs),
        ("%.2f x"):format(theirs / ours) }
    end
  end
  bench.print(("instructions a user, decode on %s"):format(bench.names[lua]), rows)
end
