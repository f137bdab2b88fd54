-- The file of --resume: the position of a walk, and the output that it belongs to.

local checkpoint = require "rollcall.checkpoint"
local core = require "rollcall.core"
local failure = require "rollcall.cli.failure"
local shell = require "rollcall.cli.shell"

---@class rollcall.cli.Resume
---@field name string as given
---@field target string the file itself, if the name is a symbolic link
---@field parts table<string, string>? checkpoints by source, of an earlier run
---@field format string? of the output that is continued
---@field output table<string, string> as of `output_of`
---@field last string? what was last written
local Resume = {}
Resume.__index = Resume

local resume = {}

local ENOENT = 2
local OPTIONS = { "format", "fields", "where", "formulas" }
local UNTIED = { where = true } -- of an output that cannot be appended to: another one may begin where it ended

--- The options that must stay the same, so that two runs make one output.
---@param args table
---@return table<string, string>
function resume.output_of(args)
  local output, is_tied = {}, args.format == "ndjson" or args.format == "csv"
  local conditions = {}
  for i, condition in ipairs(args.where or {}) do
    conditions[i] = condition
  end
  table.sort(conditions) -- all must hold, in any order
  local given = {
    format = args.format,
    fields = args.fields and args.fields:gsub("%s*,%s*", ","):match "^%s*(.-)%s*$",
    where = #conditions > 0 and table.concat(conditions, " --where ") or nil,
    formulas = args.format == "csv" and args.formulas and "" or nil,
  }
  for _, name in ipairs(OPTIONS) do
    output[name] = (is_tied or UNTIED[name]) and given[name] or nil
  end
  return output
end

local function shown(name, value)
  return value and ("--%s %s"):format(name, value):gsub(" $", "") or ("no --%s"):format(name)
end

local function check(file, saved, wanted)
  for _, name in ipairs(OPTIONS) do
    local is_free = saved.format == nil and not UNTIED[name]
    if saved[name] ~= wanted[name] and not is_free then
      failure.usage("--resume: %s is of an output with %s, and this would be one with %s; give the same options, or "
        .. "begin anew with another file", file, shown(name, saved[name]), shown(name, wanted[name]))
    end
  end
end

local function cannot_write(problem)
  failure.raise(failure.FAILED, ("cannot write the checkpoint of --resume: %s; it needs a folder that can be written "
    .. "to, with room"):format(tostring(problem)))
end

--- Does a file say which output it belongs to? A table of strings.
local function is_output(saved)
  for _, value in pairs(type(saved) == "table" and saved or { false }) do
    if type(value) ~= "string" then
      return false
    end
  end
  return true
end

--- The file that a name leads to: what replaces the file must not replace a symbolic link.
local function target_of(name)
  local quoted = shell.quote(name)
  local printed = shell.read(("test -L %s && readlink -f -- %s 2>/dev/null"):format(quoted, quoted))
  return printed and printed:match "^(.+)\n$" or name
end

--- The checkpoints in a text by source, and their output; ends the command if there are none.
local function parse(name, text)
  local parts, problem, output = checkpoint.decode_parts(text)
  if not text:find "%S" then
    problem = "it is empty"
  elseif parts and not is_output(output) then
    problem = "it does not say of which output it is"
  end
  if problem then
    failure.usage("--resume: %s: %s; remove it to begin anew, or name another file", name, problem)
  end
  return parts, output
end

--- Reads the file, if there is one. Ends the command if it does not belong to this output, or could not be written
--- later.
---@param name string
---@param output table<string, string> as of `output_of`
---@return rollcall.cli.Resume
function resume.open(name, output)
  local self = setmetatable({ name = name, target = target_of(name), output = output }, Resume)
  local file, problem, code = io.open(name, "rb")
  if file then
    local text, unreadable = file:read "*a"
    file:close()
    if not text then
      failure.usage("--resume: cannot read %s: %s; name another file", name, unreadable)
    end
    local parts, saved = parse(name, text)
    check(name, saved, output)
    self.parts, self.format = parts, saved.format
  elseif code ~= ENOENT then
    failure.usage("--resume: cannot read %s", problem)
  end
  local new, unwritable = core.terminal.beside(self.target, "")
  if not new then
    cannot_write(unwritable)
  end
  os.remove(new)
  return self
end

--- Writes the position of the walk, atomically.
---@param parts table<string, string> checkpoints by source
function Resume:write(parts)
  local text = checkpoint.encode_parts(parts, self.output)
  if text == self.last then
    return
  end
  local new, unwritable = core.terminal.beside(self.target, text .. "\n")
  if not new then
    cannot_write(unwritable)
  end
  local good, problem = os.rename(new, self.target)
  if not good then
    os.remove(new)
    cannot_write(problem)
  end
  self.last = text
end

return resume
