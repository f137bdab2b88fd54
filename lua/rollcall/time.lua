-- RFC 3339 times, as users have them, to seconds since 1970 and back; and durations such as "90d".

local calendar = require "rollcall.calendar"

---@class rollcall.Time
local time = {}

local DAY = 86400
local unit_seconds = { s = 1, m = 60, h = 3600, d = DAY, w = 7 * DAY }

--- The first second of a day; nil if the day does not exist.
local function midnight(year, month, day)
  year, month, day = tonumber(year), tonumber(month), tonumber(day)
  if not calendar.is_date(year, month, day) then
    return nil
  end
  return calendar.days(year, month, day) * DAY
end

local function invalid(text)
  return nil, ("%q is no RFC 3339 time, such as 2025-10-03T12:00:00Z"):format(text)
end

--- The seconds that a zone ("Z", "+02:00") is ahead of UTC; nil if it is not valid.
local function offset_of(zone)
  if zone == "Z" or zone == "z" then
    return 0
  end
  local sign, hours, minutes = zone:match "^([+-])(%d%d):(%d%d)$"
  if not sign or tonumber(hours) > 23 or tonumber(minutes) > 59 then
    return nil
  end
  return (sign == "-" and -1 or 1) * (tonumber(hours) * 3600 + tonumber(minutes) * 60)
end

--- An RFC 3339 time, with its fraction and offset, if any, as seconds since 1970-01-01 UTC. A date alone is its
--- midnight in UTC. A leap second is the second after it.
---@param text string
---@return number? seconds
---@return string? problem
function time.parse(text)
  if type(text) ~= "string" then
    return nil, "expected a text, got a " .. type(text)
  end
  local year, month, day, rest = text:match "^(%d%d%d%d)%-(%d%d)%-(%d%d)(.*)$"
  local start = year and midnight(year, month, day)
  if not start then
    return invalid(text)
  elseif rest == "" then
    return start
  end
  local hour, minute, second, fraction, zone = rest:match "^[Tt ](%d%d):(%d%d):(%d%d)(%.?%d*)(.+)$"
  local offset = zone and offset_of(zone)
  hour, minute, second = tonumber(hour), tonumber(minute), tonumber(second)
  if not offset or hour > 23 or minute > 59 or second > 60 or fraction == "." then
    return invalid(text)
  elseif fraction ~= "" and not fraction:find "^%.%d" then
    return invalid(text)
  end
  local whole = start + hour * 3600 + minute * 60 + second - offset
  return fraction == "" and whole or whole + tonumber("0" .. fraction)
end

--- Seconds since 1970 as an RFC 3339 time in UTC: "2025-10-03T12:00:00Z".
---@param seconds number from -62167219200, the beginning of the year 0, to the end of the year 9999
---@param digits integer? of the fraction, 0 by default, at most 9; further ones are cut off
---@return string
function time.format(seconds, digits)
  if type(seconds) ~= "number" or not (seconds >= -62167219200 and seconds < 253402300800) then
    error("time.format: expected seconds since 1970, in the years 0 to 9999", 2)
  elseif digits ~= nil and not (type(digits) == "number" and digits >= 0 and digits <= 9 and digits % 1 == 0) then
    error("time.format: expected 0 to 9 digits of a fraction, got " .. tostring(digits), 2)
  end
  local whole = math.floor(seconds)
  local day = math.floor(whole / DAY)
  local second = whole - day * DAY
  local year, month, day_of_month = calendar.date(day)
  local fraction = ""
  if digits and digits > 0 then
    -- Compensates for the rounding error of the fraction: 0.57 is 0.569… as a double.
    local scaled = math.floor((seconds - whole) * 10 ^ digits + 1e-3)
    fraction = ("%%.%dd"):format(digits):format(math.min(scaled, 10 ^ digits - 1)):gsub("^", ".", 1)
  end
  return ("%04d-%02d-%02dT%02d:%02d:%02d%sZ"):format(
    year, month, day_of_month, math.floor(second / 3600), math.floor(second / 60) % 60, second % 60, fraction)
end

--- A duration in seconds: a number and s, m (minutes), h, d or w, or several of these: "90d", "1.5h", "1d12h".
---@param text string
---@return number? seconds
---@return string? problem
function time.duration(text)
  local total, rest = 0, type(text) == "string" and text or ""
  while rest ~= "" do
    local number, unit, after = rest:match "^(%d+%.?%d*)([smhdw])(.*)$"
    if not number then
      break
    end
    total, rest = total + tonumber(number) * unit_seconds[unit], after
  end
  if type(text) ~= "string" or text == "" or rest ~= "" then
    return nil, ("%s is no duration; expected numbers with s, m, h, d or w, such as 90d or 1d12h"):format(
      type(text) == "string" and ("%q"):format(text) or "a " .. type(text))
  end
  return total
end

return time
