-- The named formats of filter and option values.

local formats = {}

local function hex(count)
  return ("%x"):rep(count)
end

local UUID = "^" .. table.concat({ hex(8), hex(4), hex(4), hex(4), hex(12) }, "%-") .. "$"

--- 8-4-4-4-12 hexadecimal digits.
function formats.uuid(value)
  return value:find(UUID) ~= nil
end

return formats
