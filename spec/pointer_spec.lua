local pointers = require "rollcall.pointer"

describe("a JSON Pointer", function()
  it("is taken apart, and made of names, whatever is in them", function()
    assert.same({}, pointers.steps "")
    assert.same({ "" }, pointers.steps "/")
    assert.same({ "a", "0", "b c" }, pointers.steps "/a/0/b c")
    assert.same({ "a/b", "~1", "~" }, pointers.steps "/a~1b/~01/~0")
    for _, name in ipairs { "", "a", "a/b", "~", "~1", "/~/" } do
      assert.same({ name }, pointers.steps("/" .. pointers.escape(name)))
    end
  end)
end)
