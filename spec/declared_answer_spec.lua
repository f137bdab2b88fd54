local declared_answer = require "rollcall.http.declared_answer"

describe("declared_answer.matches", function()
  it("compares the status, and looks for the text in any case", function()
    local declared = { status = 400, message = "Token Expired" }
    assert.is_true(declared_answer.matches(declared, 400, '{"m":"the token expired today"}'))
    assert.is_false(declared_answer.matches(declared, 401, "token expired"))
    assert.is_false(declared_answer.matches(declared, 400, "token"))
    assert.is_false(declared_answer.matches(declared, 400, nil))
    assert.is_false(declared_answer.matches(nil, 400, "token expired"))
    assert.is_true(declared_answer.matches({ { status = 403, message = "x" }, declared }, 400, "TOKEN EXPIRED"))
    assert.is_true(declared_answer.matches({ status = 400, message = "%w+ [" }, 400, "a %w+ [b")) -- to the letter
  end)
end)
