-- Values of some fields of each record, in the place of records.

local core = require "rollcall.core"
local feeding = require "spec.support.feeding"

local function raises(pattern, f, ...)
  local good, message = pcall(f, ...)
  assert.is_false(good)
  assert.truthy(tostring(message):find(pattern, 1, true), tostring(message))
end

--- A decoder of an array of these objects, which has come whole.
local function decoder_of(objects, record_type)
  local decoder = core.decoder { items = "", record = record_type }
  assert(decoder:feed("[" .. table.concat(objects, ",") .. "]"))
  assert(decoder:finish())
  return decoder
end

--- What the rules give of an object, as a list, and how many values that were.
local function values_of(object, rules, record_type)
  local function gather(any, ...)
    assert.is_true(any)
    return { ... }, select("#", ...)
  end
  return gather(decoder_of({ object }, record_type):values(core.selection(rules)))
end

describe("decoder:values", function()
  it("gives true and the values of one record after the other", function()
    local decoder = core.decoder { items = "/data" }
    local selection = core.selection { "/b", "/a" }
    assert.same({ n = 1 }, { n = select("#", decoder:values(selection)), decoder:values(selection) })
    assert(decoder:feed '{"data":[{"a":1,"b":"x"},{"b":"y"},{"a":')
    assert.same({ true, "x", 1 }, { decoder:values(selection) })
    local list = { decoder:values(selection) }
    assert.same({ true, "y", nil }, list)
    assert.equal(3, select("#", decoder_of({ '{"b":"y"}' }):values(selection)))
    assert.is_nil(decoder:values(selection))
    assert(decoder:feed '3}]}')
    assert.same({ true, nil, 3 }, { decoder:values(selection) })
    assert.is_nil(decoder:values(selection))
    assert(decoder:finish())
    assert.equal(3, decoder:found())
  end)

  it("gives the error after the records before it", function()
    local decoder = core.decoder { items = "" }
    local selection = core.selection { "/id" }
    assert.is_nil((decoder:feed '[{"id":1},{"id":tru},{"id":2},{"id":3}]'))
    assert.same({ true, 1 }, { decoder:values(selection) })
    for _ = 1, 2 do
      local none, err = decoder:values(selection)
      assert.is_nil(none)
      assert.equal("decode", err.kind)
      assert.equal(19, err.offset)
    end
  end)

  it("takes turns with next", function()
    local decoder = decoder_of { '{"id":1}', '{"id":2}', '{"id":3}', '{"id":4}' }
    local selection = core.selection { "/id" }
    assert.equal(1, decoder:next().id)
    assert.same({ true, 2 }, { decoder:values(selection) })
    assert.equal(3, decoder:next().id)
    assert.same({ true, 4 }, { decoder:values(selection) })
    assert.is_nil(decoder:next())
  end)

  it("reads what a record's fields are", function()
    local object = [[{"s":"text","e":"","u":"\u00e9\n","n":12,"d":1.5,"z":-0.0,"t":true,"f":false,"nil":null,
      "o":{"a":1,"b":null},"l":[1,null,"x"],"a/b~c":"odd","d":2.5}]]
    local user = feeding.record(object)
    local names = { "s", "e", "u", "n", "d", "z", "t", "f", "nil", "o", "l", "a/b~c", "absent", "" }
    local rules = {}
    for i, name in ipairs(names) do
      rules[i] = "/" .. name:gsub("~", "~0"):gsub("/", "~1")
    end
    local list, count = values_of(object, rules)
    assert.equal(#names, count)
    for i, name in ipairs(names) do
      assert.same(user[name], list[i], name)
    end
  end)

  it("follows JSON Pointers, and gives the whole record for the empty one", function()
    local list, count = values_of('{"a":{"b":[10,{"c":"deep"}]},"x":null}',
      { "/a/b/1/c", "/a/b/0", "/a/b/2", "/a/b/c", "/x/y", "/a/b/1", "" })
    assert.equal(7, count)
    assert.same({ "deep", 10, nil, nil, nil, { c = "deep" }, { a = { b = { 10, { c = "deep" } } } } }, list)
  end)

  it("gives constants, and what functions make of the record", function()
    local seen
    local kind = core.record_type { name = "/n" }
    local list, count = values_of('{"n":"Ada","id":7}', { { "acme" }, "/id", function(user)
      seen = user
      return user.name .. "!", "cut"
    end, { false }, {}, function() end, "/n" }, kind)
    assert.equal(7, count)
    assert.same({ "acme", 7, "Ada!", false, nil, nil, "Ada" }, list)
    assert.equal("Ada", seen.name)
  end)

  it("loses no record where a function raises", function()
    local fails = true
    local decoder = decoder_of { '{"id":1}', '{"id":2}' }
    local selection = core.selection { function(user)
      if fails then
        error("no " .. user.id, 0)
      end
      return user.id
    end }
    raises("no 1", decoder.values, decoder, selection)
    raises("no 1", decoder.values, decoder, selection)
    fails = false
    assert.same({ true, 1 }, { decoder:values(selection) })
    assert.equal(2, decoder:next().id)
  end)

  it("gives values of any length", function()
    for _, size in ipairs { 500, 1000, 1021, 1022, 1023, 1024, 1025, 5000, 100000 } do
      local a, b = ("a"):rep(size), ("\\u00e9"):rep(size)
      local list = values_of(('{"a":"%s","b":"%s","c":"%s","n":7}'):format(a, b, a), { "/n", "/a", "/b", "/c", "/n" })
      assert.is_true(list[1] == 7 and list[2] == a and list[3] == ("é"):rep(size) and list[4] == a and list[5] == 7)
    end
  end)

  it("gives core.most_values values at most, each as often as it is asked for", function()
    local rules, expected = {}, {}
    assert.equal(64, core.most_values)
    for i = 1, 64 do
      rules[i], expected[i] = i % 2 == 0 and "/a" or "/b", i % 2 == 0 and 1 or "x"
    end
    assert.same(expected, (values_of('{"a":1,"b":"x"}', rules)))
    rules[65] = "/a"
    raises("expected a list of 1 to 64 rules", core.selection, rules)
    raises("expected a list of 1 to 64 rules", core.selection, {})
  end)

  it("makes room for them on the stack of a coroutine that has just begun", function()
    local rules, expected = {}, { true }
    for i = 1, 64 do
      rules[i], expected[i + 1] = "/a", "text"
    end
    for i = 1, 100 do
      rules[64] = i % 2 == 0 and "/a" or function(user) return user.a end
      local decoder, selection = decoder_of { '{"a":"text"}' }, core.selection(rules)
      assert.same(expected, { coroutine.wrap(function() return decoder:values(selection) end)() })
    end
  end)

  it("keeps what its rules are made of", function()
    local rules = { "/a" .. math.random(9), { {} }, function()
      return collectgarbage() and "made"
    end }
    local name, constant = rules[1]:sub(2), rules[2][1]
    local selection = core.selection(rules)
    rules[1], rules[2][1], rules[3] = nil, nil, nil
    collectgarbage()
    local any, text, kept, made = decoder_of({ ('{"%s":"x"}'):format(name) }):values(selection)
    assert.is_true(any and text == "x" and kept == constant and made == "made")
  end)

  it("outlives its decoder's memory", function()
    local decoder = decoder_of { '{"a":"text","b":"' .. ("x"):rep(2000) .. '"}' }
    local _, short, long = decoder:values(core.selection { "/a", "/b" })
    decoder:close()
    collectgarbage()
    assert.is_true(short == "text" and long == ("x"):rep(2000))
    raises("the decoder is closed", decoder.values, decoder, core.selection { "/a" })
  end)

  it("raises for rules and selections that are none", function()
    raises('selection: 1: JSON Pointer "name"', core.selection, { "name" })
    raises('selection: 2: JSON Pointer "/~2"', core.selection, { "/a", "/~2" })
    raises('selection: 1: JSON Pointer "/a/a', core.selection, { ("/a"):rep(17) })
    assert.equal(2, select("#", decoder_of({ "{}" }):values(core.selection { "/a", nil, "/b" }))) -- a list, to its end
    for _, rule in ipairs { 1, true, io.stdout } do
      raises("selection: 2: expected a JSON Pointer, a function or a table, got " .. type(rule), core.selection,
        { "/a", rule })
    end
    for _, rules in ipairs { 1, "x", true, print } do
      assert.is_false(pcall(core.selection, rules))
    end
    local decoder = decoder_of { "{}" }
    raises("expected a selection, got no value", decoder.values, decoder)
    for _, value in ipairs { 1, "/a", {}, print, io.stdout, decoder, feeding.record "{}" } do
      raises("expected a selection, got " .. type(value), decoder.values, decoder, value)
    end
    assert.equal("rollcall.selection", getmetatable(core.selection { "/a" }))
  end)
end)

local newproxy = rawget(_G, "newproxy")
local WHOLE = newproxy and 1e7 or 1000 -- of setstepmul, in its Lua's own units: a collection of one step

--- What f(...) answers where a whole collection falls into it, at the first thing that it allocates, and runs this
--- finalizer. Raises where the collection did not come.
local function with_finalizer(finalizer, f, ...)
  local inside, ran = false, false
  local function run()
    ran = inside
    if inside then
      finalizer()
    end
  end
  collectgarbage() -- so that the next one begins at its beginning
  collectgarbage "stop"
  local multiplier = collectgarbage("setstepmul", WHOLE)
  local function leave(...)
    inside = false
    collectgarbage("setstepmul", multiplier)
    assert(ran, "no collection fell into the call")
    return ...
  end
  if newproxy then
    getmetatable(newproxy(true)).__gc = run
  else
    setmetatable({}, { __gc = run })
  end
  inside = true
  collectgarbage "restart"
  return leave(f(...))
end

describe("a function or a finalizer that runs while values are read", function()
  it("may feed the decoder, take the record, or close the decoder", function()
    local decoder
    local function selection_of(f)
      return core.selection { "/id", function(user)
        f()
        return user.id
      end, "/text" }
    end
    local object = ('{"id":%d,"text":"' .. ("x"):rep(100) .. '"}')
    decoder = core.decoder { items = "" }
    assert(decoder:feed("[" .. object:format(1)))
    local _, id, again, text = decoder:values(selection_of(function()
      for i = 2, 3000 do
        assert(decoder:feed("," .. object:format(i)))
      end
    end))
    assert.is_true(id == 1 and again == 1 and text == ("x"):rep(100))

    local took = false
    _, id, again = decoder:values(selection_of(function()
      if not took then
        took = true
        assert.equal(2, decoder:next().id)
      end
    end))
    assert.is_true(id == 3 and again == 3)

    assert.is_nil(decoder:values(selection_of(function() decoder:close() end)))
    raises("the decoder is closed", decoder.next, decoder)
  end)

  it("of a collection in the middle changes nothing", function()
    local decoder, fed, seen = core.decoder { items = "" }, 0, 0
    local pad = ("x"):rep(100) -- a text of which Lua keeps no other copy
    local function feed()
      for _ = 1, 500 do
        fed = fed + 1
        assert(decoder:feed((fed == 1 and "[" or ",") .. ('{"id":%d,"a":"a%d%s","b":"b%d%s","c":"c%d%s"}'):format(fed,
          fed, pad, fed, pad, fed, pad)))
      end
    end
    local selection = core.selection { "/a", "/id", "/b", "/c" }
    local function check(any, a, id, b, c)
      seen = seen + 1
      assert.is_true(any and a == "a" .. seen .. pad and id == seen and b == "b" .. seen .. pad
        and c == "c" .. seen .. pad)
    end
    feed()
    for round = 1, 30 do
      check(with_finalizer(feed, decoder.values, decoder, selection)) -- what waits is moved
      while fed - seen > 10 * round do
        check(decoder:values(selection))
      end
    end
  end)

  for _, case in ipairs { { "a record is made", function(user) return user.id end }, { "texts are made", "/id" } } do
    local what, selection = case[1], core.selection { "/text", case[2] }
    local function decoder_of_texts()
      local objects = {}
      for i = 1, 4 do
        objects[i] = ('{"id":%d,"text":"%s"}'):format(i, tostring(i):rep(100))
      end
      return decoder_of(objects)
    end

    it("may close the decoder while " .. what, function()
      local decoder = decoder_of_texts()
      assert.is_nil(with_finalizer(function() decoder:close() end, decoder.values, decoder, selection))
      raises("the decoder is closed", decoder.values, decoder, selection)
    end)

    it("may take what was to be given, which is given once, while " .. what, function()
      local decoder, ids = decoder_of_texts(), {}
      local function take()
        ids[#ids + 1] = decoder:next().id
      end
      local function give(any, text, id)
        assert.is_true(any and text == tostring(id):rep(100))
        ids[#ids + 1] = id
      end
      give(with_finalizer(take, decoder.values, decoder, selection))
      assert.same({ 1, 2 }, ids)
      give(decoder:values(selection))
      assert.is_nil(with_finalizer(take, decoder.values, decoder, selection))
      assert.same({ 1, 2, 3, 4 }, ids)
    end)
  end
end)
