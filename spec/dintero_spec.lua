local check = require "spec.support.check"
local rollcall = require "rollcall"
local sandbox = require "spec.support.sandbox"
local users = require "spec.support.users"

local directory = sandbox.data.dintero

setup(function()
  sandbox.reset()
end)
teardown(sandbox.restore)

-- The documented example of the answer.
local EXAMPLE = '[{"email":"customer@example.com","id":"3c90c3cc-0d44-4b50-8888-8dd25736052a",'
  .. '"created_at":"2023-11-07T05:31:56Z","updated_at":"2023-11-07T05:31:56Z","deleted_at":"2023-11-07T05:31:56Z",'
  .. '"name":"John Doe","scope":["receipts:write"],"authentication_type":"<string>","roles":[{"id":'
  .. '"3c90c3cc-0d44-4b50-8888-8dd25736052a","scope":["read:accounts"],"name":"order support"}],'
  .. '"last_seen_at":"2023-11-07T05:31:56Z","configuration":{"mfa":{"sms":{"enabled":true},"totp":{"enabled":true}}}}]'

rollcall.conformance("dintero", { examples = { users = {
  { request = "GET https://api.dintero.com/v1/accounts/T12345678/management/users?expand=roles", last = true,
    response = EXAMPLE },
} } }):busted(describe, it)

--- Raises unless the walk gives the data's users, in order, each field of each.
local function expect(account, query, filter, options)
  local expected, texts = directory.users(account, filter)
  local all = { account = account }
  for name, value in pairs(options or {}) do
    all[name] = value
  end
  local n = 0
  for user in sandbox.dintero(all):users(query) do
    n = n + 1
    assert(expected[n], "a user too many")
    users.compare(expected[n], texts[n], users.dintero(expected[n], account), user)
  end
  assert.equal(#expected, n)
  return n
end

describe("Dintero's directory", function()
  for _, account in ipairs(directory.accounts) do
    it(("arrives whole, field by field: %s"):format(account.id), function()
      assert.equal(account.count, expect(account.id))
      assert.equal(account.count, expect(account.id, { expand = { "roles" } }, { expand_roles = true }))
    end)
  end

  it("arrives whole over https and HTTP/2", function()
    expect("P87654321", nil, nil, { base_url = sandbox.dintero_https_url, ca_file = sandbox.ca_file })
    local log = sandbox.log("GET", "dintero")
    assert.equal("HTTP/2.0", log[#log].protocol)
  end)

  it("is searched", function()
    for _, search in ipairs { "an", "AN", "@", "'", "%", "t12345678.example", "ø", "管", "a b", "+", "&x=1" } do
      expect("T12345678", { search = search }, { search = search })
    end
    assert.is_true(expect("T12345678", { search = "an" }, { search = "an" }) > 10)
    assert.equal(0, expect("T12345678", { search = "nobody at all" }, { search = "nobody at all" }))
  end)

  it("is searched and expanded together", function()
    local n = expect("T12345678", { search = "an", expand = "roles" }, { search = "an", expand_roles = true })
    assert.is_true(n > 10)
  end)

  it("stops at a limit, also in the one body", function()
    local expected = directory.users "T12345678"
    local stream = sandbox.dintero():users { limit = 700 }
    local n = 0
    for user in stream do
      n = n + 1
      assert.equal(expected[n].id, user.id)
    end
    assert.equal(700, n)
    assert.equal("limit", stream:reason())
  end)

  it("knows users who are deleted, and what is known of their second factors", function()
    local by_status, by_mfa = {}, {}
    for user in sandbox.dintero():users() do
      by_status[user.status] = (by_status[user.status] or 0) + 1
      by_mfa[tostring(user.mfa)] = (by_mfa[tostring(user.mfa)] or 0) + 1
    end
    assert.is_true(by_status.DELETED > 20 and by_status.ACTIVE > 1000)
    assert.equal(1200, by_status.DELETED + by_status.ACTIVE)
    assert.is_true(by_mfa["true"] > 100 and by_mfa["false"] > 50 and by_mfa["nil"] > 100)
  end)

  it("has an account that there is not", function()
    local _, err = sandbox.dintero({ account = "T999" }):users():collect()
    check.failure(err, "http", { sandbox.secret })
    assert.equal(404, err.status)
    assert.equal("account_not_found", err.code)
    check.contains(tostring(err), "There is no account T999.")
  end)

  it("refuses a token of another account", function()
    local log
    sandbox.reset()
    local token
    do -- a token for P321, by raw HTTP
      local http = require "spec.support.http"
      local mime = { ["sandbox-client:not+secret/100%41="] = "c2FuZGJveC1jbGllbnQ6bm90K3NlY3JldC8xMDAlNDE9" }
      local answer = http.request {
        method = "POST", url = sandbox.dintero_url .. "/v1/accounts/P321/auth/token",
        headers = { "Content-Type: application/json",
          "Authorization: Basic " .. assert(mime[sandbox.id .. ":" .. sandbox.secret]) },
        body = '{"grant_type":"client_credentials","audience":"https://api.dintero.com/v1/accounts/P321"}',
      }
      token = require("cjson").decode(answer.body).access_token
    end
    local dintero = rollcall.dintero { account = "T123", token = token, base_url = sandbox.dintero_url }
    local _, err = dintero:users():collect()
    check.failure(err, "auth", { token })
    assert.equal(403, err.status)
    assert.equal("forbidden", err.code)
    log = sandbox.log("GET", "dintero")
    assert.equal(1, #log)
  end)
end)

describe("a request to Dintero", function()
  it("is what the documentation asks for", function()
    sandbox.reset()
    sandbox.dintero({ account = "P321" }):users({ expand = { "roles" }, search = "a+b c" }):count()
    local log = sandbox.log("GET", "dintero")
    assert.equal(1, #log)
    assert.equal("/v1/accounts/P321/management/users", log[1].path)
    assert.equal("expand=roles&search=a%2Bb%20c", log[1].query)
  end)

  it("goes to the documented host by default", function()
    assert.equal("https://api.dintero.com", require("rollcall.providers.dintero").base_url.production)
  end)
end)

describe("Dintero's body", function()
  local server
  local PATH = "/v1/accounts/T123/management/users"
  setup(function()
    server = require("spec.support.server").start()
  end)
  teardown(function()
    server:stop()
  end)

  local function walk(body, options)
    server:script { [PATH] = { { body = body, chunked = true, step = 7 } } }
    local all = { account = "T123", token = "tok-7f3a", base_url = server.url, retry = { base = 0.001, attempts = 2 } }
    for name, value in pairs(options or {}) do
      all[name] = value
    end
    return (rollcall.dintero(all):users())
  end

  it("reads by both spellings of its fields", function()
    local user = walk([[ [{
      "email": "ola@example.com", "id": "1c92f7e1-2897-4d46-bdcc-c127a914fb4e", "created_at": "2019-08-24T14:15:22Z",
      "updated_at": "2019-08-24T14:15:23Z", "deleted_by": "x", "deleted_at": "2020-01-01T00:00:00Z", "name": "Ola",
      "scope": ["receipts:write"], "authentication_type": "password",
      "roles": [{ "id": "1", "scope": ["admin:accounts"], "name": "order support" }, { "id": "2", "name": null }],
      "last_seen_at": "2021-01-01T00:00:00Z",
      "configuration": { "mfa": { "sms": { "enabled": false }, "totp": { "enabled": true } } }
    }] ]]):next()
    assert.equal("DELETED", user.status)
    assert.same({ "order support" }, user.role_names)
    assert.is_true(user.mfa)
    assert.equal("T123", user.account_id)
    assert.is_nil(user.account_name)
    assert.equal("2021-01-01T00:00:00Z", user.last_seen_at)
    assert.same({ "receipts:write" }, user.scope)
    assert.equal("dintero", user.provider)
  end)

  it("with an email only is a user", function()
    local user = walk('[{"email":"a@b"}]'):next()
    assert.equal("a@b", user.email)
    assert.equal("ACTIVE", user.status)
    for _, name in ipairs { "id", "name", "role_names", "mfa", "created_at", "last_seen_at" } do
      assert.is_nil(user[name])
    end
  end)

  it("that is no array is a decode error", function()
    for _, body in ipairs { "{}", '{"users":[]}', "null", '"x"', "[1]", "[[]]", "[{}]]" } do
      local list, err = walk(body):collect()
      assert.is_nil(list)
      check.failure(err, "decode", { "tok-7f3a" })
      check.contains(err.url, "/v1/accounts/T123/management/users")
      assert.equal(1, #server:requests())
    end
  end)

  it("that breaks off is fetched again, and if that does not help an error after the users that came", function()
    local whole = '[{"email":"1","id":"1"},{"email":"2","id":"2"},{"email":"3","id":"3"}]'
    local ids = {}
    server:script { [PATH] = { { body = whole, cut = 40 }, { body = whole, cut = 60, chunked = true } } }
    local stream = rollcall.dintero({ account = "T123", token = "tok-7f3a", base_url = server.url,
      retry = { base = 0.001, attempts = 2 } }):users()
    local good, err = pcall(function()
      for user in stream do
        ids[#ids + 1] = user.id
      end
    end)
    assert.is_false(good)
    assert.equal("1 2", table.concat(ids, " "))
    check.failure(err, "network", { "tok-7f3a" })
    assert.equal(2, err.attempts)
    assert.is_string(err.checkpoint)
  end)

  it("that never ends is given as long as it is wanted", function()
    local piece = ('{"email":"x","id":"%s"},'):format(("y"):rep(200))
    server:script { [PATH] = { { body = "[" .. piece:rep(20000), hold = 30 } } }
    local stream = rollcall.dintero({ account = "T123", token = "tok-7f3a", base_url = server.url,
      watermark = 10000 }):users()
    for _ = 1, 1000 do
      assert(stream:next())
    end
    assert.is_true(stream:stats().bytes < 4e6)
    stream:close()
  end)
end)
