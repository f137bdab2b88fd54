-- What filters become on the wire: each place and spelling, checked before anything is sent.

local cjson = require "cjson"
local check = require "spec.support.check"
local json = require "rollcall.json"
local request = require "rollcall.http.request"
local rollcall = require "rollcall"

local server
setup(function()
  server = require("spec.support.server").start()
end)
teardown(function()
  server:stop()
end)

local UUID = "3c90c3cc-0d44-4b50-8888-8dd25736052a"

local FILTERS = {
  tags = { query = "tag", list = "repeat" },
  ids = { query = "id", list = "bracket", format = "uuid" },
  kinds = { query = "kind", list = "comma", enum = { "a", "b" } },
  org = { path = "org", required = true },
  since = { query = "since", format = "date-time" },
  age = { query = "age", format = "integer", min = 18, max = 99 },
  active = { query = "active", format = "boolean" },
  code = { header = "X-Code", pattern = { "^%u%u$", "^%d+$" }, expected = "two capital letters, or digits" },
  langs = { header = "X-Langs", list = "comma" },
  region = { query = "region", default = "eu", enum = { "eu", "us" } },
}

local function client(filters, collection, options)
  local declared = { path = "/orgs/{org}/people", items = "", paging = { type = "none" }, filters = filters or FILTERS,
    parameters = { fields = "id,name" } }
  for name, value in pairs(collection or {}) do
    declared[name] = value
  end
  local all = { token = "t-7f3a", base_url = server.url }
  for name, value in pairs(options or {}) do
    all[name] = value
  end
  return rollcall.client({ name = "acme", base_url = { production = "https://a.example" }, users = declared }, all)
end

--- The one request of a walk with this query.
local function sent(query, options)
  server:script { ["/orgs/x"] = { { body = "[]" } } }
  client(nil, nil, options):users(query):count()
  return server:requests()[1]
end

describe("a request's Accept", function()
  it("is the provider's own, however it is spelt, or JSON", function()
    for _, name in ipairs { "Accept", "accept", "ACCEPT" } do
      server:script { ["/people"] = { { body = "[]" } } }
      rollcall.client({ name = "acme", base_url = { production = "https://a.example" }, headers = { [name] = "a/b" },
        users = { path = "/people", items = "", paging = { type = "none" } } }, { token = "t-7f3a",
        base_url = server.url }):users():count()
      assert.equal("a/b", server:requests()[1].headers.accept)
    end
    assert.equal("application/json", sent({ org = "x" }).headers.accept)
  end)
end)

describe("filters", function()
  it("go to the query, lists in three spellings", function()
    local one = sent { org = "x", tags = { "a b", "c&d" }, ids = { UUID, UUID }, kinds = { "a", "b" } }
    assert.equal(("fields=id%%2Cname&id%%5B%%5D=%s&id%%5B%%5D=%s&kind=a%%2Cb&region=eu&tag=a%%20b&tag=c%%26d")
      :format(UUID, UUID), one.query)
    assert.equal("fields=id%2Cname&region=eu&tag=a", sent({ org = "x", tags = "a" }).query)
    assert.equal(("fields=id%%2Cname&id%%5B%%5D=%s&region=eu"):format(UUID), sent({ org = "x", ids = UUID }).query)
    assert.equal("fields=id%2Cname&kind=b&region=eu", sent({ org = "x", kinds = "b" }).query)
    assert.equal("fields=id%2Cname&region=eu", sent({ org = "x", tags = {} }).query)
  end)

  it("go to headers", function()
    local one = sent { org = "x", code = "NO", langs = { "no", "en" } }
    assert.equal("NO", one.headers["x-code"])
    assert.equal("no,en", one.headers["x-langs"])
  end)

  it("go to the path, escaped", function()
    assert.equal("/orgs/a%2F..%2Fb%20%3F%23%25c/people", sent({ org = "a/../b ?#%c" }).path)
    assert.equal("/orgs/%C3%B8/people", sent({ org = "ø" }).path)
    for _, org in ipairs { "", ".", "..", "a\nb", 5 } do
      check.misuse(function() client():users { org = org } end, "acme:users: org: ")
    end
  end)

  it("are numbers and flags where they are declared so", function()
    assert.equal("active=false&age=18&fields=id%2Cname&region=us", (function()
      local parts = {}
      for part in sent({ org = "x", age = 18, active = false, region = "us" }).query:gmatch "[^&]+" do
        parts[#parts + 1] = part
      end
      table.sort(parts)
      return table.concat(parts, "&")
    end)())
  end)

  it("are sent by another name, where the client says so", function()
    local one = sent({ org = "x", tags = "a", ids = { UUID } }, { query_names = { tag = "label", id = "ident",
      fields = "$select" } })
    assert.equal(("%%24select=id%%2Cname&ident%%5B%%5D=%s&region=eu&label=a"):format(UUID), one.query)
  end)

  local mistakes = {
    { {}, "org: missing" },
    { { org = "x", tags = { 5 } }, "tags.1: expected string" },
    { { org = "x", ids = { UUID, "no" } }, "ids.2: expected a uuid" },
    { { org = "x", ids = "no" }, "ids: " },
    { { org = "x", kinds = { "c" } }, 'kinds.1: "c" is none of a, b' },
    { { org = "x", since = "yesterday" }, "since: expected a date-time such as 2026-01-31T12:00:00Z" },
    { { org = "x", age = 17 }, "age: expected a whole number from 18 to 99, got 17" },
    { { org = "x", age = 100 }, "age: " },
    { { org = "x", age = 18.5 }, "age: " },
    { { org = "x", age = "18" }, "age: " },
    { { org = "x", active = "true" }, "active: expected boolean" },
    { { org = "x", code = "nope" }, "code: expected two capital letters, or digits" },
    { { org = "x", code = "NO\r\nX: y" }, "code: " },
    { { org = "x", langs = { "a\nb" } }, "langs.1: a control character" },
    { { org = "x", region = "asia" }, "region: " },
  }
  for number, mistake in ipairs(mistakes) do
    it(("name the mistake %d: %s"):format(number, mistake[2]), function()
      check.misuse(function() client():users(mistake[1]) end, "acme:users: ", mistake[2])
    end)
  end

  it("with a default need not be given, and bind a checkpoint", function()
    server:script { ["/orgs/x/people"] = { { body = '[{"id":1},{"id":2}]' } } }
    local users = client():users { org = "x" }
    assert(users:next())
    local saved = users:checkpoint()
    assert.equal(1, client():users({ org = "x", resume = saved }):count())
    assert.equal(1, client():users({ org = "x", region = "eu", resume = saved }):count())
    check.misuse(function() client():users { org = "x", region = "us", resume = saved } end, "resume: ", "region")
    check.misuse(function() client():users { org = "y", resume = saved } end, "resume: ", "org")
  end)

  it("bind a checkpoint by what they send: an empty list is none", function()
    server:script { ["/orgs/x/people"] = { { body = '[{"id":1},{"id":2}]' } } }
    local users = client():users { org = "x" }
    assert(users:next())
    assert.equal(1, client():users({ org = "x", langs = {}, resume = users:checkpoint() }):count())
  end)
end)

describe("request.new", function()
  it("shares nothing with what is declared", function()
    local collection = { method = "POST", body = { where = { kind = "person" } } }
    local one = request.new(collection)
    one:put({ body = "/where/a~1b/~0c" }, 1)
    local two = one:copy()
    two:put({ body = "/where/kind" }, "other")
    local raw = one:copy()
    raw:put({ body = "/page/after" }, json.raw '[12345678901234567890,"a\\u0062", 1.50]')
    raw:put({ body = "/empty" }, json.raw "{}")
    local text = raw:text()
    assert.is_truthy(text:find('"page":{"after":[12345678901234567890,"a\\u0062", 1.50]}', 1, true))
    assert.is_truthy(text:find('"empty":{}', 1, true))
    check.same({ kind = "person", ["a/b"] = { ["~c"] = 1 } }, cjson.decode(text).where)
    check.same({ where = { kind = "person" } }, collection.body)
    check.same({ where = { kind = "person", ["a/b"] = { ["~c"] = 1 } } }, cjson.decode(one:text()))
    assert.equal("other", two.body.where.kind)
    two:put({ query = "x" }, "y")
    assert.same({}, one.parameters)
  end)

  it("writes a list with commas alike wherever it goes", function()
    for value, text in pairs { [{ true, false }] = "true,false", [{ 1.0, 2.5, 2 ^ 60 }] = "1,2.5,1152921504606846976",
      [{ "a" }] = "a" } do
      local one = request.new { method = "POST" }
      one:put({ body = "/f" }, value, "comma")
      one:put("f", value, "comma")
      assert.equal(text, one.body.f)
      assert.same({ { "f", text } }, one.parameters)
    end
  end)

  it("writes a number alike whoever has it as a float", function()
    local one = request.new {}
    for _, place in ipairs { "a", { query = "b" }, { header = "X-C" } } do
      one:put(place, 10.0)
    end
    assert.same({ { "a", "10" }, { "b", "10" } }, one.parameters)
    assert.same({ "X-C: 10" }, one.headers)
  end)

  it("has the provider's headers", function()
    assert.same({ "Accept: a/b", "X-Version: 1" },
      request.new({}, { ["X-Version"] = "1", Accept = "a/b" }).headers)
  end)
end)
