-- How Neovim, and a script on luv, wait: by poll handles and one timer of the host's loop.
--
-- A task is a coroutine that this module has made. Only there a call yields; elsewhere it blocks, as
-- a script expects. Before the loop goes to sleep, in the callback of a prepare handle, `settle` looks
-- what each waiting task waits for, wakes those for whom there is news, and watches the sockets and
-- timeouts of the engines of the others. So whatever has moved an engine meanwhile, nobody is forgotten
-- and nothing polls. The handles are there as long as tasks are.
--
-- What is woken runs on the main loop: in Neovim by vim.schedule, since its API may not be called
-- from a callback of uv's.

local core = require "rollcall.core"
local task = require "rollcall.task"

local vim = rawget(_G, "vim")
local uv = vim and (vim.uv or vim.loop) or require "luv"

---@type rollcall.Loop
local loop = {}

-- Seconds that a task may go on before others have their turn.
local TURN = 0.004
-- Where a socket cannot be watched, for want of descriptors: seconds between looks at it.
local BLIND = 0.02

---@class rollcall.UvTask: rollcall.Task
---@field state "ready"|"running"|"waiting"|"done" running: also where it has yielded to somebody else
---@field thread thread
---@field on_done function?
---@field cancelled boolean
---@field resumed_at number
---@field engines rollcall.Engine[]? what it waits for
---@field wake_at number?
---@field seen table<rollcall.Engine, integer> the activity that it knows of
---@field outcome rollcall.Outcome? once it is done, until on_done is told
local Task = {}
Task.__index = Task
Task.__name = "rollcall.task"

---@type table<thread, rollcall.UvTask>
local tasks = setmetatable({}, { __mode = "k" })
---@type table<rollcall.UvTask, boolean>
local alive = {}

-- -- the loop's handles -------------------------------------------------------------------------

local prepare, idle, timer -- while tasks are alive, or something is to be done later
local queue = {} -- functions for the loop's next round
local queued = 0

---@class rollcall.UvWatcher of an engine
---@field engine rollcall.Engine
---@field version integer? of the sockets that the polls stand for
---@field list any[] see Engine:sockets
---@field polls table<integer, { handle: userdata, descriptor: rollcall.Descriptor, fd: integer, wanted: string,
---  events: string? }> by the socket's id; events: what the handle is started for
---@field is_wanted boolean somebody waits
---@field is_blind boolean a socket is not watched

---@type table<rollcall.Engine, rollcall.UvWatcher>
local watchers = {}

local function close_poll(poll)
  poll.handle:close()
  poll.descriptor:close()
end

local function close_watcher(watcher)
  for _, poll in pairs(watcher.polls) do
    close_poll(poll)
  end
  watchers[watcher.engine] = nil
end

--- Nobody is left: closes all handles.
local function rest()
  if prepare and next(alive) == nil and queued == 0 then
    prepare:close()
    idle:close()
    timer:close()
    prepare, idle, timer = nil, nil, nil
    for _, watcher in pairs(watchers) do
      close_watcher(watcher)
    end
  end
end

local settle, next_round -- below

local function run_queue()
  idle:stop()
  local due, n = queue, queued
  queue, queued = {}, 0
  for i = 1, n do
    if vim then
      vim.schedule(due[i])
    else
      local good, problem = pcall(due[i])
      if not good then
        for j = i + 1, n do
          next_round(due[j])
        end
        error(problem, 0)
      end
    end
  end
  rest()
end

local function open()
  if not prepare then
    prepare, idle, timer = uv.new_prepare(), uv.new_idle(), uv.new_timer()
    prepare:start(settle)
  end
end

--- Has a function called in the next round of the loop, after all that is due in this one.
function next_round(f)
  open()
  queued = queued + 1
  queue[queued] = f
  idle:start(run_queue)
end

--- Has a function called on the main loop, soon.
local soon = vim and vim.schedule or next_round

-- -- tasks ----------------------------------------------------------------------------------------

--- Calls on_done, once the function has ended.
function Task:deliver()
  local one, outcome = self, self.outcome
  if not outcome then
    return
  end
  one.outcome = nil
  rest()
  local problem = outcome[1]
  if one.on_done then
    one.on_done((unpack or table.unpack)(outcome, 1, outcome.n))
  elseif problem ~= nil and not one.cancelled then
    error(task.report(problem), 0) -- as the host reports what fails in a callback
  end
end

local function finish(one, outcome)
  if one.state ~= "done" then
    one.state = "done"
    one.engines = nil
    alive[one] = nil
    tasks[one.thread] = nil
    one.outcome = outcome
    soon(function()
      one:deliver()
    end)
  end
end

local function resume(one)
  if one.state ~= "ready" then
    return
  end
  one.state = "running"
  one.resumed_at = core.now()
  local good, problem = coroutine.resume(one.thread)
  if not good then -- no error of its function's: there was no memory to catch it, or it is dead
    finish(one, { n = 1, problem })
  end
end

--- A waiting task goes on soon.
local function wake(one)
  if one.state == "waiting" then
    one.state = "ready"
    one.engines, one.wake_at = nil, nil
    soon(one.resume)
  end
end

--- Yields until it is resumed, in a state that has this happen.
local function pause(one)
  while one.state == "waiting" or one.state == "ready" do -- whoever else resumes it is told nothing
    coroutine.yield()
  end
  if one.cancelled then
    return nil, task.cancelled()
  end
  return true
end

local can_yield = coroutine.isyieldable or function()
  return true
end

--- The task whose coroutine runs, where it can yield.
local function current()
  local thread = coroutine.running()
  local one = thread and tasks[thread]
  return one and one.state == "running" and can_yield() and one or nil
end

--- Has something happened on them that it does not know of? It knows then.
local function has_news(one, engines)
  local news = false
  for i = 1, #engines do
    local engine = engines[i]
    local activity = engine:counters()
    if activity ~= one.seen[engine] then
      one.seen[engine] = activity
      news = true
    end
  end
  return news
end

---@param engines rollcall.Engine[]
---@param seconds number?
---@return boolean? good
---@return rollcall.Error? err
function loop.wait(engines, seconds)
  local one = current()
  if not one then
    core.wait(engines, seconds)
    return true
  elseif one.cancelled then
    return nil, task.cancelled()
  elseif has_news(one, engines) then
    return true
  elseif seconds and seconds <= 0 then
    for i = 1, #engines do
      engines[i]:drive()
    end
    return true
  end
  one.state, one.engines, one.wake_at = "waiting", engines, seconds and core.now() + seconds
  return pause(one)
end

---@return boolean? good
---@return rollcall.Error? err
function loop.turn()
  local one = current()
  if not one then
    return true
  elseif one.cancelled then
    return nil, task.cancelled()
  elseif core.now() - one.resumed_at < TURN then
    return true
  end
  one.state = "ready"
  next_round(one.resume)
  return pause(one)
end

--- Runs a function in a coroutine of its own, from the loop's next round on. There every call of rollcall yields to
--- the loop instead of blocking.
---@param f function
---@param on_done (fun(err: any, ...: any))?
---@return rollcall.Task
function loop.spawn(f, on_done)
  local one = setmetatable({
    state = "ready",
    cancelled = false,
    on_done = on_done,
    seen = setmetatable({}, { __mode = "k" }),
  }, Task)
  one.thread = coroutine.create(function()
    finish(one, one.cancelled and { n = 1, task.cancelled() } or task.call(f))
  end)
  one.resume = function()
    resume(one)
  end
  tasks[one.thread] = one
  alive[one] = true
  open()
  soon(one.resume)
  return one
end

function Task:cancel()
  if self.state == "done" or self.cancelled then
    return false
  end
  self.cancelled = true
  wake(self)
  return true
end

-- -- before the loop sleeps -----------------------------------------------------------------------

local function act(watcher, poll, problem, events)
  if problem then
    poll.events = nil -- libuv has stopped it
  end
  if not watcher.engine:counters() then
    return -- closed
  elseif problem or not events:find "[rw]" then
    events = "rw" -- an error, or the other side has hung up
  end
  watcher.engine:action(poll.fd, events)
end

local function new_poll(watcher, fd)
  local descriptor = core.duplicate(fd)
  local handle = descriptor and uv.new_poll(descriptor:number())
  if handle then
    return { handle = handle, descriptor = descriptor, fd = fd }
  elseif descriptor then
    descriptor:close()
  end
  watcher.is_blind = true
end

--- Brings the polls in line with the sockets that the engine wants watched.
local function look_at_sockets(watcher)
  local known, list = watcher.polls, watcher.list
  watcher.polls, watcher.is_blind = {}, false
  for i = 1, watcher.engine:sockets(list) do
    local fd, id, events = list[3 * i - 2], list[3 * i - 1], list[3 * i]
    local poll = known[id] or new_poll(watcher, fd)
    known[id] = nil
    if poll then
      poll.wanted = events
      watcher.polls[id] = poll
    end
  end
  for _, poll in pairs(known) do
    close_poll(poll)
  end
end

--- Starts what is to be watched, and stops the rest.
local function watch(watcher)
  for _, poll in pairs(watcher.polls) do
    local events = watcher.is_wanted and poll.wanted or ""
    if events == "" and poll.events then
      poll.handle:stop()
      poll.events = nil
    elseif events ~= "" and poll.events ~= events then
      poll.handle:start(events, function(problem, ready)
        act(watcher, poll, problem, ready)
      end)
      poll.events = events
    end
  end
end

local function drive_due()
  for _, watcher in pairs(watchers) do
    if watcher.is_wanted and watcher.engine:counters() and (watcher.is_blind or watcher.engine:timeout() == 0) then
      watcher.engine:drive()
    end
  end
end

--- Marks the engines of a waiting task; a new one gets its watcher.
local function want(engines)
  for i = 1, #engines do
    local engine = engines[i]
    watchers[engine] = watchers[engine] or { engine = engine, list = {}, polls = {} }
    watchers[engine].is_wanted = true
  end
end

--- In how many seconds the first of these wants the loop's attention.
local function watch_all()
  local first
  for engine, watcher in pairs(watchers) do
    local activity, version = engine:counters()
    if not activity then
      close_watcher(watcher)
    else
      if version ~= watcher.version then
        look_at_sockets(watcher)
        watcher.version = version
      end
      watch(watcher)
      local seconds = watcher.is_wanted and engine:timeout()
      if watcher.is_wanted and watcher.is_blind then
        watcher.version = nil
        seconds = math.min(seconds or BLIND, BLIND)
      end
      first = seconds and math.min(seconds, first or seconds) or first
    end
  end
  return first
end

function settle()
  local now, wake_at = core.now(), nil
  for _, watcher in pairs(watchers) do
    watcher.is_wanted = false
  end
  for one in pairs(alive) do
    if one.state == "waiting" then
      if has_news(one, one.engines) or (one.wake_at and one.wake_at <= now) then
        wake(one)
      else
        want(one.engines)
        wake_at = one.wake_at and math.min(one.wake_at, wake_at or one.wake_at) or wake_at
      end
    end
  end
  local seconds = watch_all()
  if wake_at then
    seconds = math.min(seconds or wake_at - now, wake_at - now)
  end
  timer:stop()
  if seconds then
    uv.update_time() -- from which the timer counts
    timer:start(math.ceil(math.max(0, seconds) * 1000), 0, drive_due)
  end
end

-- -- the end of the editor ------------------------------------------------------------------------

if vim then
  --- Ends the tasks that are left, while the API is still there.
  local function leave()
    local left = {}
    for one in pairs(alive) do
      left[#left + 1] = one
    end
    for _, one in ipairs(left) do
      one:cancel()
      resume(one)
      one:deliver()
    end
  end

  soon(function()
    vim.api.nvim_create_autocmd("VimLeavePre", { callback = leave, desc = "rollcall: end its tasks" })
  end)
end

return loop
