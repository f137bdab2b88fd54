-- Types of records: core.record_type, with field access that LuaJIT compiles.
--
-- LuaJIT's compiler stops at calls of Lua C functions, such as core's own __index. It does not at calls by its FFI:
-- core.reader is the same look-up without the Lua API. What it does not read, such as objects and arrays, core's own
-- __index reads.

local core = require "rollcall.core"

local type, getmetatable = type, getmetatable

local record_type = {}

-- What record.c returns for a field: a number whose lowest bits are its kind, the next ones the length of its text, and
-- the rest the offset of the text in the record's memory.
local TEXT, ESCAPED, INTEGER, TRUE, FALSE, BY_CORE = 1, 2, 3, 4, 5, 6 -- and 0 for nothing
local KIND_BITS, KIND_MASK = 3, 7
local LOW_MASK, LOW_SIZE = 0x1FFFFF, 0x200000 -- of kind and length

-- The longest string with escapes that is read here, in bytes.
local ROOM = 512

--- The FFI and core.reader as a C struct; nil if the FFI does not help.
local function foreign()
  local jit = rawget(_G, "jit")
  if not jit or not jit.status() or not core.reader then -- without the compiler the FFI is slower than the C API
    return nil
  end
  local found, ffi = pcall(require, "ffi") -- LuaJIT may be built without it
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
local scratch = ffi and ffi.new("char[?]", ROOM) -- shared by all records, see `turn`
local turn = 0 -- counts uses of the scratch, to detect another use meanwhile

--- An __index with the same results as core's own. Between any two of its steps a finalizer or a debug hook may run and
--- read another record: so what a step has found stays in locals, and after using the scratch it checks whether there
--- was another use meanwhile.
---@param common table
---@param by_core function core's own __index
---@return function
local function compiled(common, by_core)
  local band, rshift = require("bit").band, require("bit").rshift
  local string_of, cast, bytes = ffi.string, ffi.cast, ffi.typeof "const char *"
  local field_of, integer_of, escaped_of = reader.field, reader.integer, reader.escaped
  local renamed, computed = {}, {} -- common names that stand for a field; those that core evaluates
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
