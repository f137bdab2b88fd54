local check = require "spec.support.check"
local query = require "rollcall.query"

local tesouro = require("rollcall.providers.tesouro").users
local dintero = require("rollcall.providers.dintero").users
local TOKEN = "opaque/token+=="
local UUID = "7e500000-0000-4000-8000-000000000001"

local function checked(collection, options)
  local result = query.check(collection, options, "it", 1)
  return result
end

describe("query.check", function()
  it("fills in the provider's maximum page size and one page ahead", function()
    for _, options in ipairs { false, {} } do
      local result = checked(tesouro, options or nil)
      assert.equal(100, result.page_size)
      assert.equal(1, result.prefetch)
    end
    assert.is_nil(checked(dintero).page_size)
  end)

  it("takes everything that makes sense", function()
    local all = { status = "ALL", organization_type = "BANK", organization_id = UUID, page_size = 1, limit = 0,
      page_token = TOKEN, direction = "backward", prefetch = 0, deadline = 0.5 }
    local before = check.copy(all)
    local result = checked(tesouro, all)
    for name, value in pairs(before) do
      assert.equal(value, result[name])
    end
    check.same(before, all)
    checked(tesouro, { organization_id = UUID:upper(), page_size = 100, prefetch = 64, direction = "forward" })
    checked(dintero, { expand = { "roles" }, search = "doe", limit = 3 })
    checked(dintero, { expand = "roles" })
    checked(dintero, { expand = {} })
  end)

  it("keeps nothing of the caller's tables", function()
    local options = { expand = { "roles" } }
    local result = checked(dintero, options)
    options.expand[1] = "changed"
    check.same({ "roles" }, result.expand)
  end)

  it("knows a list of one and the one as the same walk", function()
    check.same(query.identity(dintero, checked(dintero, { expand = { "roles" } })),
      query.identity(dintero, checked(dintero, { expand = "roles" })))
  end)

  local mistakes = {
    { dintero, { expand = { x = "roles" } }, "expand: expected a list" },
    { dintero, { expand = { [1000] = "roles" } }, "expand: expected a list" },
    { tesouro, { stauts = "ALL" }, "stauts: unknown; did you mean status?" },
    { tesouro, { search = "doe" }, "search: unknown" },
    { tesouro, { status = "all" }, 'status: "all" is none of ACTIVE, INACTIVE, INVITED, ALL (did you mean ALL?)' },
    { tesouro, { status = "DELETED" }, "status: " },
    { tesouro, { status = "" }, "status: " },
    { tesouro, { status = { "ACTIVE" } }, "status: expected one of ACTIVE, INACTIVE, INVITED, ALL, got a table" },
    { tesouro, { status = true }, "status: " },
    { tesouro, { organization_type = "EMBEDED" }, "did you mean EMBEDDED?" },
    { tesouro, { organization_id = "1234" }, "organization_id: expected a uuid" },
    { tesouro, { organization_id = "" }, "organization_id: expected a uuid" },
    { tesouro, { organization_id = UUID .. "0" }, "organization_id: expected a uuid" },
    { tesouro, { organization_id = " " .. UUID }, "organization_id: expected a uuid" },
    { tesouro, { organization_id = UUID:gsub("-", "") }, "organization_id: expected a uuid" },
    { tesouro, { organization_id = UUID:gsub("7e5", "7g5") }, "organization_id: expected a uuid" },
    { tesouro, { organization_id = UUID .. "\r\nX-Evil: 1" }, "organization_id: " },
    { tesouro, { page_size = 0 }, "page_size: expected a whole number from 1 to 100, got 0" },
    { tesouro, { page_size = 101 }, "page_size: expected a whole number from 1 to 100, got 101" },
    { tesouro, { page_size = 1.5 }, "page_size: " },
    { tesouro, { page_size = "10" }, "page_size: " },
    { tesouro, { limit = -1 }, "limit: " },
    { tesouro, { limit = 0.5 }, "limit: " },
    { tesouro, { limit = 0 / 0 }, "limit: " },
    { tesouro, { limit = "10" }, "limit: " },
    { tesouro, { prefetch = -1 }, "prefetch: " },
    { tesouro, { prefetch = 65 }, "prefetch: " },
    { tesouro, { prefetch = true }, "prefetch: " },
    { tesouro, { deadline = -1 }, "deadline: " },
    { tesouro, { deadline = "1s" }, "deadline: " },
    { tesouro, { direction = "back" }, "direction: " },
    { tesouro, { direction = "backward" }, "page_token" },
    { tesouro, { page_token = "" }, "page_token: " },
    { tesouro, { page_token = 12 }, "page_token: " },
    { tesouro, { page_token = "a\nb" }, "page_token: " },
    { tesouro, { page_token = "a\0b" }, "page_token: " },
    { tesouro, { "ALL" }, "1: unknown" },
    { dintero, { status = "ACTIVE" }, "status: unknown" },
    { dintero, { page_size = 10 }, "page_size: unknown" },
    { dintero, { page_token = TOKEN }, "page_token: unknown" },
    { dintero, { direction = "backward" }, "direction: " },
    { dintero, { expand = "rolls" }, "expand: " },
    { dintero, { expand = { "rolls" } }, 'expand.1: "rolls" is none of roles (did you mean roles?)' },
    { dintero, { expand = { "roles", 5 } }, "expand.2: " },
    { dintero, { expand = true }, "expand: " },
    { dintero, { search = 5 }, "search: expected string, got 5" },
    { dintero, { search = "a\rb" }, "search: " },
    { dintero, { search = "a\0b" }, "search: " },
    { dintero, "roles", "expected table" },
  }
  for number, mistake in ipairs(mistakes) do
    it(("names the mistake %d: %s"):format(number, mistake[3]), function()
      local options, before = mistake[2], check.copy(mistake[2])
      local function ask()
        query.check(mistake[1], options, "acme:users", 1)
      end
      check.misuse(ask, "acme:users: ", mistake[3])
      check.same(before, options)
    end)
  end

  it("names every mistake at once", function()
    check.misuse(function()
      query.check(tesouro, { status = "NO", limit = -1, colour = "red" }, "it", 1)
    end, "colour: unknown", "limit: ", "status: ")
  end)
end)

describe("query.request", function()
  local function made(collection, options, headers)
    return query.request(collection, headers, checked(collection, options))
  end

  it("makes parameters and headers of filters, in an order that never changes", function()
    local one = made(tesouro, { status = "ALL", organization_type = "BANK", organization_id = UUID, limit = 5,
      page_size = 3 })
    assert.same({ { "OrganizationType", "BANK" }, { "Status", "ALL" } }, one.parameters)
    assert.same({ "X-Organization-ID: " .. UUID }, one.headers)
    assert.equal("GET", one.method)
    assert.is_nil(one:text())
  end)

  it("sends nothing that was not asked for", function()
    for _, collection in ipairs { tesouro, dintero } do
      local one = made(collection)
      assert.same({}, one.parameters)
      assert.same({}, one.headers)
    end
    assert.same({}, made(dintero, { expand = {} }).parameters)
  end)

  it("joins lists by commas", function()
    assert.same({ { "expand", "roles" }, { "search", "a,b c" } },
      made(dintero, { expand = { "roles" }, search = "a,b c" }).parameters)
    assert.same({ { "expand", "roles" } }, made(dintero, { expand = "roles" }).parameters)
    local collection = { paging = { type = "none" }, filters = { kind = { query = "k", list = "comma" } } }
    assert.same({ { "k", "a,b" } }, made(collection, { kind = { "a", "b" } }).parameters)
  end)
end)

describe("a filter that is sent by a header", function()
  it("is refused where nothing would be sent", function()
    local filters = { tenant = { header = "X-Tenant" } }
    local collection = { path = "/", items = "", paging = { type = "none" }, filters = filters }
    for _, value in ipairs { "", " ", "   " } do
      check.misuse(function() query.check(collection, { tenant = value }, "it", 1) end, "tenant: ", "header")
    end
    query.check(collection, { tenant = "a" }, "it", 1)
  end)
end)
