local core = require "rollcall.core"
local header = require "rollcall.http.header"

local names = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" }
local weekdays = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" }

local function http_date(seconds)
  local date = os.date("!*t", seconds)
  return ("%s, %02d %s %04d %02d:%02d:%02d GMT"):format(weekdays[date.wday], date.day, names[date.month], date.year,
    date.hour, date.min, date.sec)
end

describe("header.all", function()
  local function all_of(...)
    return header.all("HTTP/1.1 200 OK\r\n" .. table.concat({ ... }, "\r\n") .. "\r\n")
  end

  it("has headers by their names, repeated ones joined", function()
    assert.same({ via = "a, b", ["x-empty"] = "", etag = '"e"' }, all_of("Via: a", "X-Empty:", "via:\tb ", 'ETag: "e"'))
    assert.same({}, all_of("no header", " folded: x", "with blank : x", "bad\1name: x"))
    assert.same({}, header.all "")
  end)

  it("has none of credentials, and all of limits", function()
    for _, name in ipairs { "Set-Cookie", "WWW-Authenticate", "X-Auth", "X-Token", "X-Secret", "X-Password", "X-Pwd",
      "X-Api-Key", "X-Session", "X-CSRF", "X-XSRF", "X-Jwt", "X-Bearer", "X-Credential", "X-Amz-Signature",
      "X-Assertion", "X-Ticket", "X-Otp", "X-Sid", "Location" } do
      assert.same({}, all_of(name .. ": x"), name)
    end
    for _, name in ipairs { "x-ratelimit-remaining-tokens", "x-rate-limit-key", "x-oauth-scopes", "retry-after",
      "link" } do
      assert.same({ [name] = "x" }, all_of(name .. ": x"))
    end
  end)
end)

describe("header.date", function()
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
      assert.equal(expected, header.date(text), text)
    end
  end)

  it("agrees with the system on every day from 1970 to 2099", function()
    for day = 0, 47480 do
      local seconds = day * 86400 + (day * 7919) % 86400
      local text = http_date(seconds)
      if header.date(text) ~= seconds then
        assert.equal(seconds, header.date(text), text)
      end
    end
  end)

  it("knows the obsolete forms", function()
    assert.equal(784111777, header.date "Sunday, 06-Nov-94 08:49:37 GMT")
    assert.equal(784111777, header.date "Sun Nov  6 08:49:37 1994")
    assert.equal(1767225599, header.date "Wednesday, 31-Dec-25 23:59:59 GMT")
    assert.equal(0, header.date "Thursday, 01-Jan-70 00:00:00 GMT")
    assert.equal(3155759999, header.date "Tuesday, 31-Dec-69 23:59:59 GMT") -- of two digits, below 70
  end)

  it("answers nil for anything else", function()
    for _, text in ipairs { "", "120", "soon", "2024-01-01T00:00:00Z", "Sun, 06 Now 1994 08:49:37 GMT",
      "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 6 Nov 1994 08:49:37 GMT",
      "Sun, 06 Nov 1994 08:49:37 GMT, x" } do
      assert.is_nil(header.date(text), text)
    end
  end)
end)

describe("header.retry_after", function()
  local server
  setup(function()
    server = require("spec.support.server").start()
  end)
  teardown(function()
    server:stop()
  end)

  --- What the headers of a real answer ask for.
  local function asked(...)
    server:script { ["/"] = { { status = 503, headers = { ... } } } }
    local engine = core.engine()
    local transfer = assert(engine:request { url = server.url .. "/" })
    while not transfer:done() do
      core.wait({ engine }, 10)
    end
    assert.equal(503, transfer:status())
    return header.retry_after(transfer)
  end

  it("reads seconds", function()
    assert.equal(3, asked "Retry-After: 3")
    assert.equal(0, asked "retry-after: 0")
    assert.equal(1.5, asked "Retry-After: 1.5")
    assert.equal(100000, asked "Retry-After:   100000  ")
  end)

  it("reads milliseconds, before seconds", function()
    assert.equal(0.25, asked "Retry-After-Ms: 250")
    assert.equal(0.25, asked("Retry-After: 9", "retry-after-ms: 250"))
    assert.equal(9, asked("Retry-After: 9", "retry-after-ms: soon"))
  end)

  it("reads a date, and the past as now", function()
    local wait = asked("Retry-After: " .. os.date("!%a, %d %b %Y %H:%M:%S GMT", os.time() + 60))
    assert.is_true(wait > 55 and wait <= 60, wait)
    assert.equal(0, asked "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT")
  end)

  it("makes nothing of anything else", function()
    assert.is_nil(asked())
    assert.is_nil(asked "Retry-After: soon")
    assert.is_nil(asked "Retry-After: -5")
    assert.is_nil(asked "Retry-After: 5 minutes")
    assert.is_nil(asked "Retry-After:")
    assert.is_nil(asked "Retry-After-Ms: -1")
    for _, text in ipairs { "inf", "nan", "0x10", "1e3", "Infinity", "+5", ".5", "5 5" } do
      assert.is_nil(asked("Retry-After-Ms: " .. text), text)
      assert.is_nil(asked("Retry-After: " .. text), text)
    end
  end)
end)
