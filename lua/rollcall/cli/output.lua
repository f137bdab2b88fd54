-- Writes to stdout: whole lines, in few large writes.

local core = require "rollcall.core"
local failure = require "rollcall.cli.failure"

---@class rollcall.cli.Output
---@field file file*
---@field parts string[] not written yet
---@field count integer number of parts
---@field size integer bytes of parts
---@field broken boolean? nothing more is written
---@field before function? called before each write
---@field good_bytes integer? of a file: bytes that are valid (whole lines, covered by the checkpoint if there is one)
---@field is_saved boolean? a checkpoint says what is valid
local Output = {}
Output.__index = Output

local output = {}

local SIZE = 32768
local EBADF, EPIPE = 9, 32

---@param file file*
---@return rollcall.cli.Output
function output.new(file)
  file:setvbuf "no" -- each flush is one write, so that lines are not split at the end of a buffer
  return setmetatable({ file = file, parts = {}, count = 0, size = 0, good_bytes = file:seek "end" }, Output)
end

--- Takes one or more whole lines.
---@param lines string
function Output:write(lines)
  self.count = self.count + 1
  self.parts[self.count] = lines
  self.size = self.size + #lines
  if self.size >= SIZE then
    self:flush()
  end
end

--- Writes what was taken. Ends the command quietly if the reader has closed the pipe.
function Output:flush()
  if self.count == 0 then
    return
  end
  if self.before then
    self.before()
  end
  local text = table.concat(self.parts, "", 1, self.count)
  self.parts, self.count, self.size = {}, 0, 0
  local good, problem, code = self.file:write(text)
  if not good then
    self:give_up()
    if code == EPIPE then
      failure.raise(failure.FOUND) -- the reader has had enough
    end
    failure.raise(failure.FAILED, "cannot write the output: "
      .. (code == EBADF and "stdout is closed" or tostring(problem)))
  elseif not self.is_saved then
    self:mark()
  end
end

--- Marks everything written as valid, up to the file's end. Not "cur": C keeps its own position and would overwrite
--- what stderr wrote to the same file.
function Output:mark()
  self.good_bytes = self.file:seek "end"
end

--- Stops writing. In a file, what is not valid is cut off: half a line, or what the checkpoint does not cover and would
--- be there twice. Not if others have written after it.
---@return boolean whether it was cut off
function Output:give_up()
  self.broken = true
  self.parts, self.count, self.size = {}, 0, 0
  local is_ours = self.good_bytes and self.file:seek "cur" == self.file:seek "end"
  local is_cut = is_ours and core.terminal.truncate(1, self.good_bytes) or false
  if is_cut then
    self.file:seek("set", self.good_bytes)
  end
  return is_cut
end

--- Writes a text that is no list, such as the help, and ends the command.
---@param text string whole lines
function output.print(text)
  local out = output.new(io.stdout)
  out:write(text)
  out:flush()
  failure.raise(failure.FOUND)
end

return output
