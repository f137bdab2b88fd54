-- The named formats of filter and option values.

local formats = require "rollcall.formats"

describe("a uuid", function()
  it("is 8-4-4-4-12 hexadecimal digits, in either case", function()
    assert.is_true(formats.uuid "123e4567-e89b-12d3-a456-426614174000")
    assert.is_true(formats.uuid "123E4567-E89B-12D3-A456-426614174000")
  end)

  it("is nothing else", function()
    for _, wrong in ipairs { "", "123e4567", "123e4567e89b12d3a456426614174000", "g23e4567-e89b-12d3-a456-426614174000",
      "{123e4567-e89b-12d3-a456-426614174000}", "123e4567-e89b-12d3-a456-426614174000\n",
      " 123e4567-e89b-12d3-a456-426614174000", "123e4567-e89b-12d3-a456-4266141740000" } do
      assert.is_false(formats.uuid(wrong), wrong)
    end
  end)
end)
