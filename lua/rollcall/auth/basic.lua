-- User and password, in every request (RFC 7617).

local base64 = require "rollcall.base64"
local errors = require "rollcall.errors"
local secret = require "rollcall.auth.secret"

local Basic = {}
Basic.__index = Basic

local basic = {}

function basic.schema()
  return {}
end

basic.takes = { { "username", "password" } }

function Basic:authorize()
  local username, user_err = secret.get(self.client, "username")
  local password, password_err = secret.get(self.client, "password")
  if not username or not password then
    return "failed", user_err or password_err
  elseif username:find(":", 1, true) then
    return "failed", errors.new("auth", "username: Basic credentials can have no colon in it",
      { provider = self.client.provider.name })
  end
  local credentials = base64.encode(username .. ":" .. password)
  self.client.redactor:add(credentials, "basic")
  return "ready", { "Authorization: Basic " .. credentials }
end

function Basic:renew()
  return secret.may_change(self.client, { "username", "password" })
end

function basic.new(client)
  return setmetatable({ client = client }, Basic)
end

return basic
