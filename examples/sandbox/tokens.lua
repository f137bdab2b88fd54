-- Bearer tokens of both providers: issued, looked up, revoked. They are kept in shared memory until the sandbox stops.

local cjson = require "cjson"
local settings = require "sandbox.settings"

local tokens = {}

local issued = ngx.shared.tokens

-- Created before the workers start, so that they share it; new at each start, so that tokens of another sandbox are
-- unknown here.
local key = assert(io.open("/dev/urandom", "rb")):read(20)

local function base64url(bytes)
  return (ngx.encode_base64(bytes, true):gsub("[+/]", { ["+"] = "-", ["/"] = "_" }))
end

-- A token for a client of provider "tesouro" or "dintero" (the latter with an account), and the seconds that it is
-- valid. It looks like a JWT; only this file reads it.
function tokens.issue(provider, client, account)
  local lifetime = settings.get(provider .. "_expires_in")
  local claims = cjson.encode {
    serial = issued:incr("serial", 1, 0),
    provider = provider,
    client = client,
    account = account,
    expires = ngx.now() + lifetime,
  }
  local signed = base64url '{"alg":"HS1","typ":"JWT"}' .. "." .. base64url(claims)
  local token = signed .. "." .. base64url(ngx.hmac_sha1(key, signed))
  issued:set("token:" .. token, claims)
  return token, lifetime
end

-- The claims of the request's bearer token, with `expired` true if it is; or nil and whether the token is "missing" or
-- "unknown".
function tokens.of_request(provider)
  local token = (ngx.var.http_authorization or ""):match "^[Bb][Ee][Aa][Rr][Ee][Rr] +(%S+)$"
  if not token then return nil, "missing" end
  local text = issued:get("token:" .. token)
  local claims = text and cjson.decode(text)
  if not claims or claims.provider ~= provider or claims.serial <= (issued:get "revoked" or 0) then
    return nil, "unknown"
  end
  claims.expired = ngx.now() >= claims.expires or claims.serial <= (issued:get "expired" or 0)
  return claims
end

-- All tokens issued so far become unknown.
function tokens.revoke()
  issued:set("revoked", issued:get "serial" or 0)
end

-- All tokens issued so far count as expired.
function tokens.expire()
  issued:set("expired", issued:get "serial" or 0)
end

return tokens
