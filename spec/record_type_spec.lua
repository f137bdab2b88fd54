-- Types of records: what LuaJIT compiles reads the same as what core reads.

local core = require "rollcall.core"
local feeding = require "spec.support.feeding"
local record_type = require "rollcall.record_type"

local jit = rawget(_G, "jit")
local is_compiling = jit ~= nil and jit.status()

-- So often that LuaJIT compiles the reading, and then some.
local TIMES = 300

local function read(user, name)
  local value
  for _ = 1, TIMES do
    value = user[name]
  end
  return value
end

--- An equal value, of the same type: tables by what is in them, numbers by their text and kind.
local function same(expected, got, what)
  assert.equal(type(expected), type(got), what)
  if type(expected) == "number" and expected == expected then
    local kind = rawget(math, "type") or type
    assert.equal(kind(expected), kind(got), what)
    assert.equal(1 / expected, 1 / got, what) -- tells -0 from 0
  end
  assert.same(expected, got, what)
end

local values = {
  "null", "true", "false", "0", "-0", "-0.0", "7", "-12", "1.5", "1e3", "123456789012345678", "-123456789012345678",
  "1234567890123456789", "9007199254740993", "99999999999999999999", "1e400", '""', '"text"', [["\u0041\n\"\\"]],
  [["\ud83d\ude00"]], '"' .. ("x"):rep(40) .. '"', '"' .. ("y"):rep(5000) .. '"', '"' .. ("y"):rep(300000) .. '"',
  '"' .. ("\\n"):rep(256) .. '"', '"' .. ("\\n"):rep(256) .. 'x"', '"' .. ("y"):rep(200000) .. '\\n"',
  '"' .. ("\\u0041"):rep(85) .. 'zz"', '"' .. ("\\u0041"):rep(86) .. '"', "[]", "{}", "[1,[2,null]]",
  '{"a":{"b":null,"c":"d"}}', '"日本"',
}

local rules = {
  none = {},
  pointers = { other = "/v", deep = "/o/list/1", escaped = "/a~1b", v = "/w", w = "/missing", whole = "", empty = "/" },
  others = { v = { "constant" }, made = function(user)
    return user.w
  end },
}
local names = { "v", "w", "other", "deep", "escaped", "whole", "empty", "made", "a/b", "", "o", "no", "V", 1, true }

describe("a record type", function()
  for kind, common in pairs(rules) do
    it("reads each value as core does, with rules: " .. kind, function()
      local ours, cores = record_type.new(common), core.record_type(common)
      for _, value in ipairs(values) do
        local text = ('{"v":%s,"\\u0077":%s,"a/b":3,"":4,"o":{"list":[5,"six"]}}'):format(value, value)
        local user, expected = feeding.record(text, ours), feeding.record(text, cores)
        for _, name in ipairs(names) do
          same(expected[name], read(user, name), ("%s of %.80s"):format(tostring(name), text))
        end
      end
    end)
  end

  it("reads one name of users of all kinds in one loop", function()
    local users, expected = {}, {}
    for round = 1, 40 do
      for i, value in ipairs(values) do
        local at = (round - 1) * #values + i
        users[at] = feeding.record('{"v":' .. value .. "}", record_type.new {})
        expected[at] = feeding.record('{"v":' .. value .. "}").v
      end
    end
    for i, user in ipairs(users) do
      same(expected[i], user.v, values[(i - 1) % #values + 1])
    end
  end)

  it("leaves the caller's table alone, and does not see it change", function()
    local common = { x = "/v" }
    local user = feeding.record('{"v":1,"w":2}', record_type.new(common))
    assert.same({ x = "/v" }, common)
    common.x, common.y, common.w = "/w", "/w", { 3 }
    same(1, read(user, "x"))
    same(nil, read(user, "y"))
    same(2, read(user, "w"))
  end)

  it("raises for what is no user", function()
    local __index = record_type.new({}).__index
    for _, value in ipairs { 1, "text", true, {}, print, core.null, core.engine(), io.stdout,
      setmetatable({ v = 1 }, { __metatable = "rollcall.record" }) } do
      for _ = 1, TIMES do
        local good, message = pcall(__index, value, "v")
        assert.is_false(good)
        assert.truthy(message:find("expected a user", 1, true), message)
      end
    end
    assert.is_false(pcall(__index))
    assert.is_false(pcall(function()
      return setmetatable({}, record_type.new {}).v
    end))
  end)

  it("gives what an error of a rule says", function()
    local user = feeding.record("{}", record_type.new { x = function()
      error("no such thing", 0)
    end })
    for _ = 1, TIMES do
      local good, message = pcall(read, user, "x")
      assert.is_false(good)
      assert.equal("no such thing", message)
    end
  end)

  local it_compiles = is_compiling and it or function() end

  it_compiles("is read by loops that LuaJIT compiles whole", function()
    local user = feeding.record('{"id":"u1","n":12,"on":true,"off":false,"null":null,"\\u0065":"\\u0065"}',
      record_type.new { mail = "/id" })
    local function count()
      local found = 0
      for _ = 1, 40000 do -- LuaJIT may be in no hurry, where what else has its counter was not compiled
        if user.id == "u1" and user.mail == "u1" and user.n == 12 and user.on and not user.off and user.null == nil
          and user.e == "e" and user.gone == nil then
          found = found + 1
        end
      end
      return found
    end
    local traceinfo = require("jit.util").traceinfo
    local began, loops = {}, 0
    local function listen(what, trace, func)
      if what == "start" then
        began[trace] = func
      elseif what == "stop" and began[trace] == count and traceinfo(trace).linktype == "loop" then
        loops = loops + 1
      end
    end
    jit.flush()
    jit.attach(listen, "trace")
    local found = count()
    jit.attach(listen)
    assert.equal(40000, found)
    assert.is_true(loops > 0)
  end)

  local it_has_finalizers = rawget(_G, "newproxy") and it or function() end

  it_has_finalizers("is not mixed up by finalizers and hooks that read other users", function()
    local own = feeding.record('{"text":"plain","escaped":"\\u0041short","n":5}', record_type.new {})
    local other = feeding.record(('{"text":"%s","escaped":"\\u0042%s","n":77}'):format(("z"):rep(100000),
      ("q"):rep(200)), record_type.new {})
    local function read_other()
      return other.text, other.escaped, other.n
    end
    local wrong = 0
    local function read_own(times, make_garbage)
      for _ = 1, times do
        make_garbage()
        if own.text ~= "plain" or own.escaped ~= "Ashort" or own.n ~= 5 then
          wrong = wrong + 1
        end
      end
    end
    read_own(50000, function()
      debug.getmetatable(rawget(_G, "newproxy")(true)).__gc = read_other
    end)
    for _, events in ipairs { { "", 1 }, { "l" } } do
      debug.sethook(read_other, events[1], events[2])
      read_own(500, function() end)
      debug.sethook()
    end
    assert.equal(0, wrong)
  end)
end)
