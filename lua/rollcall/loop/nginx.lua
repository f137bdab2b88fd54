-- How nginx's Lua module (OpenResty, or the module alone) waits: by yielding to the worker.
--
-- A coroutine that waits is a waiter: a semaphore of nginx's, on which it sleeps. One pump a worker, in a timer of its
-- own, looks after all of them while there are any: it drives the engines that they wait for, and wakes whom there is
-- news for. nginx watches no sockets but its own, so the pump looks at libcurl's again and again: a millisecond after
-- the last bytes, and less often the longer none come.
--
-- Those whom it wakes share a slice of half a millisecond with the pump, and whoever has more to do waits for the
-- next one, when nginx has looked at its own sockets: however many walks have plenty of users, the requests of others
-- wait for one slice.
--
-- nginx drops the coroutines of a request that has ended without a word to them. The pump sees that nobody sleeps on
-- the semaphore any more, and closes the stream.

local activity = require "rollcall.loop.activity"
local core = require "rollcall.core"
local errors = require "rollcall.errors"
local task = require "rollcall.task"

local ngx = rawget(_G, "ngx") or package.loaded.ngx
if not (ngx and ngx.get_phase) then
  error("this is not nginx", 0)
end
local semaphore = require "ngx.semaphore"

---@type rollcall.Loop
local loop = {}

-- Seconds. The pump looks at sockets for at most half of a slice. A stream of plentiful users comes by every TURN; what
-- is left of the slice after SLICE_BUDGET is less than that.
local SLICE = 0.0005
local LOOKING, TURN = SLICE / 2, SLICE / 4
local SLICE_BUDGET = SLICE - TURN
local MIN_POLL, MAX_POLL = 0.001, 0.004 -- between two looks at a socket
local IDLE_SLEEP = 1 -- seconds that an idle pump stays, and between two polls of engines without sockets
-- A look comes after this part of the time in which nothing has come.
local BACKOFF_DIVISOR = 4

--- So long a stream of plentiful users goes on before it has its turn.
loop.slice = TURN

-- The phases that can yield. A light thread is in the phase that began it.
local yielding = {
  rewrite = true, server_rewrite = true, access = true, precontent = true, content = true, timer = true,
  preread = true, ssl_cert = true, ssl_session_fetch = true, ssl_client_hello = true,
}

---@class rollcall.Waiter a coroutine that sleeps
---@field semaphore table on which it does, alone
---@field engines rollcall.Engine[]? what it waits for; nil: only its turn
---@field seen table<rollcall.Engine, integer> the activity that it knows of
---@field stream rollcall.Stream? to close where the coroutine is gone
---@field task rollcall.NginxTask?
---@field is_woken boolean its semaphore was posted
---@field is_back boolean it goes on

---@class rollcall.NginxTask: rollcall.Task
---@field is_cancelled boolean
---@field is_begun boolean
---@field is_done boolean
---@field run fun(is_premature: boolean?) what its timer calls
---@field context table? nginx's of its timer, once it has begun
local Task = {}
Task.__index = Task
Task.__name = "rollcall.task"

---@type table<thread, rollcall.NginxTask>
local tasks = setmetatable({}, { __mode = "k" })
---@type table<thread, table<rollcall.Engine, integer>>
local seen_by = setmetatable({}, { __mode = "k" })

--- The task that a coroutine runs. One that was left by ngx.exit is over: nginx gives its coroutine to later requests.
local function task_of(thread)
  local one = tasks[thread]
  if one and one.context ~= ngx.ctx then
    tasks[thread], one.is_done = nil, true
    return nil
  end
  return one
end

local waiting = {} ---@type rollcall.Waiter[]
local ready = {} ---@type rollcall.Waiter[] in the order in which they go on
local woken = {} ---@type rollcall.Waiter[] in this slice

---@class rollcall.EngineState at an engine that somebody waits for
---@field engine rollcall.Engine
---@field activity integer? when it was looked at last
---@field since number when that was new
---@field round integer in which somebody waited for it
local engine_states = {} ---@type table<rollcall.Engine, rollcall.EngineState>
local order = {} ---@type rollcall.EngineState[] the same, those first that were not looked at for the longest time
local looked_at = {} ---@type rollcall.EngineState[] in this round
local round = 0
local slice_began = 0

local unused = {} -- semaphores

-- Seconds after which a pump that has not begun is asked for once more.
local PUMP_LATE = 0.1
-- Tasks in timers at a time: half of what nginx lets run unless told otherwise (lua_max_running_timers).
local MAX_RUNNING_TASKS = 128
-- Seconds after which a task's timer is taken for lost, and from one look at them to the next where the pump may be
-- lost, too: where there are more timers than these, fewer than any limit is set to.
local TASK_LATE, WATCH, FEW_TIMERS = 1, 1, 16

local running, asked_count = 0, 0 -- tasks that have begun; those that a timer was asked for

local pump_runs = false -- or was asked for
local pump_began, pump_asked = false, 0 -- nginx drops timers silently where too many run
local bell = semaphore.new()
local sleeps_until -- the pump; nil while it does not sleep

-- -- the pump -------------------------------------------------------------------------------------

--- Is its coroutine gone, with the request that it belonged to? One who was woken may not have gone on yet: nginx
--- runs those after the timers that are due, the pump's among them. A post that nobody took is left on the semaphore.
local function is_gone(one)
  return not one.is_back and one.semaphore:count() >= (one.is_woken and 1 or 0)
end

local function abandon(one)
  if one.stream then
    local good, problem = pcall(one.stream.close, one.stream)
    if not good then
      ngx.log(ngx.ERR, "rollcall: ", tostring(problem))
    end
  end
end

local function want(engine)
  local look = engine_states[engine]
  if not look then
    look = { engine = engine, since = core.now() }
    engine_states[engine] = look
    order[#order + 1] = look
  end
  look.round = round
end

--- Does it still sleep? One whose coroutine is gone is abandoned.
local function still_sleeps(one)
  if is_gone(one) then
    abandon(one)
    return false
  end
  return not one.is_back
end

--- Leaves in a list, in their order, those for whom `stays` is true.
local function keep(list, stays)
  local kept = 0
  for i = 1, #list do
    local one = list[i]
    list[i] = nil
    if stays(one) then
      kept = kept + 1
      list[kept] = one
    end
  end
end

--- Lets go of those who are gone or go on already, and finds what the others wait for.
local function look_at_waiters()
  round = round + 1
  keep(waiting, still_sleeps)
  for i = 1, #waiting do
    for j = 1, #waiting[i].engines do
      want(waiting[i].engines[j])
    end
  end
end

--- Drives it. In how many seconds it wants to be looked at again.
local function look_at(look)
  local engine = look.engine
  if not engine:counters() then
    return IDLE_SLEEP -- it was closed, which is news
  end
  engine:drive()
  local count, now = engine:counters(), core.now()
  if count ~= look.activity then
    look.activity, look.since = count, now
  end
  local seconds = engine:timeout() or IDLE_SLEEP
  if engine:sockets(look) > 0 then
    seconds = math.min(seconds, MAX_POLL, (now - look.since) / BACKOFF_DIVISOR)
  end
  return math.max(seconds, MIN_POLL)
end

--- Drives what somebody waits for, one at least and as many as the slice allows, and forgets the rest. In how many
--- seconds it is to be done again.
local function drive()
  local soonest, kept, looked = IDLE_SLEEP, 0, 0
  for i = 1, #order do
    local look = order[i]
    order[i] = nil
    if look.round ~= round then
      engine_states[look.engine] = nil
    elseif looked == 0 or core.now() - slice_began < LOOKING then
      looked = looked + 1
      looked_at[looked] = look
      soonest = math.min(soonest, look_at(look))
    else
      kept = kept + 1
      order[kept] = look
      soonest = MIN_POLL
    end
  end
  for i = 1, looked do
    order[kept + i], looked_at[i] = looked_at[i], nil
  end
  return soonest
end

--- Those for whom there is news wait for their turn only.
local function find_ready()
  keep(waiting, function(one)
    if activity.has_news(one.seen, one.engines) or (one.task and one.task.is_cancelled) then
      ready[#ready + 1] = one
      return false
    end
    return true
  end)
end

--- Wakes the next one, who goes on when the running coroutine has yielded.
local function wake_next()
  while ready[1] do
    local one = table.remove(ready, 1)
    if still_sleeps(one) then
      one.is_woken = true
      one.semaphore:post()
      woken[#woken + 1] = one
      return
    end
  end
end

--- Those who were woken have gone on, will do so when the timers that are due have run, or are gone.
local function look_at_woken()
  keep(woken, still_sleeps)
end

--- Sleeps. Who rings the bell has it sleep for so long as a slice at most. It is a timer in any case that wakes it: so
--- nginx has looked at its sockets meanwhile.
local function rest(seconds)
  local is_rung
  repeat
    sleeps_until = core.now() + seconds
    is_rung = bell:wait(seconds)
    seconds = MIN_POLL
  until not is_rung
  sleeps_until = nil
end

--- Lets those go on for whom there is something. In how many seconds the next round is to be.
local function go_round()
  slice_began = core.now()
  look_at_woken()
  look_at_waiters()
  local seconds = drive()
  find_ready()
  wake_next()
  return #woken > 0 and MIN_POLL or seconds
end

local watch -- over tasks, below

local function pump()
  if pump_began then
    return -- the one that was asked for first has come late
  end
  pump_began = true
  local is_alone
  repeat
    local good, answer = pcall(go_round)
    if not good then
      ngx.log(ngx.ERR, "rollcall: ", tostring(answer)) -- no memory, say
      engine_states, order, looked_at = {}, {}, {} -- nobody is left out who was being moved
    end
    running = math.min(running, ngx.timer.running_count() - 1)
    if asked_count > 0 then
      watch()
    end
    is_alone = #woken == 0 and #waiting == 0 and #ready == 0
    rest(good and answer or MAX_POLL)
  until is_alone and #waiting == 0 and #ready == 0 and running + asked_count == 0
  pump_runs, pump_began = false, false
end

--- Asks for a timer that calls a function at once; nil and why where nginx gives none.
local function ask_timer(f)
  local is_called, good, problem = pcall(ngx.timer.at, 0, f)
  if is_called and good then
    return true
  end
  return nil, tostring(is_called and problem or good)
end

--- Has the pump look soon.
local function ring()
  local now = core.now()
  if not pump_runs or (not pump_began and now - pump_asked > PUMP_LATE) then
    local good, problem = ask_timer(pump)
    if not good then
      return nil, problem
    end
    pump_runs, pump_asked = true, now
  elseif sleeps_until and sleeps_until - core.now() > 2 * MIN_POLL then
    sleeps_until = nil
    bell:post()
  end
  return true
end

-- -- the coroutines -------------------------------------------------------------------------------

--- Raises in the first function that is none of rollcall's own: it is there that somebody calls from where it cannot
--- be waited.
local function misuse(message)
  local level = 2
  local own = debug.getinfo(1, "S").source:match "^(.*[/\\])loop[/\\]"
  local info = debug.getinfo(level, "S")
  while info and (info.what == "C" or (own and info.source:sub(1, #own) == own)) do
    level = level + 1
    info = debug.getinfo(level, "S")
  end
  error(message, info and level or 0)
end

-- The table of the registry that nginx keeps its threads in, once it is known, and those that were found there.
local anchors
local anchored = setmetatable({}, { __mode = "k" })

--- Is this coroutine in a table?
---@return boolean is_there
---@return boolean has_threads
local function has_thread(list, thread)
  local has_threads = false
  for _, one in pairs(list) do
    if one == thread then
      return true, true
    end
    has_threads = has_threads or type(one) == "thread"
  end
  return false, has_threads
end

--- Does nginx end what this coroutine waits for when it ends the request? It knows handlers, timers and light threads,
--- and keeps them in a table of the registry. Of a coroutine that a script has made itself it forgets that it waits,
--- and crashes when the semaphore is posted after the request has gone.
local function is_anchored(thread)
  if anchored[thread] or anchors and has_thread(anchors, thread) then
    anchored[thread] = true
    return true
  end
  local are_kept = false -- or this is another nginx than those known here
  for key, list in pairs(debug.getregistry()) do
    if type(key) == "userdata" and type(list) == "table" then
      local is_there, has_threads = has_thread(list, thread)
      if is_there then
        anchors, anchored[thread] = list, true
        return true
      end
      are_kept = are_kept or has_threads
    end
  end
  return not are_kept
end

local function check_phase()
  local phase = ngx.get_phase()
  if not yielding[phase] then
    misuse(('rollcall: nginx cannot wait in the phase "%s"; walk in rewrite, access, content or a timer, as of '
      .. 'ngx.timer.at%s'):format(phase, phase == "init" and ', or by a client with loop = "blocking"'
      or " or rollcall.spawn"))
  elseif phase ~= "timer" and not is_anchored(coroutine.running()) then
    misuse("rollcall: in a request nginx cannot wait in a coroutine of one's own, since it would crash where the "
      .. "request ends before; walk in the handler, or in a light thread of ngx.thread.spawn")
  end
end

local function check_place()
  check_phase()
  if not core.can_yield() then
    misuse "rollcall: nginx cannot wait here: a function in C, such as table.sort, has called the one that waits"
  end
end

--- Sleeps until the pump wakes it, or so many seconds are over.
local function pause(thread, engines, seen, seconds, stream)
  local one = {
    semaphore = table.remove(unused) or assert(semaphore.new()),
    engines = engines,
    seen = seen,
    stream = stream,
    task = task_of(thread),
    is_woken = false,
    is_back = false,
  }
  local good, problem = ring()
  if not good then
    return nil, errors.new("closed", "nginx gives no timer to wait by: " .. problem)
  end
  if core.now() - slice_began < SLICE_BUDGET then
    wake_next() -- the rest of the slice is another's
  else
    ngx.update_time() -- or nginx would wait for the pump's timer, whose time has come
  end
  if not pump_began then
    seconds = math.min(seconds, 1) -- and then it is asked for again
  end
  local list = engines and waiting or ready
  list[#list + 1] = one
  local is_posted = one.semaphore:wait(seconds)
  one.is_back = true
  one.stream, one.engines, one.seen = nil, nil, nil -- the pump lets go of it later
  if (is_posted == true) == one.is_woken then -- or a post is left on it
    unused[#unused + 1] = one.semaphore
  end
  if one.task and one.task.is_cancelled then
    return nil, task.cancelled()
  end
  return true
end

-- A semaphore's wait has an end.
local LONGEST = 3600

--- What a cancelled task is told. One that tries again and again must not stop the worker: from the second time on it
--- has its turn first.
local function refuse(mine, thread)
  if mine.is_refused and core.can_yield() then
    return pause(thread, nil, nil, LONGEST)
  end
  mine.is_refused = true
  return nil, task.cancelled()
end

---@param stream rollcall.Stream?
---@return boolean? good
---@return rollcall.Error? err
function loop.turn(stream)
  check_phase() -- before anything is sent
  local thread = coroutine.running()
  local mine = task_of(thread)
  if mine and mine.is_cancelled then
    return refuse(mine, thread)
  elseif core.now() - slice_began < SLICE_BUDGET or not core.can_yield() then
    return true
  end
  return pause(thread, nil, nil, LONGEST, stream)
end

---@param engines rollcall.Engine[]
---@param seconds number?
---@param stream rollcall.Stream?
---@return boolean? good
---@return rollcall.Error? err
function loop.wait(engines, seconds, stream)
  check_place()
  local thread = coroutine.running()
  local seen = seen_by[thread]
  if not seen then
    seen = setmetatable({}, { __mode = "k" })
    seen_by[thread] = seen
  end
  local mine = task_of(thread)
  if mine and mine.is_cancelled then
    return refuse(mine, thread)
  elseif activity.has_news(seen, engines) then
    return loop.turn(stream)
  end
  for i = 1, #engines do
    engines[i]:drive() -- what is to be sent is sent now
  end
  if activity.has_news(seen, engines) or (seconds and seconds <= 0) then
    return loop.turn(stream)
  end
  return pause(thread, engines, seen, math.max(0.001, math.min(seconds or LONGEST, LONGEST)), stream)
end

--- Has the pump look at once whether those who wait still have to.
function loop.wake()
  if pump_runs then
    ring()
  end
end

-- -- tasks ----------------------------------------------------------------------------------------

local asked = {} ---@type table<function, number> since when, of tasks that a timer was asked for
local max_running_tasks = MAX_RUNNING_TASKS -- fewer for a while, after nginx has dropped some
local queued = {} ---@type fun(is_premature: boolean?)[] that begin when others have ended
local is_watched, is_ending = false, false

--- Asks for a timer to run a task in; nil and why where nginx gives none.
local function ask(run)
  local good, problem = ask_timer(run)
  if good then
    asked[run], asked_count = core.now(), asked_count + 1
  end
  return good, problem
end

local function is_asked_no_more(run)
  if asked[run] then
    asked[run], asked_count = nil, asked_count - 1
  end
end

--- The worker ends: tells those that wait.
local function end_tasks()
  is_ending = true
  for _ = 1, #queued do -- and not those that on_done adds
    local good, problem = pcall(table.remove(queued, 1), true)
    if not good then
      ngx.log(ngx.ERR, "rollcall: ", tostring(problem))
    end
  end
  is_ending = false
end

--- Begins those that wait, as many as may run.
local function begin_tasks()
  running = math.min(running, ngx.timer.running_count()) -- who has left a task by ngx.exit told nobody
  if #queued == 0 then
    max_running_tasks = MAX_RUNNING_TASKS
  elseif ngx.worker.exiting() and not is_ending then
    end_tasks()
  end
  while asked_count + running < max_running_tasks and queued[1] and ask(queued[1]) do
    table.remove(queued, 1)
  end
end

--- Where too many timers run (lua_max_running_timers) nginx drops those that are due, without a word. Tasks whose timer
--- has not come by then are begun anew, no more at a time than have come by.
function watch()
  local now, late = core.now(), {}
  for run, since in pairs(asked) do
    late[#late + 1] = now - since > TASK_LATE and run or nil
  end
  for _, run in ipairs(late) do
    is_asked_no_more(run)
    table.insert(queued, 1, run)
  end
  if #late > 0 then
    max_running_tasks = math.max(1, running)
  end
  begin_tasks()
end

--- Runs a function in a timer of its own, which no request is the owner of. In a request, `ngx.thread.spawn` makes
--- light threads that end with it; there every call yields as well.
---@param f function
---@param on_done (fun(err: any, ...: any))?
---@return rollcall.Task
function loop.spawn(f, on_done)
  local one = setmetatable({ is_cancelled = false, is_begun = false, is_done = false }, Task)
  function one.run(is_premature)
    is_asked_no_more(one.run)
    if one.is_begun then
      return -- its first timer has only been late
    end
    one.is_begun = true
    one.is_cancelled = one.is_cancelled or is_premature -- the worker ends
    running, max_running_tasks = running + 1, math.min(max_running_tasks + 1, MAX_RUNNING_TASKS)
    local outcome
    if one.is_cancelled then
      outcome = { n = 1, task.cancelled() }
    else
      local thread = coroutine.running()
      tasks[thread], one.context = one, ngx.ctx
      outcome = task.call(f)
      tasks[thread] = nil
    end
    one.is_done = true
    running = running - 1
    begin_tasks()
    task.report(on_done, outcome, one.is_cancelled) -- nginx logs what it raises
  end
  if queued[1] or asked_count + running >= max_running_tasks then
    queued[#queued + 1] = one.run
    begin_tasks()
  else
    ring() -- the pump goes first: tasks must not take the last timer from it
    local good, problem = ask(one.run)
    if not good then
      error(("spawn: nginx gives no timer to run it in, in the phase %q: %s"):format(ngx.get_phase(), problem), 3)
    end
  end
  if not is_watched and ngx.timer.running_count() + ngx.timer.pending_count() > FEW_TIMERS then
    is_watched = ngx.timer.every(WATCH, watch) ~= nil -- which ends with the worker only
  end
  return one
end

function Task:cancel()
  if self.is_done or self.is_cancelled then
    return false
  end
  self.is_cancelled = true
  for i, run in ipairs(queued) do
    if run == self.run and ask(run) then -- to be told, beyond those that may run
      table.remove(queued, i)
      break
    end
  end
  loop.wake()
  return true
end

return loop
