-- The loop of nginx's Lua module (OpenResty, or the module alone): a wait yields to the worker.
--
-- A coroutine that waits is a waiter: it sleeps on an nginx semaphore. One pump per worker, in a timer of its own,
-- serves all waiters while there are any: it drives the engines that they wait for, and wakes those that have news.
-- nginx watches only its own sockets, so the pump polls libcurl's: a millisecond after the last bytes, and less often
-- the longer none arrive.
--
-- The coroutines that it wakes share a slice of half a millisecond with the pump. One that has more to do waits for the
-- next slice, after nginx has served its own sockets: however many walks have plenty of users, other requests wait for
-- only one slice.
--
-- When a request ends, nginx drops its coroutines without notice. The pump sees that no coroutine sleeps on the
-- semaphore any more, and closes the stream.

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

-- Seconds. The pump polls sockets for at most half of a slice. A stream of plentiful users calls `turn` every TURN;
-- after SLICE_BUDGET less than that is left of the slice.
local SLICE = 0.0005
local LOOKING, TURN = SLICE / 2, SLICE / 4
local SLICE_BUDGET = SLICE - TURN
local MIN_POLL, MAX_POLL = 0.001, 0.004 -- between two polls of a socket
local IDLE_SLEEP = 1 -- seconds that an idle pump stays, and between two polls of engines without sockets
-- The next poll is after the time without news, divided by this.
local BACKOFF_DIVISOR = 4

--- Seconds between calls of `turn` while users are plentiful.
loop.slice = TURN

-- The phases that can yield. A light thread is in the phase in which it was spawned.
local yielding = {
  rewrite = true, server_rewrite = true, access = true, precontent = true, content = true, timer = true,
  preread = true, ssl_cert = true, ssl_session_fetch = true, ssl_client_hello = true,
}

---@class rollcall.Waiter a coroutine that sleeps
---@field semaphore table it sleeps on this one alone
---@field engines rollcall.Engine[]? what it waits for; nil: only for its turn
---@field seen table<rollcall.Engine, integer>? see activity.has_news; nil: it waits only for its turn
---@field stream rollcall.Stream? to close if the coroutine is gone
---@field task rollcall.NginxTask?
---@field is_woken boolean its semaphore was posted
---@field is_back boolean it runs again

---@class rollcall.NginxTask: rollcall.Task
---@field is_cancelled boolean
---@field is_begun boolean
---@field is_done boolean
---@field is_refused boolean? it has got the error of its cancellation once
---@field run fun(is_premature: boolean?) what its timer calls
---@field context table? ngx.ctx of its timer, once it has begun
local Task = {}
Task.__index = Task
Task.__name = "rollcall.task"

---@type table<thread, rollcall.NginxTask>
local tasks = setmetatable({}, { __mode = "k" })
---@type table<thread, table<rollcall.Engine, integer>>
local seen_by = setmetatable({}, { __mode = "k" })

--- The task that a coroutine runs. A task left by ngx.exit is over: nginx reuses its coroutine for later requests.
local function task_of(thread)
  local one = tasks[thread]
  if one and one.context ~= ngx.ctx then
    tasks[thread], one.is_done = nil, true
    return nil
  end
  return one
end

local waiting = {} ---@type rollcall.Waiter[]
local ready = {} ---@type rollcall.Waiter[] in the order in which they will be woken
local woken = {} ---@type rollcall.Waiter[] in this slice

---@class rollcall.EngineState of an engine that a waiter waits for; also the list for Engine:sockets
---@field engine rollcall.Engine
---@field activity integer? the first of its `counters` at the last poll
---@field since number time of core.now at which that changed
---@field round integer the last round in which a waiter waited for it
local engine_states = {} ---@type table<rollcall.Engine, rollcall.EngineState>
local order = {} ---@type rollcall.EngineState[] the same, least recently polled first
local looked_at = {} ---@type rollcall.EngineState[] polled in this round
local round = 0
local slice_began = 0

local unused = {} -- semaphores

-- Seconds after which a pump that has not begun is requested again.
local PUMP_LATE = 0.1
-- Tasks in timers at a time: half of nginx's default limit (lua_max_running_timers).
local MAX_RUNNING_TASKS = 128
-- Seconds after which a task's timer is taken for lost, and between two checks of tasks for the case that the pump is
-- lost, too; the checks begin if there are more than FEW_TIMERS timers, which is less than any usual limit.
local TASK_LATE, WATCH, FEW_TIMERS = 1, 1, 16

local running, asked_count = 0, 0 -- tasks that have begun; tasks for which a timer was requested

local pump_runs = false -- or was requested
local pump_began, pump_asked = false, 0 -- nginx drops timers silently if too many run
local bell = semaphore.new()
local sleeps_until -- when the pump's sleep ends; nil while it does not sleep

-- -- the pump -------------------------------------------------------------------------------------

--- Is the waiter's coroutine gone, with its request? A woken one may not have gone on yet: nginx runs those after the
--- timers that are due, the pump's among them. A post that no coroutine took stays on the semaphore.
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

--- Does the waiter still sleep? If its coroutine is gone, its stream is closed.
local function still_sleeps(one)
  if is_gone(one) then
    abandon(one)
    return false
  end
  return not one.is_back
end

--- Keeps in a list, in their order, the elements for which `stays` is true.
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

--- Drops the waiters that are gone or run again, and collects the engines that the others wait for.
local function look_at_waiters()
  round = round + 1
  keep(waiting, still_sleeps)
  for i = 1, #waiting do
    for j = 1, #waiting[i].engines do
      want(waiting[i].engines[j])
    end
  end
end

--- Drives an engine. Returns the seconds until it must be polled again.
local function look_at(look)
  local engine = look.engine
  if not engine:counters() then
    return IDLE_SLEEP -- it is closed, which is news for its waiters
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

--- Drives the engines that are waited for, at least one and as many as the slice allows, and forgets the others.
--- Returns the seconds until the next round.
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

--- Moves the waiters that have news to `ready`: they wait only for their turn.
local function find_ready()
  keep(waiting, function(one)
    if activity.has_news(one.seen, one.engines) or (one.task and one.task.is_cancelled) then
      ready[#ready + 1] = one
      return false
    end
    return true
  end)
end

--- Wakes the next waiter, which goes on when the running coroutine has yielded.
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

--- Drops the woken waiters that run again or are gone; the others go on when the timers that are due have run.
local function look_at_woken()
  keep(woken, still_sleeps)
end

--- Sleeps. If the bell rings, it sleeps on for MIN_POLL at most. In any case a timer wakes it, so that nginx has served
--- its sockets meanwhile.
local function rest(seconds)
  local is_rung
  repeat
    sleeps_until = core.now() + seconds
    is_rung = bell:wait(seconds)
    seconds = MIN_POLL
  until not is_rung
  sleeps_until = nil
end

--- Drives engines and wakes a waiter that has news. Returns the seconds until the next round.
local function go_round()
  slice_began = core.now()
  look_at_woken()
  look_at_waiters()
  local seconds = drive()
  find_ready()
  wake_next()
  return #woken > 0 and MIN_POLL or seconds
end

local watch -- of tasks, below

local function pump()
  if pump_began then
    return -- a pump that was requested before began late
  end
  pump_began = true
  local is_alone
  repeat
    local good, answer = pcall(go_round)
    if not good then
      ngx.log(ngx.ERR, "rollcall: ", tostring(answer)) -- such as out of memory
      engine_states, order, looked_at = {}, {}, {} -- built anew, so that none is lost between the lists
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

--- Requests a timer that calls a function at once; nil and why if nginx gives none.
local function ask_timer(f)
  local is_called, good, problem = pcall(ngx.timer.at, 0, f)
  if is_called and good then
    return true
  end
  return nil, tostring(is_called and problem or good)
end

--- Makes the pump begin its next round soon; starts a pump if none runs. nil and why if nginx gives no timer.
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

--- Raises at the first function that is not rollcall's own: it makes the call from a place where waiting is impossible.
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

-- nginx's registry table of its coroutines, once found; and coroutines known to be in it.
local anchors
local anchored = setmetatable({}, { __mode = "k" })

--- Is this coroutine a value of a table?
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

--- Does nginx end this coroutine's wait when it ends the request? It does for handlers, timers and light threads, which
--- it keeps in a registry table. It does not for a coroutine that a script has created: it crashes when the semaphore
--- is posted after the request has ended.
local function is_anchored(thread)
  if anchored[thread] or anchors and has_thread(anchors, thread) then
    anchored[thread] = true
    return true
  end
  local are_kept = false -- stays false in an nginx that keeps its coroutines differently
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

--- Sleeps until the pump wakes the coroutine, or this many seconds are over.
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
    wake_next() -- another one gets the rest of the slice
  else
    ngx.update_time() -- otherwise nginx would wait for the pump's timer, although it is due
  end
  if not pump_began then
    seconds = math.min(seconds, 1) -- then the pump is requested again
  end
  local list = engines and waiting or ready
  list[#list + 1] = one
  local is_posted = one.semaphore:wait(seconds)
  one.is_back = true
  one.stream, one.engines, one.seen = nil, nil, nil -- the pump drops `one` later
  if (is_posted == true) == one.is_woken then -- otherwise a post is left on it
    unused[#unused + 1] = one.semaphore
  end
  if one.task and one.task.is_cancelled then
    return nil, task.cancelled()
  end
  return true
end

-- Seconds: a semaphore's wait needs a limit.
local LONGEST = 3600

--- The result for a cancelled task. One that retries forever must not block the worker: from the second time on it
--- yields first.
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
    engines[i]:drive() -- sends requests now
  end
  if activity.has_news(seen, engines) or (seconds and seconds <= 0) then
    return loop.turn(stream)
  end
  return pause(thread, engines, seen, math.max(0.001, math.min(seconds or LONGEST, LONGEST)), stream)
end

--- Makes the pump check soon whether waiters still have to wait.
function loop.wake()
  if pump_runs then
    ring()
  end
end

-- -- tasks ----------------------------------------------------------------------------------------

local asked = {} ---@type table<function, number> when a timer was requested, by the task's `run`
local max_running_tasks = MAX_RUNNING_TASKS -- fewer for a while, after nginx has dropped some
local queued = {} ---@type fun(is_premature: boolean?)[] `run` of tasks that begin when others have ended
local is_watched, is_ending = false, false

--- Requests a timer for a task; nil and why if nginx gives none.
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

--- The worker exits: ends the queued tasks, which calls their on_done.
local function end_tasks()
  is_ending = true
  for _ = 1, #queued do -- but not those that on_done adds
    local good, problem = pcall(table.remove(queued, 1), true)
    if not good then
      ngx.log(ngx.ERR, "rollcall: ", tostring(problem))
    end
  end
  is_ending = false
end

--- Begins queued tasks, as many as may run.
local function begin_tasks()
  running = math.min(running, ngx.timer.running_count()) -- a task left by ngx.exit was not counted down
  if #queued == 0 then
    max_running_tasks = MAX_RUNNING_TASKS
  elseif ngx.worker.exiting() and not is_ending then
    end_tasks()
  end
  while asked_count + running < max_running_tasks and queued[1] and ask(queued[1]) do
    table.remove(queued, 1)
  end
end

--- If too many timers run (lua_max_running_timers), nginx silently drops those that are due. Tasks whose timers are
--- late are queued again, and the limit of running tasks becomes the number that runs now.
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

--- Runs a function in a timer of its own, which belongs to no request. In a request, `ngx.thread.spawn` makes light
--- threads that end with it; there every call yields as well.
---@param f function
---@param on_done (fun(err: any, ...: any))?
---@return rollcall.Task
function loop.spawn(f, on_done)
  local one = setmetatable({ is_cancelled = false, is_begun = false, is_done = false }, Task)
  function one.run(is_premature)
    is_asked_no_more(one.run)
    if one.is_begun then
      return -- its first timer was only late
    end
    one.is_begun = true
    one.is_cancelled = one.is_cancelled or is_premature -- the worker exits
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
    is_watched = ngx.timer.every(WATCH, watch) ~= nil -- it ends only with the worker
  end
  return one
end

function Task:cancel()
  if self.is_done or self.is_cancelled then
    return false
  end
  self.is_cancelled = true
  for i, run in ipairs(queued) do
    if run == self.run and ask(run) then -- its on_done is called soon, beyond the limit of running tasks
      table.remove(queued, i)
      break
    end
  end
  loop.wake()
  return true
end

return loop
