-- RFC 3339 dates by arithmetic alone: the directory's "now" never moves, and no host's clock or time zone matters.

local clock = {}

local NOW = 1767225600    -- 2026-01-01T00:00:00Z
local floor = math.floor

clock.DAY = 86400

-- Converts days since 1970-01-01 to year, month, day (Howard Hinnant's civil_from_days, for dates after 1970).
local function civil(days)
  days = days + 719468
  local era = floor(days / 146097)
  local of_era = days - era * 146097
  local year = floor((of_era - floor(of_era / 1460) + floor(of_era / 36524) - floor(of_era / 146096)) / 365)
  local of_year = of_era - (365 * year + floor(year / 4) - floor(year / 100))
  local shifted = floor((5 * of_year + 2) / 153)    -- months from March
  local day = of_year - floor((153 * shifted + 2) / 5) + 1
  local month = shifted < 10 and shifted + 3 or shifted - 9
  return year + era * 400 + (month <= 2 and 1 or 0), month, day
end

-- The date this many seconds before now; with `milliseconds`, with a fraction.
function clock.ago(seconds, milliseconds)
  local time = NOW - seconds
  local days = floor(time / clock.DAY)
  local rest = time - days * clock.DAY
  local year, month, day = civil(days)
  local fraction = milliseconds and string.format(".%03d", milliseconds) or ""
  return string.format("%04d-%02d-%02dT%02d:%02d:%02d%sZ", year, month, day, floor(rest / 3600), floor(rest / 60) % 60,
    rest % 60, fraction)
end

clock.now = clock.ago(0)

return clock
