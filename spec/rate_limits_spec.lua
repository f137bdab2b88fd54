local core = require "rollcall.core"
local rate_limits = require "rollcall.http.rate_limits"
local sandbox = require "spec.support.sandbox"

describe("rate limits", function()
  local server
  setup(function()
    server = require("spec.support.server").start()
  end)
  teardown(function()
    server:stop()
  end)

  --- How long the next request waits after a real answer with these headers, at time 1000.
  local function wait(...)
    server:script { ["/"] = { { body = "[]", headers = { ... } } } }
    local engine = core.engine()
    local transfer = assert(engine:request { url = server.url .. "/" })
    while not transfer:done() do
      core.wait({ engine }, 10)
    end
    assert.equal(200, transfer:status())
    local made = rate_limits.new()
    made:observe(transfer, 1000)
    return made:wait(1000), made, transfer
  end

  it("do not hold back where none is told, or something remains", function()
    assert.equal(0, rate_limits.new():wait(1000))
    assert.equal(0, (wait()))
    assert.equal(0, (wait("RateLimit-Remaining: 1", "RateLimit-Reset: 5")))
    assert.equal(0, (wait("RateLimit-Remaining: soon", "RateLimit-Reset: 5")))
    assert.equal(0, (wait "RateLimit-Remaining: 0"))
    for _, text in ipairs { "inf", "nan", "0x10", "1e3", "-5", "" } do
      assert.equal(0, (wait("RateLimit-Remaining: 0", "RateLimit-Reset: " .. text)), text)
      assert.equal(0, (wait("RateLimit-Remaining: " .. text, "RateLimit-Reset: 5")), text)
    end
  end)

  it("wait for the reset where nothing remains", function()
    assert.equal(5, (wait("RateLimit-Limit: 30", "RateLimit-Remaining: 0", "RateLimit-Reset: 5")))
    assert.equal(1, (wait("ratelimit-remaining: 0", "ratelimit-reset: 1")))
    assert.equal(1, (wait("X-RateLimit-Limit-Second: 30", "X-RateLimit-Remaining-Second: 0")))
    assert.equal(0, (wait "X-RateLimit-Remaining-Second: 3"))
    assert.equal(9, (wait("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 9")))
  end)

  it("read a reset that is a time", function()
    local seconds = wait("X-RateLimit-Remaining: 0", ("X-RateLimit-Reset: %d"):format(os.time() + 20))
    assert.is_true(seconds > 15 and seconds <= 20, seconds)
    assert.equal(0, (wait("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1500000000")))
  end)

  it("read a reset in milliseconds since 1970, or as a date", function()
    local seconds = wait("X-RateLimit-Remaining: 0", ("X-RateLimit-Reset: %d000"):format(os.time() + 20))
    assert.is_true(seconds > 15 and seconds <= 20, seconds)
    local date = os.date("!%a, %d %b %Y %H:%M:%S GMT", os.time() + 20)
    seconds = wait("RateLimit-Remaining: 0", "RateLimit-Reset: " .. date)
    assert.is_true(seconds > 15 and seconds <= 20, seconds)
  end)

  it("read the one header that says all, in both its forms", function()
    assert.equal(7, (wait "RateLimit: limit=10, remaining=0, reset=7"))
    assert.equal(7, (wait 'RateLimit: "default";r=0;t=7'))
    assert.equal(30, (wait 'RateLimit: "burst";r=5;t=1, "daily";r=0;t=30'))
    assert.equal(1, (wait 'RateLimit: "burst";r=0;t=1, "daily";r=9;t=30'))
    assert.equal(60, (wait 'RateLimit: "a";r=0;t=5, "b";r=0;t=60'))
    assert.equal(9, (wait "RateLimit: limit=100, remaining=50, reset=5, limit=10, remaining=0, reset=9"))
    assert.equal(7, (wait "RateLimit: remaining=0, reset=7"))
    assert.equal(0, (wait "RateLimit: limit=10, remaining=1, reset=7"))
    assert.equal(0, (wait 'RateLimit: "r=0";r=5;t=7'))
    assert.equal(0, (wait "RateLimit: nothing"))
    assert.equal(2.5, (wait("X-RateLimit-Remaining: 0", "X-RateLimit-Reset-After: 2.5", "X-RateLimit-Reset: 9")))
  end)

  it("go by a Retry-After, which is about this client", function()
    assert.equal(3, (wait("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 300", "Retry-After: 3")))
    assert.equal(3, (wait("X-RateLimit-Remaining: 0", "Retry-After: 3")))
  end)

  it("are never waited for longer than an hour", function()
    assert.equal(3600, (wait("RateLimit-Remaining: 0", "RateLimit-Reset: 1000000")))
    assert.equal(3600, (wait("X-RateLimit-Remaining: 0", "Retry-After: 86400")))
  end)

  it("run out as time goes by", function()
    local _, made = wait("RateLimit-Remaining: 0", "RateLimit-Reset: 5")
    assert.equal(2, made:wait(1003))
    assert.equal(0, made:wait(1005))
    assert.equal(0, made:wait(2000))
  end)

  it("are not shortened by another answer", function()
    local _, made = wait("RateLimit-Remaining: 0", "RateLimit-Reset: 5")
    local _, _, other = wait("RateLimit-Remaining: 0", "RateLimit-Reset: 1")
    made:observe(other, 1000)
    assert.equal(5, made:wait(1000))
  end)
end)

describe("a walk under a rate limit", function()
  teardown(sandbox.restore)

  it("never earns a 429, and tells how long it has waited", function()
    sandbox.reset "rate_limit=10" -- fewer than any machine asks for in a second, under any tool
    local began = core.now()
    local users = sandbox.tesouro { client_id = "sandbox-client-71" }:users { status = "ALL" }
    assert.equal(3500, users:count())
    local stats = users:stats()
    assert.equal(0, stats.retries)
    assert.equal(0, sandbox.stats().tesouro.rate_limited)
    assert.is_true(stats.waits > 0.5, stats.waits)
    assert.is_true(core.now() - began >= stats.waits)
  end)

  it("makes every stream of the client wait, whichever saw the limit", function()
    sandbox.reset "rate_limit=5"
    local client = sandbox.tesouro { client_id = "sandbox-client-72" }
    local first = client:users { page_size = 1, prefetch = 0 }
    for _ = 1, 3 do
      assert(first:next())
    end
    local second = client:users { page_size = 1, prefetch = 0 }
    local third = client:users { page_size = 1, prefetch = 0 }
    assert(second:next())
    assert(second:next())
    assert(third:next())
    assert(first:next())
    assert.equal(0, sandbox.stats().tesouro.rate_limited)
    assert.equal(0, first:stats().retries + second:stats().retries + third:stats().retries)
  end)

  it("makes a stream wait for what another one's answer says that nobody reads yet", function()
    local server = require("spec.support.server").start()
    local function page(name, last)
      local token = last and "null" or '"' .. name .. '"'
      return { body = ('{"data":[{"id":"%s"}],"nextPaginationToken":%s}'):format(name, token) }
    end
    local limited = page("a2", true)
    limited.headers = { "RateLimit-Remaining: 0", "RateLimit-Reset: 1" }
    local users = "/identity/v1/users?Status=%s&Limit=1"
    server:script {
      [users:format "ACTIVE"] = { page "a1" }, [users:format "ACTIVE" .. "&PaginationToken=a1"] = { limited },
      [users:format "ALL"] = { page "b1" }, [users:format "ALL" .. "&PaginationToken=b1"] = { page "b2" },
      [users:format "ALL" .. "&PaginationToken=b2"] = { page("b3", true) },
    }
    local client = require("rollcall").tesouro { token = "tok-7f3a", base_url = server.url }
    local one = client:users { status = "ACTIVE", page_size = 1 }
    local other = client:users { status = "ALL", page_size = 1, prefetch = 0 }
    assert.equal("a1", one:next().id) -- its second page is under way
    assert.equal("b1", other:next().id)
    for _ = 1, 20 do
      core.wait({}, 0.01)
      client.shared().engine:drive()
    end
    assert.equal("b2", other:next().id)
    assert.equal("b3", other:next().id)
    local requests = server:requests()
    server:stop()
    local limit_seen
    for _, request in ipairs(requests) do
      if request.target:find("a1", 1, true) then
        limit_seen = request.time
      elseif request.target:find("b1", 1, true) then
        assert.is_true(request.time - limit_seen >= 0.95, request.time - limit_seen)
      end
    end
  end)

  it("makes other streams wait as soon as the headers are there, not only when the body has ended", function()
    local server = require("spec.support.server").start()
    local body = '{"data":[{"id":"1"},{"id":"2"}],"nextPaginationToken":null}'
    server:script { ["/identity/v1/users"] = {
      { body = body, chunked = true, step = 22, pause = 0.2,
        headers = { "RateLimit-Limit: 30", "RateLimit-Remaining: 0", "RateLimit-Reset: 1" } },
      { body = body },
    } }
    local client = require("rollcall").tesouro { token = "tok-7f3a", base_url = server.url }
    local first, second = client:users(), client:users()
    assert.equal("1", first:next().id)
    assert.equal("1", second:next().id)
    local requests = server:requests()
    server:stop()
    assert.equal(2, #requests)
    assert.is_true(requests[2].time - requests[1].time >= 0.95, requests[2].time - requests[1].time)
  end)

  it("gets through where the server says nothing before its 429", function()
    sandbox.reset "dintero_rate_limit=2"
    local client = sandbox.dintero { account = "T123", client_id = "sandbox-client-73" }
    for _ = 1, 4 do
      assert.equal(3, client:users():count())
    end
    assert.is_true(sandbox.stats().dintero.rate_limited > 0)
  end)
end)
