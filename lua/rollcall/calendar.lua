-- The Gregorian calendar, in days since 1970-01-01.

local calendar = {}

--- Days from 1970-01-01 to a date. The calculation begins the year in March, so that the leap day is its last day.
---@param year integer
---@param month integer from 1
---@param day integer from 1
---@return integer
function calendar.days(year, month, day)
  if month <= 2 then
    year, month = year - 1, month + 12
  end
  return 365 * year + math.floor(year / 4) - math.floor(year / 100) + math.floor(year / 400)
    + math.floor((153 * (month - 3) + 2) / 5) + day - 1 - 719468
end

--- The date this many days after 1970-01-01: the inverse, by eras of 400 years that begin in March.
---@param days integer
---@return integer year
---@return integer month
---@return integer day
function calendar.date(days)
  local from_era = days + 719468
  local era = math.floor(from_era / 146097)
  local in_era = from_era - era * 146097
  local year = math.floor((in_era - math.floor(in_era / 1460) + math.floor(in_era / 36524)
    - math.floor(in_era / 146096)) / 365)
  local in_year = in_era - (365 * year + math.floor(year / 4) - math.floor(year / 100))
  local from_march = math.floor((5 * in_year + 2) / 153)
  local month = from_march < 10 and from_march + 3 or from_march - 9
  return year + era * 400 + (month <= 2 and 1 or 0), month, in_year - math.floor((153 * from_march + 2) / 5) + 1
end

local month_days = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

--- Does this date exist?
---@param year integer
---@param month integer
---@param day integer
---@return boolean
function calendar.is_date(year, month, day)
  local is_leap = year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
  local last = month == 2 and is_leap and 29 or month_days[month]
  return last ~= nil and day >= 1 and day <= last
end

return calendar
