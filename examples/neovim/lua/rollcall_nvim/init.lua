-- The buffers of :Rollcall. Each has its own task, which ends with it.

local api = vim.api
local uv = vim.uv or vim.loop

local M = {}

local FLUSH_MS = 80 -- how often the buffer is redrawn during a walk

--- The options of a client, from the environment.
local function from_environment(provider)
  local function env(name)
    local value = os.getenv(name)
    return value ~= "" and value or nil
  end
  local name = provider:upper()
  local accounts = provider == "dintero" and env "DINTERO_ACCOUNT"
  return {
    client_id = env(name .. "_CLIENT_ID"),
    client_secret = env(name .. "_CLIENT_SECRET"),
    environment = env(name .. "_ENVIRONMENT"),
    base_url = env(name .. "_BASE_URL"),
    accounts = accounts and vim.split(accounts, "[,%s]+", { trimempty = true }) or nil,
  }
end

--- The options of setup: clients: by provider, the options of its client, or a function that returns them.
local config = { clients = {} }

---@param options { clients: table<string, table|fun(): table>? }?
function M.setup(options)
  config = vim.tbl_extend("force", { clients = {} }, options or {})
  for _, client in pairs(M.clients) do
    client:close()
  end
  M.clients = {}
end

--- By provider; connections and tokens are kept between commands.
---@type table<string, rollcall.Client>
M.clients = {}

--- The client of a provider. Raises if something is wrong with its options.
---@param provider string
---@return rollcall.Client
function M.client(provider)
  if not M.clients[provider] then
    local rollcall = require "rollcall"
    local options = config.clients[provider] or from_environment(provider)
    M.clients[provider] = rollcall.client(provider, type(options) == "function" and options() or options)
  end
  return M.clients[provider]
end

--- The providers that can be named.
function M.providers()
  local names = vim.tbl_keys(config.clients)
  for _, name in ipairs { "dintero", "tesouro" } do
    if not config.clients[name] then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end

---@param lead string
---@param line string
function M.complete(lead, line)
  if line:find "^%s*%S+%s+%S+%s" then
    return {}
  end
  return vim.tbl_filter(function(name)
    return vim.startswith(name, lead)
  end, M.providers())
end

-- The options that are numbers.
local numbers = { page_size = true, limit = true, prefetch = true, deadline = true, max_requests = true,
  max_bytes = true, concurrency = true }

--- "limit=100 expand=roles,x" as the options of client:users: numbers become numbers, `expand` a list.
local function parse_query(words)
  local query = {}
  for _, word in ipairs(words) do
    local name, value = word:match "^([%w_]+)=(.*)$"
    if not name then
      error(("expected {option}={value}, got %q"):format(word), 0)
    end
    if name == "expand" then
      query[name] = vim.split(value, ",", { plain = true, trimempty = true })
    else
      query[name] = numbers[name] and tonumber(value) or value
    end
  end
  return query
end

local function one_line(value)
  return (tostring(value):gsub("%c", " "))
end

--- Pads to the width of a column: characters have one cell, two or none.
local function pad(value, width)
  local text = one_line(value)
  return text .. (" "):rep(width - api.nvim_strwidth(text))
end

local function format_user(user)
  return ("%s  %s  %s  %s"):format(pad(user.email or user.id or "-", 40), pad(user.name or "-", 24),
    pad(user.status or "-", 9), one_line(user.last_seen_at or "never"))
end

---@class rollcall_nvim.View a buffer and its walk
---@field buffer integer
---@field provider string
---@field query table
---@field state "walking"|"done"|"failed"|"ended"
---@field users integer of the current walk
---@field users_before integer of the walks that it continues
---@field stream rollcall.Stream? of the walk
---@field began number when the walk began, as uv.hrtime
---@field checkpoint string? where a walk that ended early can be continued
---@field problem any why it ended early
---@field lines string[] that are not in the buffer yet
---@field task rollcall.Task?
---@field timer userdata? redraws the buffer during a walk, whether users come or not
local View = {}
View.__index = View

--- By buffer.
---@type table<integer, rollcall_nvim.View>
M.views = {}

local spinner = { "|", "/", "-", "\\" }

function View:header()
  local seconds = (uv.hrtime() - self.began) / 1e9
  local what = {
    walking = spinner[math.floor(seconds * 8) % #spinner + 1] .. " walking; <C-c> ends it",
    done = "all there",
    ended = self.checkpoint and "ended; r goes on" or "ended; r begins again",
    failed = "failed: " .. tostring(self.problem) .. (self.checkpoint and "; r goes on" or ""),
  }
  return ("%s: %d users, %d pages, %.1f s - %s"):format(self.provider, self.users + self.users_before,
    self.stream and self.stream:stats().pages or 0, seconds, what[self.state])
end

--- Updates the buffer.
function View:flush()
  if not api.nvim_buf_is_loaded(self.buffer) then
    return
  end
  vim.bo[self.buffer].modifiable = true
  api.nvim_buf_set_lines(self.buffer, 0, 1, false, { one_line(self:header()) })
  if #self.lines > 0 then
    api.nvim_buf_set_lines(self.buffer, -1, -1, false, self.lines)
    self.lines = {}
  end
  vim.bo[self.buffer].modifiable = false
  vim.bo[self.buffer].modified = false
end

function View:walk()
  local stream = M.client(self.provider):users(self.query)
  self.stream = stream
  for user in stream do
    self.users = self.users + 1
    self.lines[#self.lines + 1] = format_user(user)
  end
end

--- Fills the buffer, from the start or from the checkpoint.
function View:start()
  self.state, self.problem, self.users_before = "walking", nil, (self.users_before or 0) + (self.users or 0)
  self.users, self.stream, self.began = 0, nil, uv.hrtime()
  self.query.resume, self.checkpoint = self.checkpoint, nil
  self:flush()
  self.timer = uv.new_timer()
  self.timer:start(FLUSH_MS, FLUSH_MS, vim.schedule_wrap(function()
    if self.state == "walking" then
      self:flush()
    end
  end))
  self.task = require("rollcall").spawn(function()
    self:walk()
  end, function(err)
    self.timer:close()
    self.checkpoint = type(err) == "table" and (err.checkpoint or self.query.resume) or nil
    self.problem = err
    self.state = err == nil and "done" or type(err) == "table" and err.kind == "closed" and "ended" or "failed"
    self:flush()
    if self.state == "failed" then
      vim.notify("rollcall: " .. tostring(err), vim.log.levels.ERROR)
    end
  end)
end

function View:cancel()
  return self.task ~= nil and self.task:cancel()
end

local function open_buffer(provider)
  vim.cmd "botright new"
  local buffer = api.nvim_get_current_buf()
  vim.bo[buffer].buftype = "nofile"
  vim.bo[buffer].bufhidden = "wipe"
  vim.bo[buffer].swapfile = false
  vim.bo[buffer].filetype = "rollcall"
  vim.wo.wrap = false
  pcall(api.nvim_buf_set_name, buffer, ("rollcall://%s/%d"):format(provider, buffer))
  return buffer
end

--- Lists a directory in a new buffer.
---@param provider string
---@param query table? the options of client:users
---@return rollcall_nvim.View
function M.open(provider, query)
  M.client(provider):users(query):close() -- raises for wrong options before there is a buffer
  local view = setmetatable({
    buffer = open_buffer(provider),
    provider = provider,
    query = vim.deepcopy(query or {}),
    lines = {},
  }, View)
  M.views[view.buffer] = view
  vim.keymap.set("n", "<C-c>", function()
    view:cancel()
  end, { buffer = view.buffer, desc = "End the walk" })
  vim.keymap.set("n", "r", function()
    if view.state == "ended" or view.state == "failed" and view.checkpoint then
      view:start()
    end
  end, { buffer = view.buffer, desc = "Go on with the walk" })
  api.nvim_create_autocmd("BufUnload", {
    buffer = view.buffer,
    once = true,
    callback = function()
      view:cancel()
      M.views[view.buffer] = nil
    end,
  })
  view:start()
  return view
end

--- An error as a string, without the position in this plugin where it was raised.
---@param problem any
---@return string
function M.message(problem)
  return (tostring(problem):gsub("^[^\n]-%.lua:%d+: ", ""))
end

--- Runs :Rollcall. Errors are shown as the editor shows them.
---@param words string[]
function M.command(words)
  local good, problem = pcall(function()
    M.open(words[1], parse_query(vim.list_slice(words, 2)))
  end)
  if not good then
    vim.notify("rollcall: " .. M.message(problem), vim.log.levels.ERROR)
  end
end

return M
