-- The progress of a walk: one line on stderr that is redrawn, and removed at the end.

local core = require "rollcall.core"
local width = require "rollcall.cli.width"

---@class rollcall.cli.Progress
---@field file file* a terminal
---@field fd integer its descriptor
---@field parts { name: string, stats: fun(): rollcall.Stats }[]
---@field started number as core.now
---@field due number when it is drawn next, as core.now
---@field is_drawn boolean?
local Progress = {}
Progress.__index = Progress

local progress = {}

local EVERY = 0.1 -- seconds
local FIRST = 0.3 -- seconds; a shorter walk draws nothing
local CLEAR = "\r\27[K"

--- 1234567 as "1,234,567".
---@param number integer
---@return string
function progress.number(number)
  local text = ("%.0f"):format(number):reverse():gsub("(%d%d%d)", "%1,"):reverse()
  return (text:gsub("^,", ""))
end

--- "1 user", "1,234 users".
---@param number integer
---@param one string
---@return string
function progress.count(number, one)
  return ("%s %s%s"):format(progress.number(number), one, number == 1 and "" or "s")
end

---@param file file* a terminal
---@param fd integer its descriptor
---@return rollcall.cli.Progress
function progress.new(file, fd)
  local now = core.now()
  return setmetatable({ file = file, fd = fd, parts = {}, started = now, due = now + FIRST }, Progress)
end

--- Begins to watch: a list of names and the functions that return their `stats`.
---@param parts { name: string, stats: fun(): rollcall.Stats }[]
function Progress:watch(parts)
  self.parts, self.started = parts, core.now()
end

function Progress:line(seconds, now)
  local texts, users = {}, 0
  for i, part in ipairs(self.parts) do
    local stats = part.stats()
    users = users + stats.users
    texts[i] = ("%s %s, %s%s"):format(part.name, progress.count(stats.users, "user"),
      progress.count(stats.pages, "page"),
      stats.waits >= 1 and (", waited %.0f s"):format(stats.waits) or "")
  end
  local elapsed = math.max(now - self.started, 0.001)
  local sum = progress.number(math.floor(users / elapsed)) .. "/s"
  if #texts > 1 then
    sum = progress.count(users, "user") .. ", " .. sum
  end
  if seconds and seconds >= 1 and seconds < 3600 then
    sum = ("%s, waiting %.0f s"):format(sum, seconds)
  end
  table.insert(texts, 1, sum) -- a narrow terminal cuts off the last sources
  return table.concat(texts, " | ")
end

--- Draws the line if the last drawing is some time ago.
---@param seconds number? to wait at most, if the walk is about to wait
function Progress:draw(seconds)
  local now = core.now()
  if now < self.due or #self.parts == 0 then
    return
  end
  self.due = now + EVERY
  local columns = core.terminal.columns(self.fd) or 80
  local line = self:line(seconds, now)
  self.file:write(CLEAR, width.cut(line, math.max(columns - 1, 1)))
  self.file:flush()
  self.is_drawn = true
end

--- Removes the line.
function Progress:clear()
  if self.is_drawn then
    self.file:write(CLEAR)
    self.file:flush()
    self.is_drawn = false
  end
end

return progress
