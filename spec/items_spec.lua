-- The decoder: the array at a JSON Pointer cut into users, and the scalars beside it. Every document is fed whole, cut
-- in two at every byte, and byte by byte.

local check = require "spec.support.check"
local core = require "rollcall.core"
local feeding = require "spec.support.feeding"

local TWO = '[{"id":1},{"id":2}]'

-- The texts of the users of a document in which nothing is wrong.
local function users(pointer, text, options)
  options = options or {}
  options.items = pointer
  local outcome = feeding.every_way(options, text)
  if outcome.code then
    error(("%q: %s"):format(text, feeding.describe(outcome)), 2)
  end
  return outcome.texts, outcome
end

local function both(pointer, text)
  assert.same({ '{"id":1}', '{"id":2}' }, (users(pointer, text)))
end

-- What is captured from a document in which nothing is wrong.
local function captured(pointers, text)
  local _, outcome = users("/data", text, { capture = pointers })
  return outcome.captured
end

local function fails(options, text, code, offset, message, count)
  if type(options) == "string" then
    options = { items = options }
  end
  local outcome = feeding.every_way(options, text)
  if outcome.code ~= code or outcome.offset ~= offset or message and outcome.message ~= message
    or count and #outcome.users ~= count then
    error(("%q: %s"):format(text, feeding.describe(outcome)), 2)
  end
end

describe("the array of users", function()
  it("is the document itself at the pointer \"\"", function()
    both("", TWO)
    both("", " \n" .. TWO .. "\t ")
    both("", '[\n{"id":1}\n,\n{"id":2}\n]')
    assert.same({}, (users("", "[]")))
    assert.same({}, (users("", " [ ] ")))
    assert.same({ "{}" }, (users("", "[{}]")))
  end)

  it("is found under a key, wherever it stands", function()
    both("/data", '{"data":' .. TWO .. "}")
    both("/data", '{"a":1,"data":' .. TWO .. "}")
    both("/data", '{"data":' .. TWO .. ',"z":[1,{"y":[]}],"x":"]}"}')
    both("/data", '{"a":{"b":[{"c":[[]]}]},"a2":[[{"id":3}]],"data":' .. TWO .. ',"z":null}')
    both("/data", ' { "data" : ' .. TWO .. " } ")
  end)

  it("is found deeper", function()
    both("/a/b", '{"a":{"b":' .. TWO .. "}}")
    both("/a/b", '{"x":0,"a":{"x":{},"b":' .. TWO .. ',"y":[]},"z":0}')
    both("/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p", '{"a":{"b":{"c":{"d":{"e":{"f":{"g":{"h":{"i":{"j":{"k":{"l":{"m":'
      .. '{"n":{"o":{"p":' .. TWO .. ("}"):rep(16))
  end)

  it("is not mistaken for decoys of the same name", function()
    both("/data", '{"a":{"data":[{"id":9}]},"b":[{"data":[{"id":9}]}],"data":' .. TWO .. ',"c":{"data":{"data":[]}}}')
    both("/a/b", '{"b":[{"id":9}],"c":{"b":[{"id":9}]},"a":{"a":{"b":[1]},"c":[{"b":1}],"b":' .. TWO .. '},"d":[1]}')
    both("/data", '{"x":"\\"data\\":[","data":' .. TWO .. "}")
    assert.same({ '{"data":[{"data":[]}]}' }, (users("/data", '{"data":[{"data":[{"data":[]}]}]}')))
    assert.same({ "{}" }, (users("/a/a", '{"a":{"a":[{}]}}')))
    -- prefixes and extensions of the name
    both("/data", '{"dat":1,"data2":2,"Data":3,"":4,"data":' .. TWO .. "}")
  end)

  it("is found through names with escapes, in the pointer and in the document", function()
    both("/a~1b", '{"a/b":' .. TWO .. "}")
    both("/a~0b", '{"a~b":' .. TWO .. "}")
    both("/~01", '{"/":0,"~1":' .. TWO .. "}")
    both("/~0~1~0", '{"~/~":' .. TWO .. "}")
    both("/", '{"":' .. TWO .. "}")
    both("//", '{"":{"":' .. TWO .. "}}")
    both("/data", [[{"d\u0061t\u0061":]] .. TWO .. "}")
    both("/a~1b", [[{"a\/b":]] .. TWO .. "}")
    both('/"\n', [[{"\"\n":]] .. TWO .. "}")
    both("/é𝄞", [[{"é\uD834\uDD1E":]] .. TWO .. "}")
    both("/é𝄞", [[{"\u00e9𝄞":]] .. TWO .. "}")
    both("/日本", '{"日":1,"日本":' .. TWO .. "}")
    both("/a\0b", [[{"a\u0000b":]] .. TWO .. "}")
    fails("/data", [[{"d\u0061t\u0062":[]}]], "not_found", 21)
    fails("/data", [[{"d\u0061t\u0061\u0061":[]}]], "not_found", 27)
  end)

  it("is found by the index of an array", function()
    both("/0", "[" .. TWO .. "]")
    both("/1", "[[{}]," .. TWO .. ",[{}]]")
    both("/1/data", '[{"data":[{}]},{"data":' .. TWO .. "}]")
    both("/a/10", '{"a":[0,1,"2",null,[],{},6,7,[[8]],{"9":[]},' .. TWO .. "]}")
    both("/0", '{"0":' .. TWO .. "}")
    fails("/01", "[[],[]]", "not_found", 7)
    fails("/-", "[[],[]]", "not_found", 7)
    fails("/2", "[[],[]]", "not_found", 7)
    fails("/18446744073709551616", "[[],[]]", "not_found", 7)
  end)

  it("must be an array", function()
    fails("", "{}", "not_array", 0, "expected an array at the top of the document, got an object")
    fails("", " null", "null_array", 1, "expected an array at the top of the document, got null")
    fails("", '"x"', "not_array", 0, "expected an array at the top of the document, got a string")
    fails("", "12", "not_array", 0, "expected an array at the top of the document, got a number")
    fails("/data", '{"data":{"a":[]}}', "not_array", 8, "expected an array at /data, got an object")
    fails("/data", '{"data":true}', "not_array", 8, "expected an array at /data, got true")
    fails("/data", '{"data":false}', "not_array", 8, "expected an array at /data, got false")
    fails("/data", '{"data": null}', "null_array", 9, "expected an array at /data, got null")
    fails("/data", '{"data": null, "data": []}', "second_value", 23)
    fails("/data", '{"data": [], "data": null}', "second_value", 21)
    fails("/data", '{"data": null, "data": null}', "second_value", 23)
    fails("/data", '{"data": null,}', "unexpected_byte", 14)
    fails("/a/b", '{"a":{"b":1}}', "not_array", 10, "expected an array at /a/b, got a number")
    fails("/a~1b/c", '{"a/b":{"c":"d"}}', "not_array", 12)
  end)

  it("must be there", function()
    local message = "expected an array at /data, got the end of the document"
    fails("/data", "{}", "not_found", 2, message)
    fails("/data", '{"error":{"data":[]}}', "not_found", 21, message)
    fails("/data", "[]", "not_found", 2, message)
    fails("/data", "null ", "not_found", 5, message)
    fails("/data", "1", "not_found", 1, message)
    fails("/a/b", '{"a":[]}', "not_found", 8)
    fails("/a/b", '{"a":1,"b":[]}', "not_found", 14)
  end)

  it("holds objects only", function()
    local text = '{"data":[{"id":1},{"id":2},%s,{"id":3}]}'
    for value, got in pairs {
      ["null"] = "null", ["true"] = "true", ["1"] = "a number", ['"x"'] = "a string", ["[]"] = "an array",
      ['[{"id":1}]'] = "an array",
    } do
      fails("/data", text:format(value), "not_object", 27,
        "expected an object as item 3 of the array at /data, got " .. got, 2)
    end
    fails("", "[[]]", "not_object", 1,
      "expected an object as item 1 of the array at the top of the document, got an array")
  end)

  it("is one value", function()
    local message = "expected one value at /data, got a second one"
    fails("/data", '{"data":[{}],"data":[{}]}', "second_value", 20, message, 1)
    fails("/data", '{"data":[{}],"data":1}', "second_value", 20, message, 1)
    fails("/data", [[{"data":[],"d\u0061ta":{}}]], "second_value", 23, message, 0)
    fails("/a/b", '{"a":{"b":[{}]},"a":{"b":[{}]}}', "second_value", 25,
      "expected one value at /a/b, got a second one", 1)
    both("/a/b", '{"a":{"b":' .. TWO .. '},"a":{"c":[]}}')
  end)

  it("is followed by nothing but the rest of the document", function()
    fails("", TWO .. "]", "trailing_bytes", 19, "expected the end of the document, got ']'", 2)
    fails("", TWO .. TWO, "trailing_bytes", 19, nil, 2)
    fails("", TWO .. "\n" .. TWO, "trailing_bytes", 20, nil, 2)
    fails("", TWO .. "\0", "trailing_bytes", 19, "expected the end of the document, got byte 0x00", 2)
    fails("/data", '{"data":[{}]}{"data":[{}]}', "trailing_bytes", 13, nil, 1)
    fails("/data", '{"data":[{}]} x', "trailing_bytes", 14, nil, 1)
    fails("/data", '{"data":[{}]', "unexpected_end", 12, nil, 1)
    fails("/data", '{"data":[{}],"x":tru', "unexpected_end", 20, nil, 1)
    fails("/data", '{"data":[{}],"x":nul}', "bad_literal", 20, nil, 1)
  end)
end)

describe("a capture", function()
  it("takes a scalar of each type, before and after the users", function()
    for text, value in pairs {
      ['"abc"'] = "abc", ['""'] = "", [ [["\u00e9\n\uD834\uDD1E"]] ] = "é\n𝄞", ["1"] = 1, ["-2.5e3"] = -2500,
      ["0"] = 0, ["true"] = true, ["false"] = false, ["null"] = core.null, ["1234567890123"] = 1234567890123,
    } do
      assert.same({ ["/n"] = value }, captured({ "/n" }, '{"n":' .. text .. ',"data":[{"n":2}]}'))
      assert.same({ ["/n"] = value }, captured({ "/n" }, '{"data":[{"n":2},{}],"n":' .. text .. "}"))
      assert.same({ ["/n"] = value }, captured({ "/n" }, '{"data":[] , "n" : ' .. text .. " }"))
    end
  end)

  it("tells null from absent", function()
    local decoder = core.decoder { items = "/data", capture = { "/a", "/b" } }
    assert(decoder:feed '{"data":[],"a":null}')
    assert(decoder:finish())
    assert.equal(core.null, decoder:captured "/a")
    assert.is_nil(decoder:captured "/b")
    assert.equal(1, select("#", decoder:captured "/b"))
  end)

  it("takes several, at any depth, by escapes and by index", function()
    assert.same({ ["/a/b"] = 1, ["/a/c"] = 2, ["/d"] = 3, ["/x~1y"] = 4, ["/list/1"] = 6, ["/list/2/z"] = 7 },
      captured({ "/a/b", "/a/c", "/d", "/x~1y", "/list/1", "/list/2/z", "/list/9", "/b" },
        [[{"a":{"b":1,"data":[],"c":2},"data":[{"d":8}],"\u0064":3,"x/y":4,"list":[5,6,{"z":7}]}]]))
  end)

  it("is not mistaken for decoys", function()
    assert.same({ ["/next"] = "right" }, captured({ "/next" },
      '{"a":{"next":"wrong"},"b":[{"next":"wrong"}],"data":[{"next":"wrong","x":{"next":1}}],"next":"right"}'))
  end)

  it("takes nothing from inside the users", function()
    assert.same({}, captured({ "/data/0/id" }, '{"data":[{"id":1}]}'))
  end)

  it("is there as soon as it has come", function()
    local decoder = core.decoder { items = "/data", capture = { "/n" } }
    assert(decoder:feed '{"n":"x')
    assert.is_nil(decoder:captured "/n")
    assert(decoder:feed '"')
    assert.equal("x", decoder:captured "/n")
    assert(decoder:feed ',"data":[{}')
    assert.equal("x", decoder:captured "/n")
  end)

  it("beside an array that is the document finds nothing", function()
    local decoder = core.decoder { items = "", capture = { "/n" } }
    assert(decoder:feed "[{}]")
    assert(decoder:finish())
    assert.is_nil(decoder:captured "/n")
  end)

  it("must be a scalar", function()
    local message = "expected a string, number, boolean or null at /n, got "
    fails({ items = "/data", capture = { "/n" } }, '{"data":[{}],"n":[1]}', "not_scalar", 17, message .. "an array", 1)
    fails({ items = "/data", capture = { "/n" } }, '{"n":{},"data":[{}]}', "not_scalar", 5, message .. "an object", 0)
  end)

  it("is one value", function()
    fails({ items = "/data", capture = { "/n" } }, '{"n":1,"data":[{}],"n":1}', "second_value", 23,
      "expected one value at /n, got a second one", 1)
    fails({ items = "/data", capture = { "/n" } }, [[{"n":1,"data":[],"\u006e":2}]], "second_value", 26)
  end)
end)

describe("a captured array or object", function()
  local function all(pointers, text, options)
    options = options or {}
    options.capture, options.containers = pointers, true
    local _, outcome = users("/data", text, options)
    return outcome.captured
  end

  local function refused(pointers, text, code, offset, message, count)
    fails({ items = "/data", capture = pointers, containers = true }, text, code, offset, message, count)
  end

  it("is taken as it stands, before and after the users", function()
    for _, value in ipairs { "{}", "[]", '{ "a" : [1.50, {"]":"}"}],\n"b\\"":null }', "[[[[1]]],[]]", '"x"', "null",
      "12345678901234567890" } do
      assert.same({ ["/n"] = value }, all({ "/n" }, '{"n":' .. value .. ',"data":[{"n":[1]}],"m":[2]}'))
      assert.same({ ["/n"] = value }, all({ "/n" }, '{"m":{"n":1},"data":[{"n":[1]}] , "n" : ' .. value .. " }"))
    end
  end)

  it("is taken with what is captured in it", function()
    local text = '{"x":{"y":[1,{"z":[true]}]},"data":[],"w":[[],[{"v":"[{"}]]}'
    assert.same({ ["/x"] = '{"y":[1,{"z":[true]}]}', ["/x/y"] = '[1,{"z":[true]}]', ["/x/y/0"] = "1",
      ["/x/y/1/z"] = "[true]", ["/w/1/0"] = '{"v":"[{"}', ["/w/1/0/v"] = '"[{"' },
      all({ "/x", "/x/y", "/x/y/0", "/x/y/1/z", "/w/1/0", "/w/1/0/v" }, text))
    assert.same({ ["/w"] = '[[],[{"v":"[{"}]]' }, all({ "/w" }, text))
  end)

  it("is a value like others, too", function()
    local decoder = core.decoder { items = "/data", capture = { "/n", "/m" }, containers = true }
    assert(decoder:feed '{"n":{"a":[1,"x"]},"data":[],"m":7}')
    assert(decoder:finish())
    assert.same({ a = { 1, "x" } }, decoder:captured "/n")
    assert.same({ a = { 1, "x" } }, decoder:captured("/n", "text"))
    assert.equal('{"a":[1,"x"]}', decoder:captured("/n", "json"))
    assert.equal("7", decoder:captured("/m", "text"))
    assert.has_error(function() decoder:captured("/n", "xml") end)
  end)

  it("is none around the users, who would all have to be kept", function()
    refused({ "/x" }, '{"x":{"n":1}}', "not_found", 13)
    fails({ items = "/x/data", capture = { "/x" }, containers = true }, '{"x":{"n":1,"data":[{}]}}', "not_scalar", 19,
      "expected a value at /x beside the array of items, not around it", 0)
    fails({ items = "/0/1", capture = { "/0" }, containers = true }, "[[5,[{}]]]", "not_scalar", 4,
      "expected a value at /0 beside the array of items, not around it", 0)
  end)

  it("is one value, and bounded as others are", function()
    refused({ "/n" }, '{"n":[1],"data":[{}],"n":2}', "second_value", 25, nil, 1)
    refused({ "/n" }, '{"n":2,"data":[{}],"n":[1]}', "second_value", 23, nil, 1)
    refused({ "/n" }, '{"n":[1],"data":[],"n":[1]}', "second_value", 23)
    refused({ "/n" }, '{"data":[{}],"n":[1}', "unexpected_byte", 19, nil, 1)
    assert.same({ ["/n"] = "[1234567]" }, all({ "/n" }, '{"n":[1234567],"data":[]}', { max_item = 9 }))
    fails({ items = "/data", capture = { "/n" }, containers = true, max_item = 9 }, '{"n":[12345678],"data":[]}',
      "item_too_large", 5)
    fails({ items = "/data", capture = { "/n/a" }, containers = true, max_item = 9 },
      '{"n":{"a":[[],[],[],[]]},"data":[]}', "item_too_large", 10)
  end)
end)

describe("the decoder", function()
  it("gives each user the moment its brace closes", function()
    local decoder = core.decoder { items = "" }
    assert(decoder:feed '[{"id":1')
    assert.is_nil(decoder:next())
    assert(decoder:feed "}")
    assert.equal(1, decoder:next().id)
    assert.is_nil(decoder:next())
    assert(decoder:feed ',{"id":2},{"id":3},{"id"')
    assert.equal(2, decoder:next().id)
    assert(decoder:feed ":4")
    assert.equal(3, decoder:next().id)
    assert.is_nil(decoder:next())
    assert(decoder:feed "}")
    assert.equal(4, decoder:next().id)
    assert(decoder:feed "]")
    assert.is_true(decoder:finish())
    assert.is_nil(decoder:next())
  end)

  it("gives at once what a piece brought whole, whatever stands behind it", function()
    local fields = {}
    for i = 1, 70 do
      fields[i] = ('"f%d":%d'):format(i, i)
    end
    local wide = "{" .. table.concat(fields, ",") .. "}"
    local deep = '{"id":2,"a":' .. ("["):rep(80) .. ("]"):rep(80) .. "}"
    for _, cut in ipairs { "", "{", '{"', '{"id":3', '{"id":"' .. ("x"):rep(5000) } do
      local decoder = core.decoder { items = "" }
      assert(decoder:feed("[" .. wide .. "," .. deep .. "," .. cut))
      assert.equal(70, decoder:next().f70)
      assert.equal(2, decoder:next().id)
      assert.is_nil(decoder:next())
    end
  end)

  it("goes on with a user whom a piece's end cut, however often", function()
    local name = ("Zoë 💶 \\u20ac "):rep(1000)
    local text = ('[{"id":1,"name":"%s"},{"id":2}]'):format(name)
    for _, size in ipairs { 7, 100, 4000, #text - 12 } do
      local decoder, ids = core.decoder { items = "" }, {}
      for first = 1, #text, size do
        assert(decoder:feed(text:sub(first, first + size - 1)))
        for user in function() return (decoder:next()) end do
          ids[#ids + 1] = user.id
        end
      end
      assert(decoder:finish())
      assert.same({ 1, 2 }, ids)
    end
  end)

  it("finds what is wrong in a piece's last bytes with those that follow, or at the end", function()
    for _, bad in ipairs { '{"id":tru]', '{"id":1,]', '{"id":"\1', '{"id":"\\u12x', '{"id"=', '{"id":"\255' } do
      for _, rest in ipairs { "", '{"id":2}]' } do
        local decoder = core.decoder { items = "" }
        local _, err = decoder:feed('[{"id":1},' .. bad)
        if not err and rest ~= "" then
          _, err = decoder:feed(rest)
        elseif not err then
          _, err = decoder:finish()
        end
        local whole = core.decoder { items = "" }
        local _, expected = whole:feed('[{"id":1},' .. bad .. " and more than the scanner's last bytes")
        assert.equal(expected.code, err.code)
        assert.equal(expected.offset, err.offset)
        assert.equal(1, decoder:next().id)
      end
    end
  end)

  it("gives every user before an error, then the error, again and again", function()
    local decoder = core.decoder { items = "/data", capture = { "/n" } }
    local good, err = decoder:feed '{"n":7,"data":[{"id":1},{"id":2},}'
    assert.is_nil(good)
    assert.equal("decode", err.kind)
    assert.equal("unexpected_byte", err.code)
    assert.equal(33, err.offset)
    assert.equal(core.error_metatable, getmetatable(err))
    assert.equal(1, decoder:next().id)
    assert.equal(2, decoder:next().id)
    for _ = 1, 3 do
      local answers = { { decoder:next() }, { decoder:feed "[]" }, { decoder:feed "" }, { decoder:finish() } }
      for _, answer in ipairs(answers) do
        assert.is_nil(answer[1])
        assert.equal("unexpected_byte", answer[2].code)
        assert.equal(33, answer[2].offset)
        assert.equal(err.message, answer[2].message)
      end
    end
    assert.equal(7, decoder:captured "/n")
  end)

  it("takes an error of finish as it takes others", function()
    local decoder = core.decoder { items = "" }
    assert(decoder:feed '[{"id":1}')
    local good, err = decoder:finish()
    assert.is_nil(good)
    assert.equal("unexpected_end", err.code)
    assert.equal(1, decoder:next().id)
    assert.equal("unexpected_end", select(2, decoder:feed "]").code)
    assert.equal("unexpected_end", select(2, decoder:next()).code)
  end)

  it("takes nothing but white space after finish", function()
    local decoder = core.decoder { items = "" }
    assert(decoder:feed "[{}]")
    assert.is_true(decoder:finish())
    assert.is_true(decoder:finish())
    assert.is_true(decoder:feed "")
    assert.is_true(decoder:feed " \n")
    assert.is_true(decoder:finish())
    assert.equal("trailing_bytes", select(2, decoder:feed "[").code)
    assert.equal("trailing_bytes", select(2, decoder:finish()).code)
    assert.truthy(decoder:next())
  end)

  it("gives the same from many documents at once", function()
    local decoders = {}
    for i = 1, 50 do
      decoders[i] = core.decoder { items = "" }
      assert(decoders[i]:feed "[")
    end
    for round = 1, 20 do
      for i, decoder in ipairs(decoders) do
        assert(decoder:feed((round > 1 and "," or "") .. ('{"i":%d,"round":%d}'):format(i, round)))
      end
    end
    for i, decoder in ipairs(decoders) do
      assert(decoder:feed "]")
      assert(decoder:finish())
      for round = 1, 20 do
        local user = decoder:next()
        assert.equal(i, user.i)
        assert.equal(round, user.round)
      end
      assert.is_nil(decoder:next())
    end
  end)

  it("gives users of any number of fields, nested in any depth", function()
    for _, count in ipairs { 0, 1, 2, 31, 62, 63, 64, 65, 66, 128, 129, 200 } do
      local fields = {}
      for i = 1, count do
        fields[i] = ('"f%d":%d'):format(i, i)
      end
      local wide = "{" .. table.concat(fields, ",") .. "}"
      local deep = '{"deep":' .. ("["):rep(count) .. '{"k":"]"}' .. ("]"):rep(count) .. "}"
      local objects = '{"deep":' .. ('{"k":'):rep(count) .. "[0]" .. ("}"):rep(count) .. "}"
      local texts, outcome = users("", ("[%s,%s,%s,{}]"):format(wide, deep, objects))
      assert.same({ wide, deep, objects, "{}" }, texts)
      for i = 1, count do
        assert.equal(i, outcome.users[1]["f" .. i])
      end
      -- and finds what is wrong at their end
      fails("", "[" .. wide .. "," .. deep:sub(1, -2) .. "]]", "unexpected_byte", #wide + #deep + 1, nil, 1)
      fails("", "[" .. deep .. "," .. wide:sub(1, -2) .. ",}]", "unexpected_byte",
        #wide + #deep + (count > 0 and 2 or 1), nil, 1)
    end
  end)

  it("keeps the order of users that wait while others are taken", function()
    local decoder = core.decoder { items = "" }
    local fed, taken = 0, 0
    local function feed(count)
      local parts = {}
      for i = 1, count do
        fed = fed + 1
        parts[i] = ('%s{"id":%d,"text":"%s"}'):format(fed > 1 and "," or "", fed, ("x"):rep(fed % 97))
      end
      assert(decoder:feed(table.concat(parts)))
    end
    local function take(count)
      for _ = 1, count do
        local user = decoder:next()
        taken = taken + 1
        if user.id ~= taken or user.text ~= ("x"):rep(taken % 97) then
          error("user " .. taken .. " came as " .. core.json(user))
        end
      end
    end
    assert(decoder:feed "[")
    for round = 1, 300 do
      feed(round % 7 * 10)
      take(round % 11 * 5 < fed - taken and round % 11 * 5 or 0)
    end
    take(fed - taken)
    assert.is_nil(decoder:next())
    feed(20000)
    take(20000)
    assert(decoder:feed "]")
    assert.is_true(decoder:finish())
    assert.is_nil(decoder:next())
  end)
end)

describe("the limit", function()
  it("max_item bounds a user, exactly", function()
    local text = '{"data":[{"id":1},{"name":"' .. ("x"):rep(20) .. '"},{"id":3}]}'
    local message = "an item, key or value is longer than 30 bytes"
    assert.equal(3, #(users("/data", text, { max_item = 31 })))
    fails({ items = "/data", max_item = 30 }, text, "item_too_large", 18, message, 1)
    fails({ items = "/data", max_item = 10 }, text, "item_too_large", 18, nil, 1)
  end)

  it("max_item bounds nested values and unfinished users, too", function()
    fails({ items = "", max_item = 20 }, '[{"a":{"b":[1,2,3,4,5,6,7,8,9]}}]', "item_too_large", 1)
    fails({ items = "", max_item = 20 }, '[{"a":1},{"a":"' .. ("x"):rep(30), "item_too_large", 9, nil, 1)
    fails({ items = "", max_item = 20 }, "[{" .. (" "):rep(30), "item_too_large", 1)
    assert.equal(1, #(users("", "[" .. (" "):rep(50) .. "{}" .. (" "):rep(50) .. "]", { max_item = 20 })))
  end)

  it("max_item comes before what is wrong behind it", function()
    fails({ items = "", max_item = 20 }, '[{"a":"' .. ("x"):rep(30) .. "\255", "item_too_large", 1)
    fails({ items = "", max_item = 20 }, '[{"a":"xxxx\255' .. ("x"):rep(30), "bad_utf8", 11)
  end)

  it("max_item bounds what is captured, keys, and scalars beside the users", function()
    local long = ("x"):rep(20)
    local options = { items = "/data", capture = { "/next" }, max_item = 10 }
    fails(options, '{"next":"' .. long .. '","data":[]}', "item_too_large", 8)
    fails(options, '{"data":[{}],"next":"' .. long .. '"}', "item_too_large", 20, nil, 1)
    fails(options, '{"' .. long .. '":1,"data":[]}', "item_too_large", 1)
    fails(options, '{"next":' .. ("1"):rep(20) .. ',"data":[]}', "item_too_large", 8)
    assert.equal("12345678", captured({ "/next" }, '{"next":"12345678","data":[]}')["/next"])
    local _, outcome = users("/data", '{"next":"12345678","data":[]}', { capture = { "/next" }, max_item = 10 })
    assert.equal("12345678", outcome.captured["/next"])
    fails(options, '{"next":"123456789","data":[]}', "item_too_large", 8)
  end)

  it("max_item does not bound what is skipped deeper down", function()
    local deep = '{"x":{"y":"' .. ("x"):rep(50) .. '"},"data":[{"a":1}]}'
    assert.equal(1, #(users("/data", deep, { max_item = 10 })))
  end)

  it("max_bytes bounds the document, exactly", function()
    local text = '[{"id":1},{"id":2},{"id":3}]'
    assert.equal(3, #(users("", text, { max_bytes = #text })))
    fails({ items = "", max_bytes = #text - 1 }, text, "body_too_large", #text - 1,
      "the document is longer than 27 bytes", 3)
    fails({ items = "", max_bytes = 20 }, text, "body_too_large", 20, nil, 2)
    fails({ items = "", max_bytes = 0 }, text, "body_too_large", 0, nil, 0)
    fails({ items = "", max_bytes = 0 }, "", "unexpected_end", 0)
    fails({ items = "", max_bytes = 20 }, "[{},x" .. (" "):rep(50), "unexpected_byte", 4,
      "expected a value, got 'x'", 1)
  end)

  it("max_depth counts from the document", function()
    assert.equal(1, #(users("/a", '{"a":[{"b":[1]}]}', { max_depth = 4 })))
    fails({ items = "/a", max_depth = 3 }, '{"a":[{},{"b":[1]}]}', "too_deep", 14,
      "nested deeper than 3 levels, in item 2", 1)
    fails({ items = "/a", max_depth = 2 }, '{"a":[{}]}', "too_deep", 6)
    fails({ items = "/a", max_depth = 1 }, '{"a":[{}]}', "too_deep", 5)
  end)
end)

describe("core.decoder", function()
  local function raises(pattern, options)
    local good, message = pcall(core.decoder, options)
    assert.is_false(good)
    assert.truthy(tostring(message):find(pattern, 1, true), message)
  end

  it("raises what is wrong with a pointer", function()
    raises("must be empty or begin with '/'", { items = "data" })
    raises("'~' must be followed by 0 or 1", { items = "/a~2" })
    raises("'~' must be followed by 0 or 1", { items = "/a~" })
    raises("more than 16 segments", { items = ("/a"):rep(17) })
    raises("capture: \"b\": it must be empty or begin with '/'", { items = "", capture = { "/a", "b" } })
    raises("capture: \"/~x\": '~' must be followed by 0 or 1", { items = "", capture = { "/~x" } })
    raises("items: \"data\": it must be empty", { items = "data" })
    raises("id: \"/~\": '~' must", { items = "", id = "/~" })
  end)

  it("gives no document once more than blanks has come behind its end", function()
    for _, count in ipairs { 1, 100, 100000 } do
      local decoder = core.decoder { items = "" }
      assert(decoder:feed "[]" and decoder:finish())
      assert.is_nil((decoder:feed(("x"):rep(count))))
      assert.is_nil(decoder:document())
    end
  end)

  it("answers nil, and not nothing, where there is nothing", function()
    local decoder = core.decoder { items = "/data", capture = { "/next" }, edges = true }
    for _, call in ipairs { { "next" }, { "captured", "/next" }, { "edge", "last", "/id" }, { "document" } } do
      assert.equal(1, select("#", decoder[call[1]](decoder, call[2], call[3])), call[1])
    end
  end)

  it("raises what is wrong with an option, by its name", function()
    raises("items: expected a JSON Pointer, got nil", {})
    raises("items: expected a JSON Pointer, got number", { items = 1 })
    raises('there is no option "itmes"', { itmes = "" })
    raises("an option's name must be a string, got number", { "" })
    raises("capture: expected a list of JSON Pointers, got string", { items = "", capture = "/a" })
    raises("capture: 1: expected a JSON Pointer, got number", { items = "", capture = { 1 } })
    raises("record: expected a type made by record_type, got string", { items = "", record = "x" })
    raises("record: expected a type made by record_type, got table", { items = "", record = {} })
    for _, name in ipairs { "max_bytes", "max_item", "max_depth" } do
      for _, value in ipairs { -1, 1.5, 0 / 0, math.huge, "5", {}, true } do
        raises(name .. ": expected a whole number", { items = "", [name] = value })
      end
    end
    local seventeen = {}
    for i = 1, 17 do
      seventeen[i] = "/" .. i
    end
    raises("at most 16 JSON Pointers", { items = "", capture = seventeen })
    seventeen[17] = nil
    assert(core.decoder { items = "", capture = seventeen })
  end)

  it("raises on what is no table of options", function()
    for _, value in ipairs { 1, "x", true, print, core.null } do
      raises("decoder: expected a table of options", value)
    end
    assert.has_error(function()
      core.decoder()
    end)
  end)

  it("raises where a pointer is asked for that it does not capture", function()
    local decoder = core.decoder { items = "", capture = { "/a" } }
    for _, pointer in ipairs { "/b", "", "a", 1, "/a\0" } do
      assert.has_error(function()
        decoder:captured(pointer)
      end)
    end
  end)

  it("leaves the caller's tables alone", function()
    local capture = { "/a", "/b" }
    local options = { items = "/data", capture = capture }
    core.decoder(options)
    assert.same({ items = "/data", capture = { "/a", "/b" } }, options)
    capture[1] = "/changed"
    local decoder = core.decoder(options)
    options.items, capture[1] = "/other", "/again"
    collectgarbage()
    assert(decoder:feed '{"changed":5,"data":[{}]}')
    assert(decoder:finish())
    assert.equal(5, decoder:captured "/changed")
  end)
end)

describe("the decoder's messages", function()
  it("name pointers as they were given, and what was got", function()
    local decoder = core.decoder { items = "/a~1b~0" }
    assert(decoder:feed "{}")
    local _, err = decoder:finish()
    check.contains(err.message, "/a~1b~0")
    for option, expected in pairs { max_item = "from 0 to 2147483647, got 1.5",
      edges = "expected a boolean, got string" } do
      local good, message = pcall(core.decoder, { items = "", [option] = option == "edges" and "no" or 1.5 })
      assert.is_false(good)
      check.contains(message, option, expected)
    end
    for _, make in ipairs { core.ledger, core.decoder } do
      local good, message = pcall(make, { id = "id", items = make == core.decoder and "" or nil })
      assert.is_false(good)
      check.contains(message, "begin with '/'")
    end
    local good, message = pcall(core.ledger, { id = "/id", saved = {} })
    assert.is_false(good)
    check.contains(message, "ledger: saved: expected a string, got table")
  end)
end)

describe("a ledger", function()
  --- The records of an array.
  local function records(text)
    local decoder, list = core.decoder { items = "" }, {}
    assert(decoder:feed(text))
    assert(decoder:finish())
    for record in decoder.next, decoder do
      list[#list + 1] = record
    end
    return list
  end

  --- What it says of a body's items once it has taken those of another one; and itself.
  local function verdicts(first, second)
    local ledger, said = core.ledger { id = "/id" }, {}
    for _, record in ipairs(records(first)) do
      assert.is_true(ledger:take(record))
    end
    ledger:begin_body()
    for i, record in ipairs(records(second)) do
      said[i] = tostring((ledger:take(record)))
      if said[i] == "nil" then
        break
      end
    end
    return table.concat(said, " "), ledger
  end

  it("knows an id however it is escaped", function()
    for _, length in ipairs { 1, 300 } do -- in its buffer, and beyond it
      local rest = ("c"):rep(length)
      local plain, escaped = ('[{"id":"ab%s"}]'):format(rest), ('[{"id":"\\u0061b%s"}]'):format(rest)
      assert.equal("false", (verdicts(plain, escaped)))
      assert.equal("false", (verdicts(escaped, plain)))
      assert.equal("true", (verdicts(plain, '[{"id":"\\u0062b' .. rest .. '"}]')))
    end
  end)

  it("knows who has no id by the place", function()
    assert.equal("false false false true", (verdicts('[{"id":1},{"n":1},{"id":2}]',
      '[{"id":1},{"n":9},{"id":2},{"id":3}]')))
    assert.equal("false nil", (verdicts('[{"id":1},{"id":2}]', '[{"id":1},{"n":9}]')))
    assert.equal("false false nil", (verdicts('[{"id":1},{"n":1}]', '[{"id":1},{"n":9},{"id":3}]')))
    local said, ledger = verdicts('[{"id":1},{"n":1},{"id":2}]', '[{"id":1},{"n":9}]')
    assert.equal("false false", said)
    assert.is_true(ledger:short())
  end)

  it("is the same without its last one, where it has none", function()
    local ledger = core.ledger { id = "/id" }
    assert.equal(ledger:save(9, false), ledger:save(9, true))
    assert.is_nil((core.ledger { id = "/id", saved = ("\255"):rep(16) }))
  end)
end)

describe("a document without items", function()
  local function ended(text, step)
    local decoder = core.decoder { items = "/data" }
    for from = 1, #text, step do
      decoder:feed(text:sub(from, from + step - 1))
    end
    local _, err = decoder:finish()
    return decoder:document(), err and err.code
  end

  it("is kept while it is short, however it was cut", function()
    local text = '{"ok":false,"error":"no"} '
    for step = 1, #text do
      assert.same({ text, "not_found" }, { ended(text, step) })
    end
    text = '{"data":null}'
    assert.same({ text, "null_array" }, { ended(text, 5) })
    text = '{"x":"' .. ("x"):rep(16384 - 8) .. '"}'
    assert.equal(16384, #text)
    assert.equal(text, (ended(text, 100)))
    assert.equal(text, (ended(text, #text)))
    for _, step in ipairs { 1, 100, 16384, 16385 } do
      assert.same({ nil, "not_found" }, { ended(text .. " ", step) })
    end
  end)

  it("is kept where the array is empty, and as far as it has come where something else is there", function()
    for step = 1, 20 do
      assert.same({ ' {"data":[],"x":[1]} ' }, { ended(' {"data":[],"x":[1]} ', step) })
      local document, code = ended('{"x":1,"data":{"y":2}}', step)
      assert.equal("not_array", code)
      assert.equal('{"x":1,"data":{', document:sub(1, 15))
    end
    local long = '{"x":"' .. ("x"):rep(16384) .. '","data":[]}'
    assert.is_nil((ended(long, 100)))
  end)

  it("is none where it is not whole, or has items", function()
    for text, code in pairs {
      ['{"data":[{}]}'] = "",
      ['{"data":[1]}'] = "not_object",
      ['{"x":1'] = "unexpected_end",
      ['{"x":1}}'] = "trailing_bytes",
      [""] = "unexpected_end",
    } do
      local document, got = ended(text, 3)
      assert.is_nil(document, text)
      assert.equal(code, got or "")
    end
    local decoder = core.decoder { items = "/data" }
    assert(decoder:feed '{"x":1}')
    assert.is_nil(decoder:document())
    decoder:close()
    assert.has_error(function() decoder:document() end)
  end)
end)

describe("the edges and the opening", function()
  --- A decoder that was fed a text in pieces of `step` bytes, and the users it gave meanwhile.
  local function fed(text, step, options)
    local all = { items = "/data", edges = true, id = "/id" }
    for name, value in pairs(options or {}) do
      all[name] = value
    end
    local decoder, count = core.decoder(all), 0
    for from = 1, #text, step do
      assert(decoder:feed(text:sub(from, from + step - 1)))
      while decoder:next() do
        count = count + 1
      end
    end
    assert(decoder:finish())
    assert.equal(count, decoder:found())
    return decoder
  end

  local function document(ids)
    local list = {}
    for i, id in ipairs(ids) do
      list[i] = ('{"n":[%d],"id":%s,"at":{"a/b":"x%d"}}'):format(i, id, i)
    end
    return '{"data":[' .. table.concat(list, " ,\n") .. '],"next":1}'
  end

  it("say what the first and the last user have at a pointer, however the text was cut", function()
    local text = document { '"a\\u0062"', "12345678901234567890", "null", "true", "3.50" }
    for step = 1, #text, 3 do
      local decoder = fed(text, step)
      assert.equal(5, decoder:found())
      assert.equal("ab", decoder:edge("first", "/id"))
      assert.equal("3.50", decoder:edge("last", "/id", "text"))
      assert.equal(3.5, decoder:edge("last", "/id"))
      assert.equal("x1", decoder:edge("first", "/at/a~1b"))
      assert.equal("5", decoder:edge("last", "/n/0", "text"))
      assert.is_nil(decoder:edge("last", "/nothing/here"))
      assert.same({ 1 }, decoder:edge("first", "/n"))
    end
    local one = fed('{"data":[{"id":null}]}', 100)
    assert.equal(core.null, one:edge("first", "/id"))
    assert.equal(core.null, one:edge("last", "/id"))
    local none = fed('{"data":[]}', 100)
    assert.is_nil(none:edge("first", "/id"))
    assert.equal(0, none:found())
  end)

  it("are kept while later and shorter ones arrive, and only where asked for", function()
    local long = '{"id":"' .. ("x"):rep(100000) .. '"}'
    local decoder = fed('{"data":[' .. long .. ',{"id":"y"},' .. long .. ',{"id":"z"}]}', 777)
    assert.equal(100000, #decoder:edge("first", "/id"))
    assert.equal("z", decoder:edge("last", "/id"))
    assert.is_nil(fed('{"data":[{"id":1}]}', 10, { edges = false }):edge("last", "/id"))
  end)

  it("come as they stand in the text, where so asked", function()
    local decoder = fed('{"data":[{"id":1.50,"k":[ 1, "a" ]},{"id":"x","k":{"z":10}}]}', 3)
    assert.equal("1.50", decoder:edge("first", "/id", "json"))
    assert.equal('[ 1, "a" ]', decoder:edge("first", "/k", "json"))
    assert.equal('"x"', decoder:edge("last", "/id", "json"))
    assert.equal('{"z":10}', decoder:edge("last", "/k", "json"))
    assert.is_nil(decoder:edge("last", "/none", "json"))
  end)

  it("raise for what is no edge or no pointer", function()
    local decoder = fed('{"data":[{"id":1}]}', 10)
    assert.has_error(function() decoder:edge("middle", "/id") end)
    assert.has_error(function() decoder:edge("first", "id") end)
    assert.has_error(function() decoder:edge("first") end)
    decoder:close()
    assert.has_error(function() decoder:edge("first", "/id") end)
    assert.has_error(function() decoder:opening() end)
    assert.has_error(function() decoder:found() end)
  end)

  it("are equal for the same users in the same order, and for no others", function()
    local function opening(ids, options, step)
      local count, first, all, waiting = fed(document(ids), step or 9, options):opening()
      assert.equal(0, waiting)
      return count, first, all
    end
    local count, first, all = opening { "1", "2", "3" }
    assert.equal(3, count)
    assert.not_equal(first, all)
    local one, only, all_of_one = opening { "1" }
    assert.equal(1, one)
    assert.equal(first, only)
    assert.not_equal(only, all_of_one)
    for step = 1, 60, 7 do
      local again, same_first, same_all = opening({ "1", "2", "3" }, nil, step)
      assert.same({ count, first, all }, { again, same_first, same_all })
    end
    for _, other in ipairs { { "1", "3", "2" }, { "1", "2" }, { "1", "2", "4" }, { "1", "2", "3", "4" },
      { "2", "1", "3" } } do
      local _, other_first, other_all = opening(other)
      assert.not_equal(all, other_all)
      assert.equal(other[1] == "1", first == other_first)
    end
    -- By their whole text where nothing tells them apart.
    local _, _, text = opening({ "1", "2", "3" }, { id = "/missing" })
    assert.not_equal(all, text)
  end)

  it("are of users that are known by something inside of them", function()
    local function opening_of(text)
      local decoder = core.decoder { items = "", id = "/node/key" }
      assert(decoder:feed(text))
      local _, _, all = decoder:opening()
      return all
    end
    local all = opening_of '[{"node":{"key":"a","n":1}},{"node":{"key":"b"}}]'
    assert.equal(all, opening_of '[{"x":1,"node":{"key":"a"}},{"node":{"n":2,"key":"b"}}]')
    assert.not_equal(all, opening_of '[{"node":{"key":"a","n":1}},{"node":{"key":"c"}}]')
    -- Where it is missing, null or empty, by their whole text.
    for _, nobody in ipairs { "{}", "null", '{"key":null}', '{"key":""}', '"a"' } do
      local one, other = opening_of('[{"node":' .. nobody .. "}]"), opening_of('[{"x":1,"node":' .. nobody .. "}]")
      assert.not_equal(one, other, nobody)
    end
  end)

  it("look at sixteen users and no more", function()
    local ids = {}
    for i = 1, 16 do
      ids[i] = tostring(i)
    end
    local count, _, all = fed(document(ids), 100):opening()
    assert.equal(16, count)
    ids[17] = "17"
    local more, _, still = fed(document(ids), 100):opening()
    assert.equal(16, more)
    assert.equal(all, still)
  end)

  it("say how much waits", function()
    local decoder = core.decoder { items = "", id = "/id" }
    assert(decoder:feed '[{"id":1},{"id":2}')
    local count, _, _, waiting = decoder:opening()
    assert.equal(2, count)
    assert.is_true(waiting > 10)
  end)
end)
