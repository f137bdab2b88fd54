local check = require "spec.support.check"
local core = require "rollcall.core"
local errors = require "rollcall.errors"

describe("an error object", function()
  it("has its kind, its message and the fields given", function()
    local fields = { status = 503, code = "busy" }
    local err = errors.new("http", "the server answered 503", fields)
    assert.equal("http", err.kind)
    assert.equal("the server answered 503", err.message)
    assert.equal(503, err.status)
    assert.equal("busy", err.code)
    assert.same({ status = 503, code = "busy" }, fields)
  end)

  it("is told from everything else", function()
    assert.is_true(errors.is(errors.new("closed", "x")))
    for _, value in ipairs { {}, { kind = "closed", message = "x" }, "closed: x", 1, true } do
      assert.is_false(errors.is(value))
    end
    assert.is_false(errors.is(nil))
  end)

  it("is the same object that the decoder in C makes", function()
    local decoder = core.decoder { items = "" }
    local good, err = decoder:feed "{}"
    assert.is_nil(good)
    assert.is_true(errors.is(err))
    check.failure(err, "decode")
    check.contains(tostring(err), "byte 0")
  end)

  it("reads as one line with what is known", function()
    assert.equal("closed: the stream was closed", tostring(errors.new("closed", "the stream was closed")))
    assert.equal("http: tesouro: busy (GET https://a.example/x, status 503, byte 7, request r-1, 3 attempts)",
      tostring(errors.new("http", "busy", { provider = "tesouro", method = "GET", url = "https://a.example/x",
        status = 503, offset = 7, request_id = "r-1", attempts = 3, body = "not shown" })))
  end)

  it("does not speak of one attempt", function()
    assert.equal("http: busy", tostring(errors.new("http", "busy", { attempts = 1 })))
  end)

  it("stays on one line whatever a server says", function()
    local line = tostring(errors.new("http", "a\r\nb\0c\27[31md", { request_id = "x\ny" }))
    assert.is_nil(line:find "%c")
    line = tostring(errors.new("http", "a\194\216\156\155b", { request_id = "\155c" }))
    assert.equal("http: a\239\191\189 \239\191\189b (request \239\191\189c)", line)
  end)

  it("takes part in a concatenation by tostring and in error and pcall as itself", function()
    local err = errors.new("loop", "again")
    local good, caught = pcall(error, err, 0)
    assert.is_false(good)
    assert.is_true(rawequal(err, caught))
  end)
end)
