-- Reads headers: all of them for scripts, numbers, dates, how long to wait.

local calendar = require "rollcall.calendar"

local header = {}

local MONTHS = { Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9, Oct = 10,
  Nov = 11, Dec = 12 }

-- Parts of the names of headers that carry or request credentials, or point to a place that may have some; and parts of
-- names that only look like those.
local OF_CREDENTIALS = { "cookie", "auth", "token", "secret", "passw", "pwd", "key", "session", "csrf", "xsrf", "jwt",
  "bearer", "credential", "signature", "-sig", "hmac", "digest", "assertion", "ticket", "otp", "sid", "location" }
local OF_NONE = { "ratelimit", "rate-limit", "scopes" }

local function has_part(name, parts)
  for _, part in ipairs(parts) do
    if name:find(part, 1, true) then
      return true
    end
  end
  return false
end

--- Is this the name of a header that may carry credentials, such as a key?
---@param name string
---@return boolean
function header.is_of_credentials(name)
  name = name:lower()
  return has_part(name, OF_CREDENTIALS) and not has_part(name, OF_NONE)
end

--- The headers of an answer by lower-case name; the values of a repeated one are joined by ", ". Headers that carry
--- credentials, such as Set-Cookie, are left out.
---@param lines string as transfer:headers returns them
---@return table<string, string>
function header.all(lines)
  local all = {}
  for name, value in lines:gmatch "\n([%w!#$%%&'*+.^_`|~-]+):[ \t]*([^\r\n]*)" do
    name, value = name:lower(), value:match "^.*[^ \t]" or ""
    if not header.is_of_credentials(name) then
      all[name] = all[name] and all[name] .. ", " .. value or value
    end
  end
  return all
end

--- The decimal numbers in a header; nothing else that Lua may read as a number, such as hexadecimal or "inf".
---@param text string?
---@return number[] several if the header is repeated, such as by a gateway and the server behind it; empty if there is
---  anything else in it
function header.numbers(text)
  local list = {}
  for part in (text or ""):gmatch "[^,]+" do
    -- no number is longer, and the pattern takes quadratic time on a long one
    local value = #part <= 64 and tonumber((part:match "^%s*(%d+%.?%d*)%s*$"))
    if value then
      list[#list + 1] = value
    elseif part:find "%S" then
      return {} -- such as a date
    end
  end
  return list
end

--- The greatest of these numbers; nil if there are none.
---@param text string?
---@return number?
function header.number(text)
  local list = header.numbers(text)
  local greatest = list[1]
  for i = 2, #list do
    greatest = math.max(greatest, list[i])
  end
  return greatest
end

--- An HTTP date (RFC 9110, 5.6.7) as seconds since 1970: "Sun, 06 Nov 1994 08:49:37 GMT", or one of the two obsolete
--- forms, "Sunday, 06-Nov-94 08:49:37 GMT" and "Sun Nov  6 08:49:37 1994"; nil for anything else.
---@param text string
---@return number?
function header.date(text)
  local day, name, year, hour, minute, second =
    text:match("^%a+, (%d%d) (%a%a%a) (%d%d%d%d) (%d%d):(%d%d):(%d%d) GMT$")
  if not day then
    day, name, year, hour, minute, second = text:match("^%a+, (%d%d)%-(%a%a%a)%-(%d%d) (%d%d):(%d%d):(%d%d) GMT$")
    year = year and (tonumber(year) < 70 and 2000 or 1900) + tonumber(year)
  end
  if not day then
    name, day, hour, minute, second, year = text:match("^%a%a%a (%a%a%a) ([ %d]%d) (%d%d):(%d%d):(%d%d) (%d%d%d%d)$")
  end
  local month = MONTHS[name]
  if not month then
    return nil
  end
  return calendar.days(tonumber(year), month, tonumber(day)) * 86400 + tonumber(hour) * 3600 + tonumber(minute) * 60
    + tonumber(second)
end

--- The seconds that an answer's headers ask to wait; nil if they do not.
---@param transfer rollcall.Transfer
---@return number?
function header.retry_after(transfer)
  local milliseconds = header.number(transfer:header("retry-after-ms"))
  if milliseconds then
    return milliseconds / 1000
  end
  local text = transfer:header("retry-after") or ""
  local seconds = header.number(text)
  if seconds then
    return seconds
  end
  local date = header.date(text)
  return date and math.max(0, date - os.time()) or nil
end

return header
