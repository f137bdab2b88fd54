-- Decoding pages that are in memory: rollcall against lua-cjson, fed the same bytes.

local bench = require "spec.bench.bench"

local ROUNDS = 5

local bodies = {
  { "tesouro", "Tesouro's pages" },
  { "dintero", "Dintero's users with roles" },
  { "spellings", "any spelling of JSON" },
}
local tasks = {
  { "values", "3 fields of each, by values" },
  { "fields", "3 fields of each user" },
  { "iterate", "iterate only" },
  { "totable", "totable of each" },
}

--- Runs the work on a Lua: lists of microseconds a user, cpu and wall, by "body task who".
local function measure(lua)
  local cpu, wall, sizes = {}, {}, {}
  for _, line in ipairs(bench.run(bench.script(lua, "tasks/decode.lua", ROUNDS)).lines) do
    local body, size = line:match "^size (%S+) (%d+)$"
    if body then
      sizes[body] = size
    end
    local label, one_cpu, one_wall = line:match "^run (%S+ %S+ %S+) (%S+) (%S+)$"
    if label then
      cpu[label], wall[label] = cpu[label] or {}, wall[label] or {}
      table.insert(cpu[label], tonumber(one_cpu))
      table.insert(wall[label], tonumber(one_wall))
    end
  end
  return cpu, wall, sizes
end

for _, lua in ipairs(bench.luas) do
  local cpu, wall, sizes = measure(lua)
  local rows = { { "", "B/user", "rollcall us", "cjson us", "CPU", "wall" } }
  local function row(text, body, task, who)
    local ours, theirs = ("%s %s %s"):format(body, task, who), ("%s %s cjson"):format(body, task)
    local ratio = bench.ratio(cpu[theirs], cpu[ours])
    rows[#rows + 1] = { text, sizes[body], ("%.2f"):format(bench.median(cpu[ours])),
      ("%.2f"):format(bench.median(cpu[theirs])), ("%.2f x"):format(ratio),
      ("%.2f x"):format(bench.ratio(wall[theirs], wall[ours])) }
    return ratio
  end
  for _, body in ipairs(bodies) do
    for _, task in ipairs(tasks) do
      if not cpu[("%s %s cjson"):format(body[1], task[1])] then
        break
      end
      local ratio = row(("%s, %s"):format(body[2], task[2]), body[1], task[1], "rollcall")
      bench.result(("decode.%s.%s.%s"):format(lua, body[1], task[1]), ratio)
    end
    row(("%s, by values, fed 16 KiB at a time"):format(body[2]), body[1], "values", "pieces")
    row(("%s, 3 fields, fed 16 KiB at a time"):format(body[2]), body[1], "fields", "pieces")
  end
  bench.print(("decode on %s: CPU a user, and how many times as fast as cjson"):format(bench.names[lua]), rows)
end
