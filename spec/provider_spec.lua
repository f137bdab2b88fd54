local check = require "spec.support.check"
local cjson = require "cjson"
local provider = require "rollcall.provider"
local request = require "rollcall.http.request"
local rollcall = require "rollcall"

--- A small provider that is right, changed by `change`.
local function declared(change)
  local made = {
    name = "acme",
    base_url = { production = "https://api.acme.example", sandbox = "https://sandbox.acme.example/v2" },
    auth = { type = "client_credentials", path = "/token", body = "form", credentials = "body" },
    options = { tenant = { pattern = { "^%d+$" }, expected = "a number", list = "tenants", required = true } },
    users = {
      path = "/tenants/{tenant}/users",
      items = "/data",
      paging = { type = "cursor", query = "after", next = "/next" },
      filters = { state = { query = "state", enum = { "on", "off" } }, org = { header = "X-Org", format = "uuid" } },
      fields = { account_id = "/tenant/id", status = { present = "/gone", yes = "DELETED", no = "ACTIVE" } },
    },
  }
  if change then
    change(made)
  end
  return made
end

describe("provider.check", function()
  it("answers a copy that shares nothing", function()
    local mine = declared()
    local before = check.copy(mine)
    local copy = provider.check(mine)
    before.collections = { users = before.users }
    check.same(before, copy)
    mine.users.filters.state.enum[1] = "changed"
    mine.base_url.production = "https://evil.example"
    check.same(before, copy)
  end)

  it("takes the built-in ones", function()
    for _, name in ipairs { "tesouro", "dintero" } do
      local built_in = require("rollcall.providers." .. name)
      local before = check.copy(built_in)
      local checked = provider.check(built_in)
      check.same(before, built_in)
      check.same(before.users or before.collections.users, checked.users)
    end
  end)

  it("takes the least that makes sense", function()
    provider.check { name = "small", base_url = { production = "https://small.example" },
      users = { path = "/users", items = "", paging = { type = "none" } } }
  end)

  it("takes a provider without an address, whose client must say it", function()
    local mine = declared(function(p) p.base_url = false end)
    assert.is_false(provider.check(mine).base_url)
    check.misuse(function() rollcall.client(mine, { token = "t", tenant = "5" }) end,
      "base_url: missing; expected a URL")
    assert.equal("https://x.example",
      rollcall.client(mine, { token = "t", tenant = "5", base_url = "https://x.example/" }).base_url)
  end)

  it("takes http for loopback only", function()
    provider.check(declared(function(p) p.base_url.production = "http://127.0.0.1:8080" end))
  end)

  local mistakes = {
    { "name: missing", function(p) p.name = nil end },
    { "name: ", function(p) p.name = "my provider" end },
    { "name: ", function(p) p.name = "a\nb" end },
    { "base_url: missing", function(p) p.base_url = nil end },
    { "base_url.production: missing", function(p) p.base_url = { sandbox = "https://a.example" } end },
    { "base_url.production: ", function(p) p.base_url.production = "http://api.acme.example" end },
    { "base_url.production: ", function(p) p.base_url.production = "api.acme.example" end },
    { "base_url.production: ", function(p) p.base_url.production = "https://a.example/?x=1" end },
    { "base_url.production: ", function(p) p.base_url.production = 5 end },
    { "auth.type: ", function(p) p.auth.type = "magic" end },
    { "auth.path: ", function(p) p.auth.path = "token" end },
    { "auth.body: ", function(p) p.auth.body = "xml" end },
    { 'auth.credentials: "header" is none of body, basic', function(p) p.auth.credentials = "header" end },
    { "auth.expired.message: missing", function(p) p.auth.expired = { status = 400 } end },
    { "auth.expired.status: ", function(p) p.auth.expired = { status = 600, message = "x" } end },
    { "limited.status: ", function(p) p.limited = { status = 199, message = "x" } end },
    { "limited.message: ", function(p) p.limited = { status = 200, message = "" } end },
    { "limited.2.message: missing", function(p)
      p.limited = { { status = 200, message = "x" }, { status = 429 } }
    end },
    { "users.path: a query in it; it goes into parameters", function(p) p.users.path = "/users?active=true" end },
    { "auth.scopes: unknown; did you mean scope?", function(p) p.auth.scopes = "x" end },
    { "options.tenant.pattern: missing", function(p) p.options.tenant.pattern = nil end },
    { "options.tenant.expected: missing", function(p) p.options.tenant.expected = nil end },
    { "options.tenant.pattern.1: ", function(p) p.options.tenant.pattern[1] = 5 end },
    { "users: missing", function(p) p.users = nil end },
    { "users.path: ", function(p) p.users.path = "users" end },
    { "users.path: ", function(p) p.users.path = "/users?x=1" end },
    { "users.path: ", function(p) p.users.path = "/users\r\nX: y" end },
    { "users.items: missing", function(p) p.users.items = nil end },
    { "users.items: ", function(p) p.users.items = "data" end },
    { 'users.paging.type: "cursr" is none of', function(p) p.users.paging.type = "cursr" end },
    { "did you mean cursor?", function(p) p.users.paging.type = "cursr" end },
    { "users.paging.type: missing", function(p) p.users.paging = {} end },
    { "users.paging.type: ", function(p) p.users.paging = { type = 5 } end },
    { "users.paging: missing", function(p) p.users.paging = nil end },
    { "users.paging: expected", function(p) p.users.paging = "cursor" end },
    { "users.paging.query: missing", function(p) p.users.paging.query = nil end },
    { "users.paging.next: missing", function(p) p.users.paging.next = nil end },
    { "users.paging.next: ", function(p) p.users.paging.next = "next" end },
    { "users.paging.previous: ", function(p) p.users.paging.previous = "previous" end },
    { "users.paging.nxt: unknown; did you mean next?", function(p) p.users.paging.nxt = "/x" end },
    { "users.paging.max_size: ", function(p) p.users.paging.max_size = 0 end },
    { "users.paging.next: unknown", function(p) p.users.paging = { type = "none", next = "/next" } end },
    { "users.filters.state.enum: ", function(p) p.users.filters.state.enum = "on" end },
    { "users.filters.state.enum.2: ", function(p) p.users.filters.state.enum[2] = {} end },
    { "users.filters.state: ", function(p) p.users.filters.state.query = nil end },
    { "users.filters.state: ", function(p) p.users.filters.state.header = "X-State" end },
    { "users.filters.org.header: ", function(p) p.users.filters.org.header = "X-Org: a\r\nB" end },
    { 'users.filters.org.format: "uid" is none of', function(p) p.users.filters.org.format = "uid" end },
    { "users.filters.org.list: ", function(p) p.users.filters.org.list = "semicolon" end },
    { "users.fields.status: ", function(p) p.users.fields.status = {} end },
    { "users.fields.account_id: ", function(p) p.users.fields.account_id = "tenant" end },
    { "users.fields.account_id: ", function(p) p.users.fields.account_id = 5 end },
    { "users.pagin: unknown; did you mean paging?", function(p) p.users.pagin = {} end },
    { "user: unknown; did you mean users?", function(p) p.user = {} end },
    -- what would otherwise fail only once users come
    { "users.fields.roles", function(p) p.users.fields.roles = { each = "/roles" } end },
    { "users.fields.roles", function(p) p.users.fields.roles = { each = 5, take = "/name" } end },
    { "users.fields.roles", function(p) p.users.fields.roles = { each = "/roles", take = "name" } end },
    { "users.fields.mfa", function(p) p.users.fields.mfa = { any = "/mfa" } end },
    { "users.fields.mfa", function(p) p.users.fields.mfa = { any = { "mfa" } } end },
    { "users.fields.mfa", function(p) p.users.fields.mfa = { any = { "/a" }, within = 5 } end },
    { "users.fields.roles", function(p) p.users.fields.roles = { list = "/role" } end },
    { "users.fields.status", function(p) p.users.fields.status = { present = true } end },
    { "users.fields.account_id", function(p) p.users.fields.account_id = { option = "account" } end },
    { "users.fields.account_id", function(p) p.users.fields.account_id = "/a/~2" end },
    { "users.fields.x.first.2", function(p) p.users.fields.x = { first = { "/a", "b" } } end },
    { "users.fields.x.first", function(p) p.users.fields.x = { first = {} } end },
    { "users.fields.x.first", function(p) p.users.fields.x = { first = "/a" } end },
    { "users.fields.x.first.1: account: unknown",
      function(p) p.users.fields.x = { first = { { account = "/a" } } } end },
    { "users.fields.x.where: missing", function(p) p.users.fields.x = { pick = "/a", take = "/b" } end },
    { "users.fields.x.join", function(p) p.users.fields.x = { join = "/a" } end },
    { "users.fields.x.flag", function(p) p.users.fields.x = { flag = "a", yes = "A" } end },
    { "base_url: expected", function(p) p.base_url = true end },
    { "users.items: ", function(p) p.users.items = "/a~" end },
    { "users.path", function(p) p.users.path = "/accounts/{account}/users" end },
    { "auth.path", function(p) p.auth.path = "/{account}/token" end },
    { "auth.audience", function(p) p.auth.audience = "https://acme.example/{account}" end },
    { "users.path: {tenant}", function(p) p.options.tenant.required = nil end },
    -- two mistakes that hide each other
    { "users.filters.limit", function(p) p.users.filters.limit = { query = "limit" } end },
    { "users.id: ", function(p) p.users.id = 5 end },
    { "users.id: ", function(p) p.users.id = "" end },
    { "users.id: ", function(p) p.users.id = "/a~" end },
    { "users.fields.x.to: missing", function(p) p.users.fields = { x = { map = "/a" } } end },
    { "users.fields.x.to.on: expected string or number or boolean", function(p)
      p.users.fields = { x = { map = "/a", to = { on = {} } } }
    end },
    { "users.fields.x.to.0: expected string", function(p)
      p.users.fields = { x = { map = "/a", to = { [0] = "b" } } }
    end },
    { 'users.fields.x.unit: "us" is none of s, ms', function(p)
      p.users.fields = { x = { epoch = "/a", unit = "us" } }
    end },
    { "users.id: it has 17 steps; expected at most 16", function(p) p.users.id = ("/a"):rep(17) end },
    { "users.id: ", function(p) p.users.id = "a\0b" end },
    { 'users: "X-Key" is the place of auth already', function(p)
      p.auth, p.headers = { type = "header", name = "X-Key" }, { ["X-Key"] = "v" }
    end },
    { "headers.Content-Type: it is the collection's content_type", function(p)
      p.headers = { ["Content-Type"] = "a/b" }
    end },
    { "users.content_type: ", function(p) p.users.method, p.users.content_type = "POST", "a/b c d" end },
    { "users.content_type: ", function(p) p.users.method, p.users.content_type = "POST", "a/b;" end },
    { "users.content_type: only a collection", function(p) p.users.content_type = "text/json" end },
    { "users.content_type: ", function(p) p.users.method, p.users.content_type = "POST", "json" end },
    { "users.content_type: ", function(p) p.users.method, p.users.content_type = "POST", "a/b\r\nX: y" end },
    { "users.paging.ends: ", function(p) p.users.paging = { type = "page", query = "q", ends = true } end },
    { "users.paging.ends: ", function(p) p.users.paging = { type = "after", query = "q", item = "/id", ends = 5 } end },
    { "users.parameters.org: an option stands in paths only", function(p)
      p.options = { org = { pattern = { "." }, expected = "a name", required = true } }
      p.users.parameters = { org = "is {org}" }
    end },
    { "users.body.where.1: an option stands in paths only", function(p)
      p.options = { org = { pattern = { "." }, expected = "a name", required = true } }
      p.users.method, p.users.body = "POST", { query = "{users{id}}", where = { "{org}", "{other}" } }
    end },
    { "users.empty: ", function(p) p.users.empty = "nul" end },
    { "users.empty", function(p) p.users.empty = { "null", "blank" } end },
    { "users.empty.2.message: missing", function(p) p.users.empty = { "null", { status = 404 } } end },
    { "users.empty.status: ", function(p) p.users.empty = { status = 600, message = "none" } end },
    { "a brace that is no part", function(p) p.users.path = "/a/{b-c}/d" end },
    { "a brace that is no part", function(p) p.users.path = "/a/{b" end },
    { "a [ without its ]", function(p) p.options = { x = { pattern = { "^a[bc$" }, expected = "x" } } end },
    { "a [ without its ]", function(p) p.options = { x = { pattern = { "[]" }, expected = "x" } } end },
    { "a [ without its ]", function(p) p.options = { x = { pattern = { "[a%]" }, expected = "x" } } end },
    { "a % that breaks off", function(p) p.options = { x = { pattern = { "a%" }, expected = "x" } } end },
    { "a % that breaks off", function(p) p.options = { x = { pattern = { "%b(" }, expected = "x" } } end },
    { "a ( without its )", function(p) p.options = { x = { pattern = { "(a" }, expected = "x" } } end },
    { "%2 refers to no capture", function(p) p.options = { x = { pattern = { "^(%a)%2$" }, expected = "x" } } end },
    { "%1 refers to no capture", function(p) p.options = { x = { pattern = { "^(%a%1)$" }, expected = "x" } } end },
    { "%1 refers to no capture", function(p) p.options = { x = { pattern = { "^((a)%1)$" }, expected = "x" } } end },
    { "credentials in a URL end up in logs; use the options for them; got a string", function(p)
      p.auth = { type = "client_credentials", url = "https://me:hunter22@a.example/token" }
    end },
    { "auth.url: an option stands in its path only", function(p)
      p.auth = { type = "client_credentials", url = "https://{tenant}.example/token" }
    end },
    { "base_url: missing; expected an https URL for each environment", function(p) p.base_url = nil end },
    -- two things in one place
    { 'users.paging.size: "after" is the place of paging already', function(p) p.users.paging.size = "after" end },
    { 'users.paging: "after" is the place of parameters.after', function(p) p.users.parameters = { after = "0" } end },
    { 'users.filters.state: "after" is the place of paging', function(p) p.users.filters.state.query = "after" end },
    { "users.filters.org", function(p) p.headers = { ["x-org"] = "a" } end },
    { "users.paging.previous: next is the same", function(p) p.users.paging.previous = "/next" end },
    { "users.paging.previous: next is the same", function(p)
      p.users.paging.next, p.users.paging.previous = { header = "X-Next" }, { header = "x-next" }
    end },
    { "users.paging.previous: ", function(p) p.users.paging = { type = "link", previous = "next" } end },
    { 'users.paging.next: it leads to the list of items at "/data"', function(p) p.users.paging.next = "/data" end },
    { 'users.paging.more: it leads to the list of items at "/data"', function(p) p.users.paging.more = "/data" end },
    { "users.paging.next: ", function(p) p.users.paging.next = "" end },
    -- names that are taken
    { "collections.shared: every client has something of that name",
      function(p) p.collections = { shared = p.users } end },
    { "options.token: every client has an option of that name",
      function(p) p.options.token = { pattern = { "." }, expected = "x" } end },
    { "options.retry: every client", function(p) p.options.retry = { pattern = { "." }, expected = "x" } end },
    { "options.tenant.list: every client", function(p) p.options.tenant.list = "client_secret" end },
    { "options.tenant.list: tenant is the name of an option already",
      function(p) p.options.tenant.list = "tenant" end },
    { "options.zone.list: tenants is the name of another list already",
      function(p) p.options.zone = { pattern = { "." }, expected = "x", list = "tenants" } end },
    -- headers that say what is not the provider's to say
    { "users.paging.header: it follows from base_url",
      function(p) p.users.paging.query, p.users.paging.header = nil, "Host" end },
    { "users.paging.header: use auth for it",
      function(p) p.users.paging.query, p.users.paging.header = nil, "authorization" end },
    { "users.paging.size.header: it follows from the body",
      function(p) p.users.paging.size = { header = "Content-Length" } end },
    { "auth.name: it follows from base_url", function(p) p.auth = { type = "header", name = "Host" } end },
    { "auth.name: it follows from the body", function(p) p.auth = { type = "header", name = "content-length" } end },
    { "users.filters.state.pattern: expected at least one", function(p)
      p.users.filters.state.enum, p.users.filters.state.pattern = nil, {}
    end },
    { "users.filters.state.pattern.1: no Lua pattern", function(p)
      p.users.filters.state.enum, p.users.filters.state.pattern = nil, { "[" }
    end },
    { "options.tenant.pattern", function(p) p.options.tenant.pattern = {} end },
    { "options.tenant.pattern.1: no Lua pattern", function(p) p.options.tenant.pattern = { "%1" } end },
    { "users.paging.step: ", function(p)
      p.users.paging = { type = "offset", query = "from", size = "n", step = "size" }
    end },
    { "users.paging.step: ", function(p)
      p.users.paging = { type = "offset", query = "from", size = "n", max_size = 9, step = "count" }
    end },
    { "a ) without its (", function(p) p.options = { x = { pattern = { "a)" }, expected = "x" } } end },
  }
  for number, mistake in ipairs(mistakes) do
    it(("names the mistake %d: %s"):format(number, mistake[1]), function()
      local wrong = declared(mistake[2])
      check.misuse(function() provider.check(wrong) end, mistake[1])
    end)
  end

  it("knows the options of every client by their names", function()
    local message = check.misuse(function()
      rollcall.client({ name = "small", base_url = { production = "https://small.example" },
        users = { path = "/users", items = "", paging = { type = "none" } } }, { ["x!"] = 1 })
    end, "x!: unknown; it takes ")
    assert.equal(table.concat(require "rollcall.option_names", ", "), message:match "it takes ([^;\n]*)")
  end)

  it("takes an Authorization header for who asks", function()
    provider.check(declared(function(p) p.auth = { type = "header", name = "Authorization", prefix = "SSWS " } end))
  end)

  it("reads parts of frozen providers, and shares none of them", function()
    local frozen = rollcall.provider(declared())
    local mine = declared(function(p) p.users.paging, p.users.filters = frozen.users.paging, frozen.users.filters end)
    check.same(provider.check(declared()), provider.check(mine))
  end)

  it("takes every sound Lua pattern", function()
    provider.check(declared(function(p)
      p.options.x = { expected = "x", pattern = { "", "^[]%]a-z]+$", "[^]]", "%b()", "%f[%w]%w", "(a)(b)%1", "%%",
        "[%%]", "()%)", "[(]" } }
    end))
  end)

  it("takes the name of the field that tells users apart", function()
    assert.equal("uuid", provider.check(declared(function(p) p.users.id = "uuid" end)).users.id)
    for _, sound in ipairs { "application/json", 'application/json; charset="utf-8"', "application/x-amz-json-1.1",
      "a/b;c=d ;e=f" } do
      provider.check(declared(function(p) p.users.method, p.users.content_type = "POST", sound end))
    end
    local endless = declared()
    endless.users.body = { endless }
    endless.users.method = "POST"
    check.misuse(function() provider.check(endless) end, "users.body")
    assert.equal("/a/b~1", provider.check(declared(function(p) p.users.id = "/a/b~1" end)).users.id)
  end)

  it("names every mistake, a line each, and the provider", function()
    local message = check.misuse(function()
      provider.check(declared(function(p)
        p.auth.body, p.users.items, p.colour = "xml", nil, "red"
      end))
    end, "provider acme:")
    local _, lines = message:gsub("\n", "")
    assert.equal(3, lines)
    check.contains(message, "colour: unknown", "auth.body: ", "users.items: missing")
  end)

  it("refuses what is no table", function()
    for _, value in ipairs { "acme", 5, true } do
      check.misuse(function() provider.check(value) end, "expected table")
    end
    check.misuse(function() provider.check(nil) end, "expected table")
  end)
end)

describe("an option that stands in a path", function()
  it("is never dots alone, which would lead elsewhere", function()
    local mine = declared(function(p) p.options.tenant.pattern = { "^[%w.]+$" } end)
    for _, value in ipairs { ".", ".." } do
      check.misuse(function() rollcall.client(mine, { token = "t", tenant = value }) end, "tenant: ", "more than dots")
      check.misuse(function() rollcall.client(mine, { token = "t", tenants = { value } }) end, "more than dots")
    end
    assert.truthy(rollcall.client(mine, { token = "t", tenant = "a.b" }))
  end)
end)

describe("rollcall.provider", function()
  it("checks, and answers what nobody can change", function()
    local mine = declared()
    local frozen = rollcall.provider(mine)
    mine.users.path = "/elsewhere"
    assert.equal("acme", frozen.name)
    assert.equal("/tenants/{tenant}/users", frozen.users.path)
    assert.equal("on", frozen.users.filters.state.enum[1])
    assert.is_nil(frozen.users.filters.nothing)
    for _, change in ipairs {
      function() frozen.name = "other" end,
      function() frozen.new = 1 end,
      function() frozen.users.path = "/evil" end,
      function() frozen.users.filters.state.enum[1] = "x" end,
      function() frozen.collections.users.paging.query = "x" end,
    } do
      check.misuse(change, "a provider cannot be changed")
    end
    assert.has_error(function() setmetatable(frozen, nil) end)
    assert.equal("/tenants/{tenant}/users", frozen.users.path)
    assert.equal("after", frozen.collections.users.paging.query)
  end)

  it("answers what a client takes, and what can be checked again", function()
    local frozen = rollcall.provider(declared())
    assert.equal("acme", rollcall.provider(frozen).name)
    local client = rollcall.client(frozen, { token = "t", tenant = "5" })
    check.misuse(function() client.provider.users.path = "/evil" end, "a provider cannot be changed")
  end)

  it("raises at its caller", function()
    check.misuse(function() rollcall.provider { name = "x" } end, "provider x:", "base_url: missing", "users: missing")
  end)
end)

describe("a provider in the folder providers", function()
  after_each(function()
    for _, name in ipairs { "acme_built_in", "acme_broken" } do
      package.preload["rollcall.providers." .. name], package.loaded["rollcall.providers." .. name] = nil, nil
      rawset(rollcall, name, nil)
    end
  end)

  it("is found by its name", function()
    package.preload["rollcall.providers.acme_built_in"] = function()
      return declared(function(p) p.name = "acme_built_in" end)
    end
    assert.equal("acme_built_in", rollcall.acme_built_in({ token = "t", tenant = "5" }).provider.name)
    assert.equal("acme_built_in", rollcall.client("acme_built_in", { token = "t", tenant = "5" }).provider.name)
    check.misuse(function() rollcall.acme_built_in { tenant = "5" } end, "acme_built_in: expected token")
    check.misuse(function() rollcall.tesouro {} end, "tesouro: expected token")
  end)

  it("that is not there is nil, and one that is broken says so", function()
    assert.is_nil(rollcall.no_such_provider)
    assert.is_nil(rollcall["../tesouro"])
    assert.is_nil(rollcall[5])
    package.preload["rollcall.providers.acme_broken"] = function() error("a typing mistake") end
    for _ = 1, 2 do
      local good, message = pcall(function() return rollcall.acme_broken end)
      assert.is_false(good)
      check.contains(message, "a typing mistake")
      assert.equal(1, message:find('the provider "acme_broken": ', 1, true))
    end
  end)
end)

describe("the README", function()
  local file = assert(io.open "README.md")
  local text = file:read "*a"
  file:close()
  local source = assert(text:match "```lua\n(local acme = {.-\n}\n)")
  local load_text = rawget(_G, "loadstring") or load

  local function acme()
    return assert(load_text(source .. "return acme"))()
  end

  it("has a provider that is one", function()
    assert.equal("/v2/people", rollcall.provider(acme()).users.path)
  end)

  it("shows the mistakes as they are named", function()
    local shown = assert(text:match "```\n(provider acme:\n.-)\n```")
    local wrong = acme()
    wrong.users.paging.nxt, wrong.users.paging.next = wrong.users.paging.next, nil
    local good, message = pcall(rollcall.provider, wrong)
    assert.is_false(good)
    assert.equal(shown, message:match "provider acme:.*$")
  end)

  it("has a reference with each paging type, each way to authenticate and each format", function()
    local reference = assert(io.open "lua/rollcall/providers/README.md")
    local words = reference:read "*a"
    reference:close()
    for name in pairs(require "rollcall.paging") do
      check.contains(words, "| `" .. name .. "` |")
    end
    for name in pairs(require("rollcall.auth").types) do
      check.contains(words, "`" .. name .. "`")
    end
    for name in pairs(require "rollcall.formats") do
      check.contains(words, "`" .. name .. "`")
    end
  end)
end)

describe("places in a body", function()
  it("may not be one inside the other", function()
    check.misuse(function()
      provider.check { name = "acme", base_url = { production = "https://api.acme.example" }, users = {
        path = "/search", method = "POST", items = "/data",
        paging = { type = "cursor", body = "/page", next = "/next", token = "json", size = { body = "/page/size" } } } }
    end, "/page/size", "one inside the other")
  end)

  it("lead through the lists of the declared body, and nowhere else", function()
    local function with_filter(place)
      return { name = "acme", base_url = { production = "https://api.acme.example" }, users = {
        path = "/search", method = "POST", items = "/data", body = { where = { { field = "state" } }, kind = "person" },
        filters = { state = { body = place } },
        paging = { type = "none" } } }
    end
    for place, problem in pairs { ["/where/1/value"] = "the list of 1 in the declared body has no member 1",
      ["/where/field"] = "has no member field", ["/kind/of"] = "kind in the declared body is no object" } do
      check.misuse(function()
        provider.check(with_filter(place))
      end, "users.filters.state: ", place, problem)
    end
    local one = request.new(with_filter("/where/0/value").users)
    one:put({ body = "/where/0/value" }, "gone")
    check.same({ where = { { field = "state", value = "gone" } }, kind = "person" }, cjson.decode(one:text()))
  end)

  it("may not stand around the items that they are read beside", function()
    check.misuse(function()
      provider.check { name = "acme", base_url = { production = "https://api.acme.example" }, users = {
        path = "/search", items = "/data/list", paging = { type = "cursor", query = "c", next = "/data" } } }
    end, "users.paging.next: ", "is inside it")
  end)
end)
