local one_line = require "rollcall.one_line"

local REPLACEMENT = "\239\191\189"

describe("one line of a text that others wrote", function()
  it("has nothing that a terminal would obey, or that turns a line around", function()
    assert.equal("a b c d e", one_line "a\nb\27c\194\155d\127e")
    assert.equal("a b c", one_line "a\226\128\174b\226\129\166c")
    assert.equal("a b\216\155", one_line "a\216\156b\216\155")
    assert.equal("a b", one_line "a\226\128\168b")
    assert.equal("→ … é 😀", one_line "→ … é 😀")
  end)

  it("has no control character of pieces that stood around what was taken out", function()
    for _, mark in ipairs { "\216\156", "\226\128\142", "\226\129\166", "\194\128" } do
      local shown = one_line("\194" .. mark .. "\155")
      assert.is_nil(shown:find "\194[\128-\159]")
      assert.equal(REPLACEMENT .. " " .. REPLACEMENT, shown)
    end
  end)

  it("is valid UTF-8 whatever the bytes are", function()
    for text, shown in pairs {
      ["\155x"] = "?x", ["x\255"] = "x?", ["\192\128"] = "?", ["\224\159\191"] = "?", ["\237\160\128"] = "?",
      ["\240\143\191\191"] = "?", ["\244\144\128\128"] = "?", ["\248\136\128\128\128"] = "?", ["\226\130"] = "?",
      ["é\155"] = "é?", ["\195é"] = "?é", ["\244\143\191\191"] = "\244\143\191\191", ["\239\191\191"] = "\239\191\191",
      ["\237\159\191"] = "\237\159\191", ["\194\160"] = "\194\160", ["\128\129"] = "?",
    } do
      assert.equal((shown:gsub("%?", REPLACEMENT)), one_line(text))
    end
  end)
end)
