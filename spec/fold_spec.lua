local fold = require "rollcall.fold"

describe("fold.lower", function()
  it("makes capital letters small, in several scripts", function()
    for text, small in pairs {
      ["Jane DOE 7"] = "jane doe 7",
      ["ÅSE Ødegård ÞÓR ×"] = "åse ødegård þór ×",
      ["ŁÓDŹ Ÿ Ğ Ș"] = "łódź ÿ ğ ș",
      ["ΨΗΦΙΑΚΈΣ Ώ Ό Ύ Ά"] = "ψηφιακέσ ώ ό ύ ά",
      ["ς"] = "σ",
      ["КОФЕЙНЯ Ёлкин Ї Ґ Ө"] = "кофейня ёлкин ї ґ ө",
      ["ՀԱՅ"] = "հայ",
      ["NGUYỄN ẠẦ"] = "nguyễn ạầ",
      ["日本語 😀 עברית"] = "日本語 😀 עברית",
    } do
      assert.equal(small, fold.lower(text))
      assert.equal(small, fold.lower(small))
    end
  end)

  it("agrees with Python's casefold of single letters, wherever it changes one", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write [[
for code in list(range(0x20, 0x530)) + list(range(0x531, 0x557)) + list(range(0x1EA0, 0x1EFF)):
    print(chr(code))
    print(chr(code).lower())
]]
    file:close()
    local python = assert(io.popen("PYTHONIOENCODING=utf-8 LD_PRELOAD= python3 " .. path))
    local changed, capitals = 0, 0
    local letter, small = python:read "*l", python:read "*l"
    while letter do
      capitals = capitals + (letter ~= small and 1 or 0)
      local ours = fold.lower(letter)
      if ours ~= letter and letter ~= "ς" then
        changed = changed + 1
        assert.equal(small, ours)
      end
      letter, small = python:read "*l", python:read "*l"
    end
    python:close()
    os.remove(path)
    assert.is_true(changed > 380, changed .. " of " .. capitals)
  end)
end)
