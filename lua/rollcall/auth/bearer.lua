-- A bearer token that the script brings (RFC 6750).

local secret = require "rollcall.auth.secret"

local Bearer = {}
Bearer.__index = Bearer

local bearer = {}

function bearer.schema()
  return {}
end

--- Which secrets the client's options have to have: one of these lists.
bearer.takes = { { "token" } }

function Bearer:authorize()
  local token, err = secret.get(self.client, "token")
  if not token then
    return "failed", err
  end
  return "ready", { "Authorization: Bearer " .. token }
end

--- The token was refused. May another one help?
function Bearer:refused()
  return secret.may_change(self.client, { "token" })
end

function bearer.new(client)
  return setmetatable({ client = client }, Bearer)
end

return bearer
