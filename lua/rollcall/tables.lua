-- Tables: keys, copies and kinds.

local tables = {}

--- The keys of a table as strings, sorted.
---@param map table
---@return string[]
function tables.keys(map)
  local keys = {}
  for key in pairs(map) do
    keys[#keys + 1] = tostring(key)
  end
  table.sort(keys)
  return keys
end

--- A copy of a table with some of its entries replaced or added.
---@param base table
---@param more table
---@return table
function tables.with(base, more)
  local twin = {}
  for key, value in pairs(base) do
    twin[key] = value
  end
  for key, value in pairs(more) do
    twin[key] = value
  end
  return twin
end

--- A copy that shares no table with the value.
---@generic T
---@param value T
---@return T
function tables.copy(value)
  if type(value) ~= "table" then
    return value
  end
  local twin = {}
  for key, child in pairs(value) do
    twin[key] = tables.copy(child)
  end
  return twin
end

--- Does a table have the keys 1, 2 … of a list and no others?
---@param value table
---@return boolean
function tables.is_list(value)
  local count = 0
  for _ in pairs(value) do
    count = count + 1
  end
  for i = 1, count do
    if value[i] == nil then
      return false
    end
  end
  return true
end

--- The value if it is a table, otherwise an empty table: for values that were not checked yet.
---@param value any
---@return table
function tables.table_or_empty(value)
  return type(value) == "table" and value or {}
end

return tables
