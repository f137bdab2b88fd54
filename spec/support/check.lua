-- What the specs say again and again.

local check = {}

local function show(value)
  return type(value) == "string" and ("%q"):format(value) or tostring(value)
end

--- Where two values differ first, tables compared by content; nil where they do not.
---@return string?
function check.difference(expected, actual, path)
  path = path or ""
  if expected == actual or (expected ~= expected and actual ~= actual) then -- NaN
    return nil
  elseif type(expected) ~= "table" or type(actual) ~= "table" then
    return ("%s: expected %s, got %s"):format(path, show(expected), show(actual))
  end
  for key, value in pairs(expected) do
    local found = check.difference(value, actual[key], path .. "/" .. tostring(key))
    if found then
      return found
    end
  end
  for key, value in pairs(actual) do
    if expected[key] == nil then
      return ("%s/%s: expected nothing, got %s"):format(path, tostring(key), show(value))
    end
  end
  return nil
end

--- Raises unless both are the same.
function check.same(expected, actual)
  local found = check.difference(expected, actual)
  if found then
    error(found, 2)
  end
end

--- A copy, for a comparison later.
function check.copy(value)
  if type(value) ~= "table" then
    return value
  end
  local twin = {}
  for key, child in pairs(value) do
    twin[key] = check.copy(child)
  end
  return twin
end

--- Raises unless `text` contains each of the others, to the letter.
function check.contains(text, ...)
  for _, part in ipairs { ... } do
    if not tostring(text):find(part, 1, true) then
      error(("expected %s in: %s"):format(show(part), tostring(text)), 2)
    end
  end
end

--- `f` must raise a text that names a line of `f` itself, and contains the others.
function check.misuse(f, ...)
  local good, message = pcall(f)
  if good then
    error("expected it to raise", 2)
  elseif type(message) ~= "string" then
    error("expected a text, got " .. tostring(message), 2)
  end
  local info = debug.getinfo(f, "S")
  local file, line, rest = message:match "^(.-):(%d+): (.*)$"
  line = tonumber(line)
  if file ~= info.short_src or line < info.linedefined or line > info.lastlinedefined then
    error(("expected a position in lines %d to %d of the caller: %s"):format(
      info.linedefined, info.lastlinedefined, message), 2)
  end
  for _, part in ipairs { ... } do
    if not rest:find(part, 1, true) then
      error(("expected %s in: %s"):format(show(part), message), 2)
    end
  end
  return message
end

local function search(value, secrets, path, known)
  if type(value) == "table" then
    if known[value] then
      return nil
    end
    known[value] = true
    for key, child in pairs(value) do
      local found = search(key, secrets, path, known) or search(child, secrets, path .. "." .. tostring(key), known)
      if found then
        return found
      end
    end
  elseif type(value) == "string" then
    for _, secret in ipairs(secrets) do
      if value:find(secret, 1, true) then
        return ("%s shows the secret %s: %s"):format(path, secret, value)
      end
    end
  end
end

--- An error object must be one, of this kind, readable in one line, and show none of the secrets.
---@param secrets string[]?
function check.failure(err, kind, secrets)
  if not require("rollcall.errors").is(err) then
    error("expected an error object, got " .. tostring(err), 2)
  elseif err.kind ~= kind then
    error(("expected kind %s: %s"):format(kind, tostring(err)), 2)
  end
  local line = tostring(err)
  if line:find "%c" or line:sub(1, #kind + 2) ~= kind .. ": " then
    error("expected one line that begins with the kind: " .. line, 2)
  end
  local found = search(err, secrets or {}, "err", {}) or search(line, secrets or {}, "tostring", {})
  if found then
    error(found, 2)
  end
  return err
end

--- None of the secrets anywhere in a value.
function check.no_secret(value, secrets)
  local found = search(value, secrets, "it", {})
  if found then
    error(found, 2)
  end
end

return check
