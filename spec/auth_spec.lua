local check = require "spec.support.check"
local cjson = require "cjson"
local core = require "rollcall.core"
local rollcall = require "rollcall"
local sandbox = require "spec.support.sandbox"

local USERS, TOKEN = "/identity/v1/users", "/openid/connect/token"
local ID, SECRET = "client-7f3a", "s3cr3t/with+odd chars=&%"
local server

setup(function()
  server = require("spec.support.server").start()
end)
teardown(function()
  server:stop()
  sandbox.restore()
end)

local function page(ids, after)
  local users = {}
  for i, id in ipairs(ids) do
    users[i] = { id = id }
  end
  return { body = cjson.encode { data = users, nextPaginationToken = after or cjson.null } }
end

local function granted(token, seconds)
  return { body = cjson.encode { access_token = token, token_type = "Bearer", expires_in = seconds or 3600 } }
end

local function tesouro(options)
  local all = { base_url = server.url, retry = { base = 0.001 } }
  if not (options and options.token) then
    all.client_id, all.client_secret = ID, SECRET
  end
  for name, value in pairs(options or {}) do
    all[name] = value
  end
  return rollcall.tesouro(all)
end

--- The Authorization of each users request that the server got.
local function authorizations()
  local list = {}
  for i, request in ipairs(server:requests(USERS)) do
    list[i] = request.headers.authorization
  end
  return list
end

describe("a token of one's own", function()
  it("is sent as it is, and no token is asked for", function()
    server:script { [USERS] = { page({ "a" }, "t2"), page { "b" } } }
    assert.equal(2, tesouro { token = "tok.en-1" }:users():count())
    assert.same({ "Bearer tok.en-1", "Bearer tok.en-1" }, authorizations())
    assert.equal(2, #server:requests())
  end)

  it("can be a function, asked before each request and not before the first user is asked for", function()
    server:script { [USERS] = { page({ "a" }, "t2"), page({ "b" }, "t3"), page { "c" } } }
    local calls = 0
    local users = tesouro { token = function()
      calls = calls + 1
      return "token-" .. calls
    end }:users()
    assert.equal(0, calls)
    assert.equal(3, users:count())
    assert.same({ "Bearer token-1", "Bearer token-2", "Bearer token-3" }, authorizations())
  end)

  it("is not tried again where it is refused", function()
    server:script { [USERS] = { { status = 401, body = '{"message":"no"}' } } }
    local users, err = tesouro { token = "tok.en-1" }:users():collect()
    assert.is_nil(users)
    check.failure(err, "auth", { "tok.en-1" })
    assert.equal(401, err.status)
    assert.equal(1, #server:requests())
  end)

  it("of a function is asked for once more where it is refused, and no third time", function()
    server:script { [USERS] = { { status = 401, body = "{}" }, page { "a" } } }
    local calls = 0
    local function token()
      calls = calls + 1
      return "token-" .. calls
    end
    assert.equal(1, tesouro { token = token }:users():count())
    assert.same({ "Bearer token-1", "Bearer token-2" }, authorizations())
    server:script { [USERS] = { { status = 401, body = "{}" } } }
    local _, err = tesouro { token = token }:users():collect()
    check.failure(err, "auth", { "token-3", "token-4" })
    assert.same({ "Bearer token-3", "Bearer token-4" }, authorizations())
  end)

  for title, value in pairs { ["an empty one"] = "", ["nothing"] = false, ["a number"] = 12345678,
    ["a line break"] = "ab12cd34\r\nX-Evil: 1", ["a NUL"] = "ab12cd34\0ef", ["a table"] = {} } do
    it("of a function is an auth error, and nothing is sent, where it is " .. title, function()
      server:script { [USERS] = { page { "a" } } }
      local _, err = tesouro { token = function() return value or nil end }:users():collect()
      check.failure(err, "auth", { "ab12cd34", "12345678" })
      assert.equal(0, #server:requests())
    end)
  end

  it("with control characters raises at once", function()
    for _, token in ipairs { "", "ab12cd34\n", "a\0b", "a\rb" } do
      local message = check.misuse(function() tesouro { token = token } end, "token")
      check.no_secret(message, { "ab12cd34" })
    end
  end)
end)

describe("a token request", function()
  it("of Tesouro is a form", function()
    server:script { [TOKEN] = { granted "tok-1" }, [USERS] = { page { "a" } } }
    assert.equal(1, tesouro():users():count())
    local asked = server:requests(TOKEN)
    assert.equal(1, #asked)
    assert.equal("POST", asked[1].method)
    assert.equal("", asked[1].query)
    assert.equal("application/x-www-form-urlencoded", asked[1].headers["content-type"])
    assert.is_nil(asked[1].headers.authorization)
    assert.equal("grant_type=client_credentials&client_id=client-7f3a"
      .. "&client_secret=s3cr3t%2Fwith%2Bodd+chars%3D%26%25", asked[1].body)
    assert.same({ "Bearer tok-1" }, authorizations())
  end)

  it("of Dintero is JSON with HTTP Basic, and an audience that is not the host's", function()
    server:script {
      ["/v1/accounts/P123/auth/token"] = { granted "tok-1" },
      ["/v1/accounts/P123/management/users"] = { { body = '[{"email":"a@b"}]' } },
    }
    local client = rollcall.dintero { account = "P123", base_url = server.url, client_id = "Aladdin",
      client_secret = "open sesame" }
    assert.equal(1, client:users():count())
    local asked = server:requests "/v1/accounts/P123/auth/token"
    assert.equal(1, #asked)
    assert.equal("POST", asked[1].method)
    assert.equal("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", asked[1].headers.authorization)
    assert.equal("application/json", asked[1].headers["content-type"])
    check.same({ grant_type = "client_credentials", audience = "https://api.dintero.com/v1/accounts/P123" },
      cjson.decode(asked[1].body))
    assert.equal("Bearer tok-1", server:requests("/v1/accounts/P123/management/users")[1].headers.authorization)
  end)

  it("asks functions for the credentials, each time anew", function()
    server:script { [TOKEN] = { granted("tok-1", 0), granted("tok-2", 0) }, [USERS] = { page { "a" } } }
    local ids, secrets = 0, 0
    local client = tesouro {
      client_id = function()
        ids = ids + 1
        return "id-" .. ids
      end,
      client_secret = function()
        secrets = secrets + 1
        return "secret-" .. secrets
      end,
    }
    assert.equal(0, ids + secrets)
    assert.equal(1, client:users():count())
    assert.equal(1, client:users():count())
    local asked = server:requests(TOKEN)
    assert.equal("grant_type=client_credentials&client_id=id-1&client_secret=secret-1", asked[1].body)
    assert.equal("grant_type=client_credentials&client_id=id-2&client_secret=secret-2", asked[2].body)
  end)

  it("is not made where a function answers no secret", function()
    server:script { [TOKEN] = { granted "tok-1" } }
    for _, wrong in ipairs { function() end, function() return "" end, function() return "ab12cd34\n" end } do
      local _, err = tesouro { client_secret = wrong }:users():next()
      check.failure(err, "auth", { "ab12cd34" })
      check.contains(tostring(err), "client_secret")
    end
    assert.equal(0, #server:requests())
  end)
end)

describe("a function of a secret", function()
  it("may say why there is none", function()
    local _, err = rollcall.tesouro({ base_url = server.url, token = function()
      return nil, "the vault\nis sealed"
    end }):users():next()
    check.failure(err, "auth")
    check.contains(err.message, "token: ", "the vault is sealed")
    _, err = tesouro({ client_secret = function()
      return nil, "the vault is sealed for id-7f3a"
    end }):users():next()
    check.failure(err, "auth")
    check.contains(err.message, "client_secret: ", "the vault is sealed")
  end)
end)

describe("a token", function()
  it("that ends while a request waits after a renewal is renewed again", function()
    server:script { [TOKEN] = { granted "tok-1", granted "tok-2", granted "tok-3" }, [USERS] = { { status = 401 },
      { status = 503 }, { status = 401 }, page { "a" } } }
    assert.equal(1, tesouro({ retry = { base = 0.001 } }):users():count())
    assert.equal(3, #server:requests(TOKEN))
    server:script { [TOKEN] = { granted "tok-1", granted "tok-2" }, [USERS] = { { status = 401 }, { status = 503 } } }
    local _, err = tesouro({ retry = { base = 0.001, attempts = 4 } }):users():next()
    check.failure(err, "http")
  end)

  it("that is refused with a body that breaks off is renewed", function()
    server:script { [TOKEN] = { granted "tok-1", granted "tok-2" }, [USERS] = { { status = 401,
      body = '{"message":"expired"}', cut = 5 }, page { "a" } } }
    assert.equal(1, tesouro():users():count())
    assert.equal(2, #server:requests(TOKEN))
  end)

  it("is kept for later walks", function()
    server:script { [TOKEN] = { granted "tok-1" }, [USERS] = { page { "a" } } }
    local client = tesouro()
    for _ = 1, 5 do
      assert.equal(1, client:users():count())
    end
    assert.equal(1, #server:requests(TOKEN))
    assert.equal(5, #server:requests(USERS))
  end)

  it("is asked for once however many streams wait for it", function()
    local slow = granted "tok-1"
    slow.delay = 0.1
    server:script { [TOKEN] = { slow }, [USERS] = { page { "a" } } }
    local client = tesouro()
    local streams = {}
    for i = 1, 10 do
      streams[i] = client:users()
    end
    assert.equal(10, rollcall.merge(streams):count())
    assert.equal(1, #server:requests(TOKEN))
    assert.equal(10, #server:requests(USERS))
  end)

  it("is asked for once where functions of secrets wait", function()
    local client = tesouro { client_secret = function()
      coroutine.yield()
      return SECRET
    end }
    server:script { [TOKEN] = { granted "tok-1" }, [USERS] = { page { "a" }, page { "a" } } }
    local walks = {}
    for i = 1, 2 do
      walks[i] = coroutine.create(function()
        return client:users():count()
      end)
      assert(coroutine.resume(walks[i]))
    end
    for _, walk in ipairs(walks) do
      local good, count = coroutine.resume(walk)
      assert.is_true(good)
      assert.equal(1, count)
    end
    assert.equal(1, #server:requests(TOKEN))
    assert.same({ "Bearer tok-1", "Bearer tok-1" }, authorizations())
  end)

  it("is another one for each account", function()
    sandbox.reset()
    local client = sandbox.dintero { accounts = { "T123", "P321", "P87654321" } }
    assert.equal(368, client:users():count())
    assert.equal(368, client:users():count())
    assert.equal(3, sandbox.stats().dintero.token_requests)
  end)

  it("is renewed before its end", function()
    sandbox.reset "tesouro_expires_in=1"
    local client = sandbox.tesouro()
    assert(client:users():first())
    assert(client:users():first())
    assert.equal(1, sandbox.stats().tesouro.token_requests)
    core.wait({}, 0.92) -- a tenth of its life is left
    assert(client:users():first())
    assert.equal(2, sandbox.stats().tesouro.token_requests)
    for _, entry in ipairs(sandbox.log("GET", "tesouro")) do
      assert.equal(200, entry.status)
    end
  end)

  it("without a sign of its life is kept all the same", function()
    for _, life in ipairs { cjson.null, "soon", {}, -1, "nan" } do
      server:script {
        [TOKEN] = { { body = cjson.encode { access_token = "tok-1", expires_in = life } } },
        [USERS] = { page { "a" } },
      }
      local client = tesouro()
      assert.equal(1, client:users():count())
      assert.equal(1, client:users():count())
      assert.equal(1, #server:requests(TOKEN))
    end
  end)

  it("whose life is given as a text is renewed in time, too", function()
    server:script {
      [TOKEN] = { { body = '{"access_token":"tok-1","expires_in":"0"}' }, granted "tok-2" },
      [USERS] = { page { "a" } },
    }
    local client = tesouro()
    assert.equal(1, client:users():count())
    assert.equal(1, client:users():count())
    assert.same({ "Bearer tok-1", "Bearer tok-2" }, authorizations())
  end)
end)

describe("an expired token", function()
  it("of Tesouro, a 400, is renewed once, in the middle of a walk", function()
    sandbox.reset()
    local users = sandbox.tesouro():users { prefetch = 0, page_size = 10 }
    for _ = 1, 10 do
      assert(users:next())
    end
    sandbox.configure "expire=1"
    local expected = sandbox.data.tesouro.users()
    assert.equal(#expected - 10, users:count())
    assert.equal(2, sandbox.stats().tesouro.token_requests)
    local refused = 0
    for _, entry in ipairs(sandbox.log("GET", "tesouro")) do
      refused = refused + (entry.status == 400 and 1 or 0)
    end
    assert.equal(1, refused)
  end)

  it("of Dintero, a 401, is renewed once", function()
    sandbox.reset()
    local client = sandbox.dintero { account = "T123" }
    assert.equal(3, client:users():count())
    sandbox.configure "expire=1"
    assert.equal(3, client:users():count())
    assert.equal(2, sandbox.stats().dintero.token_requests)
  end)

  it("is renewed once where many streams meet it at a time", function()
    sandbox.reset()
    local client = sandbox.tesouro()
    assert(client:users():first())
    sandbox.configure "expire=1"
    local streams = {}
    for i = 1, 5 do
      streams[i] = client:users { limit = 3, page_size = 3 }
    end
    assert.equal(15, rollcall.merge(streams):count())
    assert.equal(2, sandbox.stats().tesouro.token_requests)
  end)

  it("that was revoked is renewed, too", function()
    sandbox.reset()
    local client = sandbox.tesouro()
    assert(client:users():first())
    sandbox.configure "revoke=1"
    assert(client:users():first())
    assert.equal(2, sandbox.stats().tesouro.token_requests)
  end)

  it("is an auth error where the new one is refused as well", function()
    for _, refusal in ipairs { { status = 401, body = '{"message":"who?"}' },
      { status = 400, body = '{"error":{"message":"The token has been expired."}}' } } do
      server:script { [TOKEN] = { granted "tok-1", granted "tok-2", granted "tok-3" }, [USERS] = { refusal } }
      local _, err = tesouro():users():collect()
      check.failure(err, "auth", { "tok-1", "tok-2", "tok-3", SECRET })
      assert.equal(refusal.status, err.status)
      assert.same({ "Bearer tok-1", "Bearer tok-2" }, authorizations())
      assert.equal(2, #server:requests(TOKEN))
    end
  end)

  it("is told from other 400s", function()
    server:script { [TOKEN] = { granted "tok-1" }, [USERS] = { { status = 400, body = '{"detail":"bad Limit"}' } } }
    local _, err = tesouro():users():collect()
    check.failure(err, "http")
    check.contains(tostring(err), "bad Limit")
    assert.equal(1, #server:requests(USERS))
  end)

  it("is renewed on a later page again, as often as it takes", function()
    local expired = { status = 401, body = "{}" }
    server:script {
      [TOKEN] = { granted "tok-1", granted "tok-2", granted "tok-3" },
      [USERS] = { page({ "a" }, "t2"), expired, page({ "b" }, "t3"), expired, page { "c" } },
    }
    assert.equal(3, tesouro():users():count())
    assert.equal(3, #server:requests(TOKEN))
  end)
end)

describe("a failing token endpoint", function()
  local function failed(...)
    server:script { [TOKEN] = { ... }, [USERS] = { page { "a" } } }
    local users, err = tesouro():users():collect()
    assert.is_nil(users)
    assert.equal(0, #server:requests(USERS))
    return err
  end

  it("is an auth error with its answer", function()
    local err = failed { status = 401, body = '{"error":"invalid_client","error_description":"unknown client"}',
      headers = { "x-request-id: req-9" } }
    check.failure(err, "auth", { SECRET, "s3cr3t" })
    assert.equal(401, err.status)
    assert.equal("invalid_client", err.code)
    assert.equal("req-9", err.request_id)
    assert.equal("POST", err.method)
    assert.equal(server.url .. TOKEN, err.url)
    check.contains(tostring(err), "unknown client")
  end)

  it("of the sandbox says the same for a wrong secret, at both providers", function()
    sandbox.reset()
    for _, make in ipairs { sandbox.tesouro, sandbox.dintero } do
      local users, err = make { client_secret = "wrong-s3cr3t" }:users():collect()
      assert.is_nil(users)
      check.failure(err, "auth", { "wrong-s3cr3t" })
      assert.equal(401, err.status)
      check.contains(tostring(err), "client_id and client_secret are not those of a client")
    end
    assert.equal(0, sandbox.stats().tesouro.user_requests + sandbox.stats().dintero.user_requests)
  end)

  it("is asked again where that may help", function()
    server:script { [TOKEN] = { { status = 503 }, { status = 429 }, granted "tok-1" }, [USERS] = { page { "a" } } }
    assert.equal(1, tesouro():users():count())
    assert.equal(3, #server:requests(TOKEN))
  end)

  it("is asked five times at most", function()
    local err = failed { status = 503, body = "busy" }
    check.failure(err, "auth")
    check.contains(err.message, "503", "its answer is not shown")
    assert.equal(503, err.status)
    assert.equal(5, err.attempts)
    assert.equal(5, #server:requests(TOKEN))
  end)

  it("is an auth error whatever it answers, but for a limit of rate", function()
    for status, kind in pairs { [302] = "auth", [404] = "auth", [500] = "auth", [429] = "rate_limit" } do
      server:script { [TOKEN] = { { status = status } }, [USERS] = { page { "a" } } }
      local _, err = tesouro { retry = false }:users():collect()
      check.failure(err, kind)
      assert.equal(status, err.status)
    end
  end)

  it("says where it answers HTML, or an error's document with a status of success", function()
    check.contains(failed({ body = "<html>hello</html>", type = "text/html" }).message, "is HTML, not JSON")
    local body = '{"error":"invalid_client","error_description":"unknown client"}'
    local err = failed { body = body }
    assert.equal("invalid_client", err.code)
    assert.equal(body, err.body)
    for _, hidden in ipairs { '{"code":1,"msg":"ok","data":{"bearer":"eyJ-hunter"}}',
      '{"ok":false,"session_key":"eyJ-hunter"}', '{"code":20000,"data":{"access":"eyJ-hunter"}}',
      '{"error":"x","error_description":"use eyJ-hunter","refresh_token":"eyJ-hunter"}' } do
      check.failure(failed { body = hidden }, "auth", { "hunter" })
    end
  end)

  it("that is not there is a network error", function()
    local _, err = tesouro { base_url = "http://127.0.0.1:1", retry = false }:users():collect()
    check.failure(err, "network", { SECRET })
  end)

  for title, body in pairs { ["HTML"] = "<html>hello</html>", ["nothing"] = "", ["no token"] = "{}",
    ["a bare token"] = '"eyJ-hunter-access_token"', ["a token by another name"] = '{"code":0,"message":"eyJ-hunter"}',
    ["two tokens"] = '{"access_token":"hunter hunter","message":"hunter hunter","error":"x"}',
    ["an empty token"] = '{"access_token":""}', ["a token that is none"] = '{"access_token":7}',
    ["a token with a line break"] = '{"access_token":"ab12cd34\\r\\nX: 1"}',
    ["a token with a NUL"] = '{"access_token":"ab12cd34\\u0000"}', ["an array"] = "[]", ["null"] = "null" } do
    it("that answers " .. title .. " is an auth error", function()
      local err = failed { body = body }
      check.failure(err, "auth", { SECRET, "ab12cd34" })
      check.contains(tostring(err), "access_token")
      check.no_secret(err, { "hunter" })
    end)
  end

  it("shows no token that it sends with a status of failure", function()
    local grant = '{"access_token":"eyJ-hunter","token_type":"Bearer","message":"denied"}'
    for _, answer in ipairs {
      { status = 400, body = grant }, { status = 500, body = '{"data":{"token":"eyJ-hunter"}}' },
      { status = 400, body = "access_token=eyJ-hunter&token_type=bearer" }, { status = 403, body = '"eyJ-hunter"' },
      { status = 500, body = '{"access_token": "eyJ-hunter", "x":' },
      { status = 401, body = "eyJ-hunter", type = "text/plain" },
      { status = 400, body = "\239\187\191" .. grant }, { status = 400, body = '{"accessToken":["eyJ-hunter"]}' },
      { status = 400, body = '{"jwt":"eyJ-hunter"}' }, { status = 400, body = "your token: eyJ-hunter" },
      { status = 400, body = '{"access_token":"eyJ-hunter","message":"eyJ-hunter"}' },
      { status = 302, headers = { "Location: https://x.example/a?b#access_token=eyJ-hunter" } },
      { raw = "HTTP/1.1 101 Go on\r\nUpgrade: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" .. grant },
    } do
      local err = failed(answer)
      check.failure(err, err.kind, { "hunter" })
      assert.equal(answer.status or 101, err.status)
    end
    check.contains(tostring(failed { status = 400, body = grant }), "denied")
    for _, body in ipairs { "the client is unknown here", "<html><body>no such page</body></html>",
      '{"error":"invalid_client","error_description":"token type: none"}', '{"message":"unknown client"}' } do
      assert.equal(body, failed({ status = 400, body = body }).body)
    end
    server:script { [TOKEN] = { { status = 400, body = '{"secret":{"value":"eyJ-hunter"},"message":"no"}' } } }
    local own = { name = "own", base_url = { production = "https://own.example" },
      auth = { type = "client_credentials", path = TOKEN, token = "/secret/value" },
      users = { path = USERS, items = "/data", paging = { type = "none" } } }
    local _, err = rollcall.client(own, { base_url = server.url, client_id = "c", client_secret = "hunter22" }):users()
      :collect()
    check.failure(err, "auth", { "eyJ-hunter" })
  end)

  it("fails every stream that waits for it, and the next one asks anew", function()
    server:script {
      [TOKEN] = { { status = 403, body = "{}", delay = 0.05 }, granted "tok-1" },
      [USERS] = { page { "a" } },
    }
    local client = tesouro()
    local streams, failures = {}, 0
    for i = 1, 3 do
      streams[i] = client:users()
    end
    assert.equal(0, rollcall.merge(streams, { on_error = function(err)
      check.failure(err, "auth")
      failures = failures + 1
    end }):count())
    assert.equal(3, failures)
    assert.equal(1, #server:requests(TOKEN))
    assert.equal(1, client:users():count())
  end)

  it("never shows the secrets that it echoes, in whatever spelling", function()
    local form = "s3cr3t%2Fwith%2Bodd+chars%3D%26%25"
    local escaped = "s3cr3t\\/with+odd chars=&%"
    for _, body in ipairs {
      ('{"error":{"message":"wrong secret %s","code":"%s"}}'):format(SECRET, SECRET),
      ('{"error":"%s"}'):format(escaped),
      ('{"error":{"message":"%s","code":"%s"}}'):format(escaped, escaped),
      '{"detail":"\\u0073\\u0033\\u0063\\u0072\\u0033\\u0074/with+odd chars=&%"}',
      "your request was grant_type=client_credentials&client_secret=" .. form,
    } do
      local err = failed { status = 400, body = body, headers = { "x-request-id: " .. SECRET } }
      check.failure(err, "auth", { SECRET, form, escaped, "with+odd", "with%2Bodd" })
    end
  end)

  it("never shows Dintero's Basic credentials", function()
    local basic = "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    server:script { ["/v1/accounts/P123/auth/token"] = { { status = 401, body = "Basic " .. basic .. " is wrong" } } }
    local _, err = rollcall.dintero { account = "P123", base_url = server.url, client_id = "Aladdin",
      client_secret = "open sesame" }:users():collect()
    check.failure(err, "auth", { basic, "open sesame" })
  end)
end)

describe("a user's answer that echoes the token", function()
  it("does not show it, wherever it stands", function()
    local token = "tok/en+7f3a"
    for _, answer in ipairs {
      { status = 403, body = ('{"message":"%s","errorCode":"%s"}'):format(token, token) },
      { status = 403, body = '{"message":"tok\\/en+7f3a","errorCode":"tok\\/en+7f3a"}' },
      { status = 400, body = "Authorization: Bearer " .. token, headers = { "X-Request-Id: " .. token } },
      { status = 302, headers = { "Location: https://evil.example/?token=" .. token } },
      { status = 302, headers = { "Location: https://evil.example/?token=tok%2Fen%2B7f3a" } },
      { body = token },
      { type = "text/html; " .. token, body = "<html>" .. token },
      { raw = "HTTP/1.1 200 OK\r\n" .. token .. "\r\n\r\n" .. token },
    } do
      server:script { [USERS] = { answer } }
      local users, err = tesouro { token = token, retry = false }:users():collect()
      assert.is_nil(users)
      check.failure(err, err.kind, { token, "tok%2Fen%2B7f3a", "tok\\/en" })
    end
  end)
end)
