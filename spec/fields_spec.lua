local check = require "spec.support.check"
local core = require "rollcall.core"
local fields = require "rollcall.fields"

--- The user that a JSON text is, with these rules.
local function user(text, rules, options)
  local decoder = core.decoder { items = "", record = fields.record_type(rules, "acme", options or {}) }
  assert(decoder:feed("[" .. text .. "]"))
  assert(decoder:finish())
  return assert(decoder:next())
end

describe("fields", function()
  it("says who the provider is, on top of a field of that name", function()
    assert.equal("acme", user("{}", nil).provider)
    assert.equal("acme", user('{"provider":"other"}', {}).provider)
    assert.equal("acme", user("{}", { x = "/y" }).provider)
  end)

  it("keeps a provider's own names beside the common ones", function()
    local it = user('{"createdAt":"2024","created_at":"own"}', { created_at = "/createdAt" })
    assert.equal("2024", it.created_at)
    assert.equal("2024", it.createdAt)
    assert.is_nil(it.updated_at)
  end)

  it("follows pointers", function()
    local rules = { a = "/x/y/0", b = "/a~1b", c = "/m~0n", d = "/nothing/here", e = "/null" }
    local it = user('{"x":{"y":["deep"]},"a/b":1,"m~n":true,"null":null}', rules)
    assert.equal("deep", it.a)
    assert.equal(1, it.b)
    assert.is_true(it.c)
    assert.is_nil(it.d)
    assert.is_nil(it.e)
  end)

  it("value is always the same", function()
    local rules = { kind = { value = "person" }, flag = { value = false }, n = { value = 0 } }
    local it = user('{"kind":"robot"}', rules)
    assert.equal("person", it.kind)
    assert.is_false(it.flag)
    assert.equal(0, it.n)
  end)

  it("option is what the client was given", function()
    assert.equal("T123", user("{}", { account_id = { option = "account" } }, { account = "T123" }).account_id)
    assert.is_nil(user("{}", { account_id = { option = "account" } }, {}).account_id)
  end)

  it("present tells something from null and nothing", function()
    local rules = { status = { present = "/deleted_at", yes = "DELETED", no = "ACTIVE" } }
    assert.equal("DELETED", user('{"deleted_at":"2024"}', rules).status)
    assert.equal("DELETED", user('{"deleted_at":false}', rules).status)
    assert.equal("ACTIVE", user('{"deleted_at":null}', rules).status)
    assert.equal("ACTIVE", user("{}", rules).status)
    assert.is_nil(user("{}", { status = { present = "/deleted_at", yes = "DELETED" } }).status)
  end)

  it("any is true, false or unknown", function()
    local rules = { mfa = { any = { "/m/sms/on", "/m/totp/on" }, within = "/m" } }
    local expected = {
      ['{"m":{"sms":{"on":true},"totp":{"on":false}}}'] = "true",
      ['{"m":{"sms":{"on":false},"totp":{"on":true}}}'] = "true",
      ['{"m":{"totp":{"on":true}}}'] = "true",
      ['{"m":{"sms":{"on":false}}}'] = "false",
      ['{"m":{"sms":null,"totp":{"on":false}}}'] = "false",
      ['{"m":{"sms":{"on":"true"}}}'] = "false",
      ['{"m":null}'] = "nil",
      ["{}"] = "nil",
    }
    for text, value in pairs(expected) do
      assert.equal(value, tostring(user(text, rules).mfa), text)
    end
    assert.is_nil(user('{"m":{"sms":{"on":false}}}', { mfa = { any = { "/m/sms/on" } } }).mfa)
  end)

  it("each takes one thing of every element", function()
    local rules = { role_names = { each = "/roles", take = "/name" } }
    local it = user('{"roles":[{"name":"a"},{"id":1},{"name":"\\u00f8"},{"name":""}]}', rules)
    assert.same({ "a", "ø", "" }, it.role_names)
    assert.same({}, user('{"roles":[]}', rules).role_names)
    assert.same({ "b" }, user('{"roles":[null,5,"x",{"name":"b"}]}', rules).role_names)
    assert.is_nil(user('{"roles":null}', rules).role_names)
    assert.is_nil(user('{"roles":"admin"}', rules).role_names)
    assert.is_nil(user("{}", rules).role_names)
  end)

  it("leaves nulls out of each", function()
    local rules = { role_names = { each = "/roles", take = "/name" } }
    assert.same({ "b" }, user('{"roles":[{"name":null},{"name":"b"}]}', rules).role_names)
  end)

  it("list is what there is of several, nil for none", function()
    local rules = { role_names = { list = { "/role", "/other" } } }
    assert.same({ "ADMIN" }, user('{"role":"ADMIN"}', rules).role_names)
    assert.same({ "X" }, user('{"role":null,"other":"X"}', rules).role_names)
    assert.same({ "ADMIN", "X" }, user('{"role":"ADMIN","other":"X"}', rules).role_names)
    assert.is_nil(user('{"role":null}', rules).role_names)
    assert.is_nil(user("{}", rules).role_names)
  end)

  it("computes a field anew at each access, so that nobody shares a table", function()
    local it = user('{"role":"ADMIN"}', { role_names = { list = { "/role" } } })
    it.role_names[1] = "changed"
    assert.same({ "ADMIN" }, it.role_names)
  end)

  it("does not change the rules, nor look at them later", function()
    local rules = { status = { present = "/gone", yes = "DELETED", no = "ACTIVE" }, a = "/b" }
    local before = check.copy(rules)
    local it = user('{"gone":1,"b":2}', rules)
    check.same(before, rules)
    rules.status.yes, rules.a = "changed", "/c"
    assert.equal("DELETED", it.status)
    assert.equal(2, it.a)
  end)
end)
