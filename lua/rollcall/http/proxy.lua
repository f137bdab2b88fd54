-- The proxy of requests: which one, and what in its URL is secret.

local base64 = require "rollcall.base64"
local url = require "rollcall.http.url"

local proxy = {}

-- Variables in which libcurl looks for a proxy; not HTTP_PROXY, which the client of a CGI script could set.
local VARIABLES = { "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" }

local SCHEMES = { http = true, https = true, socks4 = true, socks4a = true, socks5 = true, socks5h = true }

--- The schema of an option that is a proxy's URL.
proxy.node = { type = "string", secret = true, expected = "a URL", test = function(value)
  if value:find("[%c%s]") then
    return "a control character or space in it"
  end
  local scheme = value:match("^(.-)://")
  return not scheme or SCHEMES[scheme:lower()] or "expected an http, https or socks URL"
end }

--- The proxy for an address: the given one, or nil for libcurl's choice. Requests to this machine do not leave it,
--- whatever proxy the environment has for other hosts.
---@param given string? a URL, "" for none
---@param address string the URL of a request
---@return string?
function proxy.of(given, address)
  local parsed = not given and url.parse(address)
  return given or parsed and url.is_loopback(parsed) and "" or nil
end

--- User and password in a proxy's URL, or a key without a password.
---@param address string
---@return string?
function proxy.credentials(address)
  return address:gsub("^.-://", ""):match("^(.+)@")
end

--- Registers user and password in a proxy's URL: as written, decoded, and as sent. Without a password, the user is the
--- key.
local function hide(redactor, address)
  local credentials = proxy.credentials(address or "")
  if not credentials then
    return
  end
  local user, password = credentials:match("^([^:]*):?(.*)$")
  for _, text in ipairs { credentials, password ~= "" and password or user } do
    redactor:add(text, "proxy")
    redactor:add(url.decode(text), "proxy")
  end
  redactor:add(base64.encode(url.decode(user) .. ":" .. url.decode(password)), "proxy")
end

--- Registers the credentials of all proxies that a client may use.
---@param redactor table
---@param given string? the one that its options name
function proxy.hide_credentials(redactor, given)
  hide(redactor, given)
  for _, name in ipairs(VARIABLES) do
    hide(redactor, os.getenv(name))
  end
end

return proxy
