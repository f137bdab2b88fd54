-- Field names in commands and lists of columns: "email", "department.name", "/department/name". They work alike for
-- users and for plain tables made from users.

local core = require "rollcall.core"
local pointers = require "rollcall.pointer"

local at, null = core.at, core.null

local path = {}

--- Raises, for the caller's caller, unless fields can be read from this.
---@param where string the start of the message
---@param user any
function path.check_user(where, user)
  if type(user) ~= "userdata" and type(user) ~= "table" then
    error(("%s: expected a user, got a %s"):format(where, type(user)), 3)
  end
end

local function present(value)
  if value == null then
    return nil
  end
  return value
end

local function walk(value, steps, from)
  for i = from, #steps do
    value = present(pointers.child(value, steps[i]))
    if value == nil then
      return nil
    end
  end
  return value
end

local TOO_MANY_STEPS = (" (at most %d steps)"):format(core.most_steps)

--- Is this a valid field name: a name, names with dots between them, or a JSON Pointer, of at most core.most_steps
--- steps?
---@param name any
---@return boolean
---@return string limit what a message adds after "a field's name" if the name has too many steps; otherwise ""
function path.is_name(name)
  if type(name) ~= "string" or name:find "%c" then
    return false, ""
  end
  local is_pointer = name:sub(1, 1) == "/"
  local steps = select(2, name:gsub(is_pointer and "/" or "%.", "")) + (is_pointer and 0 or 1)
  if steps > core.most_steps then
    return false, TOO_MANY_STEPS
  elseif is_pointer then
    return not (name .. "$"):find "~[^01]", ""
  end
  return name ~= "" and not name:find "^%." and not name:find "%.$" and not name:find("..", 1, true), ""
end

--- The JSON Pointer of the field with this name, if it is not a common field; nil for a name with dots, which may mean
--- more than one field.
---@param name string
---@return string?
function path.pointer(name)
  if name:sub(1, 1) == "/" then
    return name
  elseif not name:find(".", 1, true) then
    return "/" .. pointers.escape(name)
  end
  return nil
end

--- A getter of this field of a user, which returns nil if it is absent or null. For a name with dots, a field whose own
--- name has them goes first.
---@param name string
---@return fun(user: rollcall.User|table): any
function path.compile(name)
  local is_name, limit = path.is_name(name)
  if not is_name then
    error(("path: expected a field's name, names with dots, or a JSON Pointer%s, got %s"):format(limit,
      type(name) == "string" and ("%q"):format(name) or "a " .. type(name)), 2)
  end
  local steps, pointer = {}, path.pointer(name)
  local is_dotted = pointer == nil
  if is_dotted then
    for step in name:gmatch "[^.]+" do
      steps[#steps + 1] = step
    end
    pointer = "/" .. pointers.escape(name):gsub("%.", "/")
  elseif pointer ~= name then
    return function(user)
      return present(user[name])
    end
  else
    steps = pointers.steps(name)
  end
  return function(user)
    local value
    if is_dotted then
      value = present(user[name])
      if value ~= nil then
        return value
      end
    end
    if type(user) ~= "table" then
      value = at(user, pointer)
      if value == nil and is_dotted then
        value = walk(user[steps[1]], steps, 2) -- inside a common field
      end
    else
      value = walk(user, steps, 1)
    end
    return present(value)
  end
end

return path
