-- rollcall in another event loop: cqueues (https://25thandclement.com/~william/projects/cqueues.html).
-- Both directories are walked at the same time, each in its own coroutine, while a third one ticks.
--
-- Uses the sandbox, by its variables (see examples/sandbox).

local core = require "rollcall.core"
local cqueues = require "cqueues"
local condition = require "cqueues.condition"
local rollcall = require "rollcall"

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

-- -- the loop: three functions ------------------------------------------------------------------

local TURN = 0.004 -- seconds that a coroutine may run before others get a turn

local states = setmetatable({}, { __mode = "k" }) -- by engine
local walkers = setmetatable({}, { __mode = "k" }) -- by coroutine: the activity seen, and since when it runs

local function state_of(engine)
  states[engine] = states[engine] or { poller = core.poller(), list = {}, moved = condition.new() }
  return states[engine]
end

local function walker()
  local thread = coroutine.running()
  walkers[thread] = walkers[thread] or { seen = setmetatable({}, { __mode = "k" }), since = core.now() }
  return walkers[thread]
end

--- Wakes the coroutines that wait for an engine that another one has driven meanwhile.
local function tell_others()
  for engine, state in pairs(states) do
    local activity = engine:counters()
    if activity ~= state.activity then
      state.activity = activity
      state.moved:signal()
    end
  end
end

--- Has something happened that this coroutine has not seen?
local function has_news(engines)
  local seen, news = walker().seen, false
  for _, engine in ipairs(engines) do
    local activity = engine:counters()
    news = news or activity ~= seen[engine]
    seen[engine] = activity
  end
  return news
end

local loop = {}

function loop.wait(engines, seconds)
  tell_others()
  if has_news(engines) then
    return
  end
  local events = { seconds }
  for _, engine in ipairs(engines) do
    local state = state_of(engine)
    engine:sockets(state.list)
    state.poller:watch(state.list)
    table.insert(events, 1, state.moved)
    table.insert(events, 1, { pollfd = state.poller:number(), events = "r", timeout = engine:timeout() })
  end
  cqueues.poll(unpack(events))
  for _, engine in ipairs(engines) do
    if engine:counters() then -- not closed
      engine:drive()
    end
  end
  tell_others()
  has_news(engines)
  walker().since = core.now()
end

loop.wake = tell_others

function loop.turn()
  local one = walker()
  if core.now() - one.since >= TURN then
    tell_others()
    cqueues.sleep(0)
    one.since = core.now()
  end
end

-- -- the walks ----------------------------------------------------------------------------------

local id, secret = os.getenv "SANDBOX_CLIENT_ID", os.getenv "SANDBOX_CLIENT_SECRET"
local tesouro = rollcall.tesouro {
  client_id = id, client_secret = secret, base_url = os.getenv "SANDBOX_TESOURO_URL", loop = loop,
}
local dintero = rollcall.dintero {
  client_id = id, client_secret = secret, base_url = os.getenv "SANDBOX_DINTERO_URL",
  accounts = { "T12345678", "P87654321" }, loop = loop,
}

local queue, running, ticks = cqueues.new(), 0, 0

--- Counts users in a coroutine of the queue.
local function count(name, users)
  running = running + 1
  queue:wrap(function()
    local n, first_tick = 0, ticks
    for _ in users() do
      n = n + 1
    end
    print(("%s: %d users, %s"):format(name, n, ticks > first_tick and "and the clock ticked" or "in no time"))
    running = running - 1
  end)
end

count("tesouro", function() return tesouro:users { status = "ALL" } end)
count("active in tesouro", function() return tesouro:users() end) -- with the same client
count("dintero", function() return dintero:users() end)
queue:wrap(function()
  while running > 0 do
    ticks = ticks + 1
    cqueues.sleep(0.005)
  end
end)
local good, err = queue:loop()
if not good then
  error(tostring(err), 0) -- not assert, which on LuaJIT raises the last of several values
end
