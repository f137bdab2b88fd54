-- The named formats of filter values: the type that a value has in Lua, and its syntax.

---@class rollcall.Format
---@field type "string"|"integer"|"boolean"
---@field expected string in words
---@field test (fun(value: string): boolean)?

local calendar = require "rollcall.calendar"

local formats = {}

local function hex(count)
  return ("%x"):rep(count)
end

local UUID = "^" .. table.concat({ hex(8), hex(4), hex(4), hex(4), hex(12) }, "%-") .. "$"

--- 8-4-4-4-12 hexadecimal digits.
formats.uuid = { type = "string", expected = "a uuid", test = function(value)
  return value:find(UUID) ~= nil
end }

local function is_date(year, month, day)
  return year ~= nil and calendar.is_date(tonumber(year), tonumber(month), tonumber(day))
end

--- Such as 2026-01-31.
formats.date = { type = "string", expected = "a date such as 2026-01-31", test = function(value)
  return is_date(value:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)$"))
end }

--- RFC 3339, such as 2026-01-31T12:00:00Z.
formats["date-time"] = { type = "string", expected = "a date-time such as 2026-01-31T12:00:00Z", test = function(value)
  local year, month, day, hour, minute, second, rest =
    value:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)[Tt](%d%d):(%d%d):(%d%d)(.*)$")
  local zone = rest and (rest:match("^%.%d+(.+)$") or rest)
  local ahead, past = (zone or ""):match("^[+-](%d%d):(%d%d)$")
  return is_date(year, month, day) and tonumber(hour) < 24 and tonumber(minute) < 60 and tonumber(second) <= 60
    and (zone == "Z" or zone == "z" or ahead ~= nil and tonumber(ahead) < 24 and tonumber(past) < 60)
end }

--- A whole number, in the range of the filter's min and max.
formats.integer = { type = "integer", expected = "a whole number" }

--- Sent as true or false.
formats.boolean = { type = "boolean", expected = "true or false" }

return formats
