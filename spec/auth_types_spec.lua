-- The ways in which a provider is shown who asks, on the wire.

local cjson = require "cjson"
local check = require "spec.support.check"
local rollcall = require "rollcall"

local server
setup(function()
  server = require("spec.support.server").start()
end)
teardown(function()
  server:stop()
end)

local PEOPLE = { body = '[{"id":"1"}]' }

local function client(auth, options)
  local all = { base_url = server.url, retry = { base = 0.001 } }
  for name, value in pairs(options) do
    all[name] = value
  end
  return rollcall.client({
    name = "acme",
    base_url = { production = "https://api.acme.example" },
    auth = auth,
    options = { tenant = { pattern = { "^%w+$" }, expected = "a tenant", required = false } },
    users = { path = "/people", items = "", paging = { type = "none" } },
  }, all)
end

--- The headers of the one request of a walk.
local function sent(auth, options)
  server:script { ["/people"] = { PEOPLE } }
  assert.equal(1, client(auth, options):users():count())
  local requests = server:requests "/people"
  assert.equal(1, #requests)
  return requests[1].headers
end

describe("auth bearer", function()
  it("is a token in the Authorization header", function()
    assert.equal("Bearer tok-7f3a", sent({ type = "bearer" }, { token = "tok-7f3a" }).authorization)
    assert.equal("Bearer tok-7f3a", sent(nil, { token = "tok-7f3a" }).authorization)
  end)
end)

describe("a token of a function", function()
  it("is looked at, and remembered, whenever it is another one", function()
    local tokens = { "tok-good", "tok-good", "tok-bad\n", "tok-new" }
    local asked = 0
    local one = client({ type = "bearer" }, { token = function()
      asked = asked + 1
      return tokens[asked]
    end })
    server:script { ["/people"] = { PEOPLE, PEOPLE, { status = 403, body = '{"message":"not for tok-new"}' } } }
    assert.equal(1, one:users():count())
    assert.equal(1, one:users():count())
    local _, err = one:users():next()
    check.failure(err, "auth", { "tok-bad" })
    check.contains(err.message, "control characters")
    assert.equal(2, #server:requests "/people")
    _, err = one:users():next()
    check.failure(err, "auth", { "tok-new" })
    check.contains(err.message, "not for [secret]")
  end)
end)

describe("a token", function()
  it("that has a scheme, or blanks around it, is shown neither with nor without them", function()
    for _, case in ipairs {
      { " tok-7f3a ", '{"message":"no tok-7f3a"}' }, { "Bearer tok-7f3a", '{"message":"no tok-7f3a"}' },
      { " Bearer  tok-7f3a ", '{"message":"no tok-7f3a, dG9rLTdmM2E="}' },
    } do
      server:script { ["/people"] = { { status = 403, body = case[2] } } }
      local _, err = client({ type = "bearer" }, { token = case[1] }):users():next()
      check.failure(err, "auth", { "tok-7f3a", "dG9r" })
      check.contains(err.message, "no [secret]")
    end
  end)
end)

describe("auth header", function()
  it("is a key in a header of any name, behind any prefix", function()
    local headers = sent({ type = "header", name = "X-Api-Key" }, { token = "key-7f3a" })
    assert.equal("key-7f3a", headers["x-api-key"])
    assert.is_nil(headers.authorization)
    assert.equal("SSWS key-7f3a",
      sent({ type = "header", name = "Authorization", prefix = "SSWS " }, { token = "key-7f3a" }).authorization)
  end)

  it("asks a function once more where the key is refused", function()
    server:script { ["/people"] = { { status = 401 }, PEOPLE } }
    local n = 0
    assert.equal(1, client({ type = "header", name = "X-Key" }, { token = function()
      n = n + 1
      return "key-" .. n
    end }):users():count())
    assert.equal("key-2", server:requests()[2].headers["x-key"])
  end)

  it("is shown by no error, whatever the server echoes", function()
    server:script { ["/people"] = { { status = 403,
      body = '{"message":"key-7f3a is no key, nor is \\u006bey-7f3a"}' } } }
    local _, err = client({ type = "header", name = "X-Key" }, { token = "key-7f3a" }):users():next()
    check.failure(err, "auth", { "key-7f3a" })
  end)
end)

describe("auth basic", function()
  it("is user and password", function()
    -- printf 'Aladdin:open sesame' | base64
    assert.equal("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
      sent({ type = "basic" }, { username = "Aladdin", password = "open sesame" }).authorization)
  end)

  it("is shown by no error", function()
    server:script { ["/people"] = { { status = 401,
      body = '{"message":"open sesame QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}' } } }
    local _, err = client({ type = "basic" }, { username = "Aladdin", password = function() return "open sesame" end })
      :users():next()
    check.failure(err, "auth", { "open sesame", "QWxhZGRpbjpv" })
    assert.equal(2, #server:requests()) -- a function was asked once more
  end)

  it("has no colon in the user", function()
    local _, err = client({ type = "basic" }, { username = "a:b", password = "c-hunter22" }):users():next()
    check.failure(err, "auth", { "c-hunter22" })
    check.contains(err.message, "username")
  end)

  it("has no colon in a client's id, which asks for a token", function()
    local auth = { type = "client_credentials", path = "/token", body = "form", credentials = "basic" }
    server:script { ["/token"] = { { body = '{"access_token":"tok-1","expires_in":3600}' } } }
    local _, err = client(auth, { client_id = "a:b", client_secret = "c-hunter22" }):users():next()
    check.failure(err, "auth", { "c-hunter22" })
    check.contains(err.message, "client_id: Basic credentials can have no colon in it")
    assert.equal(0, #server:requests())
  end)

  it("takes user and password, and nothing else", function()
    local auth = { type = "basic" }
    check.misuse(function() client(auth, { token = "t" }) end, "token: expected username and password")
    check.misuse(function() client(auth, { username = "t" }) end, "expected username and password")
    check.misuse(function() client(auth, {}) end, "expected username and password")
    check.misuse(function() client({ type = "bearer" }, { username = "u", password = "p" }) end, "expected token")
    check.misuse(function() client({ type = "header", name = "X" }, { client_id = "u", client_secret = "p" }) end,
      "client_id, client_secret: expected token")
  end)
end)

describe("auth function", function()
  it("makes the headers of each request from the request and the secrets", function()
    server:script { ["/people"] = { { status = 503 }, PEOPLE } }
    local seen = {}
    local auth = { type = "function", headers = function(request, secrets)
      seen[#seen + 1] = { request = request, secrets = secrets }
      return { ["X-Signature"] = ("%s %s #%d %s"):format(request.method, request.url:match "/people$", #seen,
        secrets.client_secret:reverse()), ["X-Key"] = secrets.client_id }
    end }
    assert.equal(1, client(auth, { client_id = "id-7f3a", client_secret = function() return "hunter22" end }):users()
      :count())
    local requests = server:requests "/people"
    assert.equal("GET /people #1 22retnuh", requests[1].headers["x-signature"])
    assert.equal("GET /people #2 22retnuh", requests[2].headers["x-signature"])
    assert.equal("id-7f3a", requests[1].headers["x-key"])
    assert.is_nil(requests[1].headers.authorization)
    assert.is_nil(seen[1].secrets.token)
  end)

  it("is asked once more where it is refused, and what it answers is shown by no error", function()
    server:script { ["/people"] = { { status = 401, body = '{"message":"no: sig-7f3a"}' } } }
    local n = 0
    local _, err = client({ type = "function", headers = function()
      n = n + 1
      return { ["X-Signature"] = "sig-7f3a" }
    end }, {}):users():next()
    check.failure(err, "auth", { "sig-7f3a" })
    assert.equal(2, n)
  end)

  it("shows no secret where it says itself what is wrong", function()
    local _, err = client({ type = "function", headers = function(_, secrets)
      return nil, "cannot sign with " .. secrets.client_secret
    end }, { client_id = "id-7f3a", client_secret = "hunter22" }):users():next()
    check.failure(err, "auth", { "hunter22" })
    check.contains(err.message, "cannot sign with [secret]")
  end)

  it("says what is wrong, and sends nothing then", function()
    server:script { ["/people"] = { PEOPLE } }
    for _, case in ipairs {
      { function() return nil, "the key has expired" end, "the key has expired" },
      { function() return nil end, "expected a table of headers" },
      { function() return "Bearer x" end, "expected a table of headers" },
      { function() return { ["X-Sig"] = "a\r\nX-Evil: b" } end, "control characters" },
      { function() return { ["X Sig"] = "a" } end, "header names" },
      { function() return { ["X-Sig"] = 5 } end, "header names" },
      { function() return { "X-Sig: 5" } end, "header names" },
      { function() return { ["Content-Type"] = "a/b" } end,
        "auth.headers: Content-Type: it is the collection's content_type" },
      { function() return { ["content-length"] = "5" } end, "content-length: it follows" },
      { function() return { Host = "b.example" } end, "Host: it follows from base_url" },
      { function() return { ["User-Agent"] = "x" } end, "User-Agent: it is an option" },
      { function() return { ["Transfer-Encoding"] = "chunked" } end, "Transfer-Encoding: " },
      { function() return { Connection = "close" } end, "Connection: " },
      { function() return { Expect = "100-continue" } end, "Expect: " },
      { function() return { ["Accept-Encoding"] = "br" } end, "Accept-Encoding: " },
    } do
      local _, err = client({ type = "function", headers = case[1] }, {}):users():next()
      check.failure(err, "auth")
      check.contains(err.message, case[2])
    end
    assert.equal(0, #server:requests())
    local good, err = pcall(function()
      client({ type = "function", headers = function() error("the script's own", 0) end }, {}):users():next()
    end)
    assert.is_false(good)
    assert.equal("the script's own", err)
  end)
end)

describe("auth client_credentials", function()
  local GRANTED = { body = '{"access_token":"granted-1","expires_in":3600}' }

  --- The one token request of a walk.
  local function asked(auth)
    server:script { ["/people"] = { PEOPLE }, ["/token"] = { GRANTED } }
    auth.type = "client_credentials"
    if not auth.url then
      auth.path = "/token"
    end
    assert.equal(1, client(auth, { client_id = "id-7f3a", client_secret = "s3 cr+t" }):users():count())
    assert.equal("Bearer granted-1", server:requests("/people")[1].headers.authorization)
    local requests = server:requests "/token"
    assert.equal(1, #requests)
    assert.equal("POST", requests[1].method)
    return requests[1]
  end

  it("is a form, with the credentials in it", function()
    local request = asked { body = "form", credentials = "body", scope = "users:read all",
      audience = "https://x.example/" }
    assert.equal("application/x-www-form-urlencoded", request.headers["content-type"])
    assert.equal("grant_type=client_credentials&client_id=id-7f3a&client_secret=s3+cr%2Bt"
      .. "&audience=https%3A%2F%2Fx.example%2F&scope=users%3Aread+all", request.body)
    assert.is_nil(request.headers.authorization)
  end)

  it("is that where the provider does not say", function()
    local request = asked {}
    assert.equal("application/x-www-form-urlencoded", request.headers["content-type"])
    assert.equal("grant_type=client_credentials&client_id=id-7f3a&client_secret=s3+cr%2Bt", request.body)
    assert.is_nil(request.headers.authorization)
  end)

  it("is a form, with the credentials in a Basic header", function()
    local request = asked { body = "form", credentials = "basic", parameters = { resource = "r&1", extra = "x" } }
    assert.equal("grant_type=client_credentials&extra=x&resource=r%261", request.body)
    assert.equal("Basic aWQtN2YzYTpzMyBjcit0", request.headers.authorization)
  end)

  it("has each parameter once: a declared one is instead of what would be there", function()
    local parameters = { grant_type = "account_credentials", account_id = "a1", scope = "mine" }
    local request = asked { scope = "s", parameters = parameters }
    assert.equal("grant_type=account_credentials&client_id=id-7f3a&client_secret=s3+cr%2Bt&scope=mine&account_id=a1",
      request.body)
    request = asked { body = "json", credentials = "basic", scope = "s", parameters = parameters }
    check.same(parameters, cjson.decode(request.body))
  end)

  it("takes no token that is longer than a header can be, and does not show it", function()
    local function asked_for(bytes)
      server:script { ["/people"] = { PEOPLE },
        ["/token"] = { { body = cjson.encode { access_token = ("x"):rep(bytes) } } } }
      return client({ type = "client_credentials", path = "/token" }, { client_id = "id-7f3a",
        client_secret = "s3 cr+t" }):users():next()
    end
    local user, err = asked_for(16385)
    assert.is_nil(user)
    check.failure(err, "auth", { "xxxx" })
    check.contains(err.message, "token has 16385 bytes; expected at most 16384")
    assert.equal(0, #server:requests "/people")
    assert.is_nil(select(2, asked_for(2000)))
  end)

  it("is JSON, both ways", function()
    local request = asked { body = "json", credentials = "body", audience = "a" }
    assert.equal("application/json", request.headers["content-type"])
    check.same({ grant_type = "client_credentials", client_id = "id-7f3a", client_secret = "s3 cr+t", audience = "a" },
      cjson.decode(request.body))
    request = asked { body = "json", credentials = "basic", scope = "s" }
    check.same({ grant_type = "client_credentials", scope = "s" }, cjson.decode(request.body))
    assert.equal("Basic aWQtN2YzYTpzMyBjcit0", request.headers.authorization)
  end)

  it("may have other names, both ways, and its token another header", function()
    local auth = { type = "client_credentials", path = "/token", body = "json", token = "/data/accessToken",
      names = { client_id = "appKey", client_secret = "appSecret" }, expires_in = "/data/expireIn",
      name = "X-Acme-Access-Token" }
    local function walk(options)
      server:script { ["/people"] = { PEOPLE, PEOPLE },
        ["/token"] = { { body = '{"code":0,"data":{"accessToken":"granted-1","expireIn":0}}' },
          { body = '{"data":{"accessToken":"granted-2","expireIn":"7200"}}' } } }
      local one = client(auth, options)
      return one, one:users():count()
    end
    local one, count = walk { client_id = "id-7f3a", client_secret = "s3cr" }
    assert.equal(1, count)
    check.same({ grant_type = "client_credentials", appKey = "id-7f3a", appSecret = "s3cr" },
      cjson.decode(server:requests("/token")[1].body))
    assert.equal("granted-1", server:requests("/people")[1].headers["x-acme-access-token"])
    assert.equal(1, one:users():count()) -- its life is over
    assert.equal("granted-2", server:requests("/people")[2].headers["x-acme-access-token"])
    assert.equal(1, one:users():count())
    assert.equal(2, #server:requests "/token")
    assert.is_nil(server:requests("/people")[1].headers.authorization)
    auth.name, auth.prefix = nil, "Acme-token "
    assert.equal(1, select(2, walk { client_id = "id-7f3a", client_secret = "s3cr" }))
    assert.equal("Acme-token granted-1", server:requests("/people")[1].headers.authorization)
    -- One that the script has got elsewhere goes there, too.
    assert.equal(1, select(2, walk { token = "tok-7f3a" }))
    assert.equal("Acme-token tok-7f3a", server:requests("/people")[1].headers.authorization)
  end)

  it("that is refused by a number in its answer says why, where its token has another name", function()
    local auth = { type = "client_credentials", path = "/token", token = "/tenant_token" }
    for body, said in pairs { ['{"code":10003,"msg":"invalid app_secret"}'] = "; the server says: invalid app_secret",
      ['{"code":"eyJ-hunter","msg":"eyJ-hunter"}'] = "", ['{"access_token":"eyJ-hunter"}'] = "" } do
      server:script { ["/token"] = { { body = body } } }
      local _, err = client(auth, { client_id = "id-7f3a", client_secret = "s3cr" }):users():next()
      check.failure(err, "auth", { "hunter" })
      assert.equal("the token endpoint's answer has no usable token at /tenant_token" .. said, err.message)
    end
  end)

  it("goes to a token endpoint on another host, where the provider names one", function()
    local other = require("spec.support.server").start()
    other:script { ["/oauth/token"] = { GRANTED } }
    server:script { ["/people"] = { PEOPLE } }
    assert.equal(1, client({ type = "client_credentials", url = other.url .. "/oauth/token", body = "form",
      credentials = "body" }, { client_id = "id-7f3a", client_secret = "s3 cr+t" }):users():count())
    assert.equal(1, #other:requests())
    assert.equal(1, #server:requests())
    assert.equal("Bearer granted-1", server:requests()[1].headers.authorization)
    other:stop()
  end)

  it("shows no token of a function's, whatever the server echoes", function()
    server:script { ["/people"] = { { status = 401, body = '{"message":"bad token eyJcomputed"}' } } }
    local _, err = client({ type = "function", headers = function()
      return { Authorization = "Bearer eyJcomputed" }
    end }, {}):users():collect()
    check.failure(err, "auth", { "eyJcomputed" })
  end)

  it("needs no options where a function knows it all", function()
    assert.is_table(rollcall.client({
      name = "acme",
      base_url = { production = "https://api.acme.example" },
      auth = { type = "function", headers = function() return {} end },
      users = { path = "/people", items = "", paging = { type = "none" } },
    }))
  end)
end)

describe("what is spelled like a secret", function()
  it("changes neither an error's kind nor what is tried again", function()
    for _, token in ipairs { "network", "timeout" } do
      server:script { ["/people"] = { { body = '[{"id":', length = 100 }, PEOPLE } }
      assert.equal(1, client(nil, { token = token }):users():count())
      assert.equal(2, #server:requests())
    end
    server:script { ["/people"] = { { status = 404, body = "{}" } } }
    local _, err = client(nil, { token = "http" }):users():next()
    assert.equal("http", err.kind)
  end)

  it("may stand in links, where it is short or a header's without credentials", function()
    server:script { ["/people"] = { { body = '{"data":[{"id":1}],"next":"/people?page=test&version=2024-10-01"}' },
      { body = '{"data":[{"id":2}]}' } } }
    assert.equal(2, rollcall.client({
      name = "acme", base_url = { production = "https://api.acme.example" },
      auth = { type = "function", headers = function(_, secrets)
        return { Authorization = "Bearer " .. secrets.token, ["X-Acme-Version"] = "2024-10-01", ["X-Proto"] = "http" }
      end },
      users = { path = "/people", items = "/data", paging = { type = "next_url", next = "/next" } },
    }, { base_url = server.url, token = "test" }):users():count())
  end)
end)

describe("headers of a client", function()
  it("are not shown where they are wrong", function()
    check.misuse(function()
      client(nil, { token = "t", headers = { ["X-Api-Key"] = 987654321 } })
    end, "headers.X-Api-Key: expected text for a header, got a number")
  end)

  it("go with each request to its base URL, and to no other host", function()
    local other = require("spec.support.server").start()
    finally(function()
      other:stop()
    end)
    local granted = { body = '{"access_token":"granted-1","expires_in":3600}' }
    local headers = { ["X-Gateway-Key"] = "gate-7f3a", ["X-Correlation-Id"] = "run-17" }
    for path, url in pairs { ["/token"] = false, ["/elsewhere"] = other.url .. "/elsewhere" } do
      server:script { ["/people"] = { { status = 404, body = '{"message":"gate-7f3a, of run-17"}' } },
        [path] = { granted } }
      other:script { [path] = { granted } }
      local _, err = client({ type = "client_credentials", path = not url and path or nil, url = url or nil },
        { client_id = "id-7f3a", client_secret = "s3cr", headers = headers }):users():next()
      check.failure(err, "http", { "gate-7f3a" })
      check.contains(err.message, "[secret], of run-17")
      local had = server:requests("/people")[1].headers
      assert.equal("gate-7f3a", had["x-gateway-key"])
      assert.equal("run-17", had["x-correlation-id"])
      local asked = (url and other or server):requests(path)[1].headers
      assert.equal(not url and "gate-7f3a" or nil, asked["x-gateway-key"])
    end
  end)

  it("are none that something else is sent in", function()
    for name, what in pairs { Authorization = "the place of auth", ["User-Agent"] = "option of the client",
      ["X y"] = "a header name" } do
      check.misuse(function()
        client({ type = "bearer" }, { token = "tok-7f3a", headers = { [name] = "x" } })
      end, "headers", what)
    end
    check.misuse(function()
      rollcall.tesouro { token = "tok-7f3a", headers = { ["x-organization-id"] = "x" } }
    end, "headers", "the filter organization_id")
    check.misuse(function()
      rollcall.github { org = "acme", token = "tok-7f3a", headers = { accept = "x" } }
    end, "headers", "the provider's own")
    check.misuse(function()
      client({ type = "bearer" }, { token = "tok-7f3a", headers = { ["X-Y"] = "a\r\nb" } })
    end, "headers", "control characters")
  end)
end)

describe("auth basic", function()
  it("needs both, and says what its function says", function()
    local _, err = client({ type = "basic" }, { username = "u7f3a", password = function()
      return nil, "locked"
    end }):users():next()
    check.failure(err, "auth")
    check.contains(err.message, "password", "locked")
  end)
end)

describe("a user's name", function()
  it("is hidden, but where the provider's own declaration has it", function()
    for name, shown in pairs { people = "who is people? /people", ["ada-7f3a"] = "who is [secret]? /people" } do
      server:script { ["/people"] = { { status = 404, body = ('{"message":"who is %s? /people"}'):format(name) } } }
      local _, err = client({ type = "basic" }, { username = name, password = "people-7f3a" }):users():next()
      check.failure(err, "http", { "people-7f3a", "ada-7f3a" })
      check.contains(err.message, shown)
      check.contains(err.url, "/people")
    end
  end)
end)

describe("a proxy's password", function()
  it("is hidden as it is meant, too", function()
    server:script { ["http://directory.example/people"] = { { status = 407,
      body = '{"message":"wrong: pa@ss/word"}' } } }
    local _, err = client({ type = "bearer" }, { base_url = "http://directory.example", insecure = true,
      token = "tok-7f3a", retry = false, proxy = (server.url:gsub("//", "//me:pa%%40ss%%2Fword@")) }):users():next()
    check.failure(err, "http", { "pa@ss/word" })
    check.contains(err.message, "wrong: ")
  end)
end)
