-- The sandbox keeps the providers' wire contract: asked by raw HTTP, without the Lua layer.

local check = require "spec.support.check"
local cjson = require "cjson"
local core = require "rollcall.core"
local http = require "spec.support.http"
local sandbox = require "spec.support.sandbox"

local data = sandbox.data
local null = cjson.null
local FORM, JSON = "Content-Type: application/x-www-form-urlencoded", "Content-Type: application/json"
local UUID = "7e500000-0000-4000-8000-000000000001"

teardown(sandbox.restore)

local function encode(text)
  return (text:gsub("[^%w%-._~]", function(c) return ("%%%02X"):format(c:byte()) end))
end

local base64_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local function base64(text)
  local bits = text:gsub(".", function(c)
    local byte, out = c:byte(), ""
    for i = 7, 0, -1 do
      out = out .. math.floor(byte / 2 ^ i) % 2
    end
    return out
  end)
  local out = (bits .. ("0"):rep(-#bits % 6)):gsub("%d%d%d%d%d%d", function(six)
    local at = tonumber(six, 2) + 1
    return base64_digits:sub(at, at)
  end)
  return out .. ("="):rep(-#text % 3)
end

--- The answer, and its body as a document where it is one.
local function ask(options)
  local answer = http.request(options)
  assert(answer.status, answer.line)
  local good, document = pcall(cjson.decode, answer.body)
  answer.document = good and document or nil
  return answer
end

-- -- Tesouro ------------------------------------------------------------------------------------

local function tesouro_token(form, more)
  local body = form or ("grant_type=client_credentials&client_id=%s&client_secret=%s"):format(
    encode(sandbox.id), encode(sandbox.secret))
  local options = { method = "POST", url = sandbox.tesouro_url .. "/openid/connect/token", headers = { FORM } }
  options.body = body
  for name, value in pairs(more or {}) do
    options[name] = value
  end
  return ask(options)
end

local token

local function list(query, headers, more)
  local lines = { "Authorization: Bearer " .. token }
  for _, line in ipairs(headers or {}) do
    lines[#lines + 1] = line
  end
  local options = { url = sandbox.tesouro_url .. "/identity/v1/users" .. (query and "?" .. query or "") }
  options.headers = lines
  for name, value in pairs(more or {}) do
    options[name] = value
  end
  return ask(options)
end

--- A refusal must be problem details of this status and code.
local function expect_problem(answer, status, code)
  assert.equal(status, answer.status, answer.body:sub(1, 300))
  check.contains(answer.headers["content-type"], "application/problem+json")
  assert.equal(status, answer.document.status)
  assert.equal(code, answer.document.errorCode)
  for _, name in ipairs { "type", "title", "detail", "instance" } do
    assert.equal("string", type(answer.document[name]), name)
  end
end

describe("the sandbox's Tesouro tokens", function()
  before_each(function()
    sandbox.reset()
  end)

  it("are granted for client credentials in a form", function()
    local answer = tesouro_token()
    assert.equal(200, answer.status)
    assert.equal("Bearer", answer.document.token_type)
    assert.equal(3600, answer.document.expires_in)
    assert.truthy(answer.document.access_token:find "^[%w%-_]+%.[%w%-_]+%.[%w%-_]+$")
    assert.not_equal(answer.document.access_token, tesouro_token().document.access_token)
  end)

  it("are refused otherwise", function()
    local id, secret = encode(sandbox.id), encode(sandbox.secret)
    expect_problem(tesouro_token("client_id=" .. id .. "&client_secret=" .. secret), 400, "UNSUPPORTED_GRANT_TYPE")
    expect_problem(tesouro_token("grant_type=password&client_id=" .. id .. "&client_secret=" .. secret), 400,
      "UNSUPPORTED_GRANT_TYPE")
    expect_problem(tesouro_token("grant_type=client_credentials&client_id=" .. id), 401, "INVALID_CLIENT")
    expect_problem(tesouro_token("grant_type=client_credentials&client_id=" .. id .. "&client_secret=x"), 401,
      "INVALID_CLIENT")
    expect_problem(tesouro_token("grant_type=client_credentials&client_id=x&client_secret=" .. secret), 401,
      "INVALID_CLIENT")
    -- a secret that was not escaped is another one
    expect_problem(tesouro_token("grant_type=client_credentials&client_id=" .. id .. "&client_secret="
      .. sandbox.secret), 401, "INVALID_CLIENT")
    expect_problem(tesouro_token('{"grant_type":"client_credentials"}', { headers = { JSON } }), 400, "INVALID_REQUEST")
    expect_problem(tesouro_token(nil, { method = "PUT" }), 405, "METHOD_NOT_ALLOWED")
  end)

  it("end when their time is up, by a 400 that says so", function()
    sandbox.configure "tesouro_expires_in=0"
    token = tesouro_token().document.access_token
    local answer = list()
    assert.equal(400, answer.status)
    check.same({ error = { message = "The token has been expired." } }, answer.document)
    sandbox.reset()
    token = tesouro_token().document.access_token
    assert.equal(200, list().status)
    sandbox.configure "expire=1"
    assert.equal(400, list().status)
    token = tesouro_token().document.access_token
    assert.equal(200, list().status)
    sandbox.configure "revoke=1"
    expect_problem(list(), 401, "INVALID_TOKEN")
  end)

  it("are checked on every request", function()
    token = tesouro_token().document.access_token
    local url = sandbox.tesouro_url .. "/identity/v1/users"
    assert.equal(401, ask(url).status)
    assert.equal("Bearer", ask(url).headers["www-authenticate"])
    for _, line in ipairs { "Bearer", "Bearer x", "Bearer " .. token .. "x", "Basic " .. token, token,
      "Bearer " .. token:sub(1, -2) } do
      assert.equal(401, ask({ url = url, headers = { "Authorization: " .. line } }).status, line)
    end
    assert.equal(200, ask({ url = url, headers = { "authorization: bearer " .. token } }).status)
  end)
end)

describe("the sandbox's Tesouro listing", function()
  setup(function()
    sandbox.reset()
    token = tesouro_token().document.access_token
  end)

  --- Walks all pages by hand: the users, and the sizes of the pages.
  local function walk(query, headers)
    local users, sizes, after = {}, {}, nil
    repeat
      local answer = list(query .. (after and "&PaginationToken=" .. encode(after) or ""), headers)
      assert.equal(200, answer.status, answer.body:sub(1, 300))
      check.contains(answer.headers["content-type"], "application/json")
      local document = answer.document
      assert.equal(after == nil, document.prevPaginationToken == null)
      sizes[#sizes + 1] = #document.data
      for _, user in ipairs(document.data) do
        users[#users + 1] = user
      end
      after = document.nextPaginationToken
      assert.is_true(after == null or type(after) == "string" and after ~= "")
    until after == null
    return users, sizes
  end

  it("gives all users exactly once, in pages that are short or empty in the middle", function()
    local users, sizes = walk "Status=ALL&Limit=100"
    check.same((data.tesouro.users { status = "ALL" }), users)
    assert.equal(3500, #users)
    local short, empty = 0, 0
    for i = 1, #sizes - 1 do
      assert.is_true(sizes[i] <= 100)
      short = short + (sizes[i] > 0 and sizes[i] < 100 and 1 or 0)
      empty = empty + (sizes[i] == 0 and 1 or 0)
    end
    assert.is_true(short >= 3 and empty >= 3, ("%d short, %d empty"):format(short, empty))
  end)

  it("may even begin with an empty page", function()
    local users, sizes = walk "OrganizationType=EMBEDDED&Limit=50"
    assert.equal(0, sizes[1])
    check.same((data.tesouro.users { organization_type = "EMBEDDED" }), users)
  end)

  it("of nobody is one empty page", function()
    local answer = list(nil, { "X-Organization-ID: " .. data.tesouro.organizations[12].id })
    assert.equal(200, answer.status)
    check.same({ data = {}, nextPaginationToken = null, prevPaginationToken = null }, answer.document)
  end)

  it("has 20 users a page and the active ones by default", function()
    local answer = list()
    assert.equal(20, #answer.document.data)
    local expected = data.tesouro.users { status = "ACTIVE" }
    for i, user in ipairs(answer.document.data) do
      check.same(expected[i], user)
    end
  end)

  it("knows its parameters in any case, and ignores all others", function()
    assert.equal(7, #list("limit=7").document.data)
    assert.equal(7, #list("LIMIT=7").document.data)
    local first = list "limit=7"
    local same = list("Limit=7&pagination_token=" .. encode(first.document.nextPaginationToken) .. "&page=2&x=y")
    check.same(first.document, same.document)
    local second = list("Limit=7&paginationtoken=" .. encode(first.document.nextPaginationToken))
    assert.not_equal(first.document.data[1].id, second.document.data[1].id)
  end)

  it("refuses what it does not take", function()
    for _, query in ipairs { "Limit=0", "Limit=101", "Limit=-1", "Limit=abc", "Limit=", "Limit=1.5", "Limit=1e1" } do
      expect_problem(list(query), 400, "INVALID_LIMIT")
    end
    for _, query in ipairs { "Status=active", "Status=DELETED", "Status=", "Status=ACTIVE,INVITED" } do
      expect_problem(list(query), 400, "INVALID_STATUS")
    end
    for _, query in ipairs { "OrganizationType=bank", "OrganizationType=SHOP", "OrganizationType=" } do
      expect_problem(list(query), 400, "INVALID_ORGANIZATION_TYPE")
    end
  end)

  it("takes an organization's id, and checks it", function()
    for _, header in ipairs { "X-Organization-ID: " .. UUID, "x-organization-id: " .. UUID:upper() } do
      check.same(list().document.data, list(nil, { header }).document.data)
    end
    for _, header in ipairs { "X-Organization-ID;", "X-Organization-ID: 1", "X-Organization-ID: " .. UUID .. "0",
      "X-Organization-ID: " .. UUID:gsub("-", ""), "X-Organization-ID: " .. UUID:gsub("7e5", "7g5") } do
      expect_problem(list(nil, { header }), 400, "INVALID_ORGANIZATION_ID")
    end
    expect_problem(list(nil, { "X-Organization-ID: " .. data.tesouro.foreign.id }), 403, "ORGANIZATION_NOT_VISIBLE")
    expect_problem(list(nil, { "X-Organization-ID: 7e500000-0000-4000-8000-000000000077" }), 404,
      "ORGANIZATION_NOT_FOUND")
    for _, organization in ipairs(data.tesouro.organizations) do
      local filter = { status = "ALL", organization_id = organization.id }
      local users = walk("Status=ALL&Limit=100", { "X-Organization-ID: " .. organization.id })
      check.same((data.tesouro.users(filter)), users)
    end
  end)

  it("has tokens that are bound to the filters, the limit and the organization", function()
    local text = list("Limit=50&Status=ALL").document.nextPaginationToken
    local after = encode(text)
    assert.equal(200, list("Status=ALL&Limit=50&PaginationToken=" .. after).status)
    for _, query in ipairs { "Limit=50", "Limit=49&Status=ALL", "Limit=50&Status=ALL&OrganizationType=BANK" } do
      expect_problem(list(query .. "&PaginationToken=" .. after), 400, "INVALID_PAGINATION_TOKEN")
    end
    expect_problem(list("Limit=50&Status=ALL&PaginationToken=" .. after,
      { "X-Organization-ID: " .. data.tesouro.organizations[2].id }), 400, "INVALID_PAGINATION_TOKEN")
    for _, wrong in ipairs { "", "x", "1", text:sub(5), text:sub(1, 20), text:sub(5) .. text:sub(1, 4),
      "AAAA" .. text:sub(5), ("A"):rep(5000) } do
      expect_problem(list("Limit=50&Status=ALL&PaginationToken=" .. encode(wrong)), 400, "INVALID_PAGINATION_TOKEN")
    end
  end)

  it("has opaque tokens, all different, that are good forever", function()
    local seen, after = {}, nil
    for _ = 1, 20 do
      local document = list("Limit=10" .. (after and "&PaginationToken=" .. encode(after) or "")).document
      for _, one in ipairs { document.nextPaginationToken, document.prevPaginationToken } do
        if one ~= null then
          assert.is_nil(seen[one])
          assert.is_nil(one:find "^%d+$")
          seen[one] = true
        end
      end
      after = document.nextPaginationToken
    end
    local one = list("Limit=10&PaginationToken=" .. encode(after))
    sandbox.configure "revoke=1"
    token = tesouro_token().document.access_token
    check.same(one.document, list("Limit=10&PaginationToken=" .. encode(after)).document)
  end)

  it("leads back to the first page by the previous tokens", function()
    local documents, after = {}, nil
    repeat
      documents[#documents + 1] = list("Limit=90" .. (after and "&PaginationToken=" .. encode(after) or "")).document
      after = documents[#documents].nextPaginationToken
    until after == null
    local before = documents[#documents].prevPaginationToken
    for i = #documents - 1, 1, -1 do
      local document = list("Limit=90&PaginationToken=" .. encode(before)).document
      check.same(documents[i].data, document.data)
      before = document.prevPaginationToken
    end
    assert.equal(null, before)
  end)

  it("has an id on every answer, and other answers for other paths", function()
    local ids = {}
    for _, answer in ipairs { list(), list "Limit=0", ask(sandbox.tesouro_url .. "/identity/v1/users"), tesouro_token(),
      ask(sandbox.tesouro_url .. "/nothing"), list(nil, nil, { method = "DELETE" }) } do
      local id = answer.headers["x-request-id"]
      assert.is_string(id)
      assert.is_nil(ids[id])
      ids[id] = true
    end
    expect_problem(ask(sandbox.tesouro_url .. "/identity/v2/users"), 404, "NOT_FOUND")
    expect_problem(list(nil, nil, { method = "DELETE" }), 405, "METHOD_NOT_ALLOWED")
  end)

  it("compresses, and is the same over https", function()
    local plain = list "Limit=100"
    assert.equal("gzip", plain.headers["content-encoding"])
    local secure = ask { url = sandbox.tesouro_https_url .. "/identity/v1/users?Limit=100", ca_file = sandbox.ca_file,
      headers = { "Authorization: Bearer " .. token } }
    assert.equal(plain.body, secure.body)
    local entry = sandbox.log("GET", "tesouro")
    entry = entry[#entry]
    assert.equal("HTTP/2.0", entry.protocol)
    assert.is_true(entry.bytes_sent < #secure.body / 2)
  end)

  it("serves an organization of any size", function()
    local header = { "X-Organization-ID: " .. data.tesouro.big_organization(250) }
    local users = walk("Limit=100", header)
    assert.equal(250, #users)
    check.same((data.tesouro.big_user(250, 250)), users[250])
  end)
end)

describe("the sandbox's Tesouro rate limit", function()
  setup(function()
    sandbox.reset "rate_limit=30"
    token = tesouro_token().document.access_token
  end)

  it("is told on every answer, refusals included", function()
    for _, answer in ipairs { list(), list "Limit=0", ask(sandbox.tesouro_url .. "/identity/v1/users"), tesouro_token(),
      ask(sandbox.tesouro_url .. "/nothing") } do
      assert.equal("30", answer.headers["ratelimit-limit"])
      assert.equal("30", answer.headers["x-ratelimit-limit-second"])
      assert.equal(answer.headers["ratelimit-remaining"], answer.headers["x-ratelimit-remaining-second"])
      assert.is_true(tonumber(answer.headers["ratelimit-remaining"]) <= 30)
      assert.equal("1", answer.headers["ratelimit-reset"])
    end
  end)

  it("refuses what goes beyond it, until the second is over", function()
    sandbox.reset "rate_limit=3"
    local refused
    for _ = 1, 8 do -- more than fit into two seconds
      local answer = list "Limit=1"
      refused = refused or (answer.status == 429 and answer)
    end
    assert.equal("1", refused.headers["retry-after"])
    assert.equal("0", refused.headers["ratelimit-remaining"])
    assert.equal("API rate limit exceeded", refused.document.message)
    assert.is_true(sandbox.stats().tesouro.rate_limited > 0)
    core.wait({}, 1.01)
    assert.equal(200, list("Limit=1").status)
  end)
end)

-- -- Dintero ------------------------------------------------------------------------------------

local function dintero_token(oid, more)
  local options = {
    method = "POST",
    url = ("%s/v1/accounts/%s/auth/token"):format(sandbox.dintero_url, oid),
    headers = { JSON, "Authorization: Basic " .. base64(sandbox.id .. ":" .. sandbox.secret) },
    body = ('{"grant_type":"client_credentials","audience":"https://api.dintero.com/v1/accounts/%s"}'):format(oid),
  }
  for name, value in pairs(more or {}) do
    options[name] = value
  end
  return ask(options)
end

local dintero_bearer = {}

local function people(oid, query, headers)
  dintero_bearer[oid] = dintero_bearer[oid] or dintero_token(oid).document.access_token
  return ask {
    url = ("%s/v1/accounts/%s/management/users%s"):format(sandbox.dintero_url, oid, query and "?" .. query or ""),
    headers = headers or { "Authorization: Bearer " .. dintero_bearer[oid] },
  }
end

--- A refusal must have the documented shape.
local function expect_error(answer, status, code)
  assert.equal(status, answer.status, answer.body:sub(1, 300))
  assert.equal(code, answer.document.error.code)
  assert.equal("string", type(answer.document.error.message))
  assert.equal("table", type(answer.document.error.errors))
end

describe("the sandbox's Dintero tokens", function()
  before_each(function()
    sandbox.reset()
  end)

  it("are granted for HTTP Basic and an audience", function()
    local answer = dintero_token "T12345678"
    assert.equal(200, answer.status)
    assert.equal("Bearer", answer.document.token_type)
    assert.equal(14400, answer.document.expires_in)
    assert.equal("string", type(answer.document.access_token))
  end)

  it("are refused otherwise", function()
    local basic = "Authorization: Basic " .. base64(sandbox.id .. ":" .. sandbox.secret)
    expect_error(dintero_token("T123", { headers = { JSON } }), 401, "unauthorized")
    expect_error(dintero_token("T123", { headers = { JSON, "Authorization: Basic " .. base64 "x:y" } }), 401,
      "unauthorized")
    expect_error(dintero_token("T123", { headers = { FORM, basic } }), 400, "invalid_request")
    for _, body in ipairs { "", "x", "[]", "{}", '{"grant_type":"client_credentials"}',
      '{"grant_type":"password","audience":"https://api.dintero.com/v1/accounts/T123"}',
      '{"grant_type":"client_credentials","audience":"https://api.dintero.com/v1/accounts/P321"}',
      ('{"grant_type":"client_credentials","audience":"%s/v1/accounts/T123"}'):format(sandbox.dintero_url) } do
      expect_error(dintero_token("T123", { body = body }), 400, "invalid_request")
    end
    for _, oid in ipairs { "X123", "T1", "T1234", "T123456789", "t123", "T12a" } do
      expect_error(dintero_token(oid), 400, "invalid_account_id")
    end
  end)

  it("end when their time is up, by a 401", function()
    sandbox.configure "dintero_expires_in=0"
    local bearer = { "Authorization: Bearer " .. dintero_token("T123").document.access_token }
    expect_error(people("T123", nil, bearer), 401, "unauthorized")
    sandbox.reset()
    bearer = { "Authorization: Bearer " .. dintero_token("T123").document.access_token }
    assert.equal(200, people("T123", nil, bearer).status)
    sandbox.configure "expire=1"
    expect_error(people("T123", nil, bearer), 401, "unauthorized")
  end)

  it("are checked, and are for one account", function()
    expect_error(people("T123", nil, {}), 401, "unauthorized")
    expect_error(people("T123", nil, { "Authorization: Bearer x" }), 401, "unauthorized")
    token = tesouro_token().document.access_token
    expect_error(people("T123", nil, { "Authorization: Bearer " .. token }), 401, "unauthorized")
    local other = dintero_token("P321").document.access_token
    expect_error(people("T123", nil, { "Authorization: Bearer " .. other }), 403, "forbidden")
    local unknown = dintero_token("T999").document.access_token
    expect_error(people("T999", nil, { "Authorization: Bearer " .. unknown }), 404, "account_not_found")
  end)
end)

describe("the sandbox's Dintero listing", function()
  setup(function()
    sandbox.reset()
    dintero_bearer = {}
  end)

  for _, account in ipairs(data.dintero.accounts) do
    it(("is a bare array of all users: %s"):format(account.id), function()
      local answer = people(account.id)
      assert.equal(200, answer.status)
      check.contains(answer.headers["content-type"], "application/json")
      assert.equal("[", answer.body:match "^%s*(.)")
      check.same((data.dintero.users(account.id)), answer.document)
      assert.equal(account.count, #answer.document)
      check.same((data.dintero.users(account.id, { expand_roles = true })), people(account.id, "expand=roles").document)
    end)
  end

  it("searches in email and name", function()
    for _, search in ipairs { "an", "AN", "t12345678", "%" } do
      check.same((data.dintero.users("T12345678", { search = search })),
        people("T12345678", "search=" .. encode(search)).document)
    end
    assert.is_true(#people("T12345678", "search=an").document < 1200)
    check.same({}, people("T12345678", "search=nobody%20at%20all").document)
    assert.equal(1200, #people("T12345678", "search=").document)
  end)

  it("knows no paging", function()
    local whole = people "P321"
    assert.equal(whole.body, people("P321", "limit=10&starting_after=x&page_token=y").body)
  end)

  it("refuses what it does not take", function()
    expect_error(people("T123", "expand=rolls"), 400, "invalid_request")
    expect_error(people("T123", "expand=roles,scope"), 400, "invalid_request")
    for _, oid in ipairs { "X123", "T12", "T1234567" } do
      expect_error(people(oid, nil, {}), 400, "invalid_account_id")
    end
    expect_error(ask(sandbox.dintero_url .. "/v1/nothing"), 404, "not_found")
    expect_error(ask { url = sandbox.dintero_url .. "/v1/accounts/T123/management/users", method = "POST" }, 405,
      "method_not_allowed")
  end)

  it("refuses too many requests where a limit is set", function()
    people "T123"
    sandbox.reset "dintero_rate_limit=2"
    local refused
    for _ = 1, 6 do
      local answer = people "T123"
      refused = refused or (answer.status == 429 and answer)
    end
    expect_error(refused, 429, "too_many_requests")
    assert.equal("1", refused.headers["retry-after"])
    sandbox.reset()
  end)

  it("serves an account of any size", function()
    local answer = people(data.dintero.big_account(12345))
    assert.equal(12345, #answer.document)
    check.same((data.dintero.big_user(12345, 12345)), answer.document[12345])
    check.same((data.dintero.big_user(12345, 99)), answer.document[99])
  end)
end)

describe("the sandbox's control port", function()
  it("counts, logs without credentials, and forgets", function()
    sandbox.reset()
    token = tesouro_token().document.access_token
    list "Limit=1"
    local stats = sandbox.stats().tesouro
    assert.equal(1, stats.token_requests)
    assert.equal(1, stats.user_requests)
    local log = sandbox.log()
    assert.equal(2, #log)
    assert.equal("tesouro", log[2].provider)
    assert.equal("Limit=1", log[2].query)
    check.no_secret(log, { token, sandbox.secret, encode(sandbox.secret) })
    sandbox.reset()
    assert.equal(0, #sandbox.log())
    assert.equal(0, sandbox.stats().tesouro.token_requests)
    assert.equal(200, list().status) -- tokens stay good
  end)

  it("refuses settings that there are not, and sets none then", function()
    sandbox.reset()
    for _, settings in ipairs { "speed=9", "delay_ms=-1", "delay_ms=x", "expire=2", "rate_limit=5&speed=9" } do
      local answer = ask { method = "POST", url = sandbox.control_url .. "/config?" .. settings }
      assert.equal(400, answer.status)
    end
    assert.equal(0, ask(sandbox.control_url .. "/config").document.rate_limit)
    assert.equal(404, ask(sandbox.control_url .. "/nothing").status)
  end)

  it("delays answers as told", function()
    sandbox.reset "delay_ms=80"
    token = tesouro_token().document.access_token
    local began = core.now()
    list "Limit=1"
    assert.is_true(core.now() - began >= 0.08)
  end)
end)
