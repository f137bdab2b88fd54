local check = require "spec.support.check"
local rollcall = require "rollcall"

-- RFC 7644, 3.4.2: a list response; 3.4.2.4: pages of it. Users as in RFC 7643, 8.2 and 8.3.
local JENSEN = [[{
  "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
  "id": "2819c223-7f76-453a-919d-413861904646", "externalId": "701984", "userName": "bjensen@example.com",
  "name": { "formatted": "Ms. Barbara J Jensen, III", "familyName": "Jensen", "givenName": "Barbara" },
  "displayName": "Babs Jensen",
  "emails": [{ "value": "babs@jensen.org", "type": "home" },
    { "value": "bjensen@example.com", "type": "work", "primary": true }],
  "roles": [{ "value": "Faculty" }],
  "active": true,
  "meta": { "resourceType": "User", "created": "2010-01-23T04:56:22Z", "lastModified": "2011-05-13T04:42:34Z" }
}]]
local SMITH = [[{
  "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
  "id": "c75ad752-64ae-4823-840d-ffa80929976c", "userName": "jsmith",
  "name": { "familyName": "Smith", "givenName": "Jane" },
  "emails": [{ "value": "jsmith@example.com" }],
  "active": false,
  "meta": { "resourceType": "User" }
}]]
local LIST = '{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":2,"itemsPerPage":1,'
  .. '"startIndex":%d,"Resources":[%s]}'

describe("SCIM", function()
  rollcall.conformance("scim", { client = { base_url = "https://example.com/scim/v2" }, examples = { users = {
    { request = "GET https://example.com/scim/v2/Users?startIndex=1&count=1", response = LIST:format(1, JENSEN) },
    { request = "GET https://example.com/scim/v2/Users?startIndex=2&count=1", response = LIST:format(2, SMITH),
      last = true },
  } } }):busted(describe, it, pending)

  local server
  setup(function()
    server = require("spec.support.server").start()
  end)
  teardown(function()
    server:stop()
  end)

  local function client(options)
    local config = { base_url = server.url .. "/scim/v2", token = "tok-7f3a" }
    for name, value in pairs(options or {}) do
      config[name] = value
    end
    return rollcall.scim(config)
  end

  it("shows no part of a token that the server echoes, wherever what is shown of it ends", function()
    local token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.SECRETSECRETSECRET.abcdefghijklmnop"
    for _, before in ipairs { "", "Bearer ", ("x"):rep(38) } do
      server:script { ["/scim/v2/Users"] = { { body = '{"Resources":[{"id":"1"}],"totalResults":"' .. before .. token
        .. '"}' } } }
      local _, err = client({ token = token }):users():count()
      check.failure(err, "decode", { token:sub(1, 8) })
      check.contains(err.message, "expected a count at /totalResults")
    end
  end)

  it("gives the common fields", function()
    server:script { ["/scim/v2/Users"] = { { type = "application/scim+json",
      body = '{"totalResults":2,"Resources":[' .. JENSEN .. "," .. SMITH .. "]}" } } }
    local users = assert(client():users():collect())
    local babs, jane = users[1], users[2]
    assert.equal("scim", babs.provider)
    assert.equal("2819c223-7f76-453a-919d-413861904646", babs.id)
    assert.equal("bjensen@example.com", babs.email)
    assert.equal("Babs Jensen", babs.name)
    assert.equal("ACTIVE", babs.status)
    assert.equal("2010-01-23T04:56:22Z", babs.created_at)
    assert.equal("2011-05-13T04:42:34Z", babs.updated_at)
    assert.same({ "Faculty" }, babs.role_names)
    assert.equal("Jensen", rollcall.at(babs, "/name/familyName"))
    assert.equal("bjensen@example.com", babs.userName)
    assert.equal("jsmith@example.com", jane.email)
    assert.equal("Jane Smith", jane.name)
    assert.equal("INACTIVE", jane.status)
    for _, name in ipairs { "created_at", "updated_at", "last_seen_at", "role_names", "mfa", "account_id" } do
      assert.is_nil(jane[name], name)
    end
    local request = server:requests()[1]
    assert.equal("/scim/v2/Users?count=100&startIndex=1", request.target)
    assert.equal("application/scim+json", request.headers.accept)
    assert.equal("Bearer tok-7f3a", request.headers.authorization)
  end)

  it("says with each page how many users there are", function()
    local totals = {}
    for _, body in ipairs { '{"totalResults":2,"Resources":[' .. JENSEN .. "," .. SMITH .. "]}", '{"Resources":[]}' } do
      server:script { ["/scim/v2/Users"] = { { body = body } } }
      for list, info in client():users():pages() do
        totals[#totals + 1] = #list .. " of " .. tostring(info.total)
      end
    end
    assert.same({ "2 of 2", "0 of nil" }, totals)
  end)

  it("takes a status that is text, as some services write it", function()
    server:script { ["/scim/v2/Users"] = { { body = '{"totalResults":3,"Resources":[{"id":"1","active":"True"},'
      .. '{"id":"2","active":"False"},{"id":"3","active":"perhaps"}]}' } } }
    local users = assert(client():users():collect())
    assert.equal("ACTIVE", users[1].status)
    assert.equal("INACTIVE", users[2].status)
    assert.is_nil(users[3].status)
  end)

  it("sends its filters", function()
    server:script { ["/scim/v2/Users"] = { { body = '{"totalResults":0,"Resources":[]}' } } }
    assert.equal(0, client():users({ filter = 'userName sw "J" and active eq true', attributes = { "userName",
      "emails" },
      excluded_attributes = "photos", sort_by = "userName", sort_order = "descending" }):count())
    assert.equal("attributes=userName%2Cemails&excludedAttributes=photos&filter=userName%20sw%20%22J%22%20and%20active"
      .. "%20eq%20true&sortBy=userName&sortOrder=descending&count=100&startIndex=1", server:requests()[1].query)
  end)

  it("may leave out its array where there is nobody", function()
    server:script { ["/scim/v2/Users"] = { { body = '{"totalResults":0,"startIndex":1,"itemsPerPage":0}' } } }
    assert.equal(0, client():users():count())
    for _, body in ipairs { '{"totalResults":3}', "{}", '{"detail":"maintenance"}' } do
      server:script { ["/scim/v2/Users"] = { { body = body } } }
      local _, err = client():users():count()
      check.failure(err, "decode")
    end
  end)

  it("says what its errors say", function()
    server:script { ["/scim/v2/Users"] = { { status = 400, body = '{"schemas":["urn:ietf:params:scim:api:messages:2.0:'
      .. 'Error"],"scimType":"invalidFilter","detail":"the filter is none","status":"400"}' } } }
    local _, err = client():users({ filter = "x" }):count()
    check.failure(err, "http", { "tok-7f3a" })
    check.contains(err.message, "the filter is none")
  end)

  it("has no address of its own", function()
    check.misuse(function() rollcall.scim { token = "t" } end, "scim: base_url: missing; expected a URL")
    check.misuse(function() rollcall.scim { token = "t", environment = "production" } end, "environment: unknown")
    check.misuse(function() rollcall.scim { token = "t", base_url = "http://acme.example" } end, "plain http")
  end)

  it("goes by any credentials that a provider of one's own declares", function()
    local mine = check.copy(require "rollcall.providers.scim")
    mine.name, mine.auth = "acme", { type = "basic" }
    server:script { ["/Users"] = { { body = '{"totalResults":1,"Resources":[' .. JENSEN .. "]}" } } }
    local user = assert(rollcall.client(mine, { base_url = server.url, username = "u",
      password = "p" }):users():first())
    assert.equal("acme", user.provider)
    assert.equal("Basic dTpw", server:requests()[1].headers.authorization)
  end)
end)
