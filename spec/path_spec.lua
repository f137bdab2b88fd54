local check = require "spec.support.check"
local core = require "rollcall.core"
local feeding = require "spec.support.feeding"
local path = require "rollcall.path"

local TEXT = [[{"a":1,"no":false,"nothing":null,"in":{"side":{"of":"x"},"list":[{"n":7},null,3]},"a.b":"dotted",
"s/t":{"u~v":"odd"},"d":{"0":"key"}}]]

local record
setup(function()
  local decoder = core.decoder { items = "", record = core.record_type {
    common = { "constant" }, deep = "/in/side", list = function()
      return { "one", "two" }
    end,
  } }
  assert(decoder:feed("[" .. TEXT .. "]"))
  record = assert(decoder:next())
end)

describe("a path", function()
  it("leads to the same in a user and in a table of it", function()
    local plain = core.totable(record)
    for name, value in pairs {
      a = 1, ["in.side.of"] = "x", ["/in/side/of"] = "x", ["in.list.0.n"] = 7, ["/in/list/2"] = 3,
      ["a.b"] = "dotted", ["/s~1t/u~0v"] = "odd", ["d.0"] = "key", ["/a"] = 1,
    } do
      assert.equal(value, path.compile(name)(record), name)
      assert.equal(value, path.compile(name)(plain), name)
    end
    assert.is_false(path.compile "no"(record))
    assert.is_false(path.compile "no"(plain))
    assert.is_false(path.compile "/no"(plain))
    check.same({ of = "x" }, path.compile "in.side"(record))
  end)

  it("is nil for what is absent, null or goes through a scalar", function()
    local plain = core.totable(record)
    for _, name in ipairs { "nothing", "/nothing", "b", "a.x", "/a/x", "in.none.of", "in.list.1", "in.list.9",
      "a.b.c" } do
      assert.is_nil(path.compile(name)(record), name)
      assert.is_nil(path.compile(name)(plain), name)
    end
  end)

  it("knows common fields, and goes into them", function()
    assert.equal("constant", path.compile "common"(record))
    assert.equal("x", path.compile "deep.of"(record))
    assert.equal("two", path.compile "list.1"(record))
  end)

  it("is a JSON Pointer, unless there are dots in it", function()
    for name, pointer in pairs { a = "/a", ["s/t"] = "/s~1t", ["u~v"] = "/u~0v", ["~1"] = "/~01", ["/s~1t"] = "/s~1t",
      ["/"] = "/", ["/a.b"] = "/a.b" } do
      assert.equal(pointer, path.pointer(name))
    end
    assert.is_nil(path.pointer "a.b")
  end)

  it("takes core.most_steps steps at most, and says so", function()
    assert.equal(16, core.most_steps)
    local deep = feeding.record(('{"a":'):rep(16) .. "7" .. ("}"):rep(16))
    assert.equal(7, path.compile(("/a"):rep(16))(deep))
    assert.equal(7, path.compile(("a."):rep(15) .. "a")(deep))
    for _, name in ipairs { ("/a"):rep(17), ("a."):rep(16) .. "a" } do
      assert.same({ false, " (at most 16 steps)" }, { path.is_name(name) })
      check.misuse(function()
        return (path.compile(name))
      end, "a JSON Pointer (at most 16 steps), got")
    end
  end)

  it("raises for what names no field", function()
    for _, name in ipairs { "", ".a", "a.", "a..b", "/a~", "/a~2", "a\nb", 5 } do
      assert.same({ false, "" }, { path.is_name(name) })
      check.misuse(function()
        return (path.compile(name))
      end, "field's name")
    end
  end)
end)
