-- Read-only views of tables.

local frozen = {}

---@type table<table, table> the plain table of each frozen one
local plain_of = setmetatable({}, { __mode = "k" })

--- The table that a frozen one shows; any other value unchanged.
---@generic T
---@param value T
---@return T
function frozen.thaw(value)
  return plain_of[value] or value
end

--- A read-only view of a table. LuaJIT's `pairs` and `#` see nothing of it; its fields can be read on every Lua.
---@generic T
---@param plain T
---@return T
function frozen.freeze(plain)
  local views = setmetatable({}, { __mode = "v" })
  local view = {}
  plain_of[view] = plain
  local function show(value)
    if type(value) ~= "table" then
      return value
    end
    views[value] = views[value] or frozen.freeze(value)
    return views[value]
  end
  return setmetatable(view, {
    __index = function(_, key)
      return show(plain[key])
    end,
    __newindex = function(_, key)
      error(("a provider cannot be changed once it is made: %s"):format(tostring(key)), 2)
    end,
    __pairs = function()
      return function(_, key)
        local following, value = next(plain, key)
        return following, show(value)
      end, view, nil
    end,
    __len = function()
      return #plain
    end,
    __metatable = false,
  })
end

-- Placeholder for a cycle: no schema accepts a function there.
local function itself() end

local function copy_of(value, copies)
  value = frozen.thaw(value)
  if type(value) ~= "table" then
    return value
  elseif copies[value] then
    return copies[value]
  end
  local copy = {}
  copies[value] = itself
  for key, child in pairs(value) do
    copy[key] = copy_of(child, copies)
  end
  copies[value] = copy
  return copy
end

--- A copy of a table, which may contain frozen tables, with plain tables only.
---@generic T
---@param value T
---@return T
function frozen.copy(value)
  return copy_of(value, {})
end

return frozen
