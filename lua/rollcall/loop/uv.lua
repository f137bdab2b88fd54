-- The loop of Neovim and of scripts on luv: a wait uses poll handles and one timer of the host's loop.
--
-- A task is a coroutine that this module has created. A call yields only in a task; elsewhere it blocks, as a script
-- expects. Before the loop goes to sleep, in the callback of a prepare handle, `before_sleep` checks what each waiting
-- task waits for, wakes those that have news, and watches the sockets and timeouts of the engines of the others. So
-- whatever has driven an engine meanwhile, no task is forgotten, and nothing polls. The handles exist as long as there
-- are tasks.
--
-- Woken tasks run on the main loop: in Neovim by vim.schedule, because its API must not be called from a libuv
-- callback.

local activity = require "rollcall.loop.activity"
local core = require "rollcall.core"
local task = require "rollcall.task"

local vim = rawget(_G, "vim")
local uv = vim and (vim.uv or vim.loop) or require "luv"

---@type rollcall.Loop
local loop = {}

-- Seconds of a task's time slice.
local SLICE = 0.004
-- Seconds between polls of a socket that cannot be watched, for want of descriptors.
local POLL_INTERVAL = 0.02
-- The most watchers to keep for engines that no task waits for now.
local MAX_IDLE_WATCHERS = 8
-- When the editor exits: the rounds in which tasks are ended, since ended ones may have begun others.
local ROUNDS_OF_LEAVING = 4

---@class rollcall.UvTask: rollcall.Task
---@field state "ready"|"running"|"waiting"|"done" running: also if it has yielded to other code
---@field thread thread
---@field on_done function?
---@field cancelled boolean
---@field is_refused boolean? it has got the error of its cancellation once
---@field resumed_at number time of core.now
---@field resume fun() resumes it if it is ready
---@field engines rollcall.Engine[]? what it waits for
---@field wake_at number? time of core.now at which its wait ends
---@field seen table<rollcall.Engine, integer> see activity.has_news
---@field outcome rollcall.Outcome? once it is done, until on_done is called
local Task = {}
Task.__index = Task
Task.__name = "rollcall.task"

---@type table<thread, rollcall.UvTask>
local tasks = setmetatable({}, { __mode = "k" })
---@type table<rollcall.UvTask, boolean> until on_done is called
local alive = {}

-- -- the loop's handles -------------------------------------------------------------------------

local prepare, idle, check, timer -- exist while tasks are alive or functions are queued
local queue = {} -- functions to call soon
local queued = 0

---@class rollcall.UvWatcher of an engine
---@field engine rollcall.Engine? only while a task waits for it, so that the watcher keeps no unused engine alive
---@field version integer? the second of the engine's `counters`, for the sockets that are watched
---@field list any[] see Engine:sockets
---@field backend rollcall.UvBackend
---@field needs_polling boolean a socket could not be watched
---@field is_closed boolean?

---@type table<rollcall.UvWatcher, boolean>
local watchers = {}
---@type table<rollcall.Engine, rollcall.UvWatcher>
local watcher_of = setmetatable({}, { __mode = "k" })

local function close_watcher(watcher)
  watcher.backend:close()
  watchers[watcher] = nil
  watcher.is_closed = true
end

--- Closes all handles if no task and no queued function is left.
local function close_if_idle()
  if prepare and next(alive) == nil and queued == 0 then
    for _, handle in ipairs { prepare, idle, check, timer } do
      handle:close()
    end
    prepare, idle, check, timer = nil, nil, nil, nil
    for watcher in pairs(watchers) do
      close_watcher(watcher)
    end
  end
end

local before_sleep, schedule -- below

--- Runs in every round of the loop, after its sleep. Only then does Neovim handle events of vim.schedule before it
--- sleeps again.
local function run_queue()
  if queued == 0 then
    return
  end
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
          schedule(due[j])
        end
        error(problem, 0)
      end
    end
  end
  close_if_idle()
end

local function open()
  if not prepare then
    prepare, idle, check, timer = uv.new_prepare(), uv.new_idle(), uv.new_check(), uv.new_timer()
    prepare:start(before_sleep)
    check:start(run_queue)
    check:unref()
    prepare:unref()
  end
end

local function stay_awake() end

--- Calls a function on the main loop, after the loop has handled all that is due.
function schedule(f)
  open()
  prepare:ref()
  queued = queued + 1
  queue[queued] = f
  idle:start(stay_awake) -- the loop does not sleep in this round
end

-- -- tasks ----------------------------------------------------------------------------------------

--- Calls on_done, once the function has ended.
function Task:deliver()
  local one, outcome = self, self.outcome
  if not outcome then
    return
  end
  one.outcome = nil
  alive[one] = nil
  close_if_idle()
  task.report(one.on_done, outcome, one.cancelled) -- the host reports what it raises, as for any callback
end

local function finish(one, outcome)
  if one.state ~= "done" then
    one.state = "done"
    one.engines = nil
    tasks[one.thread] = nil
    one.outcome = outcome
    schedule(function()
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
  if not good then -- not an error of its function: no memory was left to catch one, or the coroutine is dead
    finish(one, { n = 1, problem })
  end
end

--- Makes a waiting task go on soon.
local function wake(one)
  if one.state == "waiting" then
    one.state = "ready"
    one.engines, one.wake_at = nil, nil
    schedule(one.resume)
  end
end

--- Yields until the task runs again. The caller has set its state such that it will be resumed.
local function pause(one)
  while one.state == "waiting" or one.state == "ready" do -- a foreign resume is ignored
    coroutine.yield()
  end
  if one.cancelled then
    return nil, task.cancelled()
  end
  return true
end

local can_yield = coroutine.isyieldable or function() -- luacheck: ignore 143
  return true
end

--- The task whose coroutine runs, if it can yield.
local function current()
  local thread = coroutine.running()
  local one = thread and tasks[thread]
  return one and one.state == "running" and can_yield() and one or nil
end

--- The result for a cancelled task. One that retries forever must not block the loop: from the second time on it yields
--- first.
local function refuse(one)
  if one.is_refused then
    one.state = "ready"
    schedule(one.resume)
    return pause(one)
  end
  one.is_refused = true
  return nil, task.cancelled()
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
    return refuse(one)
  elseif activity.has_news(one.seen, engines) then
    return true
  elseif seconds and seconds <= 0 then
    for i = 1, #engines do
      engines[i]:drive()
    end
    return true
  end
  one.state, one.engines, one.wake_at = "waiting", engines, seconds and core.now() + seconds
  prepare:ref()
  return pause(one)
end

---@return boolean? good
---@return rollcall.Error? err
function loop.turn()
  local one = current()
  if not one then
    return true
  elseif one.cancelled then
    return refuse(one)
  elseif core.now() - one.resumed_at < SLICE then
    return true
  end
  one.state = "ready"
  schedule(one.resume)
  return pause(one)
end

--- Runs a function in a coroutine of its own, beginning in the loop's next round. There every call of rollcall yields
--- to the loop instead of blocking.
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
  schedule(one.resume)
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

--- Watches an engine's sockets by one handle, on a core.poller for all of them.
---@class rollcall.UvBackend
local EpollBackend = {}
EpollBackend.__index = EpollBackend

local function new_epoll_backend()
  local poller = core.poller()
  local handle = poller and uv.new_poll(poller:number())
  if poller and not handle then
    poller:close()
  end
  return handle and setmetatable({ handle = handle, poller = poller, is_open = false }, EpollBackend)
end

--- Watches the sockets in a list of Engine:sockets, and no others; false if it cannot.
function EpollBackend:watch(list)
  return self.poller:watch(list) == true
end

function EpollBackend:start(watcher)
  if not self.is_open then
    self.is_open = true
    self.handle:start("r", function()
      local engine = watcher.engine
      if engine and engine:counters() then
        engine:drive()
      end
    end)
  end
end

function EpollBackend:stop()
  if self.is_open then
    self.is_open = false
    self.handle:stop()
  end
end

function EpollBackend:close()
  self.handle:close()
  self.poller:close()
end

--- The same by one handle per socket, for systems without core.poller.
---@class rollcall.UvPerSocketBackend: rollcall.UvBackend
---@field polls table<integer, { handle: userdata, descriptor: rollcall.Descriptor, fd: integer, wanted: string,
---  events: string? }> by the socket's id; events: what the handle is started for
local PerSocketBackend = {}
PerSocketBackend.__index = PerSocketBackend

local function new_per_socket_backend()
  return setmetatable({ polls = {} }, PerSocketBackend)
end

local function new_poll(fd)
  local descriptor = core.duplicate(fd)
  local handle = descriptor and uv.new_poll(descriptor:number())
  if descriptor and not handle then
    descriptor:close()
  end
  return handle and { handle = handle, descriptor = descriptor, fd = fd }
end

local function close_poll(poll)
  poll.handle:close()
  poll.descriptor:close()
end

function PerSocketBackend:watch(list)
  local known, is_whole = self.polls, true
  self.polls = {}
  for i = 1, #list, 3 do
    local poll = known[list[i + 1]] or new_poll(list[i])
    known[list[i + 1]] = nil
    if poll then
      poll.wanted = list[i + 2]
      self.polls[list[i + 1]] = poll
    end
    is_whole = is_whole and poll ~= nil
  end
  for _, poll in pairs(known) do
    close_poll(poll)
  end
  return is_whole
end

local function act(watcher, poll, problem, events)
  if problem then
    poll.events = nil -- libuv has stopped it
  end
  local engine = watcher.engine
  if engine and engine:counters() then
    -- An error or a hang-up concerns both directions.
    engine:action(poll.fd, not problem and events:find "[rw]" and events or "rw")
  end
end

function PerSocketBackend:start(watcher)
  for _, poll in pairs(self.polls) do
    if poll.events ~= poll.wanted then
      poll.events = poll.wanted
      poll.handle:start(poll.wanted, function(problem, events)
        act(watcher, poll, problem, events)
      end)
    end
  end
end

function PerSocketBackend:stop()
  for _, poll in pairs(self.polls) do
    if poll.events then
      poll.events = nil
      poll.handle:stop()
    end
  end
end

function PerSocketBackend:close()
  for _, poll in pairs(self.polls) do
    close_poll(poll)
  end
end

local function drive_due()
  for watcher in pairs(watchers) do
    local engine = watcher.engine
    if engine and engine:counters() and (watcher.needs_polling or engine:timeout() == 0) then
      engine:drive()
    end
  end
end

--- Marks the engines of a waiting task as wanted; a new engine gets a watcher.
local function want(engines)
  for i = 1, #engines do
    local engine = engines[i]
    local watcher = watcher_of[engine]
    if not watcher or watcher.is_closed then
      local backend = core.poller and new_epoll_backend() or new_per_socket_backend()
      watcher = { list = {}, backend = backend, needs_polling = false }
      watcher_of[engine], watchers[watcher] = watcher, true
    end
    watcher.engine = engine
  end
end

--- Watches the engine's sockets. Returns the seconds until the engine must be driven; nil: never.
local function watch(watcher)
  local engine = watcher.engine
  local _, version = engine:counters()
  if version ~= watcher.version then
    engine:sockets(watcher.list)
    watcher.needs_polling = not watcher.backend:watch(watcher.list)
    watcher.version = not watcher.needs_polling and version or nil
  end
  watcher.backend:start(watcher)
  local seconds = engine:timeout()
  return watcher.needs_polling and math.min(seconds or POLL_INTERVAL, POLL_INTERVAL) or seconds
end

--- The same for all engines that are waited for, with the least seconds. Of the other watchers a few are kept, because
--- they may be needed again.
local function watch_all()
  local first, spare = nil, 0
  for watcher in pairs(watchers) do
    local engine = watcher.engine
    if engine and engine:counters() then
      local seconds = watch(watcher)
      first = seconds and math.min(seconds, first or seconds) or first
    else
      watcher.backend:stop()
      spare = spare + 1
      if spare > MAX_IDLE_WATCHERS or engine then
        close_watcher(watcher)
      end
    end
  end
  return first
end

function before_sleep()
  local now, wake_at, is_needed = core.now(), nil, false
  for watcher in pairs(watchers) do
    watcher.engine = nil
  end
  for one in pairs(alive) do
    if one.state == "waiting" then
      if activity.has_news(one.seen, one.engines) or (one.wake_at and one.wake_at <= now) then
        wake(one)
      else
        is_needed = true
        want(one.engines)
        wake_at = one.wake_at and math.min(one.wake_at, wake_at or one.wake_at) or wake_at
      end
    end
  end
  if not is_needed and queued == 0 then
    prepare:unref() -- the remaining tasks wait for other code
  end
  local seconds = watch_all()
  if wake_at then
    seconds = math.min(seconds or wake_at - now, wake_at - now)
  end
  timer:stop()
  if seconds then
    uv.update_time() -- the timer counts from it
    timer:start(math.ceil(math.max(0, seconds) * 1000), 0, drive_due)
  end
end

-- -- the end of the editor ------------------------------------------------------------------------

if vim then
  --- Ends all tasks that are alive. The editor shows what one raises, and the others are ended nevertheless.
  local function end_tasks()
    local left = {}
    for one in pairs(alive) do
      left[#left + 1] = one
    end
    for _, one in ipairs(left) do
      one:cancel()
      resume(one)
      finish(one, { n = 1, task.cancelled() }) -- if it is running, or has yielded to other code
      local good, problem = pcall(one.deliver, one)
      if not good then
        vim.api.nvim_echo({ { tostring(problem), "ErrorMsg" } }, true, {})
      end
    end
  end

  --- Ends the remaining tasks, while the API is still available, and those that their on_done begins. Tasks that begin
  --- others forever must not keep the editor from closing.
  local function leave()
    for _ = 1, ROUNDS_OF_LEAVING do
      if next(alive) ~= nil then
        end_tasks()
      end
    end
  end

  local function watch_leaving()
    vim.api.nvim_create_autocmd("VimLeavePre", { callback = leave, desc = "rollcall: end its tasks" })
  end
  if vim.in_fast_event() then -- the API must not be called here
    vim.schedule(watch_leaving)
  else
    watch_leaving()
  end
end

return loop
