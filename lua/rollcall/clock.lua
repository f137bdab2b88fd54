-- The calendar, and HTTP dates (RFC 9110, 5.6.7) as seconds since 1970.

local clock = {}

local months = { Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9, Oct = 10,
  Nov = 11, Dec = 12 }

--- Days from 1970-01-01 to a date of the Gregorian calendar. March is the first month of the
--- year here, so that the leap day is the last.
---@param year integer
---@param month integer from 1
---@param day integer from 1
---@return integer
function clock.days(year, month, day)
  if month <= 2 then
    year, month = year - 1, month + 12
  end
  return 365 * year + math.floor(year / 4) - math.floor(year / 100) + math.floor(year / 400)
    + math.floor((153 * (month - 3) + 2) / 5) + day - 1 - 719468
end

local month_days = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

--- Is there such a day in the calendar?
---@param year integer
---@param month integer
---@param day integer
---@return boolean
function clock.is_date(year, month, day)
  local is_leap = year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
  local last = month == 2 and is_leap and 29 or month_days[month]
  return last ~= nil and day >= 1 and day <= last
end

--- "Sun, 06 Nov 1994 08:49:37 GMT", or one of the two obsolete forms, "Sunday, 06-Nov-94 08:49:37 GMT" and
--- "Sun Nov  6 08:49:37 1994"; nil for anything else.
---@param text string
---@return number?
function clock.parse_http_date(text)
  local day, name, year, hour, minute, second =
    text:match("^%a+, (%d%d) (%a%a%a) (%d%d%d%d) (%d%d):(%d%d):(%d%d) GMT$")
  if not day then
    day, name, year, hour, minute, second = text:match("^%a+, (%d%d)%-(%a%a%a)%-(%d%d) (%d%d):(%d%d):(%d%d) GMT$")
    year = year and (tonumber(year) < 70 and 2000 or 1900) + tonumber(year)
  end
  if not day then
    name, day, hour, minute, second, year = text:match("^%a%a%a (%a%a%a) ([ %d]%d) (%d%d):(%d%d):(%d%d) (%d%d%d%d)$")
  end
  local month = months[name]
  if not month then
    return nil
  end
  return clock.days(tonumber(year), month, tonumber(day)) * 86400 + tonumber(hour) * 3600 + tonumber(minute) * 60
    + tonumber(second)
end

return clock
