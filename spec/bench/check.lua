-- Compares the figures of the last run with the bars: check.lua PART…

local bars = require "spec.bench.bars"
local bench = require "spec.bench.bench"

local parts, figures = {}, {}
for _, part in ipairs(arg) do
  parts[part] = true
end
for line in io.lines((os.getenv "BENCH_RESULTS")) do
  local name, value = line:match "^(%S+) (%S+)$"
  figures[name] = tonumber(value)
end

local missed = 0
local rows = { { "", "bar", "aim", "measured", "" } }

local function compare(bar, name, text)
  local value = figures[name]
  local sign = bar.least and ">=" or "<="
  local function reaches(limit)
    if bar.least then
      return value >= limit
    end
    return value <= limit
  end
  local verdict = "not measured"
  if value then
    verdict = not reaches(bar.least or bar.most) and "MISS" or reaches(bar.aim) and "pass, aim reached" or "pass"
  end
  if verdict == "MISS" or not value then
    missed = missed + 1
  end
  rows[#rows + 1] = { text, ("%s %g"):format(sign, bar.least or bar.most), ("%g"):format(bar.aim),
    value and ("%.2f"):format(value) or "-", verdict }
end

for _, bar in ipairs(bars) do
  if parts[bar.part] then
    for _, lua in ipairs(bench.luas) do
      local name = bar.figure:gsub("LUA", lua)
      if bar.figure:find("LUA", 1, true) or bar.figure:find("." .. lua .. ".", 1, true) then
        compare(bar, name, ("%s, %s"):format(bar.text, bench.names[lua]))
      end
    end
  end
end

bench.print("the bars", rows)
print(("%d of %d reached"):format(#rows - 1 - missed, #rows - 1))
os.exit(missed == 0 and 0 or 1)
