local check = require "spec.support.check"
local cjson = require "cjson"
local core = require "rollcall.core"
local documents = require "spec.support.documents"
local ndjson = require "rollcall.ndjson"
local rollcall = require "rollcall"

local function record(text)
  local decoder = core.decoder { items = "", record = core.record_type { role_names = function(user)
    return core.at(user, "/roles")
  end } }
  assert(decoder:feed("[" .. text .. "]"))
  return assert(decoder:next())
end

describe("ndjson.encode", function()
  it("writes scalars that read back as the same", function()
    local texts = { "", "plain", 'quote " and \\', "\0\1\31\127", "line\nbreak\r\t\b\f", "日本語 😀", "</script>" }
    for _, text in ipairs(texts) do
      local encoded = ndjson.encode(text)
      assert.equal(text, cjson.decode("[" .. encoded .. "]")[1])
      assert.is_nil(encoded:find "%c")
    end
    for _, number in ipairs { 0, 1, -1, 2 ^ 53 - 1, 0.1, 1 / 3, 1e300, -1.5e-300, 1e15 + 0.5, 123456789012345,
      12345678901234.5, -99999999999998.5 } do
      assert.equal(number, tonumber(ndjson.encode(number)))
    end
    assert.equal("0.1", ndjson.encode(0.1))
    assert.equal("[1e999,-1e999,null]", ndjson.encode { math.huge, -math.huge, 0 / 0 })
    assert.equal("9007199254740991", ndjson.encode(2 ^ 53 - 1))
    local largest = tonumber "9223372036854775807" -- an integer on 5.4
    assert.equal(largest, tonumber(ndjson.encode(largest)))
    assert.equal(_VERSION == "Lua 5.4", ndjson.encode(largest) == "9223372036854775807")
    assert.equal("true", ndjson.encode(true))
    assert.equal("null", ndjson.encode(nil))
    assert.equal("null", ndjson.encode(rollcall.null))
  end)

  it("loses nothing of tables that are no lists", function()
    assert.equal('{"2":"a","3":"b"}', ndjson.encode { [2] = "a", [3] = "b" })
    assert.equal('{"1":1,"3":3}', ndjson.encode { 1, nil, 3 })
    assert.equal('{"1":1,"a":2}', ndjson.encode { 1, a = 2 })
    assert.has_error(function() ndjson.encode { a = print } end,
      "ndjson: expected a string, number, boolean, table or user at a, got a function")
  end)

  it("escapes the control characters that JSON allows and terminals obey", function()
    local text = "\194\128é\194\155\194\159\194\160"
    assert.equal('"\\u0080é\\u009b\\u009f\194\160"', ndjson.encode(text))
    assert.equal('{"\\u009b": "\\u0080é\\u009b\\u009f\194\160"}',
      ndjson.encode(record('{"\194\155": "' .. text .. '"}')))
    check.same({ text }, cjson.decode("[" .. ndjson.encode(text) .. "]"))
    assert.equal('"\\u009b"', ndjson.encode "\194\155")
  end)

  it("writes tables, keys sorted", function()
    assert.equal('{"a":[1,[2],{"b":null}],"c":"d"}', ndjson.encode { c = "d", a = { 1, { 2 }, { b = rollcall.null } } })
  end)

  it("writes a user in one line, as it was received", function()
    assert.equal('{ "a" :   [1.0] , "b":"x\\ny" }', ndjson.encode(record '{ "a" :\n\t [1.0] ,\r"b":"x\\ny" }'))
    local generator = documents.new(3)
    for _ = 1, 200 do
      local value = {}
      for i = 1, generator:int(5) do
        value["k" .. i] = generator:chance(50) and generator:int(1000) or "text " .. generator:int(1000)
      end
      local text = cjson.encode(value)
      check.same(value, cjson.decode(ndjson.encode(record(text))))
    end
  end)
end)

describe("rollcall.ndjson", function()
  it("makes a line of a user as received, or of the fields that are named", function()
    local user = record '{"id":1,"a":{"b":"c"},"n":null}'
    assert.equal('{"id":1,"a":{"b":"c"},"n":null}\n', rollcall.ndjson()(user))
    assert.equal('{"a.b":"c","id":1,"n":null,"x":null,"/a":{"b":"c"}}\n',
      rollcall.ndjson { "a.b", "id", "n", "x", "/a" }(user))
    assert.equal('{"twice":2}\n', rollcall.ndjson { { name = "twice", get = function(one)
      return one.id * 2
    end } }(user))
  end)

  it("tells an empty list from an empty object", function()
    local user = record '{"scope":[],"department":{},"deep":{"list": [ ],"object":{ }},"roles":[]}'
    assert.equal('{"scope":[],"department":{},"deep":{"list":[],"object":{}},"role_names":[]}\n',
      rollcall.ndjson { "scope", "department", "deep", "role_names" }(user))
    assert.equal("{}", ndjson.encode {}) -- a table of one's own does not say
    assert.equal('{"scope":{}}\n', rollcall.ndjson { "scope" } { scope = {} })
  end)

  it("takes its time in no number of empty tables, of one name or of many", function()
    local count = 20000
    local slowness = package.cpath:find "%-valgrind/" and 30 or 1
    local names = {}
    for i = 1, count do
      names[i] = ('"n%d":%s'):format(i, i == count and "[]" or "{}")
    end
    for _, text in ipairs { '{"a":[' .. ("{},"):rep(count) .. "{}]}", '{"a":{' .. table.concat(names, ",") .. "}}" } do
      local user = record(text)
      local start = os.clock()
      local line = rollcall.ndjson { "a" }(user)
      assert.is_true(os.clock() - start < slowness)
      check.same(cjson.decode(text), cjson.decode(line))
    end
    check.contains(rollcall.ndjson { "a" }(record('{"a":{' .. table.concat(names, ",") .. "}}")), '"n19999":{}',
      '"n20000":[]')
  end)

  it("raises for columns that are none", function()
    for _, columns in ipairs { "id", {}, { 5 }, { "a..b" }, { { name = "x" } } } do
      check.misuse(function()
        return (rollcall.ndjson(columns))
      end, "ndjson: ")
      check.misuse(function()
        return (rollcall.csv(columns))
      end, "csv: ")
    end
    check.misuse(function()
      return (rollcall.csv { "id", ("/a"):rep(17) })
    end, "csv: 2: expected a field's name (at most 16 steps), or {")
  end)
end)
