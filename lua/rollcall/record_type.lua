-- Types of records: core.record_type, with a reading of fields that LuaJIT compiles.
--
-- LuaJIT's compiler stops at calls by Lua's C API, of which core's own __index is made. It does not at calls by its
-- FFI: read_field is the same look-up without Lua in it. What it leaves, such as objects and arrays, core reads.

local core = require "rollcall.core"

local record_type = {}

local TEXT, NUMBER, TRUE, FALSE, BY_CORE = 1, 2, 3, 4, 5 -- and 0 for nothing: record.c's reading_kind

--- What read_field tells of a field, read_field itself, and what makes a string: nil where none of it helps.
local function foreign()
  local jit = rawget(_G, "jit")
  if not jit or not jit.status() then -- without the compiler the FFI is slower than the C API
    return nil
  end
  local found, ffi = pcall(require, "ffi") -- it may have been left out
  if not found then
    return nil
  end
  local reading = ffi.typeof "struct { const char *text; size_t length; double number; char unescaped[512]; }"
  local pointer = ffi.typeof("int (**)(const void *, const char *, size_t, $ *)", reading)
  return reading(), ffi.cast(pointer, core.read_field)[0], ffi.string
end

local reading, read_field, string_of = foreign()

--- An __index that gives what core's own gives.
local function compiled(common, by_core)
  local renamed, computed = {}, {}
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
    local kind = read_field(user, field, #field, reading)
    if kind == TEXT then
      local text = string_of(reading.text, reading.length) -- LuaJIT does not compile it as a tail call
      return text
    elseif kind == NUMBER then
      return reading.number
    elseif kind == TRUE then
      return true
    elseif kind == FALSE then
      return false
    elseif kind == BY_CORE then
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
  if reading then
    made.__index = compiled(common, made.__index)
  end
  return made
end

return record_type
