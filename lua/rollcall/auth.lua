-- Authentication. Each type is a module of its own:
--   schema(nodes)     the fields of its declaration
--   check             checks that involve several fields
--   takes             lists of the client's secrets; it needs all of one list (with takes_any: or fewer)
--   new(client, variables) -> an object with
--     authorize(asker, now) -> "ready" and header lines; "wait" and seconds at most; "failed" and an error
--     renew(lines) -> drops credentials that were refused; true if another attempt may succeed

local header = require "rollcall.auth.header"

local auth = {}

auth.types = {
  basic = require "rollcall.auth.basic",
  bearer = header.bearer,
  client_credentials = require "rollcall.auth.client_credentials",
  ["function"] = require "rollcall.auth.function",
  header = header,
}

--- The type of a provider; a bearer token if it declares none.
local function type_of(provider)
  return provider.auth and provider.auth.type or "bearer"
end

--- The lists of secrets of which a client of the provider needs one, and whether fewer will do.
---@param provider rollcall.Provider
---@return string[][]
---@return boolean any
function auth.takes(provider)
  local kind = auth.types[type_of(provider)]
  return kind.takes, kind.takes_any or false
end

--- The object that authorizes the requests of one account.
---@param client rollcall.ClientState
---@param variables table<string, string> the values of each {name} in the provider's paths
function auth.new(client, variables)
  local kind = type_of(client.provider)
  if kind == "client_credentials" and client.config.token ~= nil then
    kind = "header"
  end
  return (auth.types[kind].new(client, variables))
end

return auth
