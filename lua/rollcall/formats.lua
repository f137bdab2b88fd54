-- The named formats of filter and option values.

local formats = {}

local hex = "%x"

--- 8-4-4-4-12 hexadecimal digits.
function formats.uuid(value)
  local pattern = ("^%s-%s-%s-%s-%s$"):format(
    hex:rep(8), hex:rep(4), hex:rep(4), hex:rep(4), hex:rep(12))
  return value:find(pattern) ~= nil
end

return formats
