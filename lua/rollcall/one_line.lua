-- Text written by others, such as a server or a user, as one line for people: valid UTF-8, with nothing in it that a
-- terminal would obey or that reverses the direction of the line.

local REPLACEMENT = "\239\191\189" -- U+FFFD

local LEAST = { [2] = 0x80, [3] = 0x800, [4] = 0x10000 } -- the first code point of this many bytes

--- Is it a C1 control character, a bidirectional mark, embedding or isolate, or a line break?
local function is_unsafe(code)
  return code < 0xA0 or code == 0x61C or code == 0x200E or code == 0x200F or code >= 0x2028 and code <= 0x202E
    or code >= 0x2066 and code <= 0x2069
end

--- A byte beyond ASCII with all bytes after it that can only continue a character. Replaced, never removed, so that
--- separate bytes cannot join into a character.
local function shown(bytes)
  local first = bytes:byte()
  local length = first >= 0xF0 and 4 or first >= 0xE0 and 3 or first >= 0xC0 and 2 or 1
  local code = first % 2 ^ (7 - length)
  for i = 2, length do
    code = code * 64 + (bytes:byte(i) or 0) % 64
  end
  if length == 1 or first > 0xF4 or #bytes < length or code < LEAST[length] or code > 0x10FFFF
    or code >= 0xD800 and code <= 0xDFFF then
    return REPLACEMENT
  end
  return (is_unsafe(code) and " " or bytes:sub(1, length)) .. (#bytes > length and REPLACEMENT or "")
end

-- ASCII control characters, by their bytes: %c may match more in a script's locale.
local CONTROL = "[%z\1-\31\127]"

---@param text string
---@return string
return function(text)
  if not text:find "[%z\1-\31\127-\255]" then
    return text
  end
  return (text:gsub(CONTROL, " "):gsub("[\128-\255][\128-\191]*", shown))
end
