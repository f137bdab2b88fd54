-- URLs: percent-encoding, the parts that checks need, and origins (RFC 3986, RFC 6454).

local url = {}

local encoded = {}
for byte = 0, 255 do
  encoded[string.char(byte)] = ("%%%02X"):format(byte)
end

-- Letters as bytes: %w may have more in the script's locale.
local RESERVED = "[^A-Za-z0-9%-._~]"

--- Percent-encodes everything but unreserved characters.
---@param text string
---@return string
function url.encode(text)
  if not text:find(RESERVED) then
    return text -- the usual case
  end
  return (text:gsub(RESERVED, encoded))
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
---@field path string as given: path and query

--- Splits an absolute http or https URL; otherwise nil and what is wrong with it.
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

--- The parts of a URI reference (RFC 3986, appendix B); absent ones are nil.
local function split(text)
  local parts = {}
  local rest, fragment = text:match("^([^#]*)#?(.*)$")
  parts.fragment = #rest < #text and fragment or nil
  local before, query = rest:match("^([^?]*)%?(.*)$")
  parts.query, rest = query, before or rest
  local scheme, after = rest:match("^(%a[%w+.-]*):(.*)$")
  parts.scheme, rest = scheme, after or rest
  local authority, path = rest:match("^//([^/]*)(.*)$")
  parts.authority, parts.path = authority, path or rest
  return parts
end

--- A path without its "." and ".." segments (RFC 3986, 5.2.4).
local function remove_dots(path)
  local kept = {}
  local is_absolute = path:sub(1, 1) == "/"
  local segments = is_absolute and path:sub(2) or path
  local last
  for segment in (segments .. "/"):gmatch("([^/]*)/") do
    last = segment
    if segment == ".." then
      kept[#kept] = nil
    elseif segment ~= "." then
      kept[#kept + 1] = segment
    end
  end
  if last == "." or last == ".." then
    kept[#kept + 1] = ""
  end
  return (is_absolute and "/" or "") .. table.concat(kept, "/")
end

--- The URL of a reference in a document at `base` (RFC 3986, 5.2).
---@param base string an absolute URL
---@param reference string
---@return string
function url.resolve(base, reference)
  local from, to = split(base), split(reference)
  local path, query, authority = to.path, to.query, to.authority
  if to.scheme or authority then
    path = remove_dots(path)
  else
    authority = from.authority
    if path == "" then
      path, query = from.path, query or from.query
    elseif path:sub(1, 1) == "/" then
      path = remove_dots(path)
    elseif from.authority and from.path == "" then
      path = remove_dots("/" .. path)
    else
      path = remove_dots((from.path:match("^.*/") or "") .. path)
    end
  end
  if to.scheme then
    authority = to.authority
  end
  return (to.scheme or from.scheme) .. ":" .. (authority and "//" .. authority or "") .. path
    .. (query and "?" .. query or "") .. (to.fragment and "#" .. to.fragment or "")
end

--- Percent-encodes what is not allowed in a URL, such as blanks, and leaves the rest alone.
---@param text string
---@return string
function url.mend(text)
  return (text:gsub('[ "<>\\^`{|}\128-\255]', encoded))
end

--- scheme://host:port, equal for equal origins.
---@param parsed rollcall.Url
---@return string
function url.origin(parsed)
  return ("%s://%s:%d"):format(parsed.scheme, parsed.host, parsed.port)
end

--- Do these absolute URLs have the same origin?
---@param one string
---@param other string
---@return boolean
function url.is_same_origin(one, other)
  local first, second = url.parse(one), url.parse(other)
  return first ~= nil and second ~= nil and url.origin(first) == url.origin(second)
end

---@param parsed rollcall.Url
---@return boolean
function url.is_loopback(parsed)
  if parsed.host == "localhost" or parsed.host == "::1" then
    return true
  end
  for _, part in ipairs { parsed.host:match("^127%.(%d+)%.(%d+)%.(%d+)$") } do
    if tonumber(part) > 255 or part:find "^0%d" then
      return false -- then it is a host name, which may lead anywhere
    end
  end
  return parsed.host:find "^127%.%d+%.%d+%.%d+$" ~= nil
end

--- Replaces {name} in a template by encoded values. Raises if there is no value.
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
