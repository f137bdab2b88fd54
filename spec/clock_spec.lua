local clock = require "rollcall.clock"

local names = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" }
local weekdays = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" }

local function http_date(seconds)
  local date = os.date("!*t", seconds)
  return ("%s, %02d %s %04d %02d:%02d:%02d GMT"):format(weekdays[date.wday], date.day, names[date.month], date.year,
    date.hour, date.min, date.sec)
end

describe("clock.parse_http_date", function()
  it("knows fixed dates", function()
    local dates = {
      ["Sun, 06 Nov 1994 08:49:37 GMT"] = 784111777, -- the example of RFC 9110
      ["Thu, 01 Jan 1970 00:00:00 GMT"] = 0,
      ["Wed, 31 Dec 1969 23:59:59 GMT"] = -1,
      ["Tue, 29 Feb 2000 23:59:59 GMT"] = 951868799,
      ["Wed, 01 Mar 2000 00:00:00 GMT"] = 951868800,
      ["Mon, 01 Mar 2100 00:00:00 GMT"] = 4107542400,
      ["Tue, 19 Jan 2038 03:14:08 GMT"] = 2147483648,
    }
    for text, expected in pairs(dates) do
      assert.equal(expected, clock.parse_http_date(text), text)
    end
  end)

  it("agrees with the system on every day from 1970 to 2099", function()
    for day = 0, 47480 do
      local seconds = day * 86400 + (day * 7919) % 86400
      local text = http_date(seconds)
      if clock.parse_http_date(text) ~= seconds then
        assert.equal(seconds, clock.parse_http_date(text), text)
      end
    end
  end)

  it("answers nil for anything else", function()
    for _, text in ipairs { "", "120", "soon", "2024-01-01T00:00:00Z", "Sun, 06 Now 1994 08:49:37 GMT",
      "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 6 Nov 1994 08:49:37 GMT",
      "Sun, 06 Nov 1994 08:49:37 GMT, x" } do
      assert.is_nil(clock.parse_http_date(text), text)
    end
  end)
end)
