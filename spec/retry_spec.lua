local check = require "spec.support.check"
local errors = require "rollcall.errors"
local retry = require "rollcall.http.retry"
local schema = require "rollcall.schema"

local function failure(kind, fields)
  return errors.new(kind, "it failed", fields)
end

local busy = failure("http", { status = 503 })

describe("the retry policy", function()
  it("sends again what may pass", function()
    for _, status in ipairs { 408, 429, 500, 502, 503, 504, 509, 520, 524, 599 } do
      assert.is_number(retry.new():delay(failure("http", { status = status }), 1), status)
    end
    for _, status in ipairs { 409, 425, 501 } do
      assert.is_number(retry.new():delay(failure("http", { status = status, retry_after = 0 }), 1), status)
    end
    assert.is_number(retry.new():delay(failure "network", 1))
    assert.is_number(retry.new():delay(failure "timeout", 1))
  end)

  it("does not send again what will not", function()
    for _, status in ipairs { 200, 301, 400, 401, 403, 404, 405, 409, 410, 422, 501, 505, 600, 999 } do
      assert.is_nil(retry.new():delay(failure("http", { status = status }), 1), status)
    end
    assert.is_nil(retry.new():delay(failure("http", { status = 301, retry_after = 1 }), 1))
    assert.is_nil(retry.new():delay(failure("http", { status = 400, code = "unexpected_end" }), 1))
    for _, kind in ipairs { "tls", "decode", "loop", "budget", "closed", "auth" } do
      assert.is_nil(retry.new():delay(failure(kind), 1), kind)
    end
  end)

  it("waits half a second, doubled each time, up to eight", function()
    local policy = retry.new { jitter = 0, attempts = 20 }
    local waits = {}
    for attempt = 1, 7 do
      waits[attempt] = policy:delay(busy, attempt)
    end
    assert.same({ 0.5, 1, 2, 4, 8, 8, 8 }, waits)
  end)

  it("takes other figures", function()
    local policy = retry.new { jitter = 0, base = 0.01, cap = 0.03, attempts = 20 }
    assert.equal(0.01, policy:delay(busy, 1))
    assert.equal(0.02, policy:delay(busy, 2))
    assert.equal(0.03, policy:delay(busy, 3))
    assert.equal(0, retry.new { base = 0 }:delay(busy, 1))
  end)

  it("leaves out up to a quarter at random, not always the same", function()
    local policy = retry.new { quota = 1e6 }
    local least, most, seen, different = math.huge, 0, {}, 0
    for _ = 1, 2000 do
      local wait = policy:delay(busy, 1)
      least, most = math.min(least, wait), math.max(most, wait)
      different = different + (seen[wait] and 0 or 1)
      seen[wait] = true
    end
    assert.is_true(least >= 0.375 and least < 0.38, least)
    assert.is_true(most <= 0.5 and most > 0.495, most)
    assert.is_true(different > 1900, different)
  end)

  it("leaves the script's random numbers alone", function()
    local function numbers(between)
      math.randomseed(42)
      local list = {}
      for i = 1, 5 do
        list[i] = math.random(1e6)
        between()
      end
      return list
    end
    local policy = retry.new { quota = 1e6 }
    assert.same(numbers(function() end), numbers(function() policy:delay(busy, 1) end))
  end)

  it("ends after five attempts, or as many as told", function()
    local policy = retry.new()
    assert.is_number(policy:delay(busy, 4))
    assert.is_nil(policy:delay(busy, 5))
    assert.is_nil(retry.new { attempts = 1 }:delay(busy, 1))
    assert.is_number(retry.new { attempts = 2 }:delay(busy, 1))
  end)

  it("is off with retry = false", function()
    assert.is_nil(retry.new(false):delay(busy, 1))
  end)

  it("waits at least as long as the server asks", function()
    assert.equal(7, retry.new():delay(failure("rate_limit", { status = 429, retry_after = 7 }), 1))
    assert.equal(120, retry.new():delay(failure("http", { status = 503, retry_after = 120 }), 1))
    assert.equal(4, retry.new { jitter = 0 }:delay(failure("http", { status = 503, retry_after = 1 }), 4))
  end)

  it("gives up at once where the server asks for too long", function()
    assert.is_nil(retry.new():delay(failure("rate_limit", { status = 429, retry_after = 121 }), 1))
    assert.is_nil(retry.new { max_retry_after = 5 }:delay(failure("http", { status = 503, retry_after = 6 }), 1))
    assert.is_number(retry.new { max_retry_after = 5 }:delay(failure("http", { status = 503, retry_after = 5 }), 1))
  end)

  it("has a quota: 5 a retry, 10 after a timeout", function()
    local policy = retry.new()
    local retries = 0
    while policy:delay(busy, 1) do
      retries = retries + 1
    end
    assert.equal(100, retries)
    policy = retry.new { quota = 25 }
    assert.is_number(policy:delay(failure "timeout", 1))
    assert.is_number(policy:delay(failure "timeout", 1))
    assert.is_nil(policy:delay(failure "timeout", 1))
    assert.is_number(policy:delay(failure "network", 1))
    assert.is_nil(policy:delay(failure "network", 1))
    assert.is_nil(retry.new { quota = 0 }:delay(busy, 1))
  end)

  it("gives the quota back on success, and no more than there was", function()
    local policy = retry.new { quota = 10 }
    assert.is_number(policy:delay(busy, 1))
    assert.is_number(policy:delay(busy, 2))
    assert.is_nil(policy:delay(busy, 3))
    policy:succeeded(10)
    assert.is_number(policy:delay(busy, 1))
    assert.is_number(policy:delay(busy, 2))
    assert.is_nil(policy:delay(busy, 3))
    for _ = 1, 1000 do
      policy:succeeded(0)
    end
    assert.is_number(policy:delay(busy, 1))
    assert.is_number(policy:delay(busy, 1))
    assert.is_nil(policy:delay(busy, 1))
  end)

  it("does not change what it was given", function()
    local options = { attempts = 3, base = 1 }
    retry.new(options):delay(busy, 1)
    assert.same({ attempts = 3, base = 1 }, options)
  end)

  it("checks its options", function()
    local function problems(value)
      return table.concat(schema.check({ retry = value }, { fields = { retry = retry.schema } }), "; ")
    end
    assert.equal("", problems(false))
    assert.equal("", problems {})
    assert.equal("", problems { attempts = 3, base = 0, cap = 0.5, jitter = 1, max_retry_after = 10, quota = 0 })
    for text, wrong in pairs {
      ["retry: "] = true,
      ["retry: expected"] = "no",
      ["retry.attempts: "] = { attempts = 0 },
      ["retry.attempts: expected a whole number"] = { attempts = 1.5 },
      ["retry.base: "] = { base = -1 },
      ["retry.jitter: "] = { jitter = 1.5 },
      ["retry.max_attempts: unknown"] = { max_attempts = 3 },
      ["retry.quota: "] = { quota = "many" },
    } do
      check.contains(problems(wrong), text)
    end
  end)
end)
