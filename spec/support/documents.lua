-- A seeded generator of JSON text: objects of all shapes, in all spellings. The same on every Lua.

local documents = {}

local Generator = {}
Generator.__index = Generator

--- A generator whose `int(n)` is from 1 to n (Lehmer's, by doubles that stay exact).
function documents.new(seed)
  local generator = setmetatable({ state = seed % 2147483646 + 1 }, Generator)
  for _ = 1, 8 do
    generator:int(2) -- near seeds give near first numbers
  end
  return generator
end

function Generator:int(n)
  self.state = self.state * 16807 % 2147483647
  return self.state % n + 1
end

function Generator:pick(list)
  return list[self:int(#list)]
end

function Generator:chance(percent)
  return self:int(100) <= percent
end

local SPACES = { " ", "\n", "\t", "\r", "  ", "\r\n", " \n\t " }

--- Mostly nothing.
function Generator:space()
  return self.spacious and self:chance(30) and self:pick(SPACES) or ""
end

-- All of it plain in a JSON string.
local PLAIN = { "a", "b", "Z", "0", "9", " ", "name", "e-mail", "@", ".", "{", "}", "[", "]", ":", ",", "/", "'",
  "\127", "some longer text without anything special in it", "é", "ß", "Ω", "ж", "日本語", "한국어", "😀", "𝄞", "\239\191\191",
  "\226\128\168", "\244\143\191\191", "\194\128", "null", "true", "-1" }
local ESCAPED = { '\\"', "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t", "\\u0000", "\\u001F", "\\u0041", "\\u00e9",
  "\\u00E9", "\\u20AC", "\\uffff", "\\uD834\\uDD1E", "\\ud800\\udc00", "\\uDBFF\\uDFFF", "\\u005C", "\\u0022",
  "\\\\u0041", "\\\\\\\"" }

--- The inside of a string.
function Generator:text(most)
  local parts = {}
  for i = 1, self:int(most) - 1 do
    parts[i] = self:chance(25) and self:pick(ESCAPED) or self:pick(PLAIN)
  end
  return table.concat(parts)
end

function Generator:digits(most)
  local parts = {}
  for i = 1, self:int(most) do
    parts[i] = self:int(10) - 1
  end
  return table.concat(parts)
end

local NUMBERS = { "0", "-0", "1", "-1", "9007199254740991", "9007199254740992", "9007199254740993", "-9007199254740993",
  "9223372036854775807", "-9223372036854775808", "9223372036854775808", "18446744073709551615", "0.1", "1e308",
  "1.7976931348623157e308", "5e-324", "2.2250738585072014e-308", "1e400", "-1e400", "1e-400", "0e0", "0E+5", "-0.0",
  "123456789012345678", "1234567890123456789", "0.30000000000000004", "1e23", "4.35", "100000000000000000000000" }

function Generator:number()
  if self:chance(30) then
    return self:pick(NUMBERS)
  end
  local whole = self:digits(self:chance(10) and 30 or 8):gsub("^0+(%d)", "%1")
  local fraction = self:chance(40) and "." .. self:digits(12) or ""
  local exponent = self:chance(30) and self:pick { "e", "E" } .. self:pick { "", "+", "-" } .. self:digits(2) or ""
  return (self:chance(30) and "-" or "") .. whole .. fraction .. exponent
end

--- A value, nested at most `depth` levels.
function Generator:value(depth)
  local kind = self:int(depth > 0 and 10 or 7)
  if kind <= 3 then
    return '"' .. self:text(6) .. '"'
  elseif kind <= 5 then
    return self:number()
  elseif kind == 6 then
    return self:pick { "true", "false" }
  elseif kind == 7 then
    return "null"
  end
  return kind == 8 and self:array(depth - 1) or self:object(depth - 1)
end

function Generator:array(depth)
  local parts = {}
  for i = 1, self:int(6) - 1 do
    parts[i] = self:space() .. self:value(depth) .. self:space()
  end
  return "[" .. (#parts > 0 and table.concat(parts, ",") or self:space()) .. "]"
end

local KEYS = { "id", "name", "email", "a", "b", "ab", "n\\u0061me", "\\u0061", "", "é", "\\u00e9", "日本", "x/y", "x\\/y",
  "~", "0", "1", "created_at", "\\uD834\\uDD1E", "\\\"", "\\\\" }

--- An object; keys may occur several times.
function Generator:object(depth)
  local parts = {}
  for i = 1, self:int(8) - 1 do
    local key = self:chance(60) and self:pick(KEYS) or self:chance(3) and self:text(200) or self:text(5)
    parts[i] = ('%s"%s"%s:%s%s%s'):format(self:space(), key, self:space(), self:space(), self:value(depth),
      self:space())
  end
  return "{" .. (#parts > 0 and table.concat(parts, ",") or self:space()) .. "}"
end

--- A number of users, each the text of an object.
---@return string[]
function Generator:users(count)
  local texts = {}
  for i = 1, count do
    self.spacious = self:chance(50)
    texts[i] = self:object(self:int(5) - 1)
  end
  return texts
end

--- The document that holds these users at a pointer, among other things; and the pointer.
function Generator:document(texts)
  local parts = {}
  for i, text in ipairs(texts) do
    parts[i] = self:space() .. text .. self:space()
  end
  local array = "[" .. table.concat(parts, ",") .. self:space() .. "]"
  local kind = self:int(4)
  if kind == 1 then
    return self:space() .. array .. self:space(), ""
  elseif kind == 2 then
    return ('{"meta":%s,%s"data"%s:%s%s,"data2":%s}'):format(self:value(3), self:space(), self:space(), self:space(),
      array, self:value(3)), "/data"
  elseif kind == 3 then
    return ('[%s,%s{"x":%s,"l\\u0069st":%s}%s]'):format(self:value(3), self:space(), self:value(2), array,
      self:space()), "/1/list"
  end
  return ('{"a":{"data":%s,"b/c":%s},"data":%s}\n'):format(self:value(2), array, self:value(2)), "/a/b~1c"
end

return documents
