-- A key that the script brings, in a header of the provider's: `X-Api-Key: KEY`, `Authorization: SSWS KEY`.

local header_names = require "rollcall.http.header_names"
local schema = require "rollcall.schema"
local secret = require "rollcall.auth.secret"

local Header = {}
Header.__index = Header

local header = {}

function header.schema()
  return {
    name = schema.required(header_names.of_auth),
    prefix = { type = "string", expected = "what stands before the key, such as \"SSWS \"", test = function(value)
      return not value:find("%c")
    end },
  }
end

header.takes = { { "token" } }

function Header:authorize()
  local token, err = secret.get(self.client, "token")
  if not token then
    return "failed", err
  end
  local auth = self.client.provider.auth
  return "ready", { ("%s: %s%s"):format(auth.name, auth.prefix or "", token) }
end

function Header:refused()
  return secret.may_change(self.client, { "token" })
end

function header.new(client)
  return setmetatable({ client = client }, Header)
end

return header
