-- The secrets of a client's options: each a string, or what its function returns.

local errors = require "rollcall.errors"

local secret = {}

-- Most bytes that an error shows of the reason why a function has no secret.
local LONGEST_REASON = 512

--- The options that are secrets.
secret.names = { "client_id", "client_secret", "password", "token", "username" }

--- Registers the credentials after a scheme such as Bearer: a server may echo them alone.
function secret.add_credentials(redactor, value, use)
  redactor:add(value:match("^%s*%S+%s+(.*)$") or "", use)
end

-- Identities: less secret than credentials.
local IDENTITIES = { client_id = true, username = true }

--- Does a declaration have this string in it?
local function has_text(node, text)
  if type(node) == "table" then
    for key, value in pairs(node) do
      if has_text(key, text) or has_text(value, text) then
        return true
      end
    end
  end
  return type(node) == "string" and node:find(text, 1, true) ~= nil
end

--- Is an identity part of the address, or of the provider's own paths and pointers, such as a user named "users"? Then
--- it is no secret, and redacting it would hide what errors are about.
local function is_spelled_out(client, name, text)
  return IDENTITIES[name] == true and (has_text(client.base_url, text) or has_text(client.provider, text))
end

--- A secret, which is registered for redaction; nil and an error. Its function returns it, or nil and why not.
---@param client rollcall.ClientState
---@param name string
---@return string?
---@return rollcall.Error?
function secret.get(client, name)
  local value, why = client.config[name], nil
  local is_asked = type(value) == "function"
  if is_asked then
    value, why = value()
  end
  if client.redactor:is_newest(value, name) then
    return value -- checked when it was registered
  end
  if is_asked and value == nil and why ~= nil then
    local good, text = pcall(tostring, why)
    local shown = good and not text:find "^table: " and text or "a table"
    local reason = client.redactor:clean(shown, nil, LONGEST_REASON):gsub("[%z\1-\31\127]", " ")
    return nil, errors.new("auth", ("%s: its function answered nil, and: %s"):format(name, reason),
      { provider = client.provider.name })
  elseif type(value) ~= "string" or value == "" or value:find("%c") then
    return nil, errors.new("auth", ("%s: expected %sa string without control characters, got %s"):format(name,
      is_asked and "its function to answer " or "",
      type(value) == "string" and "one with them, or an empty one" or "a " .. type(value)),
      { provider = client.provider.name })
  end
  if not is_spelled_out(client, name, value) then
    client.redactor:add(value, name)
  end
  if name == "token" then
    secret.add_credentials(client.redactor, value, "credentials")
  end
  return value
end

--- Is one of these options a function, which may return another value next time?
---@param client rollcall.ClientState
---@param names string[]
---@return boolean
function secret.may_change(client, names)
  for _, name in ipairs(names) do
    if type(client.config[name]) == "function" then
      return true
    end
  end
  return false
end

return secret
