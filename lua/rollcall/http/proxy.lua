-- The proxy of requests: which one, and what of its URL is secret.

local base64 = require "rollcall.base64"
local url = require "rollcall.http.url"

local proxy = {}

-- Where libcurl finds a proxy; HTTP_PROXY, which a CGI's caller could set, it does not ask.
local VARIABLES = { "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" }

local SCHEMES = { http = true, https = true, socks4 = true, socks4a = true, socks5 = true, socks5h = true }

--- The node of an option that is the URL of a proxy.
proxy.node = { type = "string", secret = true, expected = "a URL", test = function(value)
  if value:find("[%c%s]") then
    return "a control character or space in it"
  end
  local scheme = value:match("^(.-)://")
  return not scheme or SCHEMES[scheme:lower()] or "expected an http, https or socks URL"
end }

--- The proxy for an address: the one given, or libcurl's choice. What goes to this machine does not leave it, whatever
--- proxy the environment has for the rest of the world.
---@param given string? a URL, "" for none
---@param address string the URL of a request
---@return string?
function proxy.of(given, address)
  local parsed = url.parse(address)
  return given or parsed and url.is_loopback(parsed) and "" or nil
end

--- User and password in a proxy's URL, or a key alone.
---@param address string
---@return string?
function proxy.credentials(address)
  return address:gsub("^.-://", ""):match("^(.+)@")
end

--- Registers what a proxy's URL says of user and password, as it stands there, as it is meant and as it is sent. Where
--- there is no password, the user is the key.
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
