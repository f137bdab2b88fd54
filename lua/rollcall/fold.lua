-- Case folding for comparisons: Latin, Greek, Cyrillic and Armenian, whose small letters are at a fixed distance from
-- the capitals. All other text stays as it is.

local fold = {}

-- First capital, last capital, distance to the small letter, step from one capital to the next.
local RANGES = {
  { 0x00C0, 0x00D6, 32, 1 }, { 0x00D8, 0x00DE, 32, 1 }, -- À to Þ, without ×
  { 0x0100, 0x012E, 1, 2 }, { 0x0132, 0x0136, 1, 2 }, { 0x0139, 0x0147, 1, 2 }, { 0x014A, 0x0176, 1, 2 },
  { 0x0178, 0x0178, -121, 1 }, { 0x0179, 0x017D, 1, 2 }, -- Ÿ; Ź to Ž
  { 0x0218, 0x021E, 1, 2 }, -- Ș, Ț
  { 0x0386, 0x0386, 38, 1 }, { 0x0388, 0x038A, 37, 1 }, { 0x038C, 0x038C, 64, 1 }, { 0x038E, 0x038F, 63, 1 },
  { 0x0391, 0x03A1, 32, 1 }, { 0x03A3, 0x03AB, 32, 1 }, -- Α to Ϋ
  { 0x0400, 0x040F, 80, 1 }, { 0x0410, 0x042F, 32, 1 }, { 0x0460, 0x0480, 1, 2 }, { 0x048A, 0x04BE, 1, 2 },
  { 0x04D0, 0x052E, 1, 2 },
  { 0x0531, 0x0556, 48, 1 },
  { 0x1EA0, 0x1EFE, 1, 2 }, -- Vietnamese
}

local function encode(code)
  if code < 0x800 then
    return string.char(0xC0 + math.floor(code / 64), 0x80 + code % 64)
  end
  return string.char(0xE0 + math.floor(code / 4096), 0x80 + math.floor(code / 64) % 64, 0x80 + code % 64)
end

--- Maps each capital's UTF-8 to that of its small letter.
local function small_letters()
  local small = { ["ς"] = "σ" } -- the form at the end of a word
  for _, range in ipairs(RANGES) do
    for code = range[1], range[2], range[4] do
      small[encode(code)] = encode(code + range[3])
    end
  end
  return small
end

local small -- made for the first string that is not all ASCII

--- The text in small letters.
---@param text string UTF-8
---@return string
function fold.lower(text)
  text = text:gsub("[A-Z]", string.lower) -- not %u: a script's locale may have bytes of UTF-8 among its capitals
  if not text:find "[\194-\244]" then
    return text
  end
  small = small or small_letters()
  return (text:gsub("[\194-\225][\128-\191]+", small))
end

return fold
