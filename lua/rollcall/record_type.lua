-- Types of records: core.record_type, with a reading of fields that LuaJIT compiles.
--
-- LuaJIT's compiler stops at calls by Lua's C API, of which core's own __index is made. It does not at calls by its
-- FFI: core.reader is the same look-up without Lua in it. What it leaves, such as objects and arrays, core reads.

local core = require "rollcall.core"

local type, getmetatable = type, getmetatable

local record_type = {}

-- What record.c says of a field: a number whose lowest bits are what it is, the next ones the length of its text, and
-- the others where in the record's memory that is.
local TEXT, ESCAPED, INTEGER, TRUE, FALSE, BY_CORE = 1, 2, 3, 4, 5, 6 -- and 0 for nothing
local KIND_BITS, KIND_MASK = 3, 7
local LOW_MASK, LOW_SIZE = 0x1FFFFF, 0x200000 -- of kind and length

-- Bytes of a text with escapes that is read here.
local ROOM = 512

--- The FFI, and what of it reads fields; nil where that does not help.
local function foreign()
  local jit = rawget(_G, "jit")
  if not jit or not jit.status() or not core.reader then -- without the compiler the FFI is slower than the C API
    return nil
  end
  local found, ffi = pcall(require, "ffi") -- it may have been left out
  if not found then
    return nil
  end
  local reader = ffi.typeof [[struct {
    double (*field)(const void *memory, const char *name, size_t length);
    double (*integer)(const void *memory, double offset, int length);
    int (*escaped)(const void *memory, double offset, int length, char *text);
  } *]]
  return ffi, ffi.cast(reader, core.reader)
end

local ffi, reader = foreign()
local scratch = ffi and ffi.new("char[?]", ROOM) -- of all records: see `turn`
local turn = 0 -- grows with each use of the scratch

--- An __index that gives what core's own gives. Between any two steps of it a finalizer or a hook of the script may
--- run, and read another record: what a step has found stays in locals, and who has used the scratch looks whether
--- another one has used it meanwhile.
---@param common table
---@param by_core function core's own
---@return function
local function compiled(common, by_core)
  local band, rshift = require("bit").band, require("bit").rshift
  local string_of, cast, bytes = ffi.string, ffi.cast, ffi.typeof "const char *"
  local field_of, integer_of, escaped_of = reader.field, reader.integer, reader.escaped
  local renamed, computed = {}, {} -- common names that stand for a field; those that core works out
  for name, rule in pairs(common) do
    local field = type(rule) == "string" and rule:match "^/([^/~]+)$"
    if field then
      renamed[name] = field
    else
      computed[name] = true
    end
  end
  return function(user, name)
    if type(name) ~= "string" or computed[name] or type(user) ~= "userdata"
      or getmetatable(user) ~= "rollcall.record" then
      return by_core(user, name)
    end
    local field = renamed[name] or name
    local place = field_of(user, field, #field)
    local low = band(place, LOW_MASK)
    local kind, length, offset = band(low, KIND_MASK), rshift(low, KIND_BITS), (place - low) / LOW_SIZE
    if kind == TEXT then
      local text = string_of(cast(bytes, user) + offset, length) -- tail calls by the FFI are not compiled
      return text
    elseif kind == INTEGER then
      local number = integer_of(user, offset, length)
      return number
    elseif kind == ESCAPED and length <= ROOM then
      local mine = turn + 1
      turn = mine
      local text = string_of(scratch, escaped_of(user, offset, length, scratch))
      if turn == mine then
        return text
      end
      return by_core(user, name)
    elseif kind == TRUE then
      return true
    elseif kind == FALSE then
      return false
    elseif kind == ESCAPED or kind == BY_CORE then
      return by_core(user, name)
    end
    return nil
  end
end

--- Makes a type of records; see core.record_type.
---@param common table<string, string|(fun(record: rollcall.User): any)|{ [1]: any }>
---@return table type for core.decoder
function record_type.new(common)
  local made = core.record_type(common)
  if reader then
    made.__index = compiled(common, made.__index)
  end
  return made
end

return record_type
