local check = require "spec.support.check"
local cjson = require "cjson"
local core = require "rollcall.core"
local rollcall = require "rollcall"
local sandbox = require "spec.support.sandbox"

local USERS = "/identity/v1/users"
local SECRET = "tok-7f3a9c"
local server

setup(function()
  server = require("spec.support.server").start()
end)
teardown(function()
  server:stop()
  sandbox.restore()
end)

local GOOD = { body = '{"data":[{"id":"a"},{"id":"b"}],"nextPaginationToken":null}' }

local function client(options)
  local all = { base_url = server.url, token = SECRET, retry = { base = 0.001 } }
  for name, value in pairs(options or {}) do
    all[name] = value
  end
  return rollcall.tesouro(all)
end

--- What a walk makes of these answers: the number of users, or nil and the error; and its stats.
local function walk(answers, options, query)
  server:script { [USERS] = answers }
  local stream = client(options):users(query)
  local users, err = stream:collect()
  if err then
    check.failure(err, err.kind, { SECRET })
  end
  return users and #users, err, stream:stats()
end

local function requests()
  return #server:requests(USERS)
end

describe("a request", function()
  it("says who asks, and for what", function()
    assert.equal(2, (walk { GOOD }))
    local request = server:requests()[1]
    assert.equal("GET", request.method)
    assert.equal("", request.body)
    assert.equal("rollcall/" .. rollcall.VERSION, request.headers["user-agent"])
    assert.equal("application/json", request.headers.accept)
    assert.equal("Bearer " .. SECRET, request.headers.authorization)
    check.contains(request.headers["accept-encoding"], "gzip")
    assert.is_nil(request.headers["content-length"])
    assert.is_nil(request.headers["content-type"])
  end)

  it("takes another user agent", function()
    walk({ GOOD }, { user_agent = "acme-sync/2.0 (ops@acme.example)" })
    assert.equal("acme-sync/2.0 (ops@acme.example)", server:requests()[1].headers["user-agent"])
  end)

  it("keeps its connection for the next one", function()
    local page = { body = '{"data":[{"id":"a"}],"nextPaginationToken":"t"}' }
    assert.equal(3, (walk { page, GOOD }))
    local list = server:requests(USERS)
    assert.equal(2, #list)
    assert.equal(list[1].connection, list[2].connection)
  end)
end)

describe("a request that timed out", function()
  it("goes to a new connection: none that was idle meanwhile is used again", function()
    local one = client { idle_timeout = 2.1 }
    server:script { [USERS] = { { body = GOOD.body, delay = 0.1 } } }
    local streams = {}
    for i = 1, 5 do
      streams[i] = (one:users { page_size = i, prefetch = 0 })
    end
    assert(rollcall.merge(streams):count())
    local page = { body = '{"data":[{"id":"c"}],"nextPaginationToken":"t"}' }
    server:script { [USERS] = { { mute = true }, page, GOOD } }
    local stream = (one:users())
    assert.equal(3, #assert(stream:collect()))
    assert.equal(1, stream:stats().retries)
    local list = server:requests(USERS)
    assert.equal(3, #list)
    assert.is_true(list[2].connection > list[1].connection)
    assert.equal(list[2].connection, list[3].connection)
  end)
end)

describe("a proxy that refuses to tunnel", function()
  it("is what has answered, and is asked again only where that may help", function()
    local host = "directory.example:443"
    local function through(...)
      server:script { [host] = { ... } }
      local _, err = client({ base_url = "https://directory.example", proxy = server.url }):users():collect()
      check.failure(err, "http", { SECRET })
      assert.equal("proxy", err.code)
      return err, #server:requests(host)
    end
    for _, status in ipairs { 407, 403, 302 } do
      local err, tries = through { status = status, body = "no" }
      assert.equal(status, err.status)
      assert.equal(("the proxy answered %d"):format(status), err.message)
      assert.equal(1, tries)
    end
    server:script { [host] = { { status = 400, body = "no" } } }
    local _, of_token = rollcall.tesouro({ base_url = "https://directory.example", proxy = server.url, client_id = "c",
      client_secret = SECRET }):users():collect()
    check.failure(of_token, "http", { SECRET })
    assert.equal("proxy", of_token.code)
    local err, tries = through { status = 503, body = "busy" }
    assert.equal(503, err.status)
    assert.equal(5, tries)
  end)
end)

describe("an answer without a body", function()
  it("is not asked for again where its status says that there is none", function()
    local _, err = walk { { status = 204, body = "" }, GOOD }
    check.failure(err, "decode")
    assert.equal(204, err.status)
    assert.equal(1, requests())
  end)
end)

describe("a request", function()
  it("is known to its server by an id that has several names", function()
    for _, name in ipairs { "X-Request-Id", "Request-Id", "X-Correlation-Id", "X-GitHub-Request-Id",
      "X-Okta-Request-Id", "x-amzn-RequestId" } do
      local told
      local _, err = walk({ { status = 400, body = "{}", headers = { name .. ": req-1" } } }, { on = {
        response = function(event)
          told = event.request_id
        end,
      } })
      assert.equal("req-1", err.request_id)
      assert.equal("req-1", told)
    end
  end)

  it("counts the bytes of a body that is too large, too", function()
    local body = '{"data":[' .. (" "):rep(300000) .. "]}"
    for _, chunked in ipairs { false, true } do
      local _, err, stats = walk({ { body = body, chunked = chunked, step = 50000 } }, { max_page_bytes = 100000 })
      check.failure(err, "decode")
      assert.is_true(stats.bytes >= 100000 and stats.bytes < 200000, stats.bytes)
    end
  end)

  it("counts the bytes of a body that is refused, too", function()
    local body = '{"data":[{"id":"a"}' .. (" "):rep(50000) .. "x" .. (" "):rep(500) .. "]}"
    local _, err, stats = walk { { body = body } }
    check.failure(err, "decode")
    assert.is_true(stats.bytes > 50000 and stats.bytes < #body + 500, stats.bytes)
  end)
end)

describe("a request that fails for now", function()
  for _, status in ipairs { 408, 429, 500, 502, 503, 504 } do
    it(("is sent again after a %d"):format(status), function()
      local users, _, stats = walk { { status = status, body = "busy" }, { status = status }, GOOD }
      assert.equal(2, users)
      assert.equal(3, requests())
      assert.equal(3, stats.requests)
      assert.equal(2, stats.retries)
      assert.equal(1, stats.pages)
      assert.equal(2, stats.users)
    end)
  end

  it("is sent again after a connection that ends, is reset or breaks off", function()
    for _, broken in ipairs {
      { silent = true },
      { silent = true, reset = true },
      { raw = "HTTP/1.1 200 OK\r\nContent-Le" },
      { body = GOOD.body, cut = 1 },
      { body = GOOD.body, cut = 30, chunked = true },
      { body = GOOD.body, cut = #GOOD.body - 1 },
      { body = GOOD.body, cut = 20, reset = true },
      { body = "", length = 100, reset = true },
    } do
      local users, _, stats = walk { broken, broken, GOOD }
      assert.equal(2, users)
      assert.equal(3, requests())
      assert.equal(2, stats.retries)
    end
  end)

  it("is sent again where the body breaks off just behind what is wrong with it", function()
    -- What is wrong with the last bytes is found with those that follow: it may have been the line that broke.
    local wrong = '{"data":[{"id":"a"},{"id":tru'
    for _, broken in ipairs {
      { body = wrong .. "?}]}", cut = #wrong + 1 },
      { body = wrong .. "?}]}", cut = #wrong + 1, chunked = true },
      { body = wrong .. "?", length = 500, reset = true },
    } do
      local users, _, stats = walk { broken, GOOD }
      assert.equal(2, users)
      assert.equal(1, stats.retries)
    end
    -- Where the body has ended, or went on for long enough, it is wrong however often it is asked for.
    for _, bad in ipairs { { body = wrong .. "?" }, { body = wrong .. "?" .. (" "):rep(100) .. "}]}", cut = 100 } } do
      local users, err, stats = walk { bad, GOOD }
      assert.is_nil(users)
      assert.equal("decode", err.kind)
      assert.equal(#wrong, err.offset)
      assert.equal(0, stats.retries)
      assert.same({ "a" }, { err.before[1].id })
    end
  end)

  it("is sent again after a timeout", function()
    local users, _, stats = walk({ { delay = 2 }, GOOD }, { idle_timeout = 0.1 })
    assert.equal(2, users)
    assert.equal(1, stats.retries)
  end)

  it("is sent five times at most, and the last answer is the error", function()
    local users, err, stats = walk { { status = 503, body = '{"message":"come back later"}' } }
    assert.is_nil(users)
    assert.equal("http", err.kind)
    assert.equal(503, err.status)
    assert.equal(5, err.attempts)
    assert.equal(5, requests())
    assert.equal(4, stats.retries)
    check.contains(tostring(err), "come back later", "status 503", "5 attempts")
  end)

  it("is sent as often as told", function()
    local _, err = walk({ { status = 503 } }, { retry = { attempts = 2, base = 0 } })
    assert.equal(2, err.attempts)
    assert.equal(2, requests())
  end)

  it("is sent once with retry = false", function()
    for kind, answer in pairs { http = { status = 503 }, rate_limit = { status = 429 }, network = { silent = true } } do
      local _, err, stats = walk({ answer, GOOD }, { retry = false })
      assert.equal(kind, err.kind)
      assert.equal(1, err.attempts)
      assert.equal(1, requests())
      assert.equal(0, stats.retries)
    end
  end)

  it("waits longer each time", function()
    walk({ { status = 503 }, { status = 503 }, { status = 503 }, GOOD }, { retry = { base = 0.04, jitter = 0 } })
    local times = {}
    for i, request in ipairs(server:requests(USERS)) do
      times[i] = request.time
    end
    local first, second, third = times[2] - times[1], times[3] - times[2], times[4] - times[3]
    assert.is_true(first >= 0.039 and second >= 0.079 and third >= 0.159, table.concat({ first, second, third }, " "))
    assert.is_true(third < 0.5)
  end)

  it("waits as Retry-After says, and counts it", function()
    local users, _, stats = walk { { status = 429, headers = { "Retry-After-Ms: 150" } }, GOOD }
    assert.equal(2, users)
    local list = server:requests(USERS)
    assert.is_true(list[2].time - list[1].time >= 0.149)
    assert.is_true(stats.waits >= 0.15 and stats.waits < 0.3, stats.waits)
  end)

  it("waits as long as the longer of two Retry-Afters says, such as a gateway's and the server's", function()
    local users, _, stats = walk { { status = 429, headers = { "Retry-After: 0.1", "Retry-After: 0.2" } }, GOOD }
    assert.equal(2, users)
    local list = server:requests(USERS)
    assert.is_true(list[2].time - list[1].time >= 0.199)
    assert.is_true(stats.waits >= 0.2, stats.waits)
  end)

  it("waits for the reset of the limit that is used up where a header of another one comes, too", function()
    local page = { body = '{"data":[{"id":"z"}],"nextPaginationToken":"t2"}', headers = { "X-RateLimit-Remaining: 4990",
      "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 3540", "X-RateLimit-Reset: 0.2" } }
    local users, _, stats = walk { page, GOOD }
    assert.equal(3, users)
    assert.is_true(stats.waits > 0 and stats.waits < 0.3, stats.waits)
    page.headers[4] = nil -- which of them it is of cannot be told
    page.headers[3] = "X-RateLimit-Reset: 0.2"
    users, _, stats = walk { page, GOOD }
    assert.equal(3, users)
    assert.is_true(stats.waits > 0 and stats.waits < 0.3, stats.waits)
  end)

  it("waits as long as a Retry-After says beside an empty one", function()
    for _, headers in ipairs { { "Retry-After: 0.1", "Retry-After: " }, { "Retry-After: ", "Retry-After: 0.1" } } do
      local users, _, stats = walk { { status = 429, headers = headers }, GOOD }
      assert.equal(2, users)
      assert.is_true(stats.waits >= 0.1, stats.waits)
    end
  end)

  it("waits as the status' headers say though the body behind them broke off", function()
    for _, broken in ipairs { { cut = 5 }, { cut = 5, reset = true }, { cut = 5, chunked = true } } do
      broken.status, broken.headers, broken.body = 429, { "Retry-After: 0.2" }, '{"message":"slowly"}'
      local users, _, stats = walk { broken, GOOD }
      assert.equal(2, users)
      local list = server:requests(USERS)
      assert.is_true(list[2].time - list[1].time >= 0.199)
      assert.is_true(stats.waits >= 0.2, stats.waits)
    end
    local _, err = walk { { status = 404, body = '{"message":"nobody"}', cut = 5 }, GOOD }
    assert.equal("http", err.kind)
    assert.equal(404, err.status)
    assert.equal(1, requests())
  end)

  it("is given up at once where Retry-After is too long", function()
    local _, err = walk { { status = 429, headers = { "Retry-After: 121" }, body = '{"message":"tomorrow"}' }, GOOD }
    assert.equal("rate_limit", err.kind)
    assert.equal(429, err.status)
    assert.equal(121, err.retry_after)
    assert.equal(1, requests())
    check.contains(tostring(err), "tomorrow", "it asks to wait 121 seconds, and max_retry_after is 120")
  end)

  it("is given up at once where Retry-After is a date too far away", function()
    local date = os.date("!%a, %d %b %Y %H:%M:%S GMT", os.time() + 3600)
    local _, err = walk { { status = 503, headers = { "Retry-After: " .. date } }, GOOD }
    assert.equal(503, err.status)
    assert.is_true(err.retry_after > 3590 and err.retry_after <= 3600)
    assert.equal(1, requests())
  end)

  it("shares one quota with the whole client", function()
    server:script { [USERS] = { { status = 503 } } }
    local mine = client { retry = { base = 0, quota = 15 } }
    local streams, attempts = {}, 0
    for i = 1, 4 do
      streams[i] = mine:users()
    end
    rollcall.merge(streams, { on_error = function(err)
      attempts = attempts + err.attempts
    end }):count()
    assert.equal(4 + 3, attempts)
    assert.equal(7, requests())
  end)

  it("is a network error where nobody listens", function()
    local stream = client({ base_url = "http://127.0.0.1:1" }):users()
    local users, err = stream:collect()
    assert.is_nil(users)
    check.failure(err, "network", { SECRET })
    assert.equal(5, err.attempts)
    assert.is_nil(err.status)
    assert.equal("http://127.0.0.1:1/identity/v1/users?Limit=100", err.url)
  end)

  it("is a timeout where nothing comes", function()
    local began = core.now()
    local _, err = walk({ { delay = 5 } }, { idle_timeout = 0.1, retry = { attempts = 2, base = 0 } })
    assert.equal("timeout", err.kind)
    assert.equal(2, err.attempts)
    assert.is_true(core.now() - began < 3)
  end)

  it("is no timeout where bytes keep coming", function()
    local slow = { body = GOOD.body, chunked = true, step = 5, pause = 0.03 }
    local users, _, stats = walk({ slow }, { idle_timeout = 0.2 })
    assert.equal(2, users)
    assert.equal(0, stats.retries)
  end)
end)

describe("a request that is refused", function()
  for _, status in ipairs { 400, 403, 404, 405, 409, 410, 422, 501 } do
    it(("is not sent again after a %d"):format(status), function()
      local _, err, stats = walk { { status = status, body = "{}" }, GOOD }
      assert.equal(status == 403 and "auth" or "http", err.kind)
      assert.equal(status, err.status)
      assert.equal(1, requests())
      assert.equal(0, stats.retries)
    end)
  end

  it("has all that is known of it", function()
    local body = '{"error":{"code":"no_such_account","message":"There is no such account.","errors":[]}}'
    local answer = { status = 404, body = body, headers = { "X-Request-ID: req-17" } }
    local _, err = walk({ answer }, nil, { status = "ALL" })
    assert.equal("tesouro", err.provider)
    assert.equal("http", err.kind)
    assert.equal(404, err.status)
    assert.equal("no_such_account", err.code)
    assert.equal("req-17", err.request_id)
    assert.equal("GET", err.method)
    assert.equal(server.url .. USERS .. "?Status=ALL&Limit=100", err.url)
    assert.equal(1, err.attempts)
    assert.equal(body, err.body)
    check.contains(tostring(err), "http: tesouro: ", "There is no such account.", "GET " .. err.url, "status 404",
      "request req-17")
  end)

  it("reads every kind of error document", function()
    for body, expected in pairs {
      ['{"error":{"code":"a1","message":"M1","errors":[]}}'] = { "M1", "a1" },
      ['{"message":"M2"}'] = { "M2", nil },
      ['{"error":{"message":"M3"}}'] = { "M3", nil },
      ['{"type":"t","title":"T","status":400,"detail":"M4","instance":"/x","errorCode":"a4"}'] = { "M4", "a4" },
      ['{"title":"M5"}'] = { "M5", nil },
      ['{"error":"a6","error_description":"M6"}'] = { "M6", "a6" },
      ['{"error":{"code":4711,"message":"M7"}}'] = { "M7", "4711" },
      ['{"error":{"code":123456789012345,"message":"M8"}}'] = { "M8", "123456789012345" },
      ['{"errors":[{"code":"a9","detail":"M9","title":"T"},{"detail":"N"}]}'] = { "M9", "a9" },
      ['{"data":null,"errors":[{"message":"M10","path":["users"]}]}'] = { "M10", nil },
      ['{"errors":["M11"]}'] = { "M11", nil },
      ['{"errors":{"name":["M12"]},"message":"M13"}'] = { "M13", nil },
      ['{"error":[],"message":"M14"}'] = { "M14", nil },
      ['[{"message":"M15","errorCode":"a15"},{"message":"N"}]'] = { "M15", "a15" },
      ['"M16"'] = { "M16", nil },
      ['{"error":"M17"}'] = { "M17", "M17" },
      ['{"code":99,"msg":"M18","error":{"log_id":"x"}}'] = { "M18", "99" },
      ['{"response":{"message":"no","errors":{"code":7021,"message":"M19"},"status":1}}'] = { "M19", "7021" },
      ['{"error_code":"a20","error_message":"M20","status_code":200}'] = { "M20", "a20" },
      ['{"error":null,"message":null}'] = { '{"error":null,"message":null}', nil },
      ['{"message":{"text":"x"}}'] = { '{"message":{"text":"x"}}', nil },
      ["[]"] = { "[]", nil },
      ["oops"] = { "oops", nil },
      [" \r\nRetry later\nand better"] = { "answered 400: Retry later (", nil },
      [" \n"] = { "no message", nil },
      [""] = { "no message", nil },
    } do
      local _, err = walk { { status = 400, body = body } }
      check.contains(tostring(err), "answered 400: ", expected[1])
      assert.equal(expected[2], err.code)
      assert.equal(body, err.body)
    end
  end)

  it("says when to come again, whichever header does", function()
    for header, expected in pairs { ["Retry-After: 7"] = 7, ["RateLimit: limit=5, remaining=0, reset=9"] = 9 } do
      local _, err = walk({ { status = 429, headers = { header } } }, { retry = { attempts = 1 } })
      assert.equal("rate_limit", err.kind)
      assert.equal(expected, err.retry_after)
    end
    local _, err = walk({ { status = 429, headers = { "RateLimit: limit=5, remaining=3, reset=9" } } },
      { retry = { attempts = 1 } })
    assert.is_nil(err.retry_after)
  end)

  it("of 429 waits for the reset, though it does not say that nothing is left", function()
    for _, line in ipairs { "RateLimit-Reset: 9", 'RateLimit: "d";t=9', "RateLimit: limit=10, reset=9",
      "X-RateLimit-Reset-After: 9", "X-Rate-Limit-Reset: 9" } do
      local _, err = walk({ { status = 429, headers = { line } } }, { retry = { attempts = 1 } })
      assert.equal(9, err.retry_after, line)
    end
    local users, _, stats = walk { { status = 429, headers = { "RateLimit-Reset: 1" } }, GOOD }
    assert.equal(2, users)
    assert.is_true(stats.waits > 0.9, stats.waits)
    local _, err = walk({ { status = 503, headers = { "RateLimit-Reset: 9" } } }, { retry = { attempts = 1 } })
    assert.is_nil(err.retry_after)
  end)

  it("gives back what each of its attempts took", function()
    -- Two timeouts of ten each leave nothing, until the answer.
    local slow = { delay = 1 }
    local one = client { idle_timeout = 0.3, retry = { base = 0.001, quota = 20 } }
    for _ = 1, 2 do
      server:script { [USERS] = { slow, slow, GOOD } }
      local users = one:users()
      assert.equal(2, (users:count()))
      assert.equal(2, users:stats().retries)
    end
  end)

  it("says what an answer of 200 says that has no users", function()
    for body, expected in pairs {
      ['{"ok":false,"error":"invalid_auth"}'] = "expected an array at /data, got the end of the document; the server "
        .. "says: invalid_auth",
      ['{"data":null,"errors":[{"message":"Field unknown"}]}'] = "expected an array at /data, got null; the server "
        .. "says: Field unknown",
      ['{"ok":false}'] = "expected an array at /data, got the end of the document",
      ['{"data":{},"error":"denied"}'] = "expected an array at /data, got an object; the server says: denied",
      ['{"data":[],"ok":false,"error":"fatal"}'] = "nobody is in the answer, and it is an error's document; the server "
        .. "says: fatal",
      ['{"data":[],"errors":[{"message":"Internal"}],"nextPaginationToken":"t"}'] = "nobody is in the answer, and it "
        .. "is an error's document; the server says: Internal",
      ['{"data":[],"success":false}'] = "nobody is in the answer, and it is an error's document",
      ['{"data":[],"ok":0,"fault":{"code":"E17","reason":"migrating"}}'] = "nobody is in the answer, and it is an "
        .. "error's document; the server says: migrating",
      ['{"response":{"ok":0,"fault":{"code":"E17","reason":"migrating"}}}'] = "expected an array at /data, got the end "
        .. "of the document; the server says: migrating",
      ['{"data":[],"IsSuccess":"False"}'] = "nobody is in the answer, and it is an error's document",
      ['{"data":[],"status":"error"}'] = "nobody is in the answer, and it is an error's document",
      ['{"data":[],"errcode":40001,"errmsg":"invalid credential"}'] = "nobody is in the answer, and it is an error's "
        .. "document; the server says: invalid credential",
      ['{"data":[],"Error":"denied"}'] = "nobody is in the answer, and it is an error's document",
      ['{"data":[],"error_message":"denied","error_code":""}'] = "nobody is in the answer, and it is an error's "
        .. "document; the server says: denied",
      ['{"data":[],"errorMsg":"denied","errcode":null}'] = "nobody is in the answer, and it is an error's document",
    } do
      local _, err = walk { { body = body } }
      assert.equal("decode", err.kind)
      assert.equal(200, err.status)
      assert.equal(expected, err.message)
      assert.equal(body, err.body)
    end
    local _, err = walk { { body = ('{"ok":false,"error":"the token %s ended"}'):format(SECRET) } }
    check.contains(err.message, "the token [secret] ended")
    assert.is_nil(err.body:find(SECRET, 1, true))
  end)

  it("is none of an empty page that only has names of errors", function()
    for _, body in ipairs { '{"data":[],"error":null,"errors":[],"errorCode":0,"ok":true,"message":"none"}',
      '{"data":[],"success":true,"error":"","error_message":"","code":20000}', '{"data":[],"errorCode":"0000"}',
      '{"data":[],"error":{"code":"ok","message":"","log_id":"x"},"errors":{"count":0},"errorMessage":"No error"}',
      '{"data":[],"error":{"number":"0","name":"No Error"}}', '{"data":[],"errcode":0,"errmsg":"no data"}',
      '{"data":[],"ok":1,"fault":null,"succeeded":0}',
      '{"data":[],"status":"active","ok":"true","error_msg":"nobody"}', '{"data":[],"status":404,"state":"error"}',
    } do
      assert.equal(0, (walk { { body = body } }))
    end
    -- Beside users it is theirs.
    assert.equal(1, (walk { { body = '{"data":[{"id":"a"}],"errors":[{"message":"one field"}]}' } }))
  end)

  it("of 200 is the limit of requests where it says so and has its headers", function()
    local body = '{"data":null,"errors":[{"type":"RATE_LIMITED","message":"slow down"}]}'
    for _, said in ipairs { body, '{"message":"Too many requests"}', '{"data":[],"error":"slow down"}' } do
      local users, err, stats = walk { { body = said, headers = { "Retry-After: 0" } }, GOOD }
      assert.is_nil(err)
      assert.equal(2, users)
      assert.equal(1, stats.retries)
    end
    assert.equal(0, (walk { { body = '{"data":[],"message":"none"}', headers = { "Retry-After: 0" } } }))
    for _, body_of_202 in ipairs { '{"status":"pending"}', "" } do
      local users, _, stats = walk { { status = 202, body = body_of_202, headers = { "Retry-After: 0.2" } }, GOOD }
      assert.equal(2, users)
      assert.is_true(stats.waits >= 0.2)
    end
    local _, other, tries = walk { { body = body, headers = { "X-RateLimit-Remaining: 0" } }, GOOD }
    assert.equal("decode", other.kind)
    assert.equal(0, tries.retries)
    local _, err = walk({ { body = body, headers = { "Retry-After: 7" } } }, { retry = { attempts = 1 } })
    assert.equal("rate_limit", err.kind)
    assert.equal(7, err.retry_after)
    check.contains(err.message, "answered 200: slow down")
  end)

  it("says that the server answered HTML", function()
    local _, err = walk({ { status = 502, type = "text/html; charset=utf-8", body = "<html>Bad Gateway</html>" } },
      { retry = false })
    check.contains(tostring(err), "HTML", "502")
    for body, title in pairs { ["<html><TITLE>\n Sign in | Acme </title>"] = ": Sign in | Acme ",
      ["<title>  </title><title>B</title>"] = ": B", ["<title>" .. SECRET .. "</title>"] = ": [secret]" } do
      _, err = walk({ { status = 400, type = "text/html", body = body } })
      assert.equal("the server answered 400: the server answered HTML, not JSON" .. title, err.message)
    end
  end)

  it("keeps 8 KiB of the body", function()
    local _, err = walk { { status = 400, body = ("x"):rep(100000) } }
    assert.equal(("x"):rep(8192), err.body)
    assert.is_true(#tostring(err) < 1000)
  end)

  it("does not keep half a secret at the cut", function()
    for shift = 1, #SECRET do
      local body = ("x"):rep(8192 - shift) .. SECRET .. "y"
      local _, err = walk { { status = 400, body = body } }
      assert.is_nil(err.body:find("tok", 1, true), shift)
    end
  end)

  it("takes no longer where the body is long", function()
    local function seconds(times)
      local body = '{"message":"' .. ("\\\\"):rep(times) .. '"}'
      local least = math.huge
      for _ = 1, 3 do
        local began = os.clock()
        local _, err = walk { { status = 400, body = body } }
        least = math.min(least, os.clock() - began)
        assert.equal(body:sub(1, 8192), err.body)
        assert.equal(400, err.status)
      end
      return least
    end
    local short, long = seconds(4000), seconds(100000)
    assert.is_true(long < 6 * short, ("%.4f s, then %.4f s"):format(short, long)) -- 25 times, were all looked at
  end)

  it("is one line, and readable, whatever a message has in it", function()
    local _, err = walk { { status = 400, body = cjson.encode { message = "a\nb\27[31m\0c" } } }
    assert.is_nil(tostring(err):find "%c")
  end)

  it("names a redirect's target, and does not follow it", function()
    for _, status in ipairs { 301, 302, 303, 307, 308 } do
      server:script {
        [USERS] = { { status = status, headers = { "Location: " .. server.url .. "/elsewhere" } } },
        ["/elsewhere"] = { GOOD },
      }
      local users, err = client():users():collect()
      assert.is_nil(users)
      check.failure(err, "http", { SECRET })
      assert.equal(status, err.status)
      check.contains(tostring(err), "redirect", server.url .. "/elsewhere")
      assert.equal(1, #server:requests())
    end
    local _, err = walk { { status = 304 } }
    assert.equal(304, err.status)
    assert.is_nil(err.message:find "redirect")
  end)

  it("is an http error for any other status", function()
    local _, err = walk({ { raw = "HTTP/1.1 600 What\r\nContent-Length: 0\r\n\r\n" } }, { retry = false })
    assert.equal("http", err.kind)
    assert.equal(600, err.status)
  end)

  it("cuts a very long URL", function()
    local _, err = walk({ { status = 400 } }, nil, { page_token = ("t"):rep(3000) })
    assert.is_true(#err.url < 600, #err.url)
  end)
end)

describe("an answer that is no HTTP, or too much of it", function()
  it("is a network error where it is garbage", function()
    local _, err = walk({ { raw = "\0\1\2 garbage\r\n\r\n" } }, { retry = false })
    assert.equal("network", err.kind)
  end)

  it("is refused where its headers have no end", function()
    local lines = {}
    for i = 1, 3000 do
      lines[i] = ("X-Filler-%d: %s"):format(i, ("y"):rep(50))
    end
    local _, err = walk({ { headers = lines, body = GOOD.body } }, { retry = false })
    assert.equal("decode", err.kind)
    assert.equal("too_large", err.code)
    assert.equal(2, (walk({ { headers = { "X-Filler: " .. ("y"):rep(20000) }, body = GOOD.body } })))
    _, err = walk({ { headers = { "X-Filler: " .. ("y"):rep(20000) }, body = GOOD.body } },
      { retry = false, max_header_bytes = 10000 })
    assert.equal("too_large", err.code)
  end)

  it("has given every user before max_page_bytes, however its bytes come", function()
    local users = {}
    for id = 1, 400 do
      users[id] = ('{"id":"%03d"}'):format(id) -- 12 bytes, and a comma
    end
    local body = '{"data":[' .. table.concat(users, ",") .. '],"nextPaginationToken":null}'
    for _, answer in ipairs { { body = body }, { body = body, chunked = true, step = 100 } } do
      local _, err = walk({ answer }, { max_page_bytes = 9 + 13 * 100 })
      assert.equal(100, #err.before)
      assert.equal("too_large", err.code)
      assert.equal(9 + 13 * 100, err.offset)
    end
  end)

  it("is taken where it has no content type, or another one", function()
    for _, kind in ipairs { false, "text/plain", "application/problem+json", "text/html" } do
      assert.equal(2, (walk { { type = kind, body = GOOD.body } }))
    end
  end)

  it("is taken without a length, and in chunks of one byte", function()
    assert.equal(2, (walk { { body = GOOD.body, length = false } }))
    assert.equal(2, (walk { { body = GOOD.body, chunked = true, step = 1 } }))
  end)

  it("is taken with 201, refused with 204", function()
    assert.equal(2, (walk { { status = 201, body = GOOD.body } }))
    local users, err = walk({ { status = 204, type = false, length = false } }, { retry = false })
    assert.is_nil(users)
    assert.equal("decode", err.kind)
  end)
end)

describe("hooks", function()
  it("hear of every request, answer, retry and page, without secrets", function()
    local heard = {}
    local function hear(name)
      return function(event)
        event.hook = name
        heard[#heard + 1] = event
      end
    end
    local page = { body = '{"data":[{"id":"a"}],"nextPaginationToken":"t2"}', headers = { "x-request-id: req-1",
      "X-RateLimit-Remaining: 41 ", "X-Plan:", "Via: a", "via: b", "Set-Cookie: sid=" .. SECRET } }
    walk({ { status = 503 }, page, GOOD }, {
      on = { request = hear "request", response = hear "response", retry = hear "retry", page = hear "page" },
    }, { prefetch = 0 })
    local names = {}
    for i, event in ipairs(heard) do
      names[i] = event.hook
      check.no_secret(event, { SECRET })
      assert.equal("tesouro", event.provider)
    end
    table.sort(names)
    assert.equal("page page request request request response response response retry", table.concat(names, " "))
    local by = {}
    for _, event in ipairs(heard) do
      by[event.hook] = by[event.hook] or {}
      table.insert(by[event.hook], event)
    end
    assert.equal("GET", by.request[1].method)
    assert.equal(server.url .. USERS .. "?Limit=100", by.request[1].url)
    assert.equal(1, by.request[1].attempt)
    assert.equal(2, by.request[2].attempt)
    assert.equal(1, by.request[3].attempt)
    assert.equal(503, by.response[1].status)
    assert.equal(200, by.response[2].status)
    assert.equal("req-1", by.response[2].request_id)
    local headers = by.response[2].headers
    assert.equal("41", headers["x-ratelimit-remaining"])
    assert.equal("", headers["x-plan"])
    assert.equal("a, b", headers.via)
    assert.equal("application/json", headers["content-type"])
    assert.is_nil(headers["set-cookie"])
    for name in pairs(headers) do
      assert.truthy(name:find "^[%l%d-]+$", name)
    end
    assert.is_true(by.response[2].bytes > #page.body)
    assert.is_true(by.response[2].seconds >= 0)
    assert.equal("http", by.retry[1].kind)
    assert.equal(503, by.retry[1].status)
    assert.is_true(by.retry[1].wait >= 0)
    assert.equal(1, by.page[1].number)
    assert.equal(1, by.page[1].users)
    assert.equal(2, by.page[2].number)
    assert.equal(2, by.page[2].users)
  end)

  it("never hear a secret that the server echoes", function()
    local heard = {}
    local function hear(event)
      heard[#heard + 1] = event
    end
    local echo = { status = 503, headers = { "x-request-id: " .. SECRET, "X-Echo: Bearer " .. SECRET },
      body = '{"message":"' .. SECRET .. '"}' }
    walk({ echo, GOOD }, { on = { request = hear, response = hear, retry = hear } })
    assert.is_true(#heard >= 5)
    local echoed = {}
    for _, event in ipairs(heard) do
      echoed[#echoed + 1] = event.headers and event.headers["x-echo"]
    end
    assert.equal(1, #echoed)
    check.no_secret(heard, { SECRET })
  end)

  it("are told headers in no time, however they echo a secret, and none of a token's answer", function()
    local token = ("0123456789abcdef"):rep(75)
    local hex = token:gsub(".", function(char)
      return ("%02x"):format(char:byte())
    end)
    local lines = { "url: " .. ("u"):rep(3000), "X-" .. token:sub(1, 40) .. ": 1" }
    for i = 1, 120 do
      lines[#lines + 1] = ("X-A%d: %s"):format(i, hex:sub(-4):rep(100))
    end
    server:script {
      ["/openid/connect/token"] = { { body = cjson.encode { access_token = token, expires_in = 3600 },
        headers = { "X-Debug: " .. token } } },
      [USERS] = { { body = GOOD.body, headers = lines } },
    }
    local told = {}
    local began = os.clock()
    assert.equal(2, rollcall.tesouro({ client_id = "me", client_secret = SECRET, base_url = server.url,
      on = { response = function(event) told[#told + 1] = event.headers end } }):users():count())
    local slowness = package.cpath:find "%-valgrind/" and 30 or 1
    assert.is_true(os.clock() - began < 5 * slowness)
    assert.equal(2, #told)
    assert.is_nil(next(told[1]))
    assert.is_true(#told[2].url <= 3000)
    check.no_secret(told, { token, SECRET })
  end)

  it("pass their own errors on to the caller", function()
    for _, name in ipairs { "request", "response", "page" } do
      server:script { [USERS] = { GOOD } }
      local mine = {}
      local stream = client({ on = { [name] = function() error(mine, 0) end } }):users()
      local good, err = pcall(stream.collect, stream)
      assert.is_false(good)
      assert.equal(mine, err)
    end
  end)
end)

describe("TLS", function()
  local function https(options)
    options.base_url = sandbox.tesouro_https_url
    return sandbox.tesouro(options):users { limit = 5, page_size = 5 }
  end

  it("is spoken with the authority told", function()
    sandbox.reset()
    assert.equal(5, https({ ca_file = sandbox.ca_file }):count())
  end)

  it("is refused with an authority that nobody knows, and nothing is retried or sent", function()
    sandbox.reset()
    local users, err = https({}):collect()
    assert.is_nil(users)
    check.failure(err, "tls", { sandbox.secret })
    assert.equal(1, err.attempts)
    assert.equal(0, sandbox.stats().tesouro.token_requests)
  end)

  it("is no plain http by accident", function()
    sandbox.reset()
    local _, err = sandbox.tesouro({ base_url = sandbox.tesouro_url:gsub("^http:", "https:"), retry = false })
      :users():collect()
    check.failure(err, err.kind, { sandbox.secret })
    assert.equal(0, sandbox.stats().tesouro.token_requests)
  end)
end)

describe("hooks that interfere", function()
  local function stream_with(on, answers, query)
    server:script { [USERS] = answers }
    return client({ on = on }):users(query)
  end

  it("hear of a request, its answer and the retry in this order", function()
    local heard = {}
    local function hear(name)
      return function() heard[#heard + 1] = name end
    end
    stream_with({ request = hear "request", response = hear "response", retry = hear "retry" },
      { { status = 503 }, GOOD }):count()
    assert.equal("request response retry request response", table.concat(heard, " "))
  end)

  it("hear of a request before it has left: one that raises or closes keeps it back", function()
    for _, interfere in ipairs { function() error("not this one", 0) end, function(stream) stream:close() end } do
      local stream, told
      stream = stream_with({ request = function()
        told = (told or 0) + 1
        if told == 2 then -- on a connection that is there
          interfere(stream)
        end
      end }, { { body = '{"data":[{"id":"1"}],"nextPaginationToken":"t2"}' }, GOOD })
      pcall(stream.count, stream)
      core.wait({}, 0.05)
      assert.equal(2, told)
      assert.equal(1, #server:requests(USERS))
    end
  end)

  for _, name in ipairs { "request", "response", "retry", "page" } do
    it(("may raise, and lose no user: %s"):format(name), function()
      local broken = { body = GOOD.body, cut = #GOOD.body - 5 }
      local told, responses, ids = 0, 0, {}
      local on = { response = function() responses = responses + 1 end }
      local before = on[name]
      on[name] = function(event)
        told = told + 1
        if before then
          before(event)
        end
        error("the hook's own", 0)
      end
      local stream = stream_with(on, { broken, GOOD })
      for _ = 1, 20 do
        local good, user, err = pcall(stream.next, stream)
        if good and user == nil then
          assert.is_nil(err)
          break
        end
        ids[#ids + 1] = good and user.id or nil
      end
      assert.equal(2, #ids)
      assert.equal("exhausted", stream:reason())
      assert.equal(2, responses)
      assert.equal(({ request = 2, response = 2, retry = 1, page = 1 })[name], told)
    end)

    it(("may close the stream: %s"):format(name), function()
      local stream
      stream = stream_with({ [name] = function() stream:close() end },
        { { body = GOOD.body, cut = #GOOD.body - 5 }, GOOD })
      local good, err = pcall(function()
        for _ = 1, 20 do
          if not stream:next() then
            break
          end
        end
      end)
      assert.is_true(good, err)
      assert.equal(name == "page" and "exhausted" or "closed", stream:reason())
    end)
  end
end)

describe("an answer that says little", function()
  it("is known as HTML in any spelling", function()
    local _, err = walk({ { status = 502, type = "Text/HTML", body = "<p>" } }, { retry = false })
    check.contains(tostring(err), "HTML")
    for _, kind in ipairs { false, "application/json", "TEXT/HTML" } do
      _, err = walk { { type = kind, body = "<html></html>" } }
      check.contains(tostring(err), "HTML")
    end
    _, err = walk { { body = "{<}" } }
    assert.is_nil(tostring(err):find "HTML")
  end)

  it("has its message wherever there is a text", function()
    for _, body in ipairs { '{"message":{"a":1},"detail":"M"}', '{"message":null,"title":"M"}',
      '{"error":{"message":5},"detail":[],"title":"M"}' } do
      local _, err = walk { { status = 400, body = body } }
      check.contains(err.message, "400: M")
    end
  end)

  it("is waited for no longer than max_retry_after where a rate limit is used up", function()
    local page = { body = '{"data":[{"id":"a"}],"nextPaginationToken":"t2"}',
      headers = { "RateLimit-Remaining: 0", "RateLimit-Reset: 600" } }
    server:script { [USERS] = { page, GOOD } }
    local stream = client():users()
    assert.equal("a", stream:next().id)
    local user, err = stream:next()
    assert.is_nil(user)
    check.failure(err, "rate_limit", { SECRET })
    assert.is_true(err.retry_after > 595 and err.retry_after < 600.01)
    assert.equal(1, #server:requests())
  end)
end)

describe("a hook that uses its own stream", function()
  --- What a walk of three pages gives where its hook asks for users, too: those of both.
  for _, name in ipairs { "request", "response", "retry", "page" } do
    it("gets users of it, each once: " .. name, function()
      local function page(id, after)
        local token = after and '"' .. id .. '"' or "null"
        return { body = ('{"data":[{"id":"%s"}],"nextPaginationToken":%s}'):format(id, token) }
      end
      local ids, users = {}, nil
      server:script {
        [USERS .. "?Limit=100"] = { { status = 503 }, page("1", true) },
        [USERS .. "?Limit=100&PaginationToken=1"] = { page("2", true) },
        [USERS .. "?Limit=100&PaginationToken=2"] = { page "3" },
      }
      users = client({ on = { [name] = function()
        local user, err = users:next()
        ids[#ids + 1] = user and user.id or err and error(err, 0) or nil
      end } }):users()
      for user in users do
        ids[#ids + 1] = user.id
      end
      table.sort(ids)
      assert.equal("1 2 3", table.concat(ids, " "))
    end)
  end

  it("ends it at once where it closes the client, whatever it would have waited for", function()
    server:script { [USERS] = { { status = 503, headers = { "Retry-After: 6" } }, GOOD } }
    local asked
    asked = client({ on = { retry = function() asked:close() end } })
    local began = core.now()
    check.failure(select(2, asked:users():next()), "closed")
    assert.is_true(core.now() - began < 3)
  end)

  it("that is the token function sends nothing once it has closed the stream", function()
    server:script { [USERS] = { GOOD } }
    local users
    users = rollcall.tesouro({ base_url = server.url, token = function()
      users:close()
      return SECRET
    end }):users()
    assert.is_nil((users:next()))
    assert.equal("closed", users:reason())
    assert.equal(0, requests())
  end)
end)

describe("an answer that says too much", function()
  it("is cut in the message, and not in the middle of a character", function()
    local _, err = walk({ { status = 400, body = cjson.encode { message = ("é"):rep(100000), code = ("c"):rep(9000) },
      headers = { "X-Request-Id: " .. ("r"):rep(3000) } } })
    assert.is_true(#err.message < 600 and #err.code < 600 and #err.request_id < 600)
    assert.is_nil(err.message:find "\195%.")
    _, err = walk({ { status = 302, headers = { "Location: /" .. ("l"):rep(30000) } } })
    assert.is_true(#tostring(err) < 2000)
  end)

  it("is refused where it names the token as the next page", function()
    local body = '{"data":[{"id":"a"}],"nextPaginationToken":"x%s"}'
    local _, err = walk { { body = body:format(SECRET) } }
    check.failure(err, "decode", { SECRET })
    check.contains(err.message, "secret")
  end)

  it("drop by drop ends a request for a token all the same", function()
    server:script { ["/openid/connect/token"] = { { body = (" "):rep(1000), chunked = true, step = 1, pause = 0.1 } } }
    local began = core.now()
    local asked = rollcall.tesouro { client_id = "one", client_secret = SECRET, base_url = server.url, retry = false,
      idle_timeout = 0.3 }
    local _, err = asked:users():next()
    check.failure(err, "timeout", { SECRET })
    check.contains(err.message, "no token", "the exchange took more than 1.2 seconds")
    assert.is_true(core.now() - began < 5)
  end)

  it("may end once more after it was renewed and taken", function()
    local cut = { body = '[{"id":"a"},{"id":"b"}]', cut = 22 }
    server:script {
      ["/v1/accounts/T123/auth/token"] = { { body = '{"access_token":"tok-one","expires_in":3600}' } },
      ["/v1/accounts/T123/management/users"] = { cut, { status = 401, body = "{}" }, cut, { status = 401, body = "{}" },
        { body = '[{"id":"a"},{"id":"b"},{"id":"c"}]' } },
    }
    local users, err = rollcall.dintero({ account = "T123", client_id = "me", client_secret = SECRET,
      base_url = server.url, retry = { base = 0.001 } }):users():collect()
    assert.is_nil(err)
    assert.equal(3, #users)
  end)

  it("is no secret where the server was asked under a path that has it", function()
    server:script {
      ["/test/users"] = { { body = '[{"id":"a"}]', headers = { 'Link: </test/users?page=2>; rel="next"' } } },
      ["/test/users?page=2"] = { { body = '[{"id":"b"}]' } },
    }
    local users, err = rollcall.client({
      name = "acme",
      base_url = { production = "https://api.acme.example" },
      users = { path = "/test/users", items = "", paging = { type = "link" } },
    }, { token = "test", base_url = server.url }):users():collect()
    assert.is_nil(err)
    assert.equal(2, #users)
  end)

  it("that comes again with its users moved knows them by what is inside of them", function()
    local function edge(key, n)
      return ('{"n":%d,"node":{"key":"%s"}}'):format(n, key)
    end
    local first = "[" .. table.concat({ edge("a", 1), edge("b", 1), edge("c", 1) }, ",") .. "]"
    server:script { ["/graph"] = { { body = first, cut = #first - 4 },
      { body = "[" .. table.concat({ edge("z", 2), edge("b", 2), edge("a", 2), edge("c", 2) }, ",") .. "]" } } }
    local users, err = rollcall.client({
      name = "acme",
      base_url = { production = "https://api.acme.example" },
      users = { path = "/graph", method = "POST", content_type = "application/graphql+json", items = "",
        id = "/node/key", paging = { type = "none" }, fields = { id = "/node/key" } },
    }, { token = SECRET, base_url = server.url, retry = { base = 0.001 } }):users():collect()
    assert.is_nil(err)
    local ids = {}
    for i, user in ipairs(users) do
      ids[i] = user.id
    end
    assert.equal("a b z c", table.concat(ids, " "))
    for _, asked in ipairs(server:requests "/graph") do
      assert.equal("application/graphql+json", asked.headers["content-type"])
    end
  end)

  it("that comes again with another user without an id, and ends, is an error: he may be a new one", function()
    local users, err = walk {
      { body = '{"data":[{"x":"A"},{"x":"B"},{"x":"C"}]}', cut = 38 },
      { body = '{"data":[{"x":"A"},{"x":"D"}],"nextPaginationToken":null}' },
    }
    assert.is_nil(users)
    check.failure(err, "decode", { SECRET })
    assert.equal("page_changed", err.code)
  end)
end)
