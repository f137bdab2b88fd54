local check = require "spec.support.check"
local documents = require "spec.support.documents"
local time = require "rollcall.time"

describe("time.parse", function()
  it("reads RFC 3339 times, with fractions and offsets, and dates", function()
    for text, seconds in pairs {
      ["1970-01-01T00:00:00Z"] = 0,
      ["1970-01-01"] = 0,
      ["1969-12-31T23:59:59Z"] = -1,
      ["2000-02-29T12:00:00Z"] = 951825600,
      ["2000-02-29T12:00:00.5+02:00"] = 951818400.5,
      ["2000-02-29t12:00:00z"] = 951825600,
      ["2000-02-29 12:00:00-00:00"] = 951825600,
      ["2016-12-31T23:59:60Z"] = 1483228800, -- a leap second
      ["2026-01-01T00:30:00-05:30"] = 1767247200,
      ["1970-01-01T23:59:00+23:59"] = 0,
      ["2038-01-19T03:14:08Z"] = 2 ^ 31,
      ["9999-12-31T23:59:59Z"] = 253402300799,
    } do
      assert.equal(seconds, time.parse(text), text)
    end
  end)

  it("refuses what is none, in words", function()
    for _, text in ipairs { "", "now", "2025-13-01", "2025-00-01", "2025-02-29", "1900-02-29", "2025-04-31", "2025-4-1",
      "2025-10-03T12:00", "2025-10-03T12:00:00", "2025-10-03T24:00:00Z", "2025-10-03T12:60:00Z", "2025-10-03T12:00:61Z",
      "2025-10-03T12:00:00.Z", "2025-10-03T12:00:005Z", "2025-10-03T12:00:00+2:00", "2025-10-03T12:00:00+24:00",
      "2025-10-03T12:00:00+02:60", "2025-10-03T12:00:00ZZ", "2025-10-03Z", " 2025-10-03", "20251003T120000Z",
      "2025-10-03T12:00:00.5.5Z" } do
      local seconds, problem = time.parse(text)
      assert.is_nil(seconds, text)
      check.contains(problem, "RFC 3339")
    end
    for _, value in ipairs { 5, true, {} } do
      local seconds, problem = time.parse(value)
      assert.is_nil(seconds)
      check.contains(problem, "got a " .. type(value))
    end
    assert.is_nil((time.parse(nil)))
  end)

  it("agrees with the system's calendar", function()
    local generator = documents.new(7)
    for _ = 1, 500 do
      local seconds = generator:int(2 ^ 31 - 1)
      assert.equal(seconds, time.parse(os.date("!%Y-%m-%dT%H:%M:%SZ", seconds)))
      assert.equal(os.date("!%Y-%m-%dT%H:%M:%SZ", seconds), time.format(seconds))
    end
  end)
end)

describe("time.format", function()
  it("writes what parse reads, in every year", function()
    local generator = documents.new(8)
    for _ = 1, 2000 do
      local seconds = -62167219200 + generator:int(315569519) * 1000 + generator:int(999)
      assert.equal(seconds, time.parse(time.format(seconds)))
    end
    assert.equal("0000-01-01T00:00:00Z", time.format(-62167219200))
    assert.equal("9999-12-31T23:59:59Z", time.format(253402300799))
  end)

  it("cuts fractions off, and does not round them away", function()
    local seconds = time.parse "2025-10-03T12:00:00.57Z"
    assert.equal("2025-10-03T12:00:00Z", time.format(seconds))
    assert.equal("2025-10-03T12:00:00.57Z", time.format(seconds, 2))
    assert.equal("2025-10-03T12:00:00.5Z", time.format(seconds, 1))
    assert.equal("2025-10-03T12:00:00.999Z", time.format(time.parse "2025-10-03T12:00:00.9999Z", 3))
    assert.equal("1969-12-31T23:59:59.750Z", time.format(-0.25, 3))
    assert.equal("1970-01-01T00:00:00.001Z", time.format(0.0019985, 3))
    assert.equal("1970-01-01T00:00:00.999999999Z", time.format(1 - 1e-13, 9)) -- nor up to a tenth digit
    assert.equal("1970-01-01T00:00:00Z", time.format(0.5, 0))
  end)

  it("raises for what is no time", function()
    for _, value in ipairs { 253402300800, -62167219201, 0 / 0, math.huge, "x" } do
      check.misuse(function()
        return (time.format(value))
      end, "seconds since 1970")
    end
  end)

  it("has 0 to 9 digits of a fraction", function()
    for _, digits in ipairs { -1, 10, 20, 2.5, "2", 0 / 0 } do
      check.misuse(function() return (time.format(5.5, digits)) end, "0 to 9 digits", tostring(digits))
    end
  end)
end)

describe("time.duration", function()
  it("reads numbers with units", function()
    for text, seconds in pairs { ["90d"] = 7776000, ["0s"] = 0, ["1.5h"] = 5400, ["1d12h"] = 129600, ["2w"] = 1209600,
      ["10m"] = 600, ["1h1m1s"] = 3661 } do
      assert.equal(seconds, time.duration(text), text)
    end
  end)

  it("refuses what is none", function()
    for _, text in ipairs { "", "90", "d", "90 d", "-1d", "1y", "1d2", "1e3s", ".5d", 90 } do
      local seconds, problem = time.duration(text)
      assert.is_nil(seconds, text)
      check.contains(problem, (text == 90 and "a number" or ("%q"):format(text)) .. " is no duration")
    end
  end)
end)
