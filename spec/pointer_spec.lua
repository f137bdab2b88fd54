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

  it("leads to members and elements of a decoded document", function()
    local document = { a = { { b = 1 }, false }, ["0"] = "zero", ["x/y"] = 2 }
    for pointer, value in pairs { [""] = document, ["/a/0/b"] = 1, ["/a/1"] = false, ["/0"] = "zero", ["/x~1y"] = 2 } do
      assert.equal(value, pointers.get(document, pointer))
    end
    for _, pointer in ipairs { "/a/00", "/a/2", "/a/-", "/a/1/b", "/b/c", "/" } do
      assert.is_nil(pointers.get(document, pointer), pointer)
    end
    assert.is_nil(pointers.get(nil, "/a"))
    assert.is_nil(pointers.get("text", "/a"))
  end)
end)
