local formats = require "rollcall.formats"

local cases = {
  uuid = {
    good = { "3c90c3cc-0d44-4b50-8888-8dd25736052a", "3C90C3CC-0D44-4B50-8888-8DD25736052A" },
    bad = { "", "3c90c3cc", "3c90c3cc-0d44-4b50-8888-8dd25736052", "3c90c3cc-0d44-4b50-8888-8dd25736052aa",
      "3c90c3cg-0d44-4b50-8888-8dd25736052a", "{3c90c3cc-0d44-4b50-8888-8dd25736052a}" },
  },
  date = {
    good = { "2026-01-31", "2024-02-29", "1999-12-01" },
    bad = { "", "2026-1-31", "2026-13-01", "2026-00-10", "2026-01-32", "2026-04-31", "2026-01-00", "2025-02-29",
      "2026-01-31T00:00:00Z" },
  },
  ["date-time"] = {
    good = { "2026-01-31T12:00:00Z", "2026-01-31t12:00:00z", "2026-01-31T23:59:60.123456+05:30",
      "2026-01-31T00:00:00-11:00" },
    bad = { "", "2026-01-31", "2026-01-31 12:00:00Z", "2026-01-31T12:00Z", "2026-01-31T12:00:00",
      "2026-01-31T24:00:00Z", "2026-01-31T12:60:00Z", "2026-01-31T12:00:61Z", "2026-01-31T12:00:00.Z",
      "2026-01-31T12:00:00+5:30", "2026-01-31T12:00:00+24:00", "2026-02-30T12:00:00Z",
      "2025-02-29T12:00:00Z", "2026-01-31T12:00:00Zx" },
  },
}

describe("formats", function()
  for name, values in pairs(cases) do
    it(name .. " takes what is one, and nothing else", function()
      assert.equal("string", formats[name].type)
      assert.is_string(formats[name].expected)
      for _, value in ipairs(values.good) do
        assert.is_true(formats[name].test(value), value)
      end
      for _, value in ipairs(values.bad) do
        assert.is_false(formats[name].test(value), value)
      end
    end)
  end
end)
