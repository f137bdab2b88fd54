-- What the benchmarks share: running programs and what they cost, interleaved rounds, medians,
-- tables, and the results that check.lua compares with the bars.

local bench = {}

local ROOT = assert(os.getenv "BENCH_ROOT", "the benchmarks run by `make bench`")
local PROGRAMS = os.getenv "BENCH_PROGRAMS" -- where floor, measure and relay are
local TIMEOUT = 120 -- seconds of one run

--- The Luas to measure, by name.
bench.luas = {}
for name in os.getenv("BENCH_LUAS"):gmatch "%S+" do
  bench.luas[#bench.luas + 1] = name
end

bench.names = { ["lua5.4"] = "Lua 5.4", luajit = "LuaJIT" }

local function quote(word)
  return "'" .. tostring(word):gsub("'", "'\\''") .. "'"
end

--- A program of the bench's own, such as "floor".
function bench.program(name)
  return PROGRAMS .. "/" .. name
end

--- The path of a file of spec/bench.
function bench.path(name)
  return ROOT .. "/spec/bench/" .. name
end

--- A file of the bench's own to write, among what was built.
function bench.scratch(name)
  return PROGRAMS .. "/" .. name
end

--- The command line for a script of spec/bench on a Lua.
---@param lua string
---@param script string
function bench.script(lua, script, ...)
  local build = os.getenv "BENCH_BUILD"
  return {
    "env",
    ("LUA_PATH=%s/lua/?.lua;%s/lua/?/init.lua;%s/?.lua;;"):format(ROOT, ROOT, ROOT),
    ("LUA_CPATH=%s/%s/?.so;;"):format(build, lua),
    lua, bench.path(script), ...,
  }
end

--- Is a program there?
function bench.has(name)
  local status = os.execute("command -v " .. quote(name) .. " >/dev/null 2>&1")
  return status == true or status == 0
end

--- Can a Lua load a module?
function bench.has_module(lua, module)
  local status = bench.has(lua)
    and os.execute(("%s -e %s >/dev/null 2>&1"):format(lua, quote(("require %q"):format(module))))
  return status == true or status == 0
end

---@class bench.Cost
---@field wall number seconds, from fork to end
---@field cpu number seconds, the system's on its behalf included
---@field peak number MiB
---@field said table<string, string> the last "NAME VALUE" lines that it printed
---@field lines string[]

--- Starts a command.
local function start(command)
  local words = { quote(bench.program "measure"), TIMEOUT }
  for _, word in ipairs(command) do
    words[#words + 1] = quote(word)
  end
  return assert(io.popen(table.concat(words, " ") .. "; echo status $?"))
end

--- Waits for its end; raises where it fails.
local function finish(pipe, command)
  local cost = { said = {}, lines = {} }
  for line in pipe:lines() do
    cost.lines[#cost.lines + 1] = line
    local name, value = line:match "^(%S+) (.*)$"
    if name then
      cost.said[name] = value
    end
  end
  pipe:close()
  if cost.said.status ~= "0" then
    error(("status %s of: %s\n%s"):format(cost.said.status, table.concat(command, " "),
      table.concat(cost.lines, "\n")), 0)
  end
  local wall, user, system, peak = cost.said.measured:match "^(%S+) (%S+) (%S+) (%S+)$"
  cost.wall, cost.cpu, cost.peak = tonumber(wall), tonumber(user) + tonumber(system), tonumber(peak) / 1024
  return cost
end

--- Runs a command to its end; raises where it fails.
---@param command string[]
---@return bench.Cost
function bench.run(command)
  return finish(start(command), command)
end

--- Runs commands at the same time: for those that mostly wait.
---@param contenders { name: string, command: string[] }[]
---@param costs table<string, bench.Cost[]> by the contender's name; theirs are added
function bench.together(contenders, costs)
  local pipes = {}
  for i, one in ipairs(contenders) do
    pipes[i] = start(one.command)
  end
  for i, one in ipairs(contenders) do
    costs[one.name] = costs[one.name] or {}
    table.insert(costs[one.name], finish(pipes[i], one.command))
  end
end

--- Runs each contender in each round, one after the other, so that all meet the same weather.
---@param rounds integer
---@param contenders { name: string, command: string[] }[]
---@return table<string, bench.Cost[]> costs by the contender's name
function bench.rounds(rounds, contenders)
  local costs = {}
  for _ = 1, rounds do
    for _, one in ipairs(contenders) do
      costs[one.name] = costs[one.name] or {}
      table.insert(costs[one.name], bench.run(one.command))
    end
  end
  return costs
end

function bench.median(list)
  local sorted = {}
  for i, value in ipairs(list) do
    sorted[i] = value
  end
  table.sort(sorted)
  local middle = (#sorted + 1) / 2
  return (sorted[math.floor(middle)] + sorted[math.ceil(middle)]) / 2
end

--- The median of a function of each run's cost.
function bench.median_of(costs, f)
  local list = {}
  for i, cost in ipairs(costs) do
    list[i] = f(cost)
  end
  return bench.median(list)
end

--- The median of the quotients, round by round: what slowed a whole round down cancels out.
function bench.ratio(over, under)
  local list = {}
  for i = 1, #over do
    list[i] = over[i] / under[i]
  end
  return bench.median(list)
end

--- The same for a field of costs.
function bench.ratio_of(over, under, field)
  local list = {}
  for i = 1, #over do
    list[i] = over[i][field] / under[i][field]
  end
  return bench.median(list)
end

--- Prints a table: the first row is its head; numbers come as text.
---@param title string
---@param rows string[][]
function bench.print(title, rows)
  local widths = {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do
      widths[i] = math.max(widths[i] or 0, #cell)
    end
  end
  print("\n" .. title)
  for _, row in ipairs(rows) do
    local cells = {}
    for i, cell in ipairs(row) do
      local gap = (" "):rep(widths[i] - #cell)
      cells[i] = i == 1 and cell .. gap or gap .. cell
    end
    print("  " .. table.concat(cells, "  "))
  end
  io.stdout:flush()
end

--- Keeps a figure that bars.lua names.
function bench.result(name, value)
  local file = assert(io.open(os.getenv "BENCH_RESULTS", "a"))
  file:write(name, " ", ("%.6g"):format(value), "\n")
  file:close()
end

function bench.note(text)
  print("  " .. text)
end

return bench
