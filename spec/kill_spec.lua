-- A process that walks is killed anywhere; another one goes on from the checkpoint that was printed last. Up to it
-- each user has come once; those printed behind it come again, and nobody is lost.

local sandbox = require "spec.support.sandbox"
local random = require "sandbox.data.random" -- which spec.support.sandbox has put on the path

local LUA = rawget(_G, "jit") and "luajit" or "lua5.4"
local KILLS = 6

-- Prints a line for each user, and one for a checkpoint after every `every` users.
local PROGRAM = [[
local rollcall = require "rollcall"
local every, buffering = tonumber(arg[1]), arg[2]
io.stdout:setvbuf(buffering)
local options = %s
options.client_id, options.client_secret = os.getenv "SANDBOX_CLIENT_ID", os.getenv "SANDBOX_CLIENT_SECRET"
options.retry, options.idle_timeout = { base = 0.002, attempts = 8 }, 0.2
local query = %s
local file = io.open(arg[3])
if file then
  query.resume = file:read "*l"
  file:close()
end
local users = rollcall.%s(options):users(query)
local count = 0
while true do
  local user, err = users:next()
  if user == nil then
    print(err and "error " .. tostring(err) or "done")
    break
  end
  print("user " .. user.id)
  count = count + 1
  if count %% every == 0 then
    print("checkpoint " .. users:checkpoint())
  end
end
]]

local program, saved

local function write(path, text)
  local file = assert(io.open(path, "w"))
  assert(file:write(text))
  file:close()
end

setup(function()
  program, saved = os.tmpname(), os.tmpname()
end)

teardown(function()
  os.remove(program)
  os.remove(saved)
  sandbox.restore()
end)

--- Runs the program and kills it after so many of its lines (nil: not at all).
---@return string[] lines whole ones
---@return boolean done it came to the end of the walk
local function run(every, buffering, kill_after)
  -- The shell's process becomes the program's: the first line is the number of the one to kill.
  local process = assert(io.popen(("echo $$; exec %s %s %d %s %s 2>&1"):format(LUA, program, every, buffering, saved)))
  local pid = assert(tonumber(process:read "*l"))
  local lines, rest = {}, ""
  while not kill_after or #lines < kill_after do
    local line = process:read "*l"
    if not line then
      break
    end
    lines[#lines + 1] = line
  end
  if kill_after then
    os.execute(("kill -KILL %d 2>/dev/null"):format(pid))
    rest = process:read "*a"
  end
  process:close()
  for line in rest:gmatch "([^\n]*)\n" do -- what breaks off in the middle of a line is no line
    lines[#lines + 1] = line
  end
  return lines, lines[#lines] == "done"
end

--- Walks to the end in processes that are killed; answers how many were.
local function walk(generator, expected)
  os.remove(saved)
  local confirmed, seen, kills = {}, {}, 0
  local done = false
  while not done do
    local lines
    local kill_after = kills < KILLS and generator:int(40) - 1 or nil
    lines, done = run(generator:pick { 1, 3, 10 }, generator:pick { "no", "line", "full" }, kill_after)
    kills = kills + (done and 0 or 1)
    assert(kills < KILLS + 20, "no end: " .. tostring(lines[#lines]))
    local since = {}
    local function confirm()
      for _, id in ipairs(since) do
        assert(not confirmed[id], "twice up to a checkpoint: " .. id)
        confirmed[id] = true
      end
      since = {}
    end
    local checkpoint
    for _, line in ipairs(lines) do
      local what, value = line:match "^(%a+) ?(.*)$"
      if what == "user" then
        assert(expected[value], "not in the data: " .. value)
        seen[value] = true
        since[#since + 1] = value
      elseif what == "checkpoint" then
        checkpoint = value
        confirm()
      elseif what ~= "done" and what ~= "error" then
        error("the program says: " .. line)
      end
    end
    if done then
      confirm()
    elseif checkpoint then
      write(saved, checkpoint .. "\n")
    end
  end
  for id in pairs(expected) do
    assert(seen[id] and confirmed[id], "lost: " .. id)
  end
  return kills
end

local ORGANIZATION = "7e500000-0000-4000-8000-000000000009"

local cases = {
  ["an organization of Tesouro's"] = {
    "tesouro", '{ base_url = os.getenv "SANDBOX_TESOURO_URL" }',
    ('{ status = "ALL", organization_id = "%s", page_size = 10 }'):format(ORGANIZATION),
    (sandbox.data.tesouro.users { status = "ALL", organization_id = ORGANIZATION }),
  },
  ["an account of Dintero's"] = {
    "dintero", '{ base_url = os.getenv "SANDBOX_DINTERO_URL", account = "P87654321" }', "{ prefetch = 0 }",
    (sandbox.data.dintero.users "P87654321"),
  },
  ["accounts, merged"] = {
    "dintero", '{ base_url = os.getenv "SANDBOX_DINTERO_URL", accounts = { "P321", "P87654321", "T123" } }', "{}",
    (sandbox.data.dintero.users "P321"), (sandbox.data.dintero.users "P87654321"), (sandbox.data.dintero.users "T123"),
  },
}

describe("a process that is killed goes on where it said it was:", function()
  for title, case in pairs(cases) do
    local expected = {}
    for at = 4, #case do
      for _, user in ipairs(case[at]) do
        expected[user.id] = true
      end
    end
    for seed = 1, 2 do
      it(("%s, seed %d"):format(title, seed), function()
        sandbox.reset "delay_ms=10"
        write(program, PROGRAM:format(case[2], case[3], case[1]))
        -- Pages come in drips, or not at all: there is time to be killed in.
        sandbox.plan_faults(seed == 1 and { seed = 1, chance = 1, kinds = { "slow" } }
          or { seed = seed, chance = 0.4, kinds = { "cut", "status", "reset", "expire", "slow" } })
        assert.is_true(walk(random.new(seed * 31 + #title), expected) >= 2)
      end)
    end
  end
end)
