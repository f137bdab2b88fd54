-- A provider's function makes the headers of each request, such as a signature.
--
-- It is called with { method, url, body } and the secrets that the client was given, and returns a table of headers, or
-- nil and what is wrong. The values that it returns are redacted, except for short ones in headers that carry no
-- credentials, such as a version.

local errors = require "rollcall.errors"
local header = require "rollcall.http.header"
local header_names = require "rollcall.http.header_names"
local secret = require "rollcall.auth.secret"

-- Bytes of the shortest value that is redacted if the header's name does not suggest credentials.
local SHORTEST = 8

local Function = {}
Function.__index = Function

local by_function = {}

function by_function.schema()
  return { headers = { type = "function", required = true, expected = "a function of a request and the secrets" } }
end

--- Any of the secrets, or none.
by_function.takes = { secret.names }
by_function.takes_any = true

local function misuse(client, problem)
  return "failed", errors.new("auth", "auth.headers: " .. client.redactor:clean(problem),
    { provider = client.provider.name })
end

function Function:authorize(asker)
  local client, secrets = self.client, {}
  for _, name in ipairs(secret.names) do
    if client.config[name] ~= nil then
      local value, err = secret.get(client, name)
      if not value then
        return "failed", err
      end
      secrets[name] = value
    end
  end
  local spec = asker.spec
  local headers, problem = client.provider.auth.headers(
    { method = spec.method, url = spec.url, body = spec.body }, secrets)
  if type(headers) ~= "table" then
    return misuse(client, headers == nil and problem ~= nil and tostring(problem) or "expected a table of headers")
  end
  local names, lines = {}, {}
  for name in pairs(headers) do
    names[#names + 1] = name
  end
  table.sort(names, function(a, b)
    return tostring(a) < tostring(b)
  end)
  for i, name in ipairs(names) do
    local value = headers[name]
    if type(name) ~= "string" or not name:find("^[%w!#$%%&'*+.^_`|~-]+$") or type(value) ~= "string"
      or value:find("%c") then
      return misuse(client, "expected header names and texts without control characters")
    end
    local free = header_names.of_auth.test(name)
    if free ~= true then
      return misuse(client, ("%s: %s"):format(name, free or "expected the name of another header"))
    end
    local has_credentials = name:lower() == "authorization" or header.is_of_credentials(name)
    if has_credentials then
      client.redactor:add(value, "credentials " .. name)
      secret.add_credentials(client.redactor, value, "credentials " .. name)
    elseif #value >= SHORTEST then
      client.redactor:add(value, "header " .. name)
    end
    lines[i] = name .. ": " .. value
  end
  return "ready", lines
end

--- After a refusal the function is called again, once.
function Function:renew()
  return true
end

function by_function.new(client)
  return setmetatable({ client = client }, Function)
end

return by_function
