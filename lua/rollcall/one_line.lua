-- Texts that others wrote, such as a server or a user, as one line for people: of valid UTF-8, with nothing in it
-- that a terminal would obey or that turns the line around.

local REPLACEMENT = "\239\191\189" -- U+FFFD

local LEAST = { [2] = 0x80, [3] = 0x800, [4] = 0x10000 } -- code points of so many bytes

--- Is it a control character of C1, or a mark, embedding or isolate of writing from right to left, or a break of lines?
local function is_unsafe(code)
  return code < 0xA0 or code == 0x61C or code == 0x200E or code == 0x200F or code >= 0x2028 and code <= 0x202E
    or code >= 0x2066 and code <= 0x2069
end

--- A byte beyond ASCII with all bytes behind it that can only continue a character. What is replaced is so by
--- something: bytes that were apart do not meet.
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

-- Control characters of ASCII, by their bytes: of %c a script's locale may have more.
local CONTROL = "[%z\1-\31\127]"

---@param text string
---@return string
return function(text)
  if not text:find "[%z\1-\31\127-\255]" then
    return text
  end
  return (text:gsub(CONTROL, " "):gsub("[\128-\255][\128-\191]*", shown))
end
