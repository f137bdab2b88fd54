-- What a user costs must not depend on how many there are, nor a byte on how long a user is.

local bench = require "spec.bench.bench"
local sandbox = require "spec.bench.sandbox"

local COUNTS = { 1000, 10000, 100000, 1000000 }
local SIZES = { 100, 1000, 10000, 100000 }

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

--- Lists of figures by number of users or bytes.
local function collect(lines, pattern)
  local lists = {}
  for _, line in ipairs(lines) do
    local key, value = line:match(pattern)
    if key then
      key = tonumber(key)
      lists[key] = lists[key] or {}
      table.insert(lists[key], tonumber(value))
    end
  end
  return lists
end

local function report(title, unit, keys, figures)
  local rows = { { "" } }
  for i, key in ipairs(keys) do
    rows[1][i + 1] = ("%g"):format(key):gsub("e%+0?", "e") .. ""
  end
  for _, lua in ipairs(bench.luas) do
    local row = { bench.names[lua] .. ", " .. unit }
    for i, key in ipairs(keys) do
      row[i + 1] = ("%.2f"):format(bench.median(figures[lua][key]))
    end
    rows[#rows + 1] = row
  end
  bench.print(title, rows)
end

local counts, per_user, per_byte = {}, {}, {}
local environment = { "env", "WALK_URL=" .. sandbox.tesouro_url, "WALK_TOKEN=" .. sandbox.tesouro_token() }
for _, lua in ipairs(bench.luas) do
  local command = { unpack(environment) }
  for _, word in ipairs(bench.script(lua, "tasks/growth.lua", "walk", unpack(COUNTS))) do
    command[#command + 1] = word
  end
  counts[lua] = collect(bench.run(command).lines, "^walk (%d+) (%S+)$")
  local lines = bench.run(bench.script(lua, "tasks/growth.lua", "size", unpack(SIZES))).lines
  per_user[lua] = collect(lines, "^size (%d+) (%S+) %S+$")
  per_byte[lua] = collect(lines, "^size (%d+) %S+ (%S+)$")
end

report("growth: CPU of a walk, by the number of users", "us a user", COUNTS, counts)
report("growth: CPU of decoding, by the bytes of a user", "us a user", SIZES, per_user)
report("growth: the same a byte", "ns a byte", SIZES, per_byte)

for _, lua in ipairs(bench.luas) do
  local function median(lists, key)
    return bench.median(lists[key])
  end
  bench.result("growth." .. lua .. ".users", median(counts[lua], 1000000) / median(counts[lua], 10000))
  bench.result("growth." .. lua .. ".bytes", median(per_byte[lua], 100000) / median(per_byte[lua], 1000))
end
