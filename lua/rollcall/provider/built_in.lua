-- The providers that come with the library, or are custom modules rollcall.providers.NAME, by name.

--- The table of a built-in provider; nil if there is none of that name. Raises if its file does not load.
---@param name any
---@return rollcall.Provider?
local function built_in(name)
  if type(name) ~= "string" or not name:find("^[%a_][%w_]*$") then
    return nil
  end
  local module = "rollcall.providers." .. name
  local known, found = pcall(require, module)
  if known then
    return found
  end
  package.loaded[module] = nil -- LuaJIT would report next time that it was tried before, and not why it failed
  if not tostring(found):find(("module '%s' not found"):format(module), 1, true) then
    error(("the provider %q: %s"):format(name, tostring(found)), 0)
  end
end

return built_in
