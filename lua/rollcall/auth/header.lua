-- A token or key from the script, in a header: `Authorization: Bearer TOKEN` if the provider declares nothing else,
-- otherwise as declared, such as `X-Api-Key: KEY` or `Authorization: SSWS KEY`.

local header_names = require "rollcall.http.header_names"
local schema = require "rollcall.schema"
local secret = require "rollcall.auth.secret"
local tables = require "rollcall.tables"

local Header = {}
Header.__index = Header

local header = {}

-- The fields of a declaration for where a key goes.
header.name = header_names.of_auth
header.prefix = { type = "string", expected = "what stands before the key, such as \"SSWS \"", test = function(value)
  return not value:find("%c")
end }

function header.schema()
  return { name = schema.required(header.name), prefix = header.prefix }
end

--- The header line of a key, or of a token, which is a bearer token (RFC 6750) if nothing else is declared.
---@param declared { name: string?, prefix: string? }
---@param key string
---@return string
function header.line(declared, key)
  local prefix = declared.prefix or declared.name and "" or "Bearer "
  return ("%s: %s%s"):format(declared.name or "Authorization", prefix, key)
end

header.takes = { { "token" } }

function Header:authorize()
  local token, err = secret.get(self.client, "token")
  if not token then
    return "failed", err
  end
  return "ready", { header.line(self.client.provider.auth or {}, token) }
end

function Header:renew()
  return secret.may_change(self.client, { "token" })
end

function header.new(client)
  return setmetatable({ client = client }, Header)
end

--- A bearer token (RFC 6750): for providers that declare nothing.
header.bearer = tables.with(header, { schema = function()
  return {}
end })

return header
