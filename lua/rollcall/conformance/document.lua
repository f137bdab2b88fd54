-- Makes and reads JSON documents by JSON Pointers, for the conformance kit.

local core = require "rollcall.core"
local json = require "rollcall.json"
local pointers = require "rollcall.pointer"

local document = {}

local Array, Raw = {}, {}

--- A list that is written as an array even if it is empty.
---@param list table
---@return table
function document.array(list)
  return setmetatable(list, Array)
end

--- JSON text that is written into a document unchanged.
---@param text string
---@return table
function document.raw(text)
  return setmetatable({ text = text }, Raw)
end

--- Puts a value at a pointer, creating objects and arrays as needed; nil and what is in the way.
---@param root table
---@param pointer string
---@param value any
---@return true? good
---@return string? problem
function document.put(root, pointer, value)
  local steps = pointers.steps(pointer)
  local at = root
  for i, step in ipairs(steps) do
    local is_array = getmetatable(at) == Array
    if getmetatable(at) == Raw or is_array and not step:find("^%d+$") then
      return nil, ("%s cannot stand there: there is another value on the way to it"):format(pointer)
    end
    local key = is_array and tonumber(step) + 1 or step
    if i == #steps then
      if at[key] ~= nil and at[key] ~= value then
        return nil, ("%s is said to be two things"):format(pointer)
      end
      at[key] = value
      return true
    end
    if at[key] == nil then
      at[key] = steps[i + 1] == "0" and document.array {} or {}
    elseif type(at[key]) ~= "table" then
      return nil, ("%s cannot stand there: there is another value on the way to it"):format(pointer)
    end
    at = at[key]
  end
  return nil, "the document itself cannot be put into it"
end

--- Calls visit for every value of a decoded document and its pointer; not for the elements of lists.
---@param root any
---@param visit fun(pointer: string, value: any)
---@param pointer string?
function document.each(root, visit, pointer)
  pointer = pointer or ""
  visit(pointer, root)
  if type(root) ~= "table" or root[1] ~= nil then
    return
  end
  local keys = {}
  for key in pairs(root) do
    keys[#keys + 1] = key
  end
  table.sort(keys)
  for _, key in ipairs(keys) do
    document.each(root[key], visit, pointer .. "/" .. pointers.escape(key))
  end
end

--- The JSON text of a document, with members sorted by name, or in reverse order.
---@param value any
---@param is_reversed boolean?
---@return string
function document.encode(value, is_reversed)
  if type(value) ~= "table" or value == core.null then
    return json.encode(value)
  elseif getmetatable(value) == Raw then
    return value.text
  end
  local parts = {}
  if getmetatable(value) == Array then
    for i, one in ipairs(value) do
      parts[i] = document.encode(one, is_reversed)
    end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  local keys = {}
  for key in pairs(value) do
    keys[#keys + 1] = key
  end
  table.sort(keys, function(a, b)
    if is_reversed then
      return a > b
    end
    return a < b
  end)
  for i, key in ipairs(keys) do
    parts[i] = json.encode(key) .. ":" .. document.encode(value[key], is_reversed)
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

return document
