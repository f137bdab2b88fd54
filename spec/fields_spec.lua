local check = require "spec.support.check"
local core = require "rollcall.core"
local fields = require "rollcall.fields"
local record_type = require "rollcall.record_type"

--- The user that a JSON text is, with these rules.
local function user(text, rules, options)
  local decoder = core.decoder { items = "", record = record_type.new(fields.common(rules, "acme", options or {})) }
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

  it("flag tells true from false and from what is neither", function()
    local rules = { status = { flag = "/active", yes = "ACTIVE", no = "INACTIVE" } }
    for text, value in pairs { ['{"active":true}'] = "ACTIVE", ['{"active":false}'] = "INACTIVE",
      ['{"active":null}'] = "nil", ["{}"] = "nil", ['{"active":"True"}'] = "ACTIVE",
      ['{"active":"false"}'] = "INACTIVE", ['{"active":"yes"}'] = "nil", ['{"active":1}'] = "nil" } do
      assert.equal(value, tostring(user(text, rules).status), text)
    end
    assert.is_nil(user('{"active":false}', { status = { flag = "/active", yes = "ACTIVE" } }).status)
  end)

  it("map says one thing for another, and leaves what it does not know", function()
    local rules = { status = { map = "/s", to = { on = "ACTIVE", ["0"] = "INACTIVE", ["1.5"] = true, off = false,
      ["true"] = "yes" } } }
    for text, value in pairs { ['"on"'] = "ACTIVE", ["0"] = "INACTIVE", ['"0"'] = "INACTIVE",
      ["-0"] = "INACTIVE", ["1.5"] = true,
      ['"off"'] = false, ['"new"'] = "new", ["true"] = "yes", ["false"] = false, ["7"] = 7, ['""'] = "" } do
      assert.equal(value, user('{"s":' .. text .. "}", rules).status, text)
    end
    rules.status.to["nil"] = "nothing"
    assert.is_nil(user('{"s":null}', rules).status)
    assert.is_nil(user("{}", rules).status)
    assert.same({ "on" }, user('{"s":["on"]}', rules).status)
    rules.status.to.on = "changed"
    local it = user('{"s":"on"}', rules)
    rules.status.to.on = "ACTIVE"
    assert.equal("changed", it.status)
  end)

  it("epoch makes a time of seconds or milliseconds", function()
    local seconds = { at = { epoch = "/t" } }
    local milliseconds = { at = { epoch = "/t", unit = "ms" } }
    for text, value in pairs { ["1700000000"] = "2023-11-14T22:13:20Z", ['"1700000000"'] = "2023-11-14T22:13:20Z",
      ["1700000000.75"] = "2023-11-14T22:13:20Z", ["253402300799"] = "9999-12-31T23:59:59Z" } do
      assert.equal(value, user('{"t":' .. text .. "}", seconds).at, text)
    end
    assert.equal("2023-11-14T22:13:20.123Z", user('{"t":1700000000123}', milliseconds).at)
    assert.equal("2023-11-14T22:13:20.123Z", user('{"t":"1700000000123"}', milliseconds).at)
    assert.equal("9999-12-31T23:59:59.999Z", user('{"t":253402300799999}', milliseconds).at)
    assert.equal("1970-01-01T00:00:00.001Z", user('{"t":1}', milliseconds).at)
    assert.is_nil(user('{"t":253402300800000}', milliseconds).at)
    local began = os.clock()
    assert.is_nil(user('{"t":"' .. ("1"):rep(100000) .. 'x"}', seconds).at)
    assert.is_true(os.clock() - began < 1)
    for _, text in ipairs { "0", "-1", '""', '"soon"', '"0x10"', '"2023-11-14"', "null", "true", "[]", "1e300", '"1e5"',
      "253402300800" } do
      assert.is_nil(user('{"t":' .. text .. "}", seconds).at, text)
    end
    assert.is_nil(user("{}", seconds).at)
  end)

  it("pick takes of the element that is marked, else of the first that has it", function()
    local rules = { email = { pick = "/emails", where = "/primary", take = "/value" } }
    for text, value in pairs {
      ['[{"value":"a"},{"value":"b","primary":true}]'] = "b",
      ['[{"value":"a","primary":false},{"value":"b"}]'] = "a",
      ['[{"primary":true},{"value":"b"},{"value":"c"}]'] = "b",
      ['[null,5,"x",{"value":null,"primary":true},{"value":"b"}]'] = "b",
      ['[{"value":"a"},{"value":"b","primary":"true"}]'] = "a",
      ["[]"] = "nil", ["null"] = "nil", ['"a@b"'] = "nil", ["{}"] = "nil",
    } do
      assert.equal(value, tostring(user('{"emails":' .. text .. "}", rules).email), text)
    end
    assert.is_nil(user("{}", rules).email)
  end)

  it("pick takes of the element that has a value, and of no other", function()
    local rules = { email = { pick = "/attributes", where = "/Name", equals = "email", take = "/Value" } }
    for text, value in pairs {
      ['[{"Name":"sub","Value":"s0"},{"Name":"email","Value":"a@b"}]'] = "a@b",
      ['[{"Name":"sub","Value":"s0"},{"Name":"email"}]'] = "nil",
      ['[{"Name":"sub","Value":"s0"}]'] = "nil", ['[null,{"Value":"x"}]'] = "nil", ["[]"] = "nil",
    } do
      assert.equal(value, tostring(user('{"attributes":' .. text .. "}", rules).email), text)
    end
  end)

  it("join puts texts together that are there", function()
    local rules = { name = { join = { "/n/first", "/n/last" } }, other = { join = { "/a", "/b" }, with = ", " } }
    assert.equal("Ada Lovelace", user('{"n":{"first":"Ada","last":"Lovelace"}}', rules).name)
    assert.equal("Lovelace", user('{"n":{"first":"","last":"Lovelace"}}', rules).name)
    assert.equal("Ada", user('{"n":{"first":"Ada","last":null}}', rules).name)
    assert.is_nil(user('{"n":{"first":5}}', rules).name)
    assert.is_nil(user("{}", rules).name)
    assert.equal("x, y", user('{"a":"x","b":"y"}', rules).other)
  end)

  it("first is the first rule that gives something", function()
    local rules = { name = { first = { "/display", { join = { "/given", "/family" } }, { value = "nobody" } } } }
    assert.equal("D", user('{"display":"D","given":"A"}', rules).name)
    assert.equal("A B", user('{"display":"","given":"A","family":"B"}', rules).name)
    assert.equal("A", user('{"display":null,"given":"A"}', rules).name)
    assert.equal("nobody", user("{}", rules).name)
    assert.is_false(user('{"x":false}', { y = { first = { "/x", { value = true } } } }).y)
    local on = { first = { { flag = "/on", yes = "ON" }, { option = "account" } } }
    assert.equal("ON", user('{"on":true}', { y = on }, { account = "T1" }).y)
    assert.equal("T1", user("{}", { y = on }, { account = "T1" }).y)
  end)

  it("says which pointers a rule looks at", function()
    assert.same({ "/a" }, fields.pointers "/a")
    assert.same({}, fields.pointers { value = 1 })
    assert.same({ "/a", "/b", "/c", "/d/0/e", "/f" }, fields.pointers { first = { "/a", { join = { "/b", "/c" } },
      { pick = "/d", where = "/x", take = "/e" }, { flag = "/f" } } })
    assert.same({ "/a", "/b" }, fields.pointers { first = { { map = "/a", to = {} }, { epoch = "/b" } } })
  end)

  it("are rules for core.selection, by the names of fields", function()
    local common = fields.common({ name = "/n", kind = { value = "person" } }, "acme", {})
    assert.same({ "/n", { "person" }, "/name", "/a~1b", "/c~0d", "/0", "/~0", "/~01", "/", "/a~1b" },
      fields.rules_of(common, { "name", "kind", "/name", "a/b", "c~d", "0", "~", "~1", "/", "/a~1b" }))
    local rule = fields.rules_of(common, { "name.first" })[1]
    assert.equal("Ada", rule(user('{"n":{"first":"Ada"}}', { name = "/n" })))
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
