-- A snapshot: the output of `rollcall users --format ndjson`.
--
-- For a comparison an index is kept, some 200 bytes a user (400 on LuaJIT): the position of each user's line. The lines
-- are read again when they are compared.

local failure = require "rollcall.cli.failure"
local json = require "rollcall.json"
local pointers = require "rollcall.pointer"

local snapshot = {}

local BOM = "\239\187\191" -- some editors put it before UTF-8

--- Opens the snapshot of this name, - for stdin; ends the command if it cannot be read.
---@param name string
---@return file*
function snapshot.open(name)
  if name == "-" then
    return io.stdin
  end
  local file, problem = io.open(name, "rb")
  if not file then
    failure.usage("cannot read the snapshot %s", problem)
  end
  return file
end

local EXACT = 2 ^ 53 -- from here on doubles skip integers

--- Replaces numbers that a double may not hold exactly by their digits, in a whole document.
local function restore_digits(value, text, pointer)
  for key, child in pairs(value) do
    local at = pointer .. "/" .. (type(key) == "number" and key - 1 or pointers.escape(key))
    if type(child) == "table" then
      restore_digits(child, text, at)
    elseif type(child) == "number" and math.abs(child) >= EXACT then
      value[key] = json.written(text, at, "text") or child
    end
  end
end

--- A line of a snapshot as a table; ends the command if it is none. A number that a double may not hold exactly is a
--- string of its digits.
---@param text string
---@param name string of the snapshot, for messages
---@param number integer of the line
---@return table
function snapshot.decode(text, name, number)
  local user = text:find "^%s*{" and json.decode(text)
  if type(user) ~= "table" then
    failure.usage("%s:%d: no JSON object; a snapshot is what `rollcall users --format ndjson` writes", name, number)
  end
  restore_digits(user, text, "")
  return user
end

--- The string for a field in a key and in a table: strings as they are, numbers by their digits, "" for all else.
---@return string
function snapshot.text_of(value)
  return type(value) == "string" and value or type(value) == "number" and json.number(value) or ""
end

--- The key that identifies a user.
---@param user table
---@param name string of the snapshot, for messages
---@param number integer of the line
---@param known table<string, boolean>? the fields to go by, if not all were written
---@return string
function snapshot.key_of(user, name, number, known)
  local function part(field)
    return (known == nil or known[field]) and snapshot.text_of(user[field]) or ""
  end
  local id = part "id"
  if id == "" then
    id = snapshot.text_of(user.email)
  end
  if id == "" then
    failure.usage("%s:%d: a user without id and email; snapshots need one of them", name, number)
  end
  return part "source" .. "\n" .. part "account_id" .. "\n" .. id
end

--- The source and the account of a user, in words; "" if neither is known.
---@param user table
---@param known table<string, boolean>? the fields to go by, if not all were written
---@return string account
---@return string source
function snapshot.account_of(user, known)
  local source = (known == nil or known.source) and snapshot.text_of(user.source) or ""
  local account = (known == nil or known.account_id) and snapshot.text_of(user.account_id) or ""
  return source .. (source ~= "" and account ~= "" and " " or "") .. account, source
end

---@class rollcall.cli.Snapshot
---@field file file*
---@field name string
---@field is_kept boolean its lines are kept, since it is stdin or a pipe
---@field lines table<integer, string> by number, if lines are kept
---@field line_offsets table<string, integer|false> by key: where the user's line begins, or its number if lines are
---  kept; false once taken
---@field fields table<string, boolean> that some user has
---@field sources table<string, boolean> that some user belongs to
---@field accounts table<string, string> by snapshot.account_of: the source of each account that some user belongs to
---@field all_have table<string, table<string, boolean>> by field and source: do all its users have that field?
---@field count integer of users
---@field again integer lines whose user had one before; the first counts
local Snapshot = {}
Snapshot.__index = Snapshot

--- Calls visit(text, name, number, place) for each non-blank line of a snapshot: place is the offset of its first byte.
---@param session rollcall.cli.Session
---@param file file*
---@param name string
---@param visit fun(text: string, name: string, number: integer, place: integer)
function snapshot.each_line(session, file, name, visit)
  local number, place = 0, 0
  while true do
    local text, problem = file:read "*l"
    if not text then
      if problem then
        failure.usage("cannot read the snapshot %s: %s", name, problem)
      end
      break
    end
    number = number + 1
    if number == 1 and text:sub(1, #BOM) == BOM then
      text, place = text:sub(#BOM + 1), #BOM
    end
    if text:find "%S" then
      visit(text, name, number, place)
    end
    place = place + #text + 1
    if number % 1000 == 0 then
      session:look_at_signals()
    end
  end
end

--- Indexes a snapshot: where each user's line is, which fields and sources there are.
---@param session rollcall.cli.Session
---@param name string
---@return rollcall.cli.Snapshot
function snapshot.index(session, name)
  local file = snapshot.open(name)
  local self = setmetatable({ file = file, name = name, line_offsets = {}, fields = {}, sources = {},
    accounts = {}, all_have = { account_id = {}, id = {} }, lines = {}, count = 0, again = 0 }, Snapshot)
  self.is_kept = name == "-" or not file:seek("cur", 0)
  snapshot.each_line(session, file, name, function(text, _, number, place)
    local user = snapshot.decode(text, name, number)
    local key = snapshot.key_of(user, name, number)
    for field in pairs(user) do
      self.fields[field] = true
    end
    if type(user.source) == "string" then
      self.sources[user.source] = true
    end
    local source = snapshot.text_of(user.source)
    for field, of_source in pairs(self.all_have) do
      of_source[source] = of_source[source] ~= false and snapshot.text_of(user[field]) ~= ""
    end
    local account, of = snapshot.account_of(user)
    self.accounts[account] = of
    if self.line_offsets[key] ~= nil then
      self.again = self.again + 1
      return
    end
    self.count = self.count + 1
    self.line_offsets[key] = self.is_kept and number or place
    self.lines[number] = self.is_kept and text or nil
  end)
  return self
end

--- Reads the line of a user again.
---@param place integer
---@return string
function Snapshot:text(place)
  if self.is_kept then
    return self.lines[place]
  end
  self.file:seek("set", place)
  return self.file:read "*l" or failure.usage("the snapshot %s changed while it was read", self.name)
end

--- The `line_offsets` that were not taken, in the snapshot's order.
---@return integer[]
function Snapshot:left()
  local list = {}
  for _, place in pairs(self.line_offsets) do
    list[#list + 1] = place or nil
  end
  table.sort(list)
  return list
end

return snapshot
