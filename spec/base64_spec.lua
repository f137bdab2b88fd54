-- Base64: the vectors of RFC 4648, every byte, and what is none.

local base64 = require "rollcall.base64"

describe("base64", function()
  -- RFC 4648, section 10
  local vectors = { [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==", fooba = "Zm9vYmE=",
    foobar = "Zm9vYmFy" }

  for text, encoded in pairs(vectors) do
    it(("has the RFC's %q"):format(text), function()
      assert.equal(encoded, base64.encode(text))
      assert.equal(text, base64.decode(encoded))
    end)
  end

  it("brings every byte back, wherever it stands", function()
    local bytes = {}
    for i = 0, 255 do
      bytes[#bytes + 1] = string.char(i, 255 - i, (i * 7) % 256)
    end
    local text = table.concat(bytes)
    for cut = 0, 3 do
      local part = text:sub(1 + cut)
      assert.equal(part, base64.decode(base64.encode(part)))
    end
  end)

  it("uses the digits + and /, and takes no others", function()
    assert.equal("+/+/", base64.encode "\251\255\191")
    for _, wrong in ipairs { "-_-_", "Zg=", "Zg", "Z===", "Zg==Zg==", "Zm9v\n", " Zm9v", "Zm=v", "=" } do
      assert.is_nil(base64.decode(wrong), wrong)
    end
  end)
end)
