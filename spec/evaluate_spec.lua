-- How a configuration is run: rollcall.cli.evaluate.

local check = require "spec.support.check"
local command = require "spec.support.command"
local evaluate = require "rollcall.cli.evaluate"
local failure = require "rollcall.cli.failure"

local name

setup(function()
  name = os.tmpname()
end)
teardown(function()
  os.remove(name)
end)

local function run(text)
  command.write(name, text)
  return evaluate(assert(io.open(name, "rb")), name)
end

--- What it complains of.
local function refused(text)
  local good, raised = pcall(run, text)
  assert.is_false(good)
  assert.is_true(failure.is(raised), tostring(raised))
  assert.equal(failure.USAGE, raised.status)
  check.contains(raised.message, name)
  return raised.message
end

describe("a configuration's file", function()
  it("is Lua, with what editors put before it", function()
    for _, before in ipairs { "", "\239\187\191", "#!/usr/bin/lua\n", "\239\187\191# -*- lua -*-\n", "-- text\n" } do
      assert.same({ a = 3 }, run(before .. "local one = 1\nreturn { a = one + 2 }"))
    end
    assert.same({ a = 100 }, run "local n = 0 for i = 1, 100 do n = n + 1 end return { a = n }")
    local shared = run "local t = {} return { t, t }"
    assert.equal(shared[1], shared[2])
  end)

  it("reaches no function, by texts neither", function()
    check.contains(refused "return ('x'):rep(1e9)", ":1: a text has no rep here")
    check.contains(refused "\nlocal a = 'x'\nlocal b = a.format", ":3: a text has no format here")
    for call, library in pairs { ["os.getenv 'X'"] = "os", ["io.open('x'):read '*a'"] = "io", ["print 'x'"] = "print",
      ["require 'os'"] = "require", ["string.rep('x', 9)"] = "string", ["_G.os.getenv 'X'"] = "_G" } do
      check.contains(refused("return { client_secret = " .. call .. " }"), ":1: ", "'" .. library .. "'",
        'a configuration is data and can call nothing: a secret is { env = "NAME" }')
    end
    assert.equal("X", ("x"):upper()) -- they are back
  end)

  it("ends, whatever it is about", function()
    check.contains(refused "while true do end", "it does not come to an end")
    check.contains(refused "local function f() return f() end return f()", "it does not come to an end")
    check.contains(refused "local s = 'x' while true do s = s .. s end", "it takes too much memory")
    check.contains(refused "local t = {} for i = 1, 1e8 do t[i] = { i } end", "it takes too much memory")
    assert.is_nil(debug.gethook())
  end)

  it("is text, of the size of a configuration", function()
    check.contains(refused(string.dump(function() end)), "it is compiled")
    check.contains(refused("return {} --" .. ("x"):rep(2 ^ 20)), "it is longer than 1 MiB")
    assert.same({}, run("return {} --" .. ("x"):rep(2 ^ 20 - 12)))
    local good, raised = pcall(function()
      return evaluate(assert(io.open("/dev/zero", "rb")), "/dev/zero")
    end)
    assert.is_false(good)
    check.contains(raised.message, "/dev/zero: it is longer than 1 MiB")
  end)

  it("returns a table, which ends", function()
    check.contains(refused "", "it returns nothing")
    check.contains(refused "return 1", "it returns a number")
    check.contains(refused "local t = {} t.a = { t } return { t }", "has itself inside")
  end)

  it("is never quoted where it is no Lua, since a secret may stand there", function()
    for _, text in ipairs { 'return { client_secret = "s3cret-VALUE\n}',
      'return { client_secret = "s3" "cret-VALUE" }' } do
      local problem = refused(text)
      check.contains(problem, ":1: ")
      assert.is_nil(problem:find("VALUE", 1, true))
    end
  end)

  it("is not quoted where quotes were forgotten", function()
    for _, text in ipairs { "return { client_secret = s3cretVALUE-second }",
      "return { client_secret = s3cretVALUE.foo }",
      'return { client_secret = ("s3cretVALUE")("x") }', 'return { client_secret = "s3cretVALUE" + 1 }',
      [[return { client_secret = "it's3cretVALUE" < 1 }]], "goto s3cretVALUE", "local a = { s3cretVALUE() }",
      'return { client_secret = ("x").s3cretVALUE }' } do
      local problem = refused(text)
      check.contains(problem, ":1: ")
      assert.is_nil(problem:find("cretVALUE", 1, true), problem)
    end
    check.contains(refused "return { client_secret = s3cretVALUE.foo }", "texts stand in quotes")
    check.contains(refused "os.remove 'x'", "'os'")
    assert.is_nil(refused("goto s3cret local a ::s3cret:: a = 1"):find "s3cret")
  end)

  it("says what Lua expects", function()
    check.contains(refused 'return { a = "x"\n b = "y" }', ":2: '}' expected (to close '{' at line 1)")
    check.contains(refused 'return { a = "x"\n', "'}' expected")
    check.contains(refused "if a do end", "'then' expected")
    check.contains(refused "return {} }", "<eof>")
    assert.is_nil(refused("return {} }"):find("data", 1, true))
  end)
end)
