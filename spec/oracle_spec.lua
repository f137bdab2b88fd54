-- The decoder against lua-cjson on generated documents: thousands of users of all shapes, in all spellings, cut at
-- random. The seeds are fixed.

local cjson = require "cjson"
local core = require "rollcall.core"
local documents = require "spec.support.documents"
local feeding = require "spec.support.feeding"

local math_type = rawget(math, "type")

-- Is ours what cjson's is? cjson may have rounded an integer to a float.
local function same_number(ours, theirs)
  if math_type and math_type(ours) == "integer" then
    return ours + 0.0 == theirs + 0.0
  end
  return ours == theirs and (ours ~= 0 or 1 / ours == 1 / theirs)
end

local function same(ours, theirs)
  if type(ours) ~= type(theirs) then
    return false
  elseif type(ours) == "number" then
    return same_number(ours, theirs)
  elseif type(ours) ~= "table" then
    return ours == theirs
  end
  for key, value in pairs(ours) do
    if not same(value, theirs[key]) then
      return false
    end
  end
  for key in pairs(theirs) do
    if ours[key] == nil then
      return false
    end
  end
  return true
end

-- What a field of cjson's table is when it is read by its name: null is nothing, in objects at any depth.
local function without_nulls(value, in_array)
  if value == cjson.null then
    return in_array and value or nil
  elseif type(value) ~= "table" then
    return value
  end
  local copy, is_array = {}, #value > 0
  for key, child in pairs(value) do
    copy[key] = without_nulls(child, is_array)
  end
  return copy
end

local function check_user(user, text)
  local theirs = cjson.decode(text)
  local function expect(good, what)
    if not good then
      error(("%s of %q"):format(what, text), 3)
    end
  end
  expect(core.json(user) == text, "the text")
  expect(same(core.totable(user), theirs), "totable")
  local count = 0
  for key, value in core.pairs(user) do
    count = count + 1
    expect(same(value, without_nulls(theirs[key])), ("pairs: field %q"):format(key))
  end
  for key, value in pairs(theirs) do
    local plain = without_nulls(value)
    count = plain ~= nil and count - 1 or count
    expect(same(user[key], plain), ("field %q"):format(key))
    local pointer = "/" .. key:gsub("~", "~0"):gsub("/", "~1")
    expect(same(core.at(user, pointer), plain), ("at %q"):format(pointer))
    if type(value) == "table" then
      for inner, child in pairs(value) do
        local segment = type(inner) == "number" and inner - 1 or inner:gsub("~", "~0"):gsub("/", "~1")
        expect(same(core.at(user, ("%s/%s"):format(pointer, segment)), without_nulls(child)), "at an inner field")
      end
    end
  end
  expect(count == 0, "the number of fields")
end

-- Users that are taken now and then while the chunks come.
local function walk(pointer, chunks, generator, f)
  local decoder = core.decoder { items = pointer }
  local count = 0
  local function take(most)
    for _ = 1, most do
      local user = decoder:next()
      if user == nil then
        return
      end
      count = count + 1
      f(user, count)
    end
  end
  for _, chunk in ipairs(chunks) do
    assert(decoder:feed(chunk))
    take(generator:int(4) - 1)
  end
  assert(decoder:finish())
  take(math.huge)
  return count
end

--- The values of all fields of the next record, by their names, compared with those of the record itself.
local function check_values(decoder, user, text)
  local names, rules = {}, {}
  for name in pairs(cjson.decode(text)) do
    if #names < 64 then
      names[#names + 1] = name
      rules[#rules + 1] = "/" .. name:gsub("~", "~0"):gsub("/", "~1")
    end
  end
  if #names == 0 then
    return assert(decoder:next())
  end
  local values = { decoder:values(core.selection(rules)) }
  assert(values[1] == true)
  for i, name in ipairs(names) do
    if not same(values[i + 1], user[name]) then
      error(("values: field %q of %q"):format(name, text), 2)
    end
  end
end

--- A document of up to 19 users: its text, where they stand in it, the text of each, and what goes on generating.
local function generated(seed)
  local generator = documents.new(seed)
  local texts = generator:users(generator:int(20) - 1)
  local text, pointer = generator:document(texts)
  return text, pointer, texts, generator
end

describe("users as lua-cjson sees them", function()
  it("have the same values without a record", function()
    local total = 0
    for seed = 2001, 2200 do
      local text, pointer, texts, generator = generated(seed)
      local decoder = core.decoder { items = pointer }
      assert(decoder:feed(text))
      assert(decoder:finish())
      walk(pointer, { text }, generator, function(user, number)
        check_values(decoder, user, texts[number])
        total = total + 1
      end)
    end
    assert.is_true(total > 1500)
  end)

  it("come out equal from thousands of generated documents", function()
    local total = 0
    for seed = 1, 400 do
      local text, pointer, texts, generator = generated(seed)
      cjson.decode(text)
      local chunks = feeding.cut(text, generator, generator:pick { 1, 7, 64, 4096, 65536 })
      local count = walk(pointer, chunks, generator, function(user, number)
        check_user(user, texts[number])
      end)
      assert.equal(#texts, count)
      total = total + count
    end
    assert.is_true(total > 3000)
  end)

  it("come out equal however a document is cut", function()
    for seed = 1001, 1040 do
      local generator = documents.new(seed)
      local texts = generator:users(generator:int(4))
      local text, pointer = generator:document(texts)
      if #text < 3000 then
        assert.same(texts, feeding.every_way({ items = pointer }, text).texts)
      end
      for _ = 1, 50 do
        local outcome = feeding.outcome({ items = pointer }, feeding.cut(text, generator, generator:int(100)))
        assert.is_nil(outcome.code)
        assert.same(texts, outcome.texts)
      end
    end
  end)

  it("come out equal however deep and long they are", function()
    local generator = documents.new(77)
    for depth = 1, 40 do
      generator.spacious = depth % 2 == 0
      local value = generator:value(2)
      for _ = 1, depth do
        value = generator:chance(50) and "[" .. generator:space() .. value .. ",1]"
          or '{"k":' .. generator:space() .. value .. "}"
      end
      local text = '{"deep":' .. value .. "}"
      check_user(feeding.record(text), text)
    end
    for length = 1, 2000, 97 do
      local text = ('{"%s":"%s","s":[%s]}'):format(generator:text(length), generator:text(length),
        ("null,"):rep(length) .. generator:number())
      check_user(feeding.record(text), text)
    end
  end)

  it("have the numbers that cjson reads", function()
    local generator = documents.new(4711)
    local texts = {}
    for i = 1, 20000 do
      texts[i] = generator:number()
    end
    local text = "[" .. table.concat(texts, ",") .. "]"
    local theirs = cjson.decode(text)
    local ours = feeding.record('{"list":' .. text .. "}").list
    assert.equal(#theirs, #ours)
    for i, number in ipairs(ours) do
      if not same_number(number, theirs[i]) then
        error(("%s: %.17g, cjson: %.17g"):format(texts[i], number, theirs[i]))
      end
    end
  end)

  it("have the strings that cjson reads", function()
    local generator = documents.new(4712)
    for _ = 1, 3000 do
      local text = '{"v":"' .. generator:text(30) .. '"}'
      local expected = cjson.decode(text).v
      if feeding.record(text).v ~= expected or core.totable(feeding.record(text)).v ~= expected then
        error(("%q"):format(text))
      end
    end
  end)
end)

describe("a damaged document", function()
  -- Changes, drops, doubles or inserts some bytes.
  local function damage(text, generator)
    for _ = 1, generator:int(3) do
      local at = generator:int(#text)
      local kind = generator:int(5)
      local byte = generator:chance(50) and string.char(generator:int(256) - 1)
        or generator:pick { '"', "\\", "{", "}", "[", "]", ",", ":", "0", "-", "e", ".", "u", " ", "n" }
      local before, after = text:sub(1, at - 1), text:sub(at + 1)
      if kind == 1 then
        text = before .. byte .. after
      elseif kind == 2 then
        text = before .. after
      elseif kind == 3 then
        text = before .. byte .. text:sub(at)
      elseif kind == 4 then
        text = before .. text:sub(at, at + generator:int(10)) .. text:sub(at)
      else
        text = before .. text:sub(at + generator:int(10))
      end
      text = #text > 0 and text or " "
    end
    return text
  end

  it("is judged the same however it is cut, and never taken where cjson refuses", function()
    local accepted, refused = 0, 0
    for seed = 5001, 7000 do
      local generator = documents.new(seed)
      local whole, pointer = generator:document(generator:users(3))
      local text = damage(whole, generator)
      local options = { items = pointer, max_item = generator:pick { 10, 50, 1000 } }
      local outcome = feeding.outcome(options, { text })
      local expected = feeding.describe(outcome)
      for _ = 1, 4 do
        local chunks = feeding.cut(text, generator, generator:pick { 1, 5, 30, 200 })
        local got = feeding.describe(feeding.outcome(options, chunks, generator:chance(50)))
        if got ~= expected then
          error(("seed %d: %q\n  whole: %s\n  cut: %s"):format(seed, text, expected, got))
        end
      end
      if outcome.code then
        refused = refused + 1
        assert.is_true(outcome.offset <= #text)
      else
        accepted = accepted + 1
        assert.is_true(pcall(cjson.decode, text), text)
      end
      for i, user in ipairs(outcome.users) do
        check_user(user, outcome.texts[i])
      end
    end
    assert.is_true(accepted > 50 and refused > 500)
  end)
end)
