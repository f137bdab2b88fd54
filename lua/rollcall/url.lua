-- URLs: percent-encoding, the parts that policy asks about, and origins (RFC 3986, RFC 6454).

local url = {}

--- Percent-encodes everything but unreserved characters.
---@param text string
---@return string
function url.encode(text)
  return (text:gsub("[^%w%-._~]", function(c)
    return ("%%%02X"):format(c:byte())
  end))
end

--- Undoes percent-encoding.
---@param text string
---@return string
function url.decode(text)
  return (text:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

--- `a=1&b=2` from a list of { name, value } pairs, in their order.
---@param pairs_list { [1]: string, [2]: string }[]
---@return string
function url.encode_query(pairs_list)
  local parts = {}
  for i, pair in ipairs(pairs_list) do
    parts[i] = url.encode(pair[1]) .. "=" .. url.encode(pair[2])
  end
  return table.concat(parts, "&")
end

local default_ports = { http = 80, https = 443 }

---@class rollcall.Url
---@field scheme "http"|"https"
---@field host string lower case, an IPv6 address without brackets
---@field port integer
---@field path string as given: path, query

--- Takes an absolute http or https URL apart; nil and what is wrong with it otherwise.
---@param text string
---@return rollcall.Url?
---@return string? problem
function url.parse(text)
  if text:find("[%c%s]") then
    return nil, "a control character or space in it"
  end
  local scheme, authority, path = text:match("^(%a[%w+.-]*)://([^/?#]*)(.*)$")
  scheme = scheme and scheme:lower()
  if not default_ports[scheme] then
    return nil, "expected an http or https URL"
  end
  if authority:find("@", 1, true) then
    return nil, "credentials in a URL end up in logs; use the options for them"
  end
  if path:find("#", 1, true) then
    return nil, "a fragment in it"
  end
  local host, port = authority:match("^%[([%x:.]+)%](.*)$")
  if not host then
    host, port = authority:match("^([%w%-._~]+)(.*)$")
  end
  if not host then
    return nil, "no host in it"
  end
  local number = port == "" and default_ports[scheme] or tonumber(port:match("^:(%d+)$"))
  if not number or number < 1 or number > 65535 then
    return nil, "no valid port in it"
  end
  return { scheme = scheme, host = host:lower(), port = number, path = path }
end

--- scheme://host:port, equal for equal origins.
---@param parsed rollcall.Url
---@return string
function url.origin(parsed)
  return ("%s://%s:%d"):format(parsed.scheme, parsed.host, parsed.port)
end

---@param parsed rollcall.Url
---@return boolean
function url.is_loopback(parsed)
  local b, c, d = parsed.host:match("^127%.(%d+)%.(%d+)%.(%d+)$")
  return parsed.host == "localhost" or parsed.host == "::1"
    or b ~= nil and tonumber(b) <= 255 and tonumber(c) <= 255 and tonumber(d) <= 255
end

--- Replaces {name} in a template by encoded values. Raises where one is not there.
---@param template string
---@param values table<string, string>
---@param encode (fun(text: string): string)?
---@return string
function url.expand(template, values, encode)
  return (template:gsub("{([^{}]*)}", function(name)
    local value = values[name] or error(("nothing is known to stand for {%s}"):format(name))
    return encode and encode(value) or value
  end))
end

return url
