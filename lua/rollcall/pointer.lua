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

--- What a pointer leads to in a decoded document; nil where it leads nowhere.
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
