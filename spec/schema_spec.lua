local schema = require "rollcall.schema"
local tables = require "rollcall.tables"

local function check(value, node)
  return schema.check(value, node)
end

describe("schema.check", function()
  it("finds nothing wrong with what fits", function()
    assert.same({}, check({ a = "x", b = 3, c = true, d = { 1, 2 } }, { type = "table", fields = {
      a = { type = "string" },
      b = { type = "integer", min = 3, max = 3 },
      c = { type = "boolean|string", required = true },
      d = { type = "table", values = { type = "number" } },
      e = { type = "function" },
    } }))
  end)

  it("names the type that it takes, and the value it got", function()
    assert.same({ "a: expected string, got 5" }, check({ a = 5 }, { fields = { a = { type = "string" } } }))
    assert.same({ "a: expected string or function, got true" },
      check({ a = true }, { fields = { a = { type = "string|function" } } }))
    assert.same({ "a: expected a URL, got a table" },
      check({ a = {} }, { fields = { a = { type = "string", expected = "a URL" } } }))
    assert.same({ "expected table, got \"x\"" }, check("x", { type = "table" }))
  end)

  it("takes whole numbers only for an integer", function()
    local node = { fields = { a = { type = "integer", min = 1, max = 100 } } }
    for _, good in ipairs { 1, 100, 50.0 } do
      assert.same({}, check({ a = good }, node))
    end
    for _, bad in ipairs { 0, 101, 1.5, -1, "5", 1 / 0, -1 / 0, 0 / 0, 2 ^ 60 } do
      local problems = check({ a = bad }, node)
      assert.equal(1, #problems, tostring(bad))
      assert.truthy(problems[1]:find("^a: expected a whole number from 1 to 100, got "), problems[1])
    end
  end)

  it("refuses NaN as a number", function()
    assert.equal(1, #check({ a = 0 / 0 }, { fields = { a = { type = "number", min = 0 } } }))
  end)

  it("lists what an enum takes, and guesses what was meant", function()
    local node = { fields = { status = { type = "string", enum = { "ACTIVE", "INACTIVE", "INVITED", "ALL" } } } }
    assert.same({}, check({ status = "ALL" }, node))
    assert.same({ 'status: "active" is none of ACTIVE, INACTIVE, INVITED, ALL (did you mean ACTIVE?)' },
      check({ status = "active" }, node))
    assert.same({ 'status: "gone" is none of ACTIVE, INACTIVE, INVITED, ALL' }, check({ status = "gone" }, node))
    assert.same({ "status: expected one of ACTIVE, INACTIVE, INVITED, ALL, got 1" }, check({ status = 1 }, node))
  end)

  it("names unknown keys, and the one that was meant", function()
    local node = { fields = { page_size = { type = "integer" }, limit = { type = "integer" } } }
    assert.same({ "pagesize: unknown; did you mean page_size?" }, check({ pagesize = 3 }, node))
    assert.same({ "zebra: unknown; it takes limit, page_size" }, check({ zebra = 3 }, node))
    assert.same({ "1: unknown; it takes limit, page_size" }, check({ "x" }, node))
  end)

  it("names what is missing", function()
    assert.same({ "a: missing; expected string" },
      check({}, { fields = { a = { type = "string", required = true }, b = { type = "string" } } }))
  end)

  it("names nested mistakes by their path, all of them, in order", function()
    local node = { type = "table", fields = {
      users = { type = "table", fields = {
        paging = { type = "table", fields = { type = { type = "string", enum = { "none", "cursor" } } } },
        filters = { type = "table", keys = { type = "string", expected = "a name" }, values = {
          type = "table", fields = { query = { type = "string" } } } },
      } },
    } }
    assert.same({
      "users.filters.a.query: expected string, got 1",
      "users.filters.b: expected table, got false",
      'users.paging.type: "cursr" is none of none, cursor (did you mean cursor?)',
    }, check({ users = { filters = { a = { query = 1 }, b = false }, paging = { type = "cursr" } } }, node))
  end)

  it("checks every element of a list by its place", function()
    local node = { fields = { accounts = { type = "table", values = { type = "string" } } } }
    assert.same({ "accounts.2: expected string, got 7" }, check({ accounts = { "a", 7, "c" } }, node))
  end)

  it("asks a test, which says true, false or what is wrong", function()
    local function test(value)
      return value == "good" or value == "odd" and "an odd one"
    end
    local node = { fields = { a = { type = "string", expected = "a good one", test = test } } }
    assert.same({}, check({ a = "good" }, node))
    assert.same({ 'a: an odd one; got "odd"' }, check({ a = "odd" }, node))
    assert.same({ 'a: expected a good one, got "bad"' }, check({ a = "bad" }, node))
  end)

  it("never shows the value of a secret", function()
    local node = { fields = { token = { type = "string", secret = true, test = function() return false end } } }
    for _, value in ipairs { "hunter22", 12345678 } do
      local problems = check({ token = value }, node)
      assert.equal(1, #problems)
      assert.is_nil(problems[1]:find(tostring(value), 1, true), problems[1])
    end
  end)

  it("leaves the value alone", function()
    local value = { a = { 1, "x" }, b = "y" }
    check(value, { fields = { a = { type = "table", values = { type = "string" } } } })
    assert.same({ a = { 1, "x" }, b = "y" }, value)
  end)
end)

describe("tables.is_list", function()
  it("is true of the keys from 1 on, and of no others", function()
    for _, list in ipairs { {}, { "a" }, { "a", "b", "c" } } do
      assert.is_true(tables.is_list(list))
    end
    for _, other in ipairs { { a = 1 }, { "a", nil, "c" }, { "a", nil, "c", x = 1 }, { [2] = "b" }, { "a", x = 1 } } do
      assert.is_false(tables.is_list(other))
    end
  end)
end)

describe("schema.show", function()
  it("is short, and one line", function()
    assert.equal('"a\\x0A\\x00b"', schema.show "a\n\0b")
    assert.equal(62, #schema.show(("x"):rep(1000)))
    assert.equal("12", schema.show(12))
    assert.equal("false", schema.show(false))
    assert.equal("a table", schema.show {})
    assert.equal("a nil", schema.show(nil))
  end)
end)

describe("schema.nearest", function()
  it("finds near spellings only", function()
    local names = { "client_id", "client_secret", "base_url" }
    assert.equal("client_id", schema.nearest("clientid", names))
    assert.equal("client_secret", schema.nearest("CLIENT_SECRT", names))
    assert.equal("base_url", schema.nearest("baseurl", names))
    for _, swapped in ipairs { "emial", "emali", "meail" } do
      assert.equal("email", schema.nearest(swapped, { "name", "email" }))
    end
    assert.is_nil(schema.nearest("laime", { "email" }))
    assert.is_nil(schema.nearest("zebra", names))
    assert.is_nil(schema.nearest("", names))
  end)
end)
