local check = require "spec.support.check"
local rollcall = require "rollcall"
local sandbox = require "spec.support.sandbox"
local users = require "spec.support.users"

local directory = sandbox.data.tesouro

setup(function()
  sandbox.reset()
end)
teardown(sandbox.restore)

-- The documented example of a page. Its texts are the documentation's own; that null is the only end it says in words.
local EXAMPLE = '{"data":[{"id":"%s","createdDateTime":"2023-11-07T05:31:56Z","email":"<string>",'
  .. '"isExpenseApprover":true,"name":"<string>","organizationId":"3c90c3cc-0d44-4b50-8888-8dd25736052a",'
  .. '"organizationName":"<string>","status":"<string>","department":{"id":"3c90c3cc-0d44-4b50-8888-8dd25736052a",'
  .. '"name":"<string>"},"jobTitle":"<string>","lastLoggedInDateTime":"2023-11-07T05:31:56Z","location":{"id":'
  .. '"3c90c3cc-0d44-4b50-8888-8dd25736052a","name":"<string>"},"role":"<string>"}],"nextPaginationToken":%s,'
  .. '"prevPaginationToken":%s}'

rollcall.conformance("tesouro", { examples = { users = {
  { request = "GET https://api.tesouro.com/identity/v1/users?Limit=1",
    response = EXAMPLE:format("3c90c3cc-0d44-4b50-8888-8dd25736052a", '"<string>"', "null") },
  { request = "GET https://api.tesouro.com/identity/v1/users?Limit=1&PaginationToken=%3Cstring%3E", last = true,
    response = EXAMPLE:format("1c92f7e1-2897-4d46-bdcc-c127a914fb4e", "null", '"<string>"') },
} } }):busted(describe, it)

--- Raises unless the walk with this query gives the data's users, in order, each field of each.
local function expect(query, filter)
  local expected, texts = directory.users(filter)
  local n = 0
  for user in sandbox.tesouro():users(query) do
    n = n + 1
    assert(expected[n], "a user too many")
    users.compare(expected[n], texts[n], users.tesouro(expected[n]), user)
  end
  assert.equal(#expected, n)
  return n
end

describe("Tesouro's directory", function()
  it("arrives whole, field by field", function()
    assert.equal(3500, expect({ status = "ALL" }, { status = "ALL" }))
  end)

  it("arrives whole over https and HTTP/2", function()
    local expected = directory.users { status = "ALL" }
    local n = 0
    local client = sandbox.tesouro { base_url = sandbox.tesouro_https_url, ca_file = sandbox.ca_file }
    for user in client:users { status = "ALL" } do
      n = n + 1
      check.same(expected[n], rollcall.totable(user))
    end
    assert.equal(#expected, n)
    local log = sandbox.log("GET", "tesouro")
    assert.equal("HTTP/2.0", log[#log].protocol)
  end)

  local kinds = { false, "BANK", "EMBEDDED", "PLATFORM", "TRANSACTOR", "VERTICAL_SOFTWARE_PROVIDER" }
  for _, status in ipairs { false, "ACTIVE", "INACTIVE", "INVITED", "ALL" } do
    for _, kind in ipairs(kinds) do
      it(("is filtered by status %s and organization type %s"):format(status or "none", kind or "none"), function()
        local filter = { status = status or nil, organization_type = kind or nil }
        assert.is_true(expect(filter, filter) > 0)
      end)
    end
  end

  it("is filtered by organization, with all below it", function()
    for _, organization in ipairs(directory.organizations) do
      local filter = { organization_id = organization.id, status = "ALL" }
      local n = expect(filter, filter)
      assert.equal(organization.name == "Nobody Here Yet", n == 0)
    end
  end)

  it("is filtered by all of it together", function()
    local filter = { organization_id = directory.organizations[2].id, status = "INACTIVE",
      organization_type = "TRANSACTOR" }
    assert.is_true(expect(filter, filter) > 0)
    expect({ organization_id = filter.organization_id:upper(), status = "INACTIVE", organization_type = "TRANSACTOR" },
      filter)
  end)

  it("refuses an organization that the caller may not see, or that there is not", function()
    local _, err = sandbox.tesouro():users({ organization_id = directory.foreign.id }):collect()
    check.failure(err, "auth", { sandbox.secret })
    assert.equal(403, err.status)
    assert.equal("ORGANIZATION_NOT_VISIBLE", err.code)
    assert.is_string(err.request_id)
    _, err = sandbox.tesouro():users({ organization_id = "7e500000-0000-4000-8000-000000000077" }):collect()
    check.failure(err, "http")
    assert.equal(404, err.status)
    check.contains(tostring(err), "There is no organization 7e500000-0000-4000-8000-000000000077", err.request_id)
  end)
end)

describe("a request to Tesouro", function()
  it("is what the documentation asks for", function()
    sandbox.reset()
    local id = directory.organizations[2].id
    local query = { status = "ALL", organization_type = "EMBEDDED", organization_id = id, limit = 150 }
    assert.equal(150, sandbox.tesouro():users(query):count())
    local log = sandbox.log("GET", "tesouro")
    assert.is_true(#log >= 2)
    for i, entry in ipairs(log) do
      assert.equal("/identity/v1/users", entry.path)
      assert.equal(id, entry.headers["x-organization-id"])
      assert.equal("ALL", entry.args.Status)
      assert.equal("EMBEDDED", entry.args.OrganizationType)
      assert.equal("100", tostring(entry.args.Limit))
      assert.equal(i == 1, entry.args.PaginationToken == nil)
      assert.equal(200, entry.status)
    end
  end)

  it("without filters has none of them", function()
    sandbox.reset()
    sandbox.tesouro():users({ limit = 1 }):count()
    local entry = sandbox.log("GET", "tesouro")[1]
    assert.equal("Limit=100", entry.query)
    assert.is_nil(entry.headers["x-organization-id"])
  end)

  it("goes to the documented hosts by default", function()
    local declared = require "rollcall.providers.tesouro"
    assert.equal("https://api.tesouro.com", declared.base_url.production)
    assert.equal("https://api.sandbox.tesouro.com", declared.base_url.sandbox)
  end)

  it("can spell its parameters otherwise", function()
    sandbox.reset()
    local client = sandbox.tesouro { query_names = { PaginationToken = "paginationtoken", Limit = "limit",
      Status = "STATUS" } }
    assert.equal(#directory.users { status = "INVITED" }, client:users({ status = "INVITED" }):count())
    check.contains(sandbox.log("GET", "tesouro")[2].query, "limit=100", "STATUS=INVITED", "paginationtoken=")
  end)
end)

describe("Tesouro's documented example", function()
  local server
  setup(function()
    server = require("spec.support.server").start()
  end)
  teardown(function()
    server:stop()
  end)

  it("reads by both spellings of its fields", function()
    server:script { ["/identity/v1/users"] = { { body = [[{
      "data": [{
        "id": "3c90c3cc-0d44-4b50-8888-8dd25736052a", "createdDateTime": "2023-11-07T05:31:56Z",
        "email": "jsmith@example.com", "isExpenseApprover": true, "name": "<string>",
        "organizationId": "3c90c3cc-0d44-4b50-8888-8dd25736052b", "organizationName": "<string>", "status": "ACTIVE",
        "department": { "id": "3c90c3cc-0d44-4b50-8888-8dd25736052c", "name": "<string>" }, "jobTitle": "<string>",
        "lastLoggedInDateTime": "2023-11-07T05:31:57Z",
        "location": { "id": "3c90c3cc-0d44-4b50-8888-8dd25736052d", "name": "Oslo" }, "role": "<string>"
      }],
      "nextPaginationToken": null, "prevPaginationToken": null
    }]] } } }
    local list = rollcall.tesouro({ token = "tok-7f3a", base_url = server.url }):users():collect()
    assert.equal(1, #list)
    local user = list[1]
    assert.equal("2023-11-07T05:31:56Z", user.created_at)
    assert.equal("2023-11-07T05:31:56Z", user.createdDateTime)
    assert.equal("2023-11-07T05:31:57Z", user.last_seen_at)
    assert.is_true(user.isExpenseApprover)
    assert.equal("Oslo", user.location.name)
    assert.equal("Oslo", rollcall.at(user, "/location/name"))
    assert.equal("3c90c3cc-0d44-4b50-8888-8dd25736052b", user.account_id)
    assert.same({ "<string>" }, user.role_names)
    assert.is_nil(user.mfa)
    assert.is_nil(user.updated_at)
    assert.equal("tesouro", user.provider)
  end)
end)
