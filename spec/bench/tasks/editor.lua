-- In headless Neovim: how late a timer of 5 ms is while users are walked. Prints, in ms:
--
--   nvim --headless … -S spec/bench/tasks/editor.lua
--
-- EDITOR_CALL is "spawn", "block" for the same walk outside of a task, or "idle" for an open client that has
-- nothing to do, for IDLE seconds: how often the process was woken.

local rollcall = require "rollcall"
local uv = vim.loop

local INTERVAL = 5 -- ms
local call = os.getenv "EDITOR_CALL"

local tesouro = rollcall.tesouro { base_url = os.getenv "WALK_URL", token = os.getenv "WALK_TOKEN", proxy = "" }

local function walk()
  local users, letters = 0, 0
  for user in tesouro:users { organization_id = os.getenv "WALK_ORGANIZATION" } do
    users = users + 1
    letters = letters + #user.id + #user.email + #user.status
  end
  return users, letters
end

local function print_line(...)
  io.stdout:write(table.concat({ ... }, " "), "\n")
end

--- Counts the ticks of a timer and how late each is.
local function measure()
  local late, timer = {}, uv.new_timer()
  local due = uv.hrtime() + INTERVAL * 1e6
  timer:start(INTERVAL, INTERVAL, function()
    local now = uv.hrtime()
    late[#late + 1] = math.max(0, (now - due) / 1e6)
    due = now + INTERVAL * 1e6
  end)
  return function()
    timer:close()
    table.sort(late)
    -- the walk's own end, where no tick came in time
    print_line("ticks", #late)
    print_line("p99", ("%.3f"):format(late[math.max(1, math.ceil(#late * 0.99))] or 0))
    print_line("worst", ("%.3f"):format(late[#late] or 0))
  end
end

local function switches()
  local usage = uv.getrusage()
  return usage.nvcsw
end

if call == "idle" then
  local seconds = tonumber(os.getenv "IDLE")
  rollcall.spawn(function()
    assert(tesouro:users({ organization_id = os.getenv "WALK_ORGANIZATION", limit = 10 }):count() == 10)
  end, function(err)
    assert(not err, tostring(err))
    local before
    vim.defer_fn(function()
      before = switches()
    end, 200)
    vim.defer_fn(function()
      print_line("wakeups", switches() - before)
      vim.cmd "qall!"
    end, 200 + seconds * 1000)
  end)
  return
end

local done = measure()
local function finish(err, users, letters)
  -- A tick that the walk has held up comes first.
  vim.defer_fn(function()
    done()
    if err then
      print_line("failed", tostring(err))
    end
    print_line("walked", users or 0, letters or 0)
    vim.cmd "qall!"
  end, 3 * INTERVAL)
end

vim.defer_fn(function() -- once the timer runs
  local began = uv.hrtime()
  if call == "spawn" then
    rollcall.spawn(walk, function(...)
      print_line("took", ("%.3f"):format((uv.hrtime() - began) / 1e9))
      finish(...)
    end)
  else
    local users, letters = walk()
    print_line("took", ("%.3f"):format((uv.hrtime() - began) / 1e9))
    finish(nil, users, letters)
  end
end, 50)
