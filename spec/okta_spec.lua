local check = require "spec.support.check"
local rollcall = require "rollcall"

-- The example of "List Users" in Okta's Users API, and another user for the second page.
local BROCK = [[{
  "id": "00ub0oNGTSWTBKOLGLNR", "status": "ACTIVE",
  "created": "2013-06-24T16:39:18.000Z", "activated": "2013-06-24T16:39:19.000Z",
  "statusChanged": "2013-06-24T16:39:19.000Z", "lastLogin": "2013-06-24T17:39:19.000Z",
  "lastUpdated": "2013-07-02T21:36:25.344Z", "passwordChanged": "2013-07-02T21:36:25.344Z",
  "profile": { "firstName": "Isaac", "lastName": "Brock", "email": "isaac.brock@example.com",
    "login": "isaac.brock@example.com", "mobilePhone": "555-415-1337" },
  "credentials": { "password": {}, "provider": { "type": "OKTA", "name": "OKTA" } },
  "_links": { "self": { "href": "https://example.okta.com/api/v1/users/00ub0oNGTSWTBKOLGLNR" } }
}]]
local OTHER = [[{
  "id": "00u19uiKQa0xXkbdGLNR", "status": "PROVISIONED", "created": "2016-03-15T04:21:51.000Z", "lastLogin": null,
  "lastUpdated": "2016-03-17T07:08:15.000Z",
  "profile": { "login": "u7@test.com", "email": "u7@test.com", "firstName": "u7", "lastName": null,
    "displayName": "Seven" }
}]]

describe("Okta", function()
  rollcall.conformance("okta", { client = { base_url = "https://example.okta.com" }, examples = { users = {
    { request = "GET https://example.okta.com/api/v1/users?limit=1", response = "[" .. BROCK .. "]",
      headers = { 'link: <https://example.okta.com/api/v1/users?limit=1>; rel="self"',
        'link: <https://example.okta.com/api/v1/users?after=00ub4tTFYKXCCZJSGFKM&limit=1>; rel="next"' } },
    { request = "GET https://example.okta.com/api/v1/users?after=00ub4tTFYKXCCZJSGFKM&limit=1", last = true,
      response = "[" .. OTHER .. "]",
      headers = { 'link: <https://example.okta.com/api/v1/users?after=00ub4tTFYKXCCZJSGFKM&limit=1>; rel="self"' } },
  } } }):busted(describe, it, pending)

  local server
  setup(function()
    server = require("spec.support.server").start()
  end)
  teardown(function()
    server:stop()
  end)

  local function client(options)
    local config = { base_url = server.url, token = "tok-7f3a" }
    for name, value in pairs(options or {}) do
      config[name] = value
    end
    return rollcall.okta(config)
  end

  it("gives the common fields", function()
    server:script { ["/api/v1/users"] = { { body = "[" .. BROCK .. "," .. OTHER .. "]" } } }
    local users = assert(client():users { search = 'status eq "ACTIVE"', sort_by = "profile.lastName",
      sort_order = "desc" }:collect())
    local isaac, seven = users[1], users[2]
    assert.equal("okta", isaac.provider)
    assert.equal("00ub0oNGTSWTBKOLGLNR", isaac.id)
    assert.equal("isaac.brock@example.com", isaac.email)
    assert.equal("Isaac Brock", isaac.name)
    assert.equal("ACTIVE", isaac.status)
    assert.equal("2013-06-24T16:39:18.000Z", isaac.created_at)
    assert.equal("2013-07-02T21:36:25.344Z", isaac.updated_at)
    assert.equal("2013-06-24T17:39:19.000Z", isaac.last_seen_at)
    assert.equal("555-415-1337", isaac.profile.mobilePhone)
    assert.equal("Seven", seven.name)
    assert.equal("PROVISIONED", seven.status)
    for _, name in ipairs { "last_seen_at", "role_names", "mfa", "account_id" } do
      assert.is_nil(seven[name], name)
    end
    local request = server:requests()[1]
    assert.equal("/api/v1/users?search=status%20eq%20%22ACTIVE%22&sortBy=profile.lastName&sortOrder=desc&limit=200",
      request.target)
    assert.equal("SSWS tok-7f3a", request.headers.authorization)
  end)

  it("says what its errors say", function()
    server:script { ["/api/v1/users"] = { { status = 401, body = '{"errorCode":"E0000011","errorSummary":'
      .. '"Invalid token provided","errorLink":"E0000011","errorId":"oae","errorCauses":[]}' } } }
    local _, err = client():users():count()
    check.failure(err, "auth", { "tok-7f3a" })
    assert.equal("E0000011", err.code)
    check.contains(err.message, "Invalid token provided")
  end)

  it("waits for the reset of its limit", function()
    local core = require "rollcall.core"
    server:script { ["/api/v1/users"] = { { status = 429, body = '{"errorCode":"E0000047","errorSummary":"API call '
      .. 'exceeded rate limit due to too many requests."}', headers = { "X-Rate-Limit-Limit: 600",
        "X-Rate-Limit-Remaining: 0", ("X-Rate-Limit-Reset: %d"):format(os.time() + 2) } },
          { body = "[" .. BROCK .. "]" } } }
    local began = core.now()
    assert.equal(1, client({ retry = { base = 0.01 } }):users():count())
    assert.is_true(core.now() - began >= 0.9)
  end)

  it("has no address of its own", function()
    check.misuse(function() rollcall.okta { token = "t" } end, "okta: base_url: missing")
    check.misuse(function() rollcall.okta { base_url = "https://acme.okta.com" } end, "okta: expected token")
  end)
end)
