-- The named formats of filter values: the type that a value has in Lua, and what else it must keep to.

---@class rollcall.Format
---@field type "string"|"integer"|"boolean"
---@field expected string in words
---@field test (fun(value: string): boolean)?

local time = require "rollcall.time"

local formats = {}

local function hex(count)
  return ("%x"):rep(count)
end

local UUID = "^" .. table.concat({ hex(8), hex(4), hex(4), hex(4), hex(12) }, "%-") .. "$"

--- 8-4-4-4-12 hexadecimal digits.
formats.uuid = { type = "string", expected = "a uuid", test = function(value)
  return value:find(UUID) ~= nil
end }

--- Such as 2026-01-31.
formats.date = { type = "string", expected = "a date such as 2026-01-31", test = function(value)
  return #value == #"2026-01-31" and time.parse(value) ~= nil
end }

--- RFC 3339, such as 2026-01-31T12:00:00Z.
formats["date-time"] = { type = "string", expected = "a date-time such as 2026-01-31T12:00:00Z", test = function(value)
  return value:find "^[%d-]+[Tt]" ~= nil and time.parse(value) ~= nil
end }

--- A whole number, in the range of the filter's min and max.
formats.integer = { type = "integer", expected = "a whole number" }

--- Sent as true or false.
formats.boolean = { type = "boolean", expected = "true or false" }

return formats
