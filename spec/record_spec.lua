-- Users as the decoder gives them: read field by field, as a table, and as text.

local cjson = require "cjson"
local core = require "rollcall.core"
local feeding = require "spec.support.feeding"

local record = feeding.record
local null = core.null
local math_type = rawget(math, "type") -- where the Lua has integers

local function field(text)
  return record('{"v":' .. text .. "}").v
end

local function raises(pattern, f, ...)
  local good, message = pcall(f, ...)
  assert.is_false(good)
  assert.truthy(tostring(message):find(pattern, 1, true), tostring(message))
end

-- What rollcall.pairs gives, as a table.
local function gather(...)
  local found, count = {}, 0
  for key, value in ... do
    found[key] = value
    count = count + 1
  end
  return found, count
end

describe("a field", function()
  it("is a Lua value of its type", function()
    local user = record [[{"s":"text","e":"","n":12,"d":1.5,"t":true,"f":false,"z":null,"o":{"a":1},"l":[1,2]}]]
    assert.equal("userdata", type(user))
    assert.equal("text", user.s)
    assert.equal("", user.e)
    assert.equal(12, user.n)
    assert.equal(1.5, user.d)
    assert.is_true(user.t)
    assert.is_false(user.f)
    assert.is_nil(user.z)
    assert.same({ a = 1 }, user.o)
    assert.same({ 1, 2 }, user.l)
    assert.is_nil(user.absent)
    assert.is_nil(user.S)
    assert.is_nil(user.te)
  end)

  it("is nil for a key that is no string", function()
    local user = record '{"1":"one","true":1,"1.0":2}'
    for _, key in ipairs { 1, 1.0, true, {}, print, user, null } do
      assert.is_nil(user[key])
    end
    assert.equal("one", user["1"])
  end)

  it("may have any name", function()
    for _, name in ipairs { "next", "json", "totable", "__index", "__name", "__gc", "__metatable", "end", "and",
      " ", "a b", "a/b", "~", "日本", "é", "metatable", ".", "/", "//", "\127" } do
      assert.equal(name, record(('{"%s":"%s"}'):format(name, name))[name])
    end
  end)

  it("may have an empty name", function()
    local user = record '{"a":1,"":"empty"}'
    assert.equal("empty", user[""])
    assert.is_nil(record '{"a":1}'[""])
    assert.same({ a = 1, [""] = "empty" }, core.totable(user))
  end)

  it("is found by its name with escapes decoded", function()
    local user = record [[{"n\u0061me":1,"a\/b":2,"\"\\\b\f\n\r\t":3,"\u00e9":4,"\uD834\uDD1E":5,"x\u0000y":6}]]
    assert.equal(1, user.name)
    assert.equal(2, user["a/b"])
    assert.equal(3, user['"\\\b\f\n\r\t'])
    assert.equal(4, user["é"])
    assert.equal(5, user["𝄞"])
    assert.equal(6, user["x\0y"])
    assert.is_nil(user["x"])
    assert.is_nil(user["n\\u0061me"])
    assert.same({ name = 1, ["a/b"] = 2, ['"\\\b\f\n\r\t'] = 3, ["é"] = 4, ["𝄞"] = 5, ["x\0y"] = 6 },
      core.totable(user))
  end)

  it("may have a name of any length", function()
    local parts, names = {}, {}
    for _, length in ipairs { 1, 2, 3, 254, 255, 256, 257, 511, 512, 1000, 65535, 65536, 70000 } do
      for variant = 0, 3 do
        -- first, middle and last byte are the same, so that nothing but the whole name tells them apart
        local name = ("k"):rep(length)
        if length > 8 then
          name = "k" .. variant .. ("k"):rep(length - 2)
        end
        names[name] = length * 10 + variant
      end
      names[("k"):rep(length)] = length * 10
    end
    for name, value in pairs(names) do
      parts[#parts + 1] = ('"%s":%d'):format(name, value)
    end
    local user = record("{" .. table.concat(parts, ",") .. "}")
    for name, value in pairs(names) do
      assert.equal(value, user[name])
      assert.is_nil(user[name .. "k0"])
    end
    assert.same(names, core.totable(user))
  end)

  it("may have a long name with escapes", function()
    for _, length in ipairs { 248, 249, 250, 254, 255, 256, 600 } do
      local plain = ("n"):rep(length)
      local user = record(([[{"%s\n":1,"\u006e%s\"":2,"%s":3}]]):format(plain, plain, plain))
      assert.equal(1, user[plain .. "\n"])
      assert.equal(2, user["n" .. plain .. '"'])
      assert.equal(3, user[plain])
      assert.is_nil(user["n" .. plain])
    end
  end)

  it("that occurs several times has its last value", function()
    local user = record [[{"a":1,"b":2,"a":"three","\u0061":{"x":[4]},"b":null}]]
    assert.same({ x = { 4 } }, user.a)
    assert.is_nil(user.b)
    assert.same({ a = { x = { 4 } }, b = null }, core.totable(user))
    assert.same({ a = { x = { 4 } } }, (gather(core.pairs(user))))
    assert.same({ d = 2 }, record('{"c":{"d":1,"d":2}}').c)
    assert.same({}, record('{"c":{"d":1,"d":null}}').c)
    assert.equal(2, core.at(record '{"c":{"d":1},"c":{"d":2}}', "/c/d"))
    assert.is_nil(core.at(record '{"c":{"d":1},"c":{}}', "/c/d"))
    assert.equal(2, core.at(record '{"c":{"d":1,"d":2}}', "/c/d"))
    assert.same({ 2 }, core.at(record '{"c":{"d":{"e":1},"d":{"e":[2]}}}', "/c/d/e"))
  end)

  it("is the same each time, and its tables are the reader's own", function()
    local user = record '{"o":{"a":[1]}}'
    local first = user.o
    first.a[1], first.b = 9, 9
    assert.same({ a = { 1 } }, user.o)
    assert.not_equal(first, user.o)
  end)

  it("is found among very many", function()
    local parts = {}
    for i = 1, 5000 do
      parts[i] = ('"field%d":%d'):format(i, i)
    end
    local user = record("{" .. table.concat(parts, ",") .. "}")
    for i = 1, 5000, 7 do
      assert.equal(i, user["field" .. i])
    end
    assert.is_nil(user.field5001)
    local _, count = gather(core.pairs(user))
    assert.equal(5000, count)
  end)
end)

describe("a string", function()
  it("has its escapes decoded", function()
    for text, value in pairs {
      [ [["\"\\\/\b\f\n\r\t"]] ] = '"\\/\b\f\n\r\t',
      [ [["\u0041\u007f"]] ] = "A\127",
      [ [["\u0000"]] ] = "\0",
      [ [["a\u0000b"]] ] = "a\0b",
      [ [["\u0080\u07FF\u0800\uFFFF"]] ] = "\194\128\223\191\224\160\128\239\191\191",
      [ [["\uD800\uDC00\uDBFF\uDFFF"]] ] = "\240\144\128\128\244\143\191\191",
      [ [["\ud83d\ude00x\uD83D\uDE00"]] ] = "😀x😀",
      [ [["\\u0041"]] ] = "\\u0041",
      [ [["\\\\\""]] ] = '\\\\"',
      [ [["é日𝄞"]] ] = "é日𝄞",
      [ [["\u00e9é"]] ] = "éé",
      [ [["\uFEFF"]] ] = "\239\187\191",
    } do
      assert.equal(value, field(text))
      assert.same({ value, { value } }, field(("[%s,[%s]]"):format(text, text)))
      assert.same({ [value] = value }, field(("{%s:%s}"):format(text, text)))
    end
  end)

  it("may be of any length, with and without escapes", function()
    for _, length in ipairs { 0, 1, 15, 16, 17, 505, 506, 509, 510, 511, 512, 513, 514, 1023, 100000 } do
      local plain = ("x"):rep(length)
      assert.equal(plain, field('"' .. plain .. '"'))
      assert.equal(plain .. "\n", field('"' .. plain .. '\\n"'))
      assert.equal("é" .. plain, field([["\u00e9]] .. plain .. '"'))
      assert.same({ plain .. '"' }, field('["' .. plain .. '\\""]'))
    end
  end)
end)

describe("a number", function()
  it("is an integer on a Lua that has them, as long as it fits", function()
    for text, value in pairs {
      ["0"] = 0, ["7"] = 7, ["-7"] = -7, ["2147483648"] = 2147483648, ["9007199254740991"] = 9007199254740991,
      ["123456789012345"] = 123456789012345, ["-4294967297"] = -4294967297,
    } do
      assert.equal(value, field(text))
      assert.equal(value, field("[" .. text .. "]")[1])
      if math_type then
        assert.equal("integer", math_type(field(text)))
        assert.equal("integer", math_type(field("[" .. text .. "]")[1]))
      end
    end
    for _, text in ipairs { "1.0", "1e0", "-2.5", "1E2", "0.0", "1e-2" } do
      assert.equal(tonumber(text), field(text))
      if math_type then
        assert.equal("float", math_type(field(text)))
        assert.equal("float", math_type(field("[" .. text .. "]")[1]))
      end
    end
  end)

  it("is exact beyond 2^53 on a Lua with integers", function()
    local texts = { "9007199254740993", "-9007199254740993", "999999999999999999", "-999999999999999999",
      "1000000000000000001", "9223372036854775807", "-9223372036854775807", "-9223372036854775808" }
    for _, text in ipairs(texts) do
      local value = field(text)
      if math_type then
        assert.equal("integer", math_type(value))
        assert.equal(text, ("%d"):format(value))
      else
        assert.equal(tonumber(text), value)
      end
    end
  end)

  it("is a float beyond 64 bits", function()
    for _, text in ipairs { "9223372036854775808", "-9223372036854775809", "18446744073709551616",
      "100000000000000000000", ("9"):rep(300), "-" .. ("123456789"):rep(20) } do
      local value = field(text)
      assert.equal(tonumber(text .. ".0"), value)
      if math_type then
        assert.equal("float", math_type(value))
      end
    end
    assert.equal(math.huge, field(("9"):rep(400)))
  end)

  it("keeps the sign of -0", function()
    for _, text in ipairs { "-0", "-0.0", "-0e5", "-0E-0" } do
      assert.equal(-math.huge, 1 / field(text))
      assert.equal(-math.huge, 1 / field("[" .. text .. "]")[1])
      assert.equal(-math.huge, 1 / core.totable(record('{"v":' .. text .. "}")).v)
    end
    assert.equal(math.huge, 1 / field "0")
    assert.equal(math.huge, 1 / field "0.0")
  end)

  it("may have a big exponent", function()
    assert.equal(math.huge, field "1e400")
    assert.equal(-math.huge, field "-1E+400")
    assert.equal(math.huge, field("1e" .. ("9"):rep(100)))
    assert.equal(0, field "1e-400")
    assert.equal(1.7976931348623157e308, field "1.7976931348623157e308")
    assert.equal(5e-324, field "5e-324")
    assert.equal(2.2250738585072014e-308, field "2.2250738585072014E-308")
    assert.equal(1e22, field "1e22")
    assert.equal(123456, field "123.456e3")
    for _, digits in ipairs { 6, 7, 8, 19, 20, 50 } do
      local exponent = ("9"):rep(digits)
      assert.equal(math.huge, field("1.5e" .. exponent))
      assert.equal(-math.huge, field("-0.01E+" .. exponent))
      assert.equal(math.huge, 1 / field("23e-" .. exponent))
      assert.equal(-math.huge, 1 / field("-1.5e-" .. exponent))
      assert.equal(math.huge, 1 / field("0.00e" .. exponent))
      assert.equal(-math.huge, 1 / field("-0e+" .. exponent))
    end
    assert.equal(1000, field "1e00000000000000000000000000000000003")
  end)

  it("may have more digits than matter", function()
    local many = 1200000
    assert.equal(4 / 3, field("1." .. ("3"):rep(many)))
    assert.equal(-400 / 3, field("-1." .. ("3"):rep(many) .. "e2"))
    assert.equal(1 / 3e5, field("0.00000" .. ("3"):rep(many)))
    assert.equal(0, field("0." .. ("0"):rep(many)))
    assert.equal(-math.huge, 1 / field("-0." .. ("0"):rep(many)))
    assert.equal(0, field("0." .. ("0"):rep(many) .. "1"))
    assert.equal(12.5, field("0." .. ("0"):rep(many) .. "125e" .. many + 2))
    assert.equal(9007199254740994, field("9007199254740993." .. ("0"):rep(many) .. "1"))
    assert.equal(9007199254740992, field("9007199254740993." .. ("0"):rep(many)))
    assert.equal(math.huge, field(("3"):rep(many)))
    assert.equal(333.5, field("3335" .. ("0"):rep(many) .. "e-" .. many + 1))
  end)

  it("is rounded as the Lua itself does", function()
    for _, text in ipairs { "0.1", "0.30000000000000004", "123456789.123456789", "1e23", "8.41e21",
      "9007199254740993.5", "0.000001",
      "3.141592653589793238462643383279502884197169399375105820974944592307816406286", "1.5e-10",
      "179769313486231570000000000000000000000", "0." .. ("3"):rep(500), "1" .. ("0"):rep(300) .. ".5" } do
      assert.equal(tonumber(text), field(text))
      assert.equal(tonumber(text), field("[" .. text .. " ]")[1])
    end
  end)
end)

describe("a null", function()
  local text = '{"a":null,"b":{"c":null,"d":[null,1,null]},"e":[null,{"f":null}],"g":1}'

  it("is nil in a field and in nested objects, and keeps its place in arrays", function()
    local user = record(text)
    assert.is_nil(user.a)
    assert.same({ d = { null, 1, null } }, user.b)
    assert.same({ null, {} }, user.e)
  end)

  it("is core.null in totable", function()
    assert.same({ a = null, b = { c = null, d = { null, 1, null } }, e = { null, { f = null } }, g = 1 },
      core.totable(record(text)))
  end)

  it("is cjson's null", function()
    assert.equal(cjson.null, core.null)
    local table_of = core.totable(record(text))
    assert.same(table_of, cjson.decode(cjson.encode(table_of)))
  end)

  it("is left out by pairs", function()
    assert.same({ b = { d = { null, 1, null } }, e = { null, {} }, g = 1 }, (gather(core.pairs(record(text)))))
  end)
end)

describe("totable", function()
  it("gives what cjson.decode gives", function()
    for _, text in ipairs {
      "{}", '{"a":{}}', '{"a":[]}', '{"a":[[],{},[{}]]}', '{"a":{"b":{"c":{"d":[1,[2,[3]]]}}}}',
      [[ { "a" : [ 1 , "two" , { "three" : [ ] } ] , "b" : { "c" : null } } ]],
      [[{"\u0061":"\n\u00e9\uD834\uDD1E","b\\":["\"",true,false,null]}]],
      '{"a":[1,2.5,-3e2,0.1,123456789012]}', '{\n\t"a"\r\n:\t{\n"b"\n:\n[\n1\n,\n2\n]\n}\n}',
      '{"a":"[{]}\\"","b":["}","]"]}', '{"a":1,"a":2}', '{"a":{"x":1,"x":2}}',
    } do
      assert.same(cjson.decode(text), core.totable(record(text)))
    end
  end)

  it("gives a table of the caller's own", function()
    local user = record '{"a":{"b":1}}'
    local first = core.totable(user)
    first.a.b, first.c = 2, 3
    assert.same({ a = { b = 1 } }, core.totable(user))
    assert.is_nil(getmetatable(first))
    assert.is_nil(getmetatable(first.a))
  end)

  it("goes as deep as the decoder", function()
    local decoder = core.decoder { items = "", max_depth = 2048 }
    local open, close = ('[{"k":'):rep(1023), ("}]"):rep(1023)
    assert(decoder:feed('[{"a":' .. open .. "7" .. close .. "}]"))
    assert(decoder:finish())
    local user = decoder:next()
    for _, value in ipairs { core.totable(user).a, user.a, core.at(user, "").a } do
      for _ = 1, 1023 do
        value = value[1].k
      end
      assert.equal(7, value)
    end
  end)
end)

describe("the text", function()
  it("is the user's JSON as received", function()
    for _, text in ipairs { "{}", "{ }", '{"a":1}', '{ "a" : [ 1 ,2 ] ,\n"b":{\t}\r}',
      [[{"\u0061":"\/\u00E9","a":1E5}]], '{"a":1,"a":1}', '{"é":"日"}' } do
      local user = record("  " .. text .. " \n")
      assert.equal(text, core.json(user))
      assert.equal(text, tostring(user))
    end
  end)
end)

describe("core.pairs", function()
  it("gives each field once, on every Lua", function()
    local user = record [[{"a":1,"b":"x","c":{"d":[1]},"e":false,"f":null,"\u0067":2,"a":3}]]
    local found, count = gather(core.pairs(user))
    assert.same({ a = 3, b = "x", c = { d = { 1 } }, e = false, g = 2 }, found)
    assert.equal(5, count)
    assert.same({}, (gather(core.pairs(record "{}"))))
  end)

  it("is what pairs does where the Lua asks __pairs", function()
    local asked = false
    pairs(setmetatable({}, { __pairs = function()
      asked = true
      return next, {}, nil
    end }))
    local user = record '{"a":1,"b":null}'
    if asked then
      assert.same({ a = 1 }, (gather(pairs(user))))
    else
      assert.has_error(function()
        pairs(user)
      end)
    end
  end)

  it("gives the fields of the provider, not the common ones", function()
    local type_of = core.record_type { full = "/name" }
    assert.same({ name = "x" }, (gather(core.pairs(record('{"name":"x"}', type_of)))))
    assert.same({ name = "x" }, core.totable(record('{"name":"x"}', type_of)))
  end)
end)

describe("a common field", function()
  it("is read by a pointer", function()
    local type_of = core.record_type {
      mail = "/email", city = "/address/city", second = "/list/1", deep = "/list/2/x", slash = "/a~1b", tilde = "/a~0b",
      whole = "", empty = "/", gone = "/address/street", through = "/email/x",
    }
    local user = record('{"email":"e@x","address":{"city":"Oslo"},"list":[1,2,{"x":3}],"a/b":4,"a~b":5,"":6}', type_of)
    assert.equal("e@x", user.mail)
    assert.equal("Oslo", user.city)
    assert.equal(2, user.second)
    assert.equal(3, user.deep)
    assert.equal(4, user.slash)
    assert.equal(5, user.tilde)
    assert.equal(6, user.empty)
    assert.equal("Oslo", user.whole.address.city)
    assert.is_nil(user.gone)
    assert.is_nil(user.through)
    assert.equal("e@x", user.email)
  end)

  it("is computed by a function of the user", function()
    local seen
    local type_of = core.record_type {
      name = function(user)
        seen = user
        return user.first .. " " .. user.last
      end,
      nothing = function() end,
      mfa = function(user)
        return user.factors ~= nil
      end,
      fails = function()
        error("no such thing", 0)
      end,
      twice = function(user)
        return user.name, user.name
      end,
    }
    local user = record('{"first":"Ada","last":"Byron","name":"overridden"}', type_of)
    assert.equal("Ada Byron", user.name)
    assert.equal(user, seen)
    assert.is_nil(user.nothing)
    assert.is_false(user.mfa)
    assert.equal("Ada Byron", user.twice)
    raises("no such thing", function()
      return user.fails
    end)
  end)

  it("is a constant in a table", function()
    local tag = {}
    local type_of = core.record_type { provider = { "ours" }, tag = { tag }, no = { false } }
    local user = record('{"provider":"theirs"}', type_of)
    assert.equal("ours", user.provider)
    assert.equal(tag, user.tag)
    assert.is_false(user.no)
  end)

  it("comes before the provider's field of the same name, which core.at still reads", function()
    local user = record('{"id":1,"other":2}', core.record_type { id = "/other" })
    assert.equal(2, user.id)
    assert.equal(1, core.at(user, "/id"))
  end)

  it("is nil where the user has null", function()
    local user = record('{"a":null,"b":{"c":null}}', core.record_type { x = "/a", y = "/b/c" })
    assert.is_nil(user.x)
    assert.is_nil(user.y)
  end)

  it("is copied when the type is made", function()
    local common = { x = "/a" }
    local type_of = core.record_type(common)
    common.x, common.y = "/b", "/b"
    local user = record('{"a":1,"b":2}', type_of)
    assert.equal(1, user.x)
    assert.is_nil(user.y)
  end)

  it("is of its type only", function()
    local one, other = core.record_type { x = "/a" }, core.record_type { x = "/b" }
    local text = '{"a":1,"b":2}'
    assert.equal(1, record(text, one).x)
    assert.equal(2, record(text, other).x)
    assert.is_nil(record(text).x)
  end)

  it("raises for a pointer that is none", function()
    raises("it must be empty or begin with '/'", function()
      core.record_type { x = "a" }
    end)
    raises("'~' must be followed by 0 or 1", function()
      core.record_type { x = "/~2" }
    end)
  end)
end)

describe("core.at", function()
  local user = record [=[{"a":{"b":[10,{"c":"d"},[20,30]],"":1,"e~f":2,"\u0067":3},"":{"":4},"n":null,"0":5}]=]

  it("reads what a pointer leads to", function()
    for pointer, value in pairs {
      ["/a/b/0"] = 10, ["/a/b/1/c"] = "d", ["/a/b/2/1"] = 30, ["/a/"] = 1, ["/a/e~0f"] = 2, ["/a/g"] = 3, ["//"] = 4,
      ["/0"] = 5,
    } do
      assert.equal(value, core.at(user, pointer))
    end
    assert.same({ 20, 30 }, core.at(user, "/a/b/2"))
    assert.same({ [""] = 4 }, core.at(user, "/"))
    local whole = core.totable(user)
    whole.n = nil
    assert.same(whole, core.at(user, ""))
  end)

  it("gives nil where it leads to nothing", function()
    for _, pointer in ipairs { "/x", "/a/x", "/a/b/3", "/a/b/-", "/a/b/00", "/a/b/01", "/a/b/0/0", "/n", "/n/x",
      "/a/b/1/c/d", "/a/b/18446744073709551616", "/ a" } do
      assert.is_nil(core.at(user, pointer))
    end
  end)

  it("raises for what is no pointer", function()
    for _, pointer in ipairs { "a", "a/b", "/a~", "/a~2/b", ("/a"):rep(17) } do
      raises("JSON Pointer", core.at, user, pointer)
    end
    raises("string expected", core.at, user)
    raises("string expected", core.at, user, {})
  end)
end)

describe("a user", function()
  it("is read-only", function()
    local user = record '{"a":1}'
    for _, key in ipairs { "a", "b", 1, true } do
      raises("a user is read-only", function()
        user[key] = 2
      end)
    end
    assert.equal(1, user.a)
  end)

  it("hides its metatable", function()
    assert.equal("rollcall.record", getmetatable(record "{}"))
    assert.has_error(function()
      setmetatable(record "{}", {})
    end)
  end)

  it("outlives its decoder and its type", function()
    local users = {}
    for i = 1, 200 do
      users[i] = record(('{"id":%d,"name":"user %d","list":[%d,%d]}'):format(i, i, i, i),
        core.record_type { double = "/list/1", name = { "name " .. i } })
    end
    collectgarbage()
    collectgarbage()
    for i, user in ipairs(users) do
      assert.equal(i, user.id)
      assert.equal(i, user.double)
      assert.equal("name " .. i, user.name)
      assert.equal(("user %d"):format(i), core.at(user, "/name"))
      assert.equal(i, core.totable(user).list[2])
    end
  end)

  it("survives what is fed after it", function()
    local decoder = core.decoder { items = "" }
    assert(decoder:feed '[{"id":1,"text":"first"}')
    local first = decoder:next()
    for i = 2, 3000 do
      assert(decoder:feed((',{"id":%d,"text":"%s"}'):format(i, ("x"):rep(100))))
      assert(decoder:next())
    end
    assert.equal('{"id":1,"text":"first"}', core.json(first))
    assert.equal("first", first.text)
  end)

  it("can be a key, and equals nothing but itself", function()
    local one, other = record "{}", record "{}"
    assert.not_equal(one, other)
    assert.equal("one", ({ [one] = "one", [other] = "other" })[one])
  end)
end)

describe("misuse raises:", function()
  local engine = core.engine()
  local values = { 1, -1, 0.5, "", "/", "text", true, false, {}, print, null, core.engine, io.stdout, engine,
    core.record_type {}, core.decoder { items = "" }, coroutine.create(print), setmetatable({}, core.record_type {}) }
  local objects = {
    user = record '{"a":{"b":1}}', decoder = core.decoder { items = "" }, engine = engine,
    ledger = core.ledger { id = "/id" }, seen = core.seen(), transfer = engine:request { url = "http://127.0.0.1:1/" },
  }

  it("functions of a user with anything else", function()
    for _, name in ipairs { "json", "totable", "pairs", "at" } do
      raises("expected a user, got no value", core[name])
      for _, value in ipairs(values) do
        raises("expected a user, got " .. type(value), core[name], value, "/a")
      end
      for kind, object in pairs(objects) do
        if kind ~= "user" then
          raises("expected a user, got userdata", core[name], object, "/a")
        end
      end
    end
  end)

  it("a record type as a metatable of something else", function()
    local pretender = setmetatable({}, core.record_type { x = "/a" })
    for _, f in ipairs {
      function()
        return pretender.x
      end,
      function()
        return pretender.a
      end,
      function()
        pretender.a = 1
      end,
      function()
        return tostring(pretender)
      end,
    } do
      assert.is_false(pcall(f))
    end
  end)

  it("methods with a wrong self", function()
    local methods = {
      decoder = { "feed", "next", "values", "finish", "captured" },
      engine = { "request", "drive", "close" },
      transfer = { "next", "values", "done", "failure", "status", "header", "body", "usage", "cancel" },
      ledger = { "given", "allow", "take", "save", "begin_body" },
      seen = { "add" },
    }
    for kind, names in pairs(methods) do
      for _, name in ipairs(names) do
        local method = objects[kind][name]
        assert.equal("function", type(method))
        assert.is_false(pcall(method))
        for _, value in ipairs(values) do
          -- an engine is among the values: its own methods may take it
          if kind ~= "engine" and not (kind == "decoder" and type(value) == "userdata") then
            raises("bad argument", method, value, value)
          end
        end
        for other, object in pairs(objects) do
          if other ~= kind then
            raises("bad argument", method, object, "x")
          end
        end
      end
    end
  end)

  it("methods with wrong arguments", function()
    for _, value in ipairs { true, false, {}, print, null, engine, objects.user } do
      for _, call in ipairs {
        { objects.decoder.feed, objects.decoder, value }, { objects.decoder.captured, objects.decoder, value },
        { objects.ledger.allow, objects.ledger, value }, { objects.ledger.save, objects.ledger, value },
        { objects.seen.add, objects.seen, value }, { core.wait, { engine }, value }, { core.at, objects.user, value },
        { objects.transfer.header, objects.transfer, value }, { objects.transfer.values, objects.transfer, value },
        { objects.decoder.values, objects.decoder, value }, { core.selection, value },
      } do
        assert.is_false(pcall(call[1], call[2], call[3]))
      end
      if value ~= objects.user then
        assert.is_false(pcall(objects.ledger.take, objects.ledger, value))
      end
      assert.is_false(pcall(core.wait, value, 0) and type(value) ~= "table")
      assert.is_false(pcall(core.wait, { value }, 0) and value ~= engine and value ~= false)
    end
    for _, value in ipairs { 1, "x", true, print, null, engine } do
      assert.is_false(pcall(core.record_type, value))
      assert.is_false(pcall(core.decoder, value))
      assert.is_false(pcall(engine.request, engine, value))
      assert.is_false(pcall(core.ledger, value))
    end
    assert.is_false(pcall(core.record_type))
  end)

  it("what only the collector may call is out of reach", function()
    for _, object in pairs(objects) do
      assert.equal("string", type(getmetatable(object)))
      assert.is_false(pcall(function()
        return object.__gc()
      end))
    end
  end)
end)
