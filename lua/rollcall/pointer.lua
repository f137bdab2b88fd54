-- JSON Pointers (RFC 6901): taken apart, and made.

local pointer = {}

--- A name as it stands in a pointer.
---@param step string
---@return string
function pointer.escape(step)
  return (step:gsub("~", "~0"):gsub("/", "~1"))
end

--- The names, and numbers of elements, that a pointer leads by.
---@param text string
---@return string[]
function pointer.steps(text)
  local list = {}
  for step in text:gmatch "/([^/]*)" do
    list[#list + 1] = step:gsub("~1", "/"):gsub("~0", "~")
  end
  return list
end

--- A field's name as a pointer, and a pointer, which begins with /, as it is.
---@param name string
---@return string
function pointer.of(name)
  return name:sub(1, 1) == "/" and name or "/" .. pointer.escape(name)
end

return pointer
