-- The JSON validator, through the decoder. The cases follow the categories of the public JSON test suite (y_ is
-- valid, n_ is not, i_ is left to the implementation), each fed whole, cut in two at every byte, and byte by byte.

local core = require "rollcall.core"
local feeding = require "spec.support.feeding"

local NOWHERE = { items = "/nothing/stands/here" }

-- Expects a whole document to be valid: then nothing is wrong with it but that there are no users.
local function accept(text, options)
  local outcome = feeding.every_way(options or NOWHERE, text)
  if outcome.code ~= "not_found" or outcome.offset ~= #text then
    error(("%q: valid, but %s"):format(text, feeding.describe(outcome)), 2)
  end
end

local function reject(text, code, offset, options)
  local outcome = feeding.every_way(options or NOWHERE, text)
  if outcome.code ~= code or outcome.offset ~= offset then
    error(("%q: expected %s at %d, but %s"):format(text, code, offset, feeding.describe(outcome)), 2)
  end
  return outcome.message
end

local PREFIX = '[{"first":1},{"v":'

-- The same as a user's field: valid where it is valid alone.
local function accept_in_user(text)
  local outcome = feeding.every_way({ items = "" }, PREFIX .. text .. "}]")
  if outcome.code or outcome.texts[2] ~= '{"v":' .. text .. "}" then
    error(("%q in a user: valid, but %s"):format(text, feeding.describe(outcome)), 2)
  end
end

local function reject_in_user(text, code, offset)
  local outcome = feeding.every_way({ items = "" }, PREFIX .. text .. "}]")
  if outcome.code ~= code or outcome.offset ~= #PREFIX + offset or #outcome.users ~= 1 then
    error(("%q in a user: expected %s, but %s"):format(text, code, feeding.describe(outcome)), 2)
  end
end

local valid = {
  arrays = {
    "[]", "[[]   ]", '[""]', '["a"]\n', "[false]", '[null, 1, "1", {}]', "[null]", "[1\n]", " [1]",
    "[1,null,null,null,2]", "[2] ", "[[[],[[]]],{}]", " [ ] ", "[\n\t\r ]", '[{},{},[{}],""]',
  },
  numbers = {
    "0", "-0", "-1", "[123e65]", "[0e+1]", "[0e1]", "[ 4]", "[20e1]", "[-0]", "[-123]", "[1E22]", "[1E-2]", "[1E+2]",
    "[123e45]", "[123.456e78]", "[1e-2]", "[1e+2]", "[123]", "[123.456789]", "[0.0]", "[-0.0e-0]", "10", "100.001E+00",
    "[-0.000000000000000000000000000000000000000000000000000000000000000000000000000001]",
    -- i_: too large or too small for a double, which is no matter of grammar
    "[123.456e789]", "[0.4e00669999999999999999999999999999999999999999999999999999999999999999999999999969999999006]",
    "[-1e+9999]", "[1.5e+9999]", "[-123123e100000]", "[123123e100000]", "[123e-10000000]",
    "[-123123123123123123123123123123]", "[100000000000000000000]",
    "[-237462374673276894279832749832423479823246327846]",
  },
  objects = {
    "{}", '{"asd":"sdf", "dfg":"fgh"}', '{"asd":"sdf"}', '{"a":"b","a":"c"}', '{"a":"b","a":"b"}', '{"":0}',
    [[{"foo\u0000bar": 42}]], '{ "min": -1.0e+28, "max": 1.0e+28 }', '{"a":[]}', '{\n"a": "b"\n}',
    [[{"title":"\u041f\u043e\u043b\u0442\u043e\u0440\u0430" }]], '{"a":{"b":{"c":[{"d":{}}]}}}', ' { "a" : 1 } ',
    '{"x":[{"id": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}], "id": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}',
  },
  strings = {
    '""', '" "', [["\u0060\u012a\u12AB"]], [["\uD801\udc37"]], [["\ud83d\ude39\ud83d\udc8d"]],
    [["\"\\\/\b\f\n\r\t"]], [["\\u0000"]], [["\""]], '"a/*b*/c/*d//e"', [["\\a"]], [["\\n"]], [["\u0012"]],
    [["\uFFFF"]], '"asd"', [["\uDBFF\uDFFF"]], [["new\u00A0line"]], '"\244\143\191\191"', '"\239\191\191"',
    [["\u0000"]], [["\u002c"]], '"π"', '"\240\155\191\191"', '"asd "', [["\uD834\uDd1e"]], [["\u0821"]], [["\u0123"]],
    '"\226\128\168"', '"\226\128\169"', [["\u0061\u30af\u30EA\u30b9"]], [["new\u000Aline"]], '"\127"', [["\uA66D"]],
    [["\u005C"]], '"⍂㈴⍂"', [["\uDBFF\uDFFE"]], [["\uD83F\uDFFE"]], [["\u200B"]], [["\u2064"]], [["\uFDD0"]],
    [["\uFFFE"]], [["\u0022"]], '"€𝄞"', '"a\127a"', [["\uD800\uDC00\uDBFF\uDC00"]], [["\\\\\\\\\\"]],
    -- the first and the last of each length of UTF-8
    '"\194\128\223\191\224\160\128\237\159\191\238\128\128\239\191\191\240\144\128\128\244\143\191\191"',
  },
  structures = {
    "false", "42", "-0.1", "null", '"asd"', "true", "[true]", '["a"]\n', " [] ", "\t\n\r true\t\n\r ", "\n[\n]\n",
  },
}

-- Each with its error and the byte at fault.
local invalid = {
  arrays = {
    { "[1 true]", "unexpected_byte", 3 }, { "[a\229]", "unexpected_byte", 1 }, { '["": 1]', "unexpected_byte", 3 },
    { '[""],', "trailing_bytes", 4 }, { "[,1]", "unexpected_byte", 1 }, { "[1,,2]", "unexpected_byte", 3 },
    { '["x",,]', "unexpected_byte", 5 }, { '["x"]]', "trailing_bytes", 5 }, { '["",]', "unexpected_byte", 4 },
    { '["x"', "unexpected_end", 4 }, { "[x", "unexpected_byte", 1 }, { "[3[4]]", "unexpected_byte", 2 },
    { "[\255]", "unexpected_byte", 1 }, { "[1:2]", "unexpected_byte", 2 }, { "[,]", "unexpected_byte", 1 },
    { "[-]", "bad_number", 2 }, { '[   , ""]', "unexpected_byte", 4 }, { '["a",\n4\n,1,', "unexpected_end", 11 },
    { "[1,]", "unexpected_byte", 3 }, { "[1,\n1\n,1", "unexpected_end", 8 }, { '[""', "unexpected_end", 3 },
    { "[*]", "unexpected_byte", 1 }, { '["\11a"\\f]', "control_byte", 2 }, { "[1}", "unexpected_byte", 2 },
    { "[[]", "unexpected_end", 3 }, { "[{}", "unexpected_end", 3 }, { "[}", "unexpected_byte", 1 },
    { "[:]", "unexpected_byte", 1 }, { "[1;2]", "unexpected_byte", 2 },
  },
  literals = {
    { "[fals]", "bad_literal", 5 }, { "[nul]", "bad_literal", 4 }, { "[tru]", "bad_literal", 4 },
    { "[True]", "unexpected_byte", 1 }, { "[NULL]", "unexpected_byte", 1 }, { "[trUe]", "bad_literal", 3 },
    { "[nulll]", "unexpected_byte", 5 }, { "nullx", "trailing_bytes", 4 }, { "nul", "unexpected_end", 3 },
    { "[nan]", "bad_literal", 2 }, { '["x", truth]', "bad_literal", 9 }, { "[truefalse]", "unexpected_byte", 5 },
    { "[tr\0]", "bad_literal", 3 }, { "[undefined]", "unexpected_byte", 1 },
  },
  numbers = {
    { "123\0", "trailing_bytes", 3 }, { "[++1234]", "unexpected_byte", 1 }, { "[+1]", "unexpected_byte", 1 },
    { "[+Inf]", "unexpected_byte", 1 }, { "[-01]", "bad_number", 3 }, { "[-1.0.]", "unexpected_byte", 5 },
    { "[-2.]", "bad_number", 4 }, { "[-NaN]", "bad_number", 2 }, { "[.-1]", "unexpected_byte", 1 },
    { "[.2e-3]", "unexpected_byte", 1 }, { "[0.1.2]", "unexpected_byte", 4 }, { "[0.3e+]", "bad_number", 6 },
    { "[0.3e]", "bad_number", 5 }, { "[0.e1]", "bad_number", 3 }, { "[0E+]", "bad_number", 4 },
    { "[0E]", "bad_number", 3 }, { "[0e+-1]", "bad_number", 4 }, { "[1.0e+]", "bad_number", 6 },
    { "[1.0e-]", "bad_number", 6 }, { "[1.0e]", "bad_number", 5 }, { "[1 000.0]", "unexpected_byte", 3 },
    { "[1eE2]", "bad_number", 3 }, { "[2.e+3]", "bad_number", 3 }, { "[2.e3]", "bad_number", 3 },
    { "[9.e+]", "bad_number", 3 }, { "[Inf]", "unexpected_byte", 1 }, { "[NaN]", "unexpected_byte", 1 },
    { "[\239\188\145]", "unexpected_byte", 1 }, { "[1+2]", "unexpected_byte", 2 }, { "[0x1]", "unexpected_byte", 2 },
    { "[0x42]", "unexpected_byte", 2 }, { "[-123.123foo]", "unexpected_byte", 9 },
    { "[123\229]", "unexpected_byte", 4 },
    { "[1e1\229]", "unexpected_byte", 4 }, { "[0\229]", "unexpected_byte", 2 }, { "[-Infinity]", "bad_number", 2 },
    { "[- 1]", "bad_number", 2 }, { "[-012]", "bad_number", 3 }, { "[-.123]", "bad_number", 2 },
    { "[-1x]", "unexpected_byte", 3 }, { "[1ea]", "bad_number", 3 }, { "[1e\229]", "bad_number", 3 },
    { "[1.]", "bad_number", 3 }, { "[1.2a-3]", "unexpected_byte", 4 }, { "[012]", "bad_number", 2 },
    { "[1.8011670033376514H-308]", "unexpected_byte", 19 }, { "[00]", "bad_number", 2 }, { "[1,01]", "bad_number", 4 },
    { "[1e+]", "bad_number", 4 }, { "[0.]", "bad_number", 3 }, { "-", "unexpected_end", 1 },
    { "1.", "unexpected_end", 2 },
    { "1e", "unexpected_end", 2 }, { "1e-", "unexpected_end", 3 }, { "01", "bad_number", 1 },
    { "[--1]", "bad_number", 2 },
    { "1 2", "trailing_bytes", 2 }, { "2@", "trailing_bytes", 1 }, { "1]", "trailing_bytes", 1 },
    { "[1_000]", "unexpected_byte", 2 }, { "[1.5f]", "unexpected_byte", 4 },
  },
  objects = {
    { '{[: "x"}\n', "unexpected_byte", 1 }, { '{"x", null}', "unexpected_byte", 4 },
    { '{"x"::"b"}', "unexpected_byte", 5 },
    { "{\240\159\135\168}", "unexpected_byte", 1 }, { '{"a":"a" 123}', "unexpected_byte", 9 },
    { "{key: 'value'}", "unexpected_byte", 1 }, { '{"a" b}', "unexpected_byte", 5 }, { '{:"b"}', "unexpected_byte", 1 },
    { '{"a" "b"}', "unexpected_byte", 5 }, { '{"a":', "unexpected_end", 5 }, { '{"a"', "unexpected_end", 4 },
    { "{1:1}", "unexpected_byte", 1 }, { "{9999E9999:1}", "unexpected_byte", 1 },
    { "{null:null}", "unexpected_byte", 1 },
    { '{"id":0,,,,,}', "unexpected_byte", 8 }, { "{'a':0}", "unexpected_byte", 1 },
    { '{"id":0,}', "unexpected_byte", 8 },
    { '{"a":"b"}/**/', "trailing_bytes", 9 }, { '{"a":"b"}//', "trailing_bytes", 9 },
    { '{"a":"b"}#', "trailing_bytes", 9 },
    { '{"a":"b",,"c":"d"}', "unexpected_byte", 9 }, { '{a: "b"}', "unexpected_byte", 1 },
    { '{"a":"a', "unexpected_end", 7 },
    { '{ "foo" : "bar", "a" }', "unexpected_byte", 21 }, { '{"a":}', "unexpected_byte", 5 },
    { '{"a":1]', "unexpected_byte", 6 },
    { '{"a"}', "unexpected_byte", 4 }, { '{,"a":1}', "unexpected_byte", 1 }, { '{"a":1 "b":2}', "unexpected_byte", 7 },
    { '{"a":1,"b"', "unexpected_end", 10 }, { '{"a":1,', "unexpected_end", 7 }, { '{"a":[}', "unexpected_byte", 6 },
    { '{"\255":1}', "bad_utf8", 2 }, { '{"a\1":1}', "control_byte", 3 }, { [[{"\q":1}]], "bad_escape", 3 },
    { '{{}:1}', "unexpected_byte", 1 }, { '{"a":1}}', "trailing_bytes", 7 },
  },
  strings = {
    { [["\x00"]], "bad_escape", 2 }, { [["\\\"]], "unexpected_end", 5 }, { '"\\\t"', "bad_escape", 2 },
    { '"\\\240\159\140\128"', "bad_escape", 2 }, { [["\"]], "unexpected_end", 3 }, { [["\u00A"]], "bad_escape", 6 },
    { '"\\u\229"', "bad_escape", 3 }, { [["\a"]], "bad_escape", 2 }, { [["\uqqqq"]], "bad_escape", 3 },
    { '"\\\229"', "bad_escape", 2 }, { [[\u0020"asd"]], "unexpected_byte", 0 }, { "[\\n]", "unexpected_byte", 1 },
    { '"', "unexpected_end", 1 }, { "['single quote']", "unexpected_byte", 1 }, { "abc", "unexpected_byte", 0 },
    { '["\\', "unexpected_end", 3 }, { '"a\0a"', "control_byte", 2 }, { '"new\nline"', "control_byte", 4 },
    { '"\t"', "control_byte", 1 }, { [["\UA66D"]], "bad_escape", 2 }, { '""x', "trailing_bytes", 2 },
    { '"\31"', "control_byte", 1 }, { '"\\\0"', "bad_escape", 2 }, { [["\u12G4"]], "bad_escape", 5 },
    { [["\u123"]], "bad_escape", 6 }, { [["\u+123"]], "bad_escape", 3 }, { [["\u 123"]], "bad_escape", 3 },
    { [["\u]], "unexpected_end", 3 }, { [["\u00]], "unexpected_end", 5 }, { [["\'"]], "bad_escape", 2 },
    { "[\195\169]", "unexpected_byte", 1 },
  },
  surrogates = {
    { [["\uD800\"]], "bad_surrogate", 8 }, { [["\uD800\u"]], "bad_escape", 9 }, { [["\uD800\u1"]], "bad_escape", 10 },
    { [["\uD800\u1x"]], "bad_escape", 10 }, { [["\uD834\uDd"]], "bad_escape", 11 },
    { [["\uD800\uD800\x"]], "bad_surrogate", 12 }, { [["\uDADA"]], "bad_surrogate", 7 },
    { [["\uD888\u1234"]], "bad_surrogate", 12 }, { [["\uD800\n"]], "bad_surrogate", 8 },
    { [["\uDd1ea"]], "bad_surrogate", 6 }, { [["\ud800abc"]], "bad_surrogate", 7 },
    { [["\uDFAA"]], "bad_surrogate", 6 },
    { [["\uDd1e\uD834"]], "bad_surrogate", 6 }, { [["\uDBFF\uE000"]], "bad_surrogate", 12 },
    { [["\uD800\uDBFF"]], "bad_surrogate", 12 }, { [["\uD800]], "unexpected_end", 7 },
    { [["\uD834\uDD1E\uDD1E"]], "bad_surrogate", 18 },
  },
  utf8 = {
    { '"\255"', "bad_utf8", 1 }, { '"\128"', "bad_utf8", 1 }, { '"\192\175"', "bad_utf8", 1 },
    { '"\193\191"', "bad_utf8", 1 }, { '"\224\128\175"', "bad_utf8", 2 }, { '"\224\159\191"', "bad_utf8", 2 },
    { '"\237\160\128"', "bad_utf8", 2 }, { '"\237\191\191"', "bad_utf8", 2 }, { '"\240\128\128\128"', "bad_utf8", 2 },
    { '"\240\143\191\191"', "bad_utf8", 2 }, { '"\244\144\128\128"', "bad_utf8", 2 },
    { '"\245\128\128\128"', "bad_utf8", 1 },
    { '"\252\131\191\191\191\191"', "bad_utf8", 1 }, { '"\224\255"', "bad_utf8", 2 }, { '"\195"', "bad_utf8", 2 },
    { '"\226\130"', "bad_utf8", 3 }, { '"\240\159\146"', "bad_utf8", 4 },
    { '"\230\151\165\209\136\250"', "bad_utf8", 6 },
    { '"\195\40"', "bad_utf8", 2 }, { '"\226\40\161"', "bad_utf8", 2 }, { '"\226\130\40"', "bad_utf8", 3 },
    { '"\195', "unexpected_end", 2 }, { '"\233"', "bad_utf8", 2 }, { '"\254"', "bad_utf8", 1 },
  },
  structures = {
    { "", "unexpected_end", 0 }, { " ", "unexpected_end", 1 }, { "<.>", "unexpected_byte", 0 },
    { "[<null>]", "unexpected_byte", 1 }, { "[1]x", "trailing_bytes", 3 }, { "[1]]", "trailing_bytes", 3 },
    { '["asd]', "unexpected_end", 6 }, { "a\195\165", "unexpected_byte", 0 }, { '{"x": true,', "unexpected_end", 11 },
    { "[][]", "trailing_bytes", 2 }, { "]", "unexpected_byte", 0 }, { "\239\187{}", "unexpected_byte", 0 },
    { "\239\187\191{}", "unexpected_byte", 0 }, { "\229", "unexpected_byte", 0 }, { "[", "unexpected_end", 1 },
    { "[\0]", "unexpected_byte", 1 }, { "{}}", "trailing_bytes", 2 }, { '{"":', "unexpected_end", 4 },
    { '{"a":/*comment*/"b"}', "unexpected_byte", 5 }, { '{"a": true} "x"', "trailing_bytes", 12 },
    { "['", "unexpected_byte", 1 }, { "[,", "unexpected_byte", 1 }, { "[{", "unexpected_end", 2 },
    { '["a', "unexpected_end", 3 }, { "{", "unexpected_end", 1 }, { "{]", "unexpected_byte", 1 },
    { "{,", "unexpected_byte", 1 }, { "{[", "unexpected_byte", 1 }, { '{"a', "unexpected_end", 3 },
    { "{'a'", "unexpected_byte", 1 }, { [=[["\{["\{]=], "bad_escape", 3 }, { "*", "unexpected_byte", 0 },
    { '{"a":"b"}#{}', "trailing_bytes", 9 }, { [=[[\u000A""]]=], "unexpected_byte", 1 }, { "[1", "unexpected_end", 2 },
    { "[ false, nul", "unexpected_end", 12 }, { "[ true, fals", "unexpected_end", 12 },
    { '{"asd":"asd"', "unexpected_end", 12 }, { "[\226\129\160]", "unexpected_byte", 1 },
    { "[\12]", "unexpected_byte", 1 },
    { "\12[]", "unexpected_byte", 0 }, { "[]\11", "trailing_bytes", 2 }, { "\255\254[\0]\0", "unexpected_byte", 0 },
    { "null\0", "trailing_bytes", 4 }, { "[1]\194\160", "trailing_bytes", 3 }, { "}", "unexpected_byte", 0 },
    { ",", "unexpected_byte", 0 }, { ":", "unexpected_byte", 0 }, { "{} {}", "trailing_bytes", 3 },
    { "<!DOCTYPE html>", "unexpected_byte", 0 },
  },
}

local function names_of(groups)
  local names = {}
  for name in pairs(groups) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

describe("the JSON validator", function()
  for _, name in ipairs(names_of(valid)) do
    it("accepts valid " .. name, function()
      for _, text in ipairs(valid[name]) do
        accept(text)
      end
    end)

    it("accepts valid " .. name .. " in a user", function()
      for _, text in ipairs(valid[name]) do
        accept_in_user(text)
      end
    end)
  end

  for _, name in ipairs(names_of(invalid)) do
    it("rejects invalid " .. name .. " at the byte at fault", function()
      for _, case in ipairs(invalid[name]) do
        reject(case[1], case[2], case[3])
      end
    end)

    it("rejects invalid " .. name .. " in a user, after the users before it", function()
      for _, case in ipairs(invalid[name]) do
        if case[2] ~= "unexpected_end" and case[2] ~= "trailing_bytes" then
          reject_in_user(case[1], case[2], case[3])
        end
      end
    end)
  end

  it("says what it expected and what it got", function()
    for text, message in pairs {
      [""] = "expected a value, got the end of the document",
      ["x"] = "expected a value, got 'x'",
      ["<html>"] = "expected a value, got '<'",
      ["[1,"] = "expected a value, got the end of the document",
      ["[x]"] = "expected a value or ']', got 'x'",
      ["[1,]"] = "expected a value, got ']'",
      ["[1 2]"] = "expected ',' or ']', got '2'",
      ["[[]"] = "expected ',' or ']', got the end of the document",
      ["{x"] = "expected a key or '}', got 'x'",
      ['{"a":1,}'] = "expected a key, got '}'",
      ['{"a":1,'] = "expected a key, got the end of the document",
      ['{"a" 1}'] = "expected ':', got '1'",
      ['{"a"'] = "expected ':', got the end of the document",
      ['{"a":1]'] = "expected ',' or '}', got ']'",
      ['{"a":[]'] = "expected ',' or '}', got the end of the document",
      ["[] x"] = "expected the end of the document, got 'x'",
      ["[tru]"] = "expected true, got ']'",
      ["[fax"] = "expected false, got 'x'",
      ["nul"] = "expected null, got the end of the document",
      ["[01]"] = "expected no digit after a leading zero, got '1'",
      ["[1.]"] = "expected a digit, got ']'",
      ["[1ex]"] = "expected a digit or a sign of the exponent, got 'x'",
      ["-"] = "expected the rest of a number, got the end of the document",
      ['"a'] = "expected the rest of a string, got the end of the document",
      ['"\1"'] = "expected an escape sequence, got byte 0x01",
      ['"\n"'] = "expected an escape sequence, got byte 0x0A",
      [ [["\q"]] ] = [[expected one of " \ / b f n r t u after a backslash, got 'q']],
      [ [["\u12x"]] ] = "expected four hexadecimal digits after \\u, got 'x'",
      [ [["\uD800x"]] ] = "expected a low surrogate after a high one, got 'x'",
      [ [["\uDC00"]] ] = "expected no low surrogate without a high one before it, got '0'",
      ['"\255"'] = "expected the first byte of a UTF-8 sequence, got byte 0xFF",
      ['"\195\40"'] = "expected a continuation byte of a UTF-8 sequence, got '('",
      ["\0"] = "expected a value, got byte 0x00",
    } do
      assert.equal(message, feeding.every_way(NOWHERE, text).message)
    end
  end)

  describe("looks at every byte:", function()
    -- A document for each byte, and whether it is valid.
    local function each_byte(before, after, is_valid)
      for code = 0, 255 do
        local text = before .. string.char(code) .. after
        local outcome = feeding.every_way(NOWHERE, text)
        local good = outcome.code == "not_found"
        if good ~= is_valid(code, string.char(code)) then
          error(("%q: %s"):format(text, feeding.describe(outcome)))
        end
        if not good and outcome.offset < #before - 1 then
          error(("%q: the byte at fault is %d"):format(text, outcome.offset))
        end
      end
    end

    local function is_space(code)
      return code == 0x20 or code == 0x0A or code == 0x0D or code == 0x09
    end

    it("white space before, between and after tokens", function()
      each_byte("", "null", is_space)
      each_byte("null", "", is_space)
      each_byte("[1", ",2]", function(code, char)
        return is_space(code) or char:match "%d" ~= nil
      end)
      each_byte("[1,", "2]", function(code, char)
        return is_space(code) or char:match "[1-9%-]" ~= nil
      end)
      each_byte('{"a"', ":1}", is_space)
      each_byte('{"a":1}', "", is_space)
      each_byte("{", '"a":1}', is_space)
    end)

    it("one by itself in a string, and after a backslash", function()
      each_byte('"ab', 'cd"', function(code)
        return code >= 0x20 and code < 0x80 and code ~= 0x22 and code ~= 0x5C
      end)
      each_byte([["ab\]], [[cd"]], function(_, char)
        return char:match '["\\/bfnrt]' ~= nil
      end)
      each_byte([["\u00]], [[0"]], function(_, char)
        return char:match "%x" ~= nil
      end)
    end)

    it("as the first of a value", function()
      each_byte("[", "]", function(code, char)
        return is_space(code) or char:match "%d" ~= nil
      end)
    end)

    it("the second one of each UTF-8 sequence", function()
      for first = 0xC0, 0xFF do
        local rest = first >= 0xF0 and "\128\128" or first >= 0xE0 and "\128" or ""
        each_byte('"' .. string.char(first), rest .. '"', function(second)
          local lowest = first == 0xE0 and 0xA0 or first == 0xF0 and 0x90 or 0x80
          local highest = first == 0xED and 0x9F or first == 0xF4 and 0x8F or 0xBF
          return first >= 0xC2 and first <= 0xF4 and second >= lowest and second <= highest
        end)
      end
    end)
  end)

  it("finds the end of a string of any length", function()
    for length = 0, 70 do
      local plain = ("a"):rep(length)
      accept('"' .. plain .. '"')
      accept('"' .. plain .. '\195\169"')
      accept('"' .. plain .. '\\n"')
      reject('"' .. plain, "unexpected_end", length + 1)
      reject('"' .. plain .. "\31" .. plain .. '"', "control_byte", length + 1)
      reject('"' .. plain .. "\128" .. plain .. '"', "bad_utf8", length + 1)
      reject('"' .. plain .. "\\x" .. plain .. '"', "bad_escape", length + 2)
    end
  end)

  describe("limits the nesting", function()
    it("to 512 levels unless told otherwise", function()
      accept(("["):rep(512) .. ("]"):rep(512))
      reject(("["):rep(513) .. ("]"):rep(513), "too_deep", 512)
      reject(("["):rep(2000), "too_deep", 512)
      reject(('[{"":'):rep(600), "too_deep", 1280)
      assert.equal("nested deeper than 512 levels", feeding.outcome(NOWHERE, { ("["):rep(100000) }).message)
    end)

    it("to max_depth levels", function()
      for _, depth in ipairs { 1, 2, 3, 63, 64, 65, 127, 128, 129, 200 } do
        local options = { items = NOWHERE.items, max_depth = depth }
        accept(("["):rep(depth) .. ("]"):rep(depth), options)
        accept(('{"":'):rep(depth) .. "1" .. ("}"):rep(depth), options)
        assert.equal("nested deeper than " .. depth .. " levels",
          reject(("["):rep(depth + 1) .. ("]"):rep(depth + 1), "too_deep", depth, options))
        reject(('{"":'):rep(depth) .. "{}" .. ("}"):rep(depth), "too_deep", 4 * depth, options)
      end
    end)

    it("to 2048 levels at most, and to none at least", function()
      local deepest = { items = NOWHERE.items, max_depth = 2048 }
      assert.equal("not_found", feeding.outcome(deepest, { ("["):rep(2048) .. ("]"):rep(2048) }).code)
      assert.equal("too_deep", feeding.outcome(deepest, { ("["):rep(2049) .. ("]"):rep(2049) }).code)
      assert.has_error(function()
        core.decoder { items = "", max_depth = 2049 }
      end)
      accept(" 1 ", { items = NOWHERE.items, max_depth = 0 })
      reject("[]", "too_deep", 0, { items = NOWHERE.items, max_depth = 0 })
    end)

    it("and knows at each level what is open", function()
      local function nested(depth, seed)
        local opening, closing = {}, {}
        for level = 1, depth do
          seed = seed * 16807 % 2147483647
          local is_object = seed % 2 == 0
          opening[level] = is_object and '{"k":' or "["
          closing[depth - level + 1] = is_object and "}" or "]"
        end
        return table.concat(opening), closing
      end
      for depth = 1, 140, 3 do
        local opening, closing = nested(depth, depth * 7919)
        local text = opening .. "1" .. table.concat(closing)
        assert.equal("not_found", feeding.outcome(NOWHERE, { text }).code)
        for level = 1, depth do
          local wrong = text:sub(1, #opening + level) .. (closing[level] == "}" and "]" or "}")
          local outcome = feeding.outcome(NOWHERE, { wrong })
          assert.equal("unexpected_byte", outcome.code)
          assert.equal(#opening + level, outcome.offset)
        end
      end
    end)
  end)

  it("checks what stands beside the users just the same", function()
    for _, place in ipairs { '{"a":%s,"data":[]}', '{"data":[],"a":%s}', '{"data":[{"a":{"b":[%s]}}]}',
      '{"a":{"data":[%s]},"data":[]}' } do
      local before = place:find("%s", 1, true) - 1
      for _, name in ipairs { "literals", "utf8", "surrogates" } do
        for _, case in ipairs(invalid[name]) do
          if case[2] ~= "unexpected_end" and case[2] ~= "trailing_bytes" then
            local text = place:gsub("%%s", function()
              return case[1]
            end)
            local outcome = feeding.every_way({ items = "/data" }, text)
            assert.equal(case[2], outcome.code)
            assert.equal(before + case[3], outcome.offset)
          end
        end
      end
    end
  end)
end)
