-- JSON Pointers (RFC 6901): made, taken apart and followed.

local pointer = {}

--- A name escaped for a pointer.
---@param step string
---@return string
function pointer.escape(step)
  return (step:gsub("~", "~0"):gsub("/", "~1"))
end

--- The reference tokens of a pointer, unescaped.
---@param text string
---@return string[]
function pointer.steps(text)
  local list = {}
  for step in text:gmatch "/([^/]*)" do
    list[#list + 1] = step:gsub("~1", "/"):gsub("~0", "~")
  end
  return list
end

--- A field's name as a pointer; a pointer, which begins with /, as it is.
---@param name string
---@return string
function pointer.of(name)
  return name:sub(1, 1) == "/" and name or "/" .. pointer.escape(name)
end

--- One step into a decoded document: an object's member, or an array's element, counted from 0.
---@param value any
---@param step string
---@return any
function pointer.child(value, step)
  if type(value) ~= "table" then
    return nil
  end
  local found = value[step]
  if found == nil and step:find "^%d+$" and not step:find "^0%d" then
    found = value[tonumber(step) + 1]
  end
  return found
end

--- The value at a pointer in a decoded document; nil if there is none.
---@param document any
---@param text string
---@return any
function pointer.get(document, text)
  for _, step in ipairs(pointer.steps(text)) do
    document = pointer.child(document, step)
  end
  return document
end

return pointer
